"""A store of HashiCorp Vault or OpenBao: the provider vault of External Secrets Operator.

Its own provider for OpenBao knows no Kubernetes sign-in, and this one speaks to both.
"""

from base64 import b64encode
from collections.abc import Sequence

from ...errors import InputError, Mistake
from ...model.kubernetes import Object
from ...model.resolution import Environment
from ...model.types.sources import Vault
from ...model.types.stores import AppRole, Kubernetes, Store, Token
from .reference import namespace_of


class VaultProvider:
    """Everything about a store of Vault."""

    name = "vault"
    secret_paths: Sequence[str] = ("auth/appRole/secretRef/name", "auth/tokenSecretRef/name")
    account_paths: Sequence[str] = ("auth/kubernetes/serviceAccountRef/name",)

    def render(self, environment: Environment, store: Store) -> Object:
        """Return the mount, the CA of its server, and how the store signs in."""
        source = environment.source.kind if environment.source else None
        assert isinstance(source, Vault)
        provider: Object = {"server": source.shown_address, "path": source.mount, "version": "v2"}
        if source.namespace:
            provider["namespace"] = source.namespace
        if source.ca_file:
            provider["caBundle"] = b64encode(_certificates(environment, source, source.ca_file)).decode()
        return provider | {"auth": _auth(environment, store)}


def _certificates(environment: Environment, source: Vault, file: str) -> bytes:
    """Return the CA of the server. Raises InputError for more than certificates: a store is for all to see."""
    place = source.origin.at("caFile")
    pem = environment.project.read(environment.path(file), place)
    if not pem.count(b"-----BEGIN ") == pem.count(b"-----BEGIN CERTIFICATE-----") > 0:
        message = f"{environment.shown_path(file)} holds no certificate, or a private key beside it"
        raise InputError(Mistake(message, place, "name a file in PEM that holds certificates alone"))
    return pem


def _auth(environment: Environment, store: Store) -> Object:
    auth, namespace = store.auth, namespace_of(environment, store)
    if isinstance(auth, Kubernetes):
        account = {"name": auth.service_account_name, **namespace}
        return {"kubernetes": {"mountPath": auth.mount_path, "role": auth.role, "serviceAccountRef": account}}
    if isinstance(auth, AppRole):
        secret = {"name": auth.secret_ref.name, "key": auth.secret_ref.key, **namespace}
        return {"appRole": {"path": auth.path, "roleId": auth.role_id, "secretRef": secret}}
    assert isinstance(auth, Token)
    return {"tokenSecretRef": {"name": auth.secret_ref.name, "key": auth.secret_ref.key, **namespace}}
