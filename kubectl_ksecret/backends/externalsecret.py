"""ExternalSecret and SecretStore of External Secrets Operator (external-secrets.io/v1)."""

import json
from collections.abc import Mapping
from typing import assert_never

from ..model.kubernetes import Object
from ..model.resolution import Environment, Made, Remote, Secret, Value
from ..model.template import Filter, Part
from ..model.types.backends import ExternalSecret, ManagedIdentity, ServicePrincipal, Store, WorkloadIdentity
from ..model.types.sources import AzureKeyVault
from .metadata import metadata

API = "external-secrets.io/v1"
_FILTERS: Mapping[Filter, str] = {
    # Go's urlquery writes a space as +; RFC 3986 has %20.
    "urlencode": 'urlquery | replace "+" "%20"',
    "base64": "b64enc",
    "json": "toJson",
    "pkcs12cert": "pkcs12cert",
    "pkcs12key": "pkcs12key",
}
_CLOUDS = (
    (".vault.azure.cn", "ChinaCloud"),
    (".vault.usgovcloudapi.net", "USGovernmentCloud"),
    (".vault.microsoftazure.de", "GermanCloud"),
)


def render(environment: Environment, backend: ExternalSecret) -> list[Object]:
    """The store if it is made here, then one ExternalSecret a Secret."""
    objects = [_store(environment, backend)] if backend.store.auth else []
    return objects + [_external_secret(environment, backend, secret) for secret in environment.secrets.values()]


def _external_secret(environment: Environment, backend: ExternalSecret, secret: Secret) -> Object:
    spec = secret.declaration.spec
    # Without explicit metadata ESO copies the ExternalSecret's own, Argo CD's tracking id too.
    template: Object = {
        "engineVersion": "v2",
        "metadata": {"labels": dict(spec.labels), "annotations": dict(spec.annotations)},
        "type": spec.type,
    }
    if any(isinstance(value, Made) for value in secret.keys.values()):
        template["data"] = {key: _template(environment, secret, key, value) for key, value in secret.keys.items()}
    target: Object = {"template": template}
    if backend.deletion_policy:
        target["deletionPolicy"] = backend.deletion_policy
    found: Object = {
        "refreshInterval": backend.refresh_interval,
        "secretStoreRef": {"name": backend.store.name, "kind": backend.store.kind},
        "target": target,
        "data": [
            {"secretKey": key, "remoteRef": _remote(value)}
            for key, value in sorted(secret.values.items())
            if isinstance(value, Remote)
        ],
    }
    if backend.refresh_policy:
        found["refreshPolicy"] = backend.refresh_policy
    return {
        "apiVersion": API,
        "kind": "ExternalSecret",
        "metadata": metadata(environment, secret.name, backend.metadata),
        "spec": found,
    }


def _remote(value: Remote) -> Object:
    found = {"key": value.name}
    if value.property:
        found["property"] = value.property
    if value.encoding == "base64":
        found["decodingStrategy"] = "Base64"
    return found


def _template(environment: Environment, secret: Secret, key: str, value: Value) -> str:
    if isinstance(value, Remote):
        return f"{{{{ index . {_go(key)} }}}}"
    return "".join(_part(environment, secret, part) for part in value.parts)


def _part(environment: Environment, secret: Secret, part: Part) -> str:
    if isinstance(part, str):
        return part
    if part.filters:
        return f"{{{{ {_operand(environment, secret, part)} }}}}"
    if part.parameter:
        # What Go would take for an action of its own is text here.
        return environment.overlay.spec.parameters[part.name].replace("{", '{{ "{" }}')
    return _template(environment, secret, part.name, secret.values[part.name])


def _operand(environment: Environment, secret: Secret, part: Part) -> str:
    """A part as an expression of Go's templates."""
    if isinstance(part, str):
        return _go(part)
    if part.parameter:
        found = _go(environment.overlay.spec.parameters[part.name])
    elif isinstance(value := secret.values[part.name], Made):
        # ESO holds what it fetched; what a template makes is made here again. print puts no space between strings.
        below = (f"({_operand(environment, secret, each)})" for each in value.parts)
        found = f"print {' '.join(below)}"
    else:
        # A name with a dash can't be written as .name.
        found = f"index . {_go(part.name)}"
    return found + "".join(f" | {_FILTERS[name]}" for name in part.filters)


def _go(text: str) -> str:
    """A string literal of Go's templates."""
    return json.dumps(text, ensure_ascii=False)


def _store(environment: Environment, backend: ExternalSecret) -> Object:
    store = backend.store
    made = metadata(environment, store.name, backend.metadata)
    if store.kind == "ClusterSecretStore":
        made.pop("namespace")
    return {
        "apiVersion": API,
        "kind": store.kind,
        "metadata": made,
        "spec": {"provider": {"azurekv": _provider(environment, store)}},
    }


def _provider(environment: Environment, store: Store) -> Object:
    source = environment.source
    if source is None or not isinstance(source.kind, AzureKeyVault) or store.auth is None:
        raise AssertionError("the model lets only sources through that ESO reads")
    url = source.kind.vault_url
    provider: Object = {"vaultUrl": url}
    for suffix, cloud in _CLOUDS:
        if url.rstrip("/").endswith(suffix):
            provider["environmentType"] = cloud
    # A store of the whole cluster must say where its references lie.
    where = {"namespace": environment.namespace} if store.kind == "ClusterSecretStore" else {}
    auth = store.auth
    if isinstance(auth, WorkloadIdentity):
        account = {"name": auth.service_account_name, **where}
        return provider | {"authType": "WorkloadIdentity", "serviceAccountRef": account}
    if isinstance(auth, ManagedIdentity):
        identity = {"identityId": auth.identity_id} if auth.identity_id else {}
        return provider | {"authType": "ManagedIdentity"} | identity
    if isinstance(auth, ServicePrincipal):
        credentials = {
            field: {"name": auth.secret_name, "key": key, **where}
            for field, key in (("clientId", auth.client_id_key), ("clientSecret", auth.client_secret_key))
        }
        return provider | {"authType": "ServicePrincipal", "tenantId": auth.tenant_id, "authSecretRef": credentials}
    assert_never(auth)
