"""The Role and the RoleBinding by which the readers of a Secret may read it through the API, and nothing else.

A pod that takes keys through env or a volume needs neither: the kubelet reads the Secret for it.
"""

from collections.abc import Iterator

from ..model.backend import NameReference
from ..model.kubernetes import RBAC, Object
from ..model.resolution import Environment, Secret
from .metadata import metadata

# kustomize follows a ServiceAccount into `subjects` only if its file states the namespace, as that of our objects does.
NAME_REFERENCES = (NameReference("ServiceAccount", "", (("RoleBinding", "subjects/name"),)),)


def objects(environment: Environment) -> Iterator[Object]:
    """Yield a Role and its RoleBinding for each Secret with readers, where the overlay asks for them."""
    access = environment.overlay.spec.access
    if access is not None and access.create:
        for secret in environment.secrets.values():
            if secret.declaration.spec.readers:
                yield _role(environment, secret)
                yield _role_binding(environment, secret)


def _role(environment: Environment, secret: Secret) -> Object:
    # get alone: a list or watch of one name shows no more of the Secret, and few clients ask so.
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret.name], "verbs": ["get"]}
    return {**_head(environment, secret, "Role"), "rules": [rule]}


def _role_binding(environment: Environment, secret: Secret) -> Object:
    head = _head(environment, secret, "RoleBinding")
    readers = secret.declaration.spec.readers or ()
    return {
        **head,
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": head["metadata"]["name"]},
        "subjects": [
            {"kind": "ServiceAccount", "name": reader, "namespace": environment.namespace} for reader in sorted(readers)
        ],
    }


def _head(environment: Environment, secret: Secret, kind: str) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata(environment, f"{secret.name}-readers", environment.backend.metadata),
    }
