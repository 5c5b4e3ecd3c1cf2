"""Who else writes an object: GitOps controllers, which own what they apply, and earlier ways of applying it."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import shown
from ..model.kubernetes import Object
from .api import FIELD_MANAGER, JSON_PATCH, Api, Refused
from .resources import Target

_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
_ARGO_ANNOTATION = "argocd.argoproj.io/tracking-id"
_ARGO_LABELS = ("argocd.argoproj.io/instance",)
# Argo CD's default label is also one that people set by themselves; with a Helm chart's it is no sign of Argo CD.
_INSTANCE, _MANAGED_BY = "app.kubernetes.io/instance", "app.kubernetes.io/managed-by"
_ATTEMPTS = 5  # as many as kubectl makes
# On what is applied: the overlay, by which a later diff finds what no file has any more.
OVERLAY = "ksecret.dev/overlay"
# What people apply and create with. A later `kubectl edit` or `annotate` is an exception that somebody meant.
_KUBECTL = frozenset(
    {"kubectl-client-side-apply", "before-first-apply", "kubectl", "kubectl-create", "kubectl-replace"}
)


def gitops_owner(live: Object) -> str:
    """Return the GitOps controller that applies an object, or nothing. Nobody else should apply it."""
    metadata = live.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if any(label in labels for label in _FLUX):
        return "Flux"
    if _ARGO_ANNOTATION in annotations or any(label in labels for label in _ARGO_LABELS):
        return "Argo CD"
    managers = {entry.get("manager", "") for entry in metadata.get("managedFields") or ()}
    if _INSTANCE in labels and labels.get(_MANAGED_BY) != "Helm" and any("argocd" in name for name in managers):
        return "Argo CD"
    return "Flux" if managers & {"kustomize-controller", "helm-controller"} else ""


def applied_by_kubectl(live: Object) -> list[Object]:
    """Return the entries of managedFields that kubectl left when it applied or created an object."""
    entries: list[Object] = live["metadata"].get("managedFields") or []
    return [entry for entry in entries if entry.get("manager") in _KUBECTL and not entry.get("subresource")]


def overlay_label(overlay: str) -> str:
    """Return the value of the label that names an overlay: a name may be longer than a label's value."""
    return overlay[:63].rstrip("-.")


def other_overlay(labels: Mapping[str, str], overlay: str) -> str:
    """Return the other overlay that an object was applied for, or nothing: two of them would write it in turn."""
    applied_for = labels.get(OVERLAY, "")
    return "" if applied_for == overlay_label(overlay) else shown(applied_for)


def gitops_step(live: Object) -> str:
    """Return what brings the files to the cluster where a GitOps controller applies an object; nothing where none does.

    The names are those that the controllers put on what they apply.
    """
    owner = gitops_owner(live)
    metadata = live.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if owner == "Flux" and _FLUX[0] in labels:
        namespace = labels.get(_FLUX[0].replace("/name", "/namespace"), "flux-system")
        return f"flux reconcile kustomization {shown(labels[_FLUX[0]])} --namespace={shown(namespace)} --with-source"
    if owner == "Argo CD":
        names = [annotations.get(_ARGO_ANNOTATION, "").partition(":")[0], *(labels.get(name) for name in _ARGO_LABELS)]
        if application := next(filter(None, (*names, labels.get(_INSTANCE))), ""):
            # Of an Application outside of Argo CD's own namespace both have NAMESPACE_NAME; its CLI takes a slash.
            return f"argocd app sync {shown(application.replace('_', '/'))}"
    return f"{owner} applies it: commit and push what is to be applied" if owner else ""


def edited_keys(live: Object) -> frozenset[str]:
    """Return the keys of a Secret that somebody wrote with kubectl after its controller, or sync, wrote it last.

    An earlier entry of kubectl proves nothing: a field whose value stays the same stays with whoever wrote it first.
    Times have whole seconds, and one of the same second counts: a Secret that is written once more loses nothing.
    """
    # Whoever wrote the data keeps `f:data` itself when another one takes its last key.
    entries = [
        entry for entry in live["metadata"].get("managedFields") or () if "f:data" in (entry.get("fieldsV1") or {})
    ]
    by_kubectl = [entry for entry in entries if str(entry.get("manager")).startswith("kubectl")]
    last = max((str(entry.get("time") or "") for entry in entries if entry not in by_kubectl), default="")
    later = [entry for entry in by_kubectl if last and str(entry.get("time") or "") >= last]
    return frozenset(key for entry in later for key in fields_below(entry, "data"))


def data_written(live: Object) -> tuple[str, str]:
    """Return when anybody last wrote what a Secret holds, in RFC 3339, and who; both empty if nothing says so."""
    managed = live["metadata"].get("managedFields") or ()
    entries: list[Object] = [entry for entry in managed if fields_below(entry, "data")]
    last = max(entries, key=lambda entry: str(entry.get("time") or ""), default={})
    return str(last.get("time") or ""), shown(str(last.get("manager") or ""))


def fields_below(entry: Object, *path: str) -> frozenset[str]:
    """Return the names of the fields below a path that an entry of managedFields speaks of, such as keys of `data`."""
    fields: Any = entry.get("fieldsV1") or {}
    for step in path:
        fields = fields.get(f"f:{step}") or {}
    return frozenset(name.removeprefix("f:") for name in fields if name.startswith("f:"))


def take_over_from_kubectl(api: Api, target: Target, live: Object, *, dry_run: bool = False) -> None:
    """Make what kubectl applied or created ours.

    Else a key that is no longer declared would stay, owned by a manager that never comes back, and so would the old
    values in the last-applied annotation. kubectl itself renames its entry when it goes over to server-side apply.

    The patch is guarded by the resourceVersion. Where somebody else wrote in between, the object is read again.
    """
    for attempt in range(_ATTEMPTS):
        patch = _renaming(live)
        if not patch:
            return
        try:
            api.patch(target, patch, JSON_PATCH, dry_run=dry_run).clear()
            return
        except Refused as refused:
            # The guard's own refusal is a 422, that of the API server's own comparison a 409.
            if refused.status not in (409, 422) or attempt == _ATTEMPTS - 1:
                raise
        live = api.get(target)
        live.pop("data", None)


def _renaming(live: Object) -> list[Object]:
    """Return the patch that makes the entries of kubectl in managedFields ours; nothing if there are none."""
    entries: list[Object] = live["metadata"].get("managedFields") or []
    old = applied_by_kubectl(live)
    if not old:
        return []
    ours = [entry for entry in entries if (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")]
    fields: Object = {}
    for entry in (*ours, *old):
        fields = _united(fields, entry.get("fieldsV1") or {})
    taken = {**old[0], "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    others = [entry for entry in entries if entry not in old and entry not in ours]
    guard = {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}
    return [guard, {"op": "replace", "path": "/metadata/managedFields", "value": [*others, taken]}]


def _united(fields: Object, more: Object) -> Object:
    """Return the fields of two managers together; a field without fields below it is an empty mapping."""
    return {**fields, **{name: _united(fields.get(name) or {}, below) for name, below in more.items()}}


def other_managers(live: Object, *path: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield who else manages fields below a path, such as the keys of `data`, and which."""
    for entry in live["metadata"].get("managedFields") or ():
        names = fields_below(entry, *path)
        if names and entry.get("manager") != FIELD_MANAGER:
            yield shown(str(entry.get("manager", ""))), names
