"""VaultStaticSecret, VaultAuth and VaultConnection of Vault Secrets Operator (secrets.hashicorp.com/v1beta1).

Tried on 0.10.0. An entry of Vault becomes a Secret, so that all keys of a Secret are members of one entry.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from ..kustomize import layers
from ..manifests.metadata import metadata
from ..model import propertypath
from ..model.backend import Limit, NameReference, Objects, Path
from ..model.kubernetes import VAULT_OPERATOR, Object
from ..model.resolution import Derived, Environment, Remote, Secret, SourceRead
from ..model.template import references
from ..model.types.backends import AppRoleSignIn, KubernetesSignIn, VaultSecretsOperator
from ..model.types.names import seconds
from ..model.types.sources import Vault
from ..objects.documents import Tree
from ..objects.reads import reads
from .gotemplates import FILTERS, GoTemplates, literal
from .valueless import ValuelessBackend

KIND, AUTH, CONNECTION = "VaultStaticSecret", "VaultAuth", "VaultConnection"
_API = f"{VAULT_OPERATOR}/v1beta1"
# What the operator can restart; it refuses other kinds.
_RESTARTED = {"Deployment": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "argo.Rollout": "argoproj.io"}
# A pattern of the CRD: one number and one unit.
_REFRESH_AFTER = re.compile(r"[0-9]+(\.[0-9]+)?[smh]")


def spec_of(environment: Environment) -> VaultSecretsOperator:
    """Return what the overlay says of its VaultStaticSecrets."""
    spec = environment.backend
    assert isinstance(spec, VaultSecretsOperator)
    return spec


class VaultSecretsOperatorBackend(ValuelessBackend):
    """A VaultStaticSecret for each declaration; Vault Secrets Operator reads the values in the cluster."""

    kind = KIND
    group = VAULT_OPERATOR
    restarts_readers = True
    record_path = ("metadata", "annotations")
    builds_on_committed = True

    def render(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the connection and the sign-in if they are made here, then one VaultStaticSecret a Secret.

        The workloads to restart are those that are committed: a build does not look for who reads a Secret.
        """
        targets = {name: _restart_targets(document) for name, document in committed.items()}
        return self._rendered(environment, targets)

    def mend(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the same, with the workloads that read each Secret now."""
        return self._rendered(environment, _readers(environment))

    def shell(self, environment: Environment, secret: Secret) -> Object:
        """Return the VaultStaticSecret of a Secret, without the workloads to restart."""
        spec = spec_of(environment)
        entry = _entry(environment, secret)
        return {
            "apiVersion": _API,
            "kind": KIND,
            "metadata": metadata(environment, secret.name, spec.metadata),
            "spec": {
                "vaultAuthRef": spec.name,
                **entry,
                "refreshAfter": _in_one_unit(spec.refresh_after),
                "destination": _destination(environment, secret),
            },
        }

    def path_of(self, key: str) -> Path:
        """Return the path of the template that makes a key."""
        return ("spec", "destination", "transformation", "templates", key)

    def limits(self, environment: Environment, secret: Secret) -> Iterator[Limit]:
        """Find keys of several entries of Vault or versions of one, paths, and filters that its templates lack."""
        remotes = {key: value for key, value in secret.values.items() if isinstance(value, Remote)}
        first = next(iter(remotes.values()), None)
        for key, remote in remotes.items():
            if first is not None and remote.name != first.name:
                message = f"{secret.name} takes {first.name} and {remote.name}, and a VaultStaticSecret reads one entry"
                hint = 'give its keys one name, as with names: "{secret}" and property: "{key}" in spec.source'
                read = SourceRead(environment=environment, secret=secret.name, key=key, remote=remote)
                yield Limit(message, read.stated_at("remoteName"), hint)
                break
        yield from _mixed_versions(environment, secret, remotes)
        for key, remote in remotes.items():
            if remote.property and _is_path(remote.property):
                message = f"the property of {secret.name}/{key} is a path, and a VaultStaticSecret takes whole members"
                read = SourceRead(environment=environment, secret=secret.name, key=key, remote=remote)
                hint = "give the entry a member that holds the value itself"
                yield Limit(message, read.stated_at("property"), hint)
        for value in secret.values.values():
            for reference in references(value.parts) if isinstance(value, Derived) else ():
                if lacking := [name for name in reference.filters if name not in FILTERS]:
                    message = f"the templates of Vault Secrets Operator have no {lacking[0]}"
                    yield Limit(message, value.key.origin.at("template"), "take another backend")

    def next_step(self, environment: Environment, secrets: Sequence[str]) -> str:
        """Return when the operator reads Vault; only another specification would make it do so at once."""
        return f"{environment.name} has it within {spec_of(environment).refresh_after}, and what reads it restarts"

    def name_references(self) -> Sequence[NameReference]:
        """Return all places that name a Secret, its own destination among them, and what the operator needs."""
        # Written with the manifests; a build does without the table.
        from .references import SECRET_READERS

        credentials = ((AUTH, "spec/appRole/secretRef"), (CONNECTION, "spec/caCertSecretRef"))
        workloads = [
            NameReference(kind.removeprefix("argo."), group, ((KIND, "spec/rolloutRestartTargets/name"),))
            for kind, group in _RESTARTED.items()
        ]
        return (
            NameReference(KIND, VAULT_OPERATOR, ((KIND, "spec/destination/name"), *SECRET_READERS, *credentials)),
            NameReference("SealedSecret", "bitnami.com", credentials),
            NameReference("Secret", "", credentials),
            NameReference(AUTH, VAULT_OPERATOR, ((KIND, "spec/vaultAuthRef"),)),
            NameReference(CONNECTION, VAULT_OPERATOR, ((AUTH, "spec/vaultConnectionRef"),)),
            NameReference("ServiceAccount", "", ((AUTH, "spec/kubernetes/serviceAccount"),)),
            *workloads,
        )

    def _rendered(self, environment: Environment, targets: Mapping[str, Sequence[Object]]) -> list[Object]:
        objects = list(_sign_in(environment))
        for name, secret in environment.secrets.items():
            document = self.shell(environment, secret)
            if restarted := targets.get(name):
                document["spec"]["rolloutRestartTargets"] = restarted
            objects.append(document)
        return objects


def _restart_targets(committed: Object) -> Sequence[Object]:
    """Return the workloads that a committed object names, whatever became of it since."""
    spec = committed.get("spec")
    targets = spec.get("rolloutRestartTargets") if isinstance(spec, dict) else None
    return targets if isinstance(targets, list) else []


def _sign_in(environment: Environment) -> Iterator[Object]:
    """Yield the VaultConnection and the VaultAuth, where the overlay says how the operator signs in."""
    spec, source = spec_of(environment), _source(environment)
    if spec.auth is None:
        return
    # The CRD demands the field, which has a default.
    connection: Object = {"address": source.shown_address, "skipTLSVerify": False}
    if spec.ca_secret_name:
        connection["caCertSecretRef"] = spec.ca_secret_name
    auth: Object = {"vaultConnectionRef": spec.name, "mount": spec.auth.mount_path}
    if source.namespace:
        auth["namespace"] = source.namespace
    if isinstance(spec.auth, KubernetesSignIn):
        account: Object = {"role": spec.auth.role, "serviceAccount": spec.auth.service_account_name}
        if spec.auth.audiences:
            account["audiences"] = [*spec.auth.audiences]
        auth |= {"method": "kubernetes", "kubernetes": account}
    else:
        assert isinstance(spec.auth, AppRoleSignIn)
        auth |= {"method": "appRole", "appRole": {"roleId": spec.auth.role_id, "secretRef": spec.auth.secret_name}}
    for kind, content in {CONNECTION: connection, AUTH: auth}.items():
        stated = metadata(environment, spec.name, spec.metadata)
        yield {"apiVersion": _API, "kind": kind, "metadata": stated, "spec": content}


def _source(environment: Environment) -> Vault:
    source = environment.source
    assert source is not None and isinstance(source.kind, Vault)
    return source.kind


def _entry(environment: Environment, secret: Secret) -> Object:
    """Return which entry of Vault a Secret is made of."""
    source = _source(environment)
    remote = next(value for value in secret.values.values() if isinstance(value, Remote))
    namespace = {"namespace": source.namespace} if source.namespace else {}
    entry: Object = {**namespace, "mount": source.mount, "type": "kv-v2", "path": remote.name}
    return entry | {"version": int(remote.version)} if remote.version else entry


def _mixed_versions(environment: Environment, secret: Secret, remotes: Mapping[str, Remote]) -> Iterator[Limit]:
    """Find keys of one entry that are pinned to several versions, or not all of them pinned."""
    keys: dict[str | None, str] = {}  # one for each version
    for key, remote in remotes.items():
        keys.setdefault(remote.version, key)
    if len(keys) < 2:
        return
    stated = {key: f"version {version}" if version else "the newest version" for version, key in keys.items()}
    shown = " and ".join(f"{key} in {version}" for key, version in list(stated.items())[:2])
    pinned = next(key for version, key in keys.items() if version)
    read = SourceRead(environment=environment, secret=secret.name, key=pinned, remote=remotes[pinned])
    message = f"{secret.name} takes {shown}, and a VaultStaticSecret reads one version"
    hint = f"pin all its keys to one: kubectl ksecret pin-versions {environment.name} {secret.name}"
    yield Limit(message, read.stated_at("version"), hint)


def _destination(environment: Environment, secret: Secret) -> Object:
    declared = secret.declaration.spec
    templates = GoTemplates(environment, secret, _fetched)
    destination: Object = {"name": secret.name, "create": True, "type": declared.type}
    for field, stated in {"labels": declared.labels, "annotations": declared.annotations}.items():
        if stated:
            destination[field] = dict(stated)
    texts = {key: {"text": _guard(secret, key) + templates.text(key)} for key in secret.keys}
    # Without these two the entry's own members would be keys of the Secret as well.
    destination["transformation"] = {"excludeRaw": True, "excludes": [".*"], "templates": texts}
    return destination


def _fetched(key: str, value: Remote) -> str:
    """Return the expression of a member of the entry; without a property it is the whole entry."""
    # toJson writes < > and & as escapes, as External Secrets Operator does.
    expression = _get(value.property) if value.property else "toJson .Secrets"
    return expression + (" | b64dec" if value.encoding == "base64" else "")


def _get(property_: str) -> str:
    return f"get .Secrets {literal(_member(property_))}"


def _member(property_: str) -> str:
    """Return the name of the member that a property means; one that is a path is refused before (`limits`)."""
    path = propertypath.steps(property_)
    return path[0].name if len(path) == 1 else property_


def _is_path(property_: str) -> bool:
    """Whether a property can't be the name of a member; a dot alone may be part of one, as in tls.crt."""
    path = propertypath.steps(property_)
    if propertypath.unread(property_) or path[0].written == "#":
        return True
    return len(path) > 1 and ("\\" in property_ or any(re.fullmatch("#|[0-9]+", step.written) for step in path[1:]))


def _guard(secret: Secret, key: str) -> str:
    """Return what keeps the Secret as it is where the entry does not hold what a key takes.

    Of a member that is missing `get` makes an empty value, and what is no text is written in a form of Go's own. Where
    b64dec fails, it writes its error message in place of the value.
    """
    remotes = [value for value in secret.remotes(key).values() if value.property]
    guards = [_guard_of_text(value.property) for value in remotes if value.property]
    guards += [_guard_of_base64(value.property) for value in remotes if value.property and value.encoding == "base64"]
    return "".join(dict.fromkeys(guards))


def _guard_of_text(property_: str) -> str:
    member = _member(property_)
    # What is missing, and null, is of the kind invalid; numbers come as text.
    unfit = f'has (kindOf (index .Secrets {literal(member)})) (list "invalid" "map" "slice")'
    return _failing(unfit, f"the entry has no {member} that is text")


def _guard_of_base64(property_: str) -> str:
    value = _get(property_)
    differs = f'ne ({value} | b64dec | b64enc) ({value} | replace "\\n" "" | replace "\\r" "")'
    return _failing(differs, f"{_member(property_)} of the entry is not base64")


def _failing(condition: str, message: str) -> str:
    return f"{{{{ if {condition} }}}}{{{{ fail {literal(message)} }}}}{{{{ end }}}}"


def _readers(environment: Environment) -> Mapping[str, list[Object]]:
    """Return the workloads of the kustomization that read each Secret, as far as the operator can restart them."""
    root = environment.path(environment.overlay.spec.kustomization)
    tree, targets = Tree(environment.project), dict[str, list[Object]]()
    for folder, layer in layers.read(environment.project, root).items():
        for _, _, name in layers.listed(layer.object, *layers.BELOW):
            path = os.path.join(folder, name)
            if not os.path.isfile(path):
                continue
            for document in tree.documents(path):
                kind = document.subject.kind if document.group == "apps" else f"argo.{document.subject.kind}"
                if _RESTARTED.get(kind) != document.group:
                    continue
                target = {"kind": kind, "name": document.subject.name}
                for secret in sorted({read.secret for read in reads(document)} & environment.secrets.keys()):
                    if target not in targets.setdefault(secret, []):
                        targets[secret].append(target)
    return {
        secret: sorted(listed, key=lambda target: (target["kind"], target["name"]))
        for secret, listed in targets.items()
    }


def _in_one_unit(duration: str) -> str:
    """Return a duration as the CRD takes it, such as 1h or 5400s."""
    return duration if _REFRESH_AFTER.fullmatch(duration) else f"{max(1, round(seconds(duration)))}s"
