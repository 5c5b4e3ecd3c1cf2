"""Kubernetes objects as plain mappings, as YAML and JSON have them."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

Object = dict[str, Any]

# Of External Secrets Operator: the group of its kinds, and the kinds that say where it reads.
OPERATOR = "external-secrets.io"
STORES = ("SecretStore", "ClusterSecretStore")
# The groups of Vault Secrets Operator and of ack-secret-manager.
VAULT_OPERATOR = "secrets.hashicorp.com"
ALIBABA = "alibabacloud.com"
RBAC = "rbac.authorization.k8s.io"


class Subject(NamedTuple):
    """An object as messages name it."""

    kind: str
    namespace: str
    name: str


# What the API server demands of the Secret types that it knows; of a row's keys each, or any (basic-auth).
REQUIRED_KEYS: dict[str, tuple[str, ...]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "bootstrap.kubernetes.io/token": ("token-id", "token-secret"),
}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MAX_ANNOTATIONS = 256 << 10  # bytes of all annotations of an object, names and values
BASIC_AUTH = "kubernetes.io/basic-auth"
BASIC_AUTH_KEYS = ("username", "password")
SERVICE_ACCOUNT = "kubernetes.io/service-account-token"
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"


def unfolded(documents: Iterable[Any]) -> Iterator[Any]:
    """Return the documents, and in place of a List what it lists."""
    for document in documents:
        listed = document.get("items") if isinstance(document, dict) else None
        if isinstance(listed, list) and str(document.get("kind", "")).endswith("List"):
            yield from listed
        else:
            yield document


def decoded(text: str) -> bytes:
    """Return what stands in base64 under a Secret's data; YAML may have broken it into lines. Raises ValueError."""
    from base64 import b64decode  # a build decodes nothing

    return b64decode("".join(text.split()), validate=True)
