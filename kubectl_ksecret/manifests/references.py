"""_references.yaml: kustomize's nameReference for what stands for a Secret.

Kustomize follows a rename (namePrefix, nameSuffix) of kind Secret into the places that it knows. This file has it
follow what an overlay renders into all of them and some more, a store into the ExternalSecrets, and a ServiceAccount
into the store. A path without a kind holds for every kind, so for an operator's own workloads too.
"""

from collections.abc import Iterator

from ..model.kubernetes import OPERATOR, STORES
from ..model.types.backends import BackendSpec, ExternalSecret, SealedSecret, Sops

FILE = "_references.yaml"

_POD = (
    "containers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "initContainers/envFrom/secretRef/name",
    "ephemeralContainers/env/valueFrom/secretKeyRef/name",
    "ephemeralContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/secret/secretName",
    "volumes/projected/sources/secret/name",
    "volumes/csi/nodePublishSecretRef/name",
)
_POD_SPECS = ("spec", "template/spec", "spec/template/spec", "spec/jobTemplate/spec/template/spec")
_PLACES = (
    *(("", f"{spec}/{path}") for spec in _POD_SPECS for path in _POD),
    ("Ingress", "spec/tls/secretName"),
    ("Ingress", "metadata/annotations/ingress.kubernetes.io\\/auth-secret"),
    ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret"),
    ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret"),
    ("ServiceAccount", "imagePullSecrets/name"),
    ("ServiceAccount", "secrets/name"),
    ("Role", "rules/resourceNames"),
    ("ClusterRole", "rules/resourceNames"),
    ("PersistentVolume", "spec/azureFile/secretName"),
    ("StorageClass", "parameters/secretName"),
    ("StorageClass", "parameters/adminSecretName"),
    ("StorageClass", "parameters/userSecretName"),
    ("StorageClass", "parameters/secretRef"),
)
_AZURE = "spec/provider/azurekv"
_CREDENTIALS = tuple(
    (store, f"{_AZURE}/authSecretRef/{name}/name") for store in STORES for name in ("clientId", "clientSecret")
)
_ACCOUNTS = tuple((store, f"{_AZURE}/serviceAccountRef/name") for store in STORES)

_SEALED = ("SealedSecret", "bitnami.com")
_SECRET = ("Secret", "")


def text(backend: BackendSpec) -> str:
    """The file; only what the backend renders stands in it, as each path costs time in every build."""
    return "\n".join(["nameReference:", *_references(backend), ""])


def _references(backend: BackendSpec) -> Iterator[str]:
    if isinstance(backend, ExternalSecret):
        yield from _followed("ExternalSecret", OPERATOR, (*_PLACES, *_CREDENTIALS))
        # The store's own credentials come in any form.
        for kind, group in (_SEALED, _SECRET):
            yield from _followed(kind, group, _CREDENTIALS)
        for kind in STORES:
            yield from _followed(kind, OPERATOR, (("ExternalSecret", "spec/secretStoreRef/name"),))
        yield from _followed("ServiceAccount", "", _ACCOUNTS)
    elif isinstance(backend, SealedSecret):
        yield from _followed(*_SEALED, _PLACES)
    elif isinstance(backend, Sops):
        yield from _followed(*_SECRET, _PLACES)
    else:
        raise TypeError(type(backend).__name__)


def _followed(kind: str, group: str, places: tuple[tuple[str, str], ...]) -> Iterator[str]:
    yield f"- kind: {kind}"
    if group:
        yield f"  group: {group}"
    yield "  fieldSpecs:"
    for owner, path in places:
        yield f"  - path: {path}"
        if owner:
            yield f"    kind: {owner}"
