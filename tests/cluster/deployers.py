"""Flux and Argo CD, as far as an object notices them: what they apply, as whom, and what they take away."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from ..peers import run
from .shops import Shop

Fields = dict[str, Any]
FLUX = "kustomize-controller"
ARGO_CD = "argocd-controller"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def flux(shop: Shop, overlay: str) -> None:
    """Reconcile as Flux's ssa package does.

    What managers own whose names begin with kubectl becomes Flux's, and last-applied goes; what Flux then applies
    lacks those fields, so the API server drops them.
    """
    objects = built(shop, overlay)
    for document in objects:
        labels = document["metadata"].setdefault("labels", {})
        labels |= {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
        if live := existing(shop, document):
            _strip(shop, document, live)
    shop.cluster.kubectl(
        *("apply", "--server-side", "--force-conflicts", f"--field-manager={FLUX}", "--filename=-"),
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
    )


def argo_cd(shop: Shop, overlay: str, *options: str) -> None:
    """Sync as Argo CD does: every object says what tracks it, and is applied as kubectl does it."""
    objects = built(shop, overlay)
    for document in objects:
        group = document["apiVersion"].rpartition("/")[0]
        subject = f"{group}/{document['kind']}:{shop.namespace}/{document['metadata']['name']}"
        document["metadata"].setdefault("annotations", {})["argocd.argoproj.io/tracking-id"] = f"shop:{subject}"
    documents = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    shop.cluster.kubectl("apply", f"--field-manager={ARGO_CD}", *options, "--filename=-", stdin=documents)


def argo_cd_server_side(shop: Shop, overlay: str) -> None:
    """Sync with ServerSideApply=true."""
    argo_cd(shop, overlay, "--server-side", "--force-conflicts")


DEPLOYERS: Mapping[str, Callable[[Shop, str], None]] = {
    "Flux": flux,
    "Argo CD": argo_cd,
    "Argo CD, server-side": argo_cd_server_side,
}


def built(shop: Shop, overlay: str) -> list[Fields]:
    """Return what an overlay builds."""
    text = run("kubectl", "kustomize", shop.project.root / "overlays" / overlay)
    return list(yaml.safe_load_all(text))


def existing(shop: Shop, document: Fields) -> Fields | None:
    """Return an object of the cluster with its managedFields, if it is there."""
    kind, group = document["kind"].lower(), document["apiVersion"].rpartition("/")[0]
    resource = f"{kind}.{group}" if group else kind
    options = ("--ignore-not-found", "--show-managed-fields", "--output=json")
    text = shop.kubectl("get", resource, document["metadata"]["name"], *options)
    return dict(json.loads(text)) if text else None


def _strip(shop: Shop, document: Fields, live: Fields) -> None:
    entries = live["metadata"].get("managedFields", [])
    taken = [entry for entry in entries if entry["manager"].startswith(("kubectl", "before-first-apply"))]
    if not taken:
        return
    own = [entry for entry in entries if (entry["manager"], entry["operation"]) == (FLUX, "Apply")]
    fields: Fields = {}
    for entry in (*own, *taken):
        fields = _united(fields, entry["fieldsV1"])
    merged = {**taken[0], "manager": FLUX, "operation": "Apply", "fieldsV1": fields}
    others = [entry for entry in entries if entry not in taken and entry not in own]
    patch: list[Fields] = [{"op": "replace", "path": "/metadata/managedFields", "value": [*others, merged]}]
    if LAST_APPLIED in live["metadata"].get("annotations", {}):
        patch.append({"op": "remove", "path": f"/metadata/annotations/{LAST_APPLIED.replace('/', '~1')}"})
    name = f"{document['kind'].lower()}/{document['metadata']['name']}"
    shop.kubectl("patch", name, "--type=json", f"--field-manager={FLUX}", f"--patch={json.dumps(patch)}")


def _united(fields: Fields, more: Fields) -> Fields:
    return {**fields, **{name: _united(fields.get(name) or {}, below) for name, below in more.items()}}
