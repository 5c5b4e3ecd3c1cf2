"""ExternalSecret and SecretStore of ack-secret-manager (alibabacloud.com/v1alpha1), as of version 0.5.8 and later.

Both plurals are those of External Secrets Operator, too, so that every command must name the group.
"""

import json
import re
from collections.abc import Iterator, Sequence

from ..manifests.metadata import metadata
from ..model import propertypath
from ..model.backend import Limit, NameReference, Objects, Path
from ..model.kubernetes import ALIBABA, Object
from ..model.resolution import Derived, Environment, Remote, Secret
from ..model.types.backends import AccessKey, AckSecretManager, Rrsa
from .valueless import ValuelessBackend

KIND, _STORE = "ExternalSecret", "SecretStore"
API = f"{ALIBABA}/v1alpha1"
POLLING = "120s"  # its own option pollingInterval, which no object changes
_CREDENTIALS = tuple((_STORE, f"spec/KMS/KMSAuth/{field}/name") for field in ("accessKey", "accessKeySecret"))


def spec_of(environment: Environment) -> AckSecretManager:
    """Return what the overlay says of its ExternalSecrets."""
    spec = environment.backend
    assert isinstance(spec, AckSecretManager)
    return spec


class AckSecretManagerBackend(ValuelessBackend):
    """An ExternalSecret for each declaration; ack-secret-manager reads the values in the cluster."""

    kind = KIND
    group = ALIBABA
    record_path = ("metadata", "annotations")

    def render(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the store if it is made here, then one ExternalSecret a Secret."""
        spec = spec_of(environment)
        stores = [_store(environment, spec)] if spec.store.auth else []
        return stores + [self.shell(environment, secret) for secret in environment.secrets.values()]

    def shell(self, environment: Environment, secret: Secret) -> Object:
        """Return the ExternalSecret of a Secret, which takes its name and its type."""
        spec = spec_of(environment)
        remotes = {key: value for key, value in sorted(secret.keys.items()) if isinstance(value, Remote)}
        return {
            "apiVersion": API,
            "kind": KIND,
            "metadata": metadata(environment, secret.name, spec.metadata),
            "spec": {
                "provider": "kms",
                "type": secret.declaration.spec.type,
                "data": [_entry(environment, spec, key, remote) for key, remote in remotes.items()],
            },
        }

    def path_of(self, key: str) -> Path:
        """Return the list of what is fetched, in which a key has no path of its own."""
        return ("spec", "data")

    def limits(self, environment: Environment, secret: Secret) -> Iterator[Limit]:
        """Find templates, encodings, metadata and paths: it copies what KMS holds, or a member, and nothing else."""
        declared = secret.declaration.spec
        for field in ("labels", "annotations"):
            if getattr(declared, field):
                message = f"ack-secret-manager gives the Secret {secret.name} no {field}"
                yield Limit(message, declared.origin.key(field), f"remove the {field}, or take another backend")
        for key, value in secret.keys.items():
            if isinstance(value, Derived):
                message = f"{secret.name}/{key} is made by a template, which ack-secret-manager does not know"
                hint = "keep what it makes in KMS under a name of its own, or take another backend"
                yield Limit(message, value.key.origin.at("template"), hint)
            elif value.encoding == "base64":
                message = f"{secret.name}/{key} is base64 in KMS, which ack-secret-manager does not decode"
                hint = "keep it in KMS as a secret of the type binary, without encoding"
                yield Limit(message, value.key.origin.at("encoding"), hint)
            elif value.property and _has_no_jmes(value.property):
                message = f"the property of {secret.name}/{key} has a sign that JMESPath does not have"
                hint = "ack-secret-manager takes names, and numbers of elements, with dots between"
                yield Limit(message, value.key.origin.at("property"), hint)

    def next_step(self, environment: Environment, secrets: Sequence[str]) -> str:
        """Return when it reads KMS, and the command that makes it do so at once."""
        command = f"kubectl ksecret sync {environment.name} {' '.join(secrets)}"
        return f"{environment.name} has it within {POLLING}; at once: {command}"

    def name_references(self) -> Sequence[NameReference]:
        """Return all places that name a Secret, and those that a store and its credentials are named in."""
        # Written with the manifests; a build does without the table.
        from .references import SECRET_READERS

        return (
            NameReference(KIND, ALIBABA, (*SECRET_READERS, *_CREDENTIALS)),
            # The store's own credentials come in any form.
            NameReference("SealedSecret", "bitnami.com", _CREDENTIALS),
            NameReference("Secret", "", _CREDENTIALS),
            NameReference(_STORE, ALIBABA, ((KIND, "spec/data/secretStoreRef/name"),)),
        )


def _entry(environment: Environment, spec: AckSecretManager, key: str, remote: Remote) -> Object:
    reference = {"name": spec.store.name, "namespace": environment.namespace}
    entry: Object = {"key": remote.name, "secretStoreRef": reference}
    if remote.version:
        entry["versionId"] = remote.version
    if remote.property:
        # Without a name: where the member is missing, it would put the whole value under that. So the Secret has an
        # empty key, which the API server refuses, and stays as it is.
        entry["jmesPath"] = [{"path": _path_or_name(remote.property), "objectAlias": key}]
    else:
        entry["name"] = key
    return entry


def _has_no_jmes(property_: str) -> bool:
    return bool(propertypath.unread(property_)) or any(step.written == "#" for step in propertypath.steps(property_))


def _path_or_name(property_: str) -> str:
    """Return where a property is; with a dot it may be the name of one member, such as tls.crt, as in this tool."""
    path = _jmes(property_)
    is_ambiguous = "." in property_ and "\\" not in property_
    return f"{path} || {_quoted(property_)}" if is_ambiguous else path


def _jmes(property_: str) -> str:
    """Return a property as JMESPath writes it; a number is taken for the place of an element."""
    path = ""
    for step in propertypath.steps(property_):
        if re.fullmatch("[0-9]+", step.written):
            path += f"[{step.written}]"
        else:
            path += ("." if path else "") + _quoted(step.name)
    return path


def _quoted(member: str) -> str:
    return member if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", member) else json.dumps(member)


def _store(environment: Environment, spec: AckSecretManager) -> Object:
    return {
        "apiVersion": API,
        "kind": _STORE,
        "metadata": metadata(environment, spec.store.name, spec.metadata),
        "spec": {"KMS": {"KMSAuth": _auth(environment, spec)}},
    }


def _auth(environment: Environment, spec: AckSecretManager) -> Object:
    auth = spec.store.auth
    if isinstance(auth, Rrsa):
        fields: Object = {"oidcProviderARN": auth.oidc_provider_arn, "ramRoleARN": auth.ram_role_arn}
        if auth.remote_ram_role_arn:
            # Its README writes remoteRamRoleArn, which the API server drops: the schema has no such field. Without a
            # session name it is not assumed.
            fields["remoteRamRoleARN"] = auth.remote_ram_role_arn
            fields["remoteRamRoleSessionName"] = auth.remote_ram_role_session_name
        return fields
    if isinstance(auth, AccessKey):
        where = {"name": auth.secret_name, "namespace": environment.namespace}
        fields = {"accessKey": {**where, "key": auth.id_key}, "accessKeySecret": {**where, "key": auth.secret_key}}
        if auth.ram_role_arn:
            fields |= {"ramRoleARN": auth.ram_role_arn, "ramRoleSessionName": auth.ram_role_session_name}
        return fields
    raise AssertionError("a store is rendered only where it says how it signs in")
