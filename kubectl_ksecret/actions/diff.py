"""What is built against what lives in the cluster, without a value on either side.

Objects are compared as far as the build states them: what a server or a controller fills in is no difference. Of the
Secrets themselves the list that `kubectl get` prints is asked for, which holds no value.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from ..backends import backend_of
from ..cluster.api import FIELD_MANAGER, Api, Refused
from ..cluster.guard import refuse_another_cluster, refuse_another_namespace
from ..cluster.ownership import gitops_owner, other_managers
from ..cluster.resources import Resources
from ..cluster.secrets import SecretMetadata, find_secret, list_secrets
from ..frozen import Record
from ..manifests import record
from ..model.backend import Backend
from ..model.kubernetes import Object
from ..model.resolution import Environment
from ..model.types.declaration import DeclarationSpec
from ..model.types.names import seconds
from ..objects.documents import Document, mapping
from ..sources import OpenedBy
from .addresses import secrets_of
from .deployment import DeployedSecret, deployment
from .provision import SourceState, SourceValues, changed
from .sync import DELIVERIES

# Maps whose names people choose: nothing fills them in, so that a name too many is a difference.
_CHOSEN_NAMES = ("encryptedData", "data")


class Compared(Record):
    """An object as it lives and as it is built, both without values; None where it is missing on a side.

    `notes` say who else writes it, or what only looks like a difference.
    """

    name: str
    live: Object | None
    built: Object | None
    notes: Sequence[str] = ()

    @property
    def differs(self) -> bool:
        """Whether there is a difference."""
        return self.live != self.built


def diff(environment: Environment, api: Api, addresses: Sequence[str], opened_by: OpenedBy) -> list[Compared]:
    """Compare the Secrets of an overlay, or the addressed ones, with the cluster.

    Of a backend that commits nothing the versions in the source are compared with those that the Secret was made of.

    Raises InputError for another cluster than the overlay's, Refusal if the cluster can't be asked.
    """
    deployed = deployment(environment)
    refuse_another_namespace(api, deployed.namespace)
    refuse_another_cluster(environment, api, deployed.namespace)
    names = secrets_of(environment, addresses)
    backend = backend_of(environment)
    delivery = DELIVERIES.get(backend.kind)
    compared: list[Compared] = []
    if delivery is not None:
        standing = {live["metadata"]["name"]: live for live in api.all(delivery.resources.among(deployed.namespace))}
        built = {name: secret.document for name, secret in deployed.secrets.items() if name in names}
        compared += _standing(delivery.resources, built.values(), standing)
        if not addresses:
            all_built = {secret.document.subject.name for secret in deployed.secrets.values()}
            compared += _extra(delivery.resources, all_built, standing)
    existing = _existing(api, deployed.namespace)
    states = _states(environment, names, opened_by)
    for name in names:
        if name in deployed.secrets:
            compared.append(_secret(api, _expected(backend, deployed.secrets[name]), existing))
        elif name in states:
            compared.append(_secret(api, _expected_of_source(environment, name, states[name]), existing))
        else:
            compared.append(_not_built(environment, name))
    return compared


class _Expected(Record):
    """A Secret as it should live: its names, what is declared, its keys, and what finds those that have changed."""

    name: str
    namespace: str
    declared: DeclarationSpec
    keys: frozenset[str]
    changed: Callable[[SecretMetadata], Iterator[str]]


def _expected(backend: Backend, deployed: DeployedSecret) -> _Expected:
    document = deployed.document.object
    entries = record.of(document, backend) if backend.seals else {}
    return _Expected(
        name=deployed.name,
        namespace=deployed.namespace,
        declared=deployed.secret.declaration.spec,
        keys=frozenset(backend.held(document) if backend.seals else deployed.secret.keys),
        changed=lambda live: _sealed_anew(entries, live),
    )


def _expected_of_source(environment: Environment, name: str, states: Mapping[str, SourceState]) -> _Expected:
    return _Expected(
        name=name,
        namespace=environment.namespace,
        declared=environment.secrets[name].declaration.spec,
        keys=frozenset(states),
        changed=lambda live: (key for key, state in states.items() if changed(live.record.get(key), state)),
    )


def _states(
    environment: Environment, names: Collection[str], opened_by: OpenedBy
) -> Mapping[str, Mapping[str, SourceState]]:
    """Return what the source tells of keys without their values, where nothing of them is committed."""
    if environment.backend.seals or environment.backend.fetched:
        return {}
    keys = {name: list(environment.secrets[name].keys) for name in names}
    return SourceValues(environment, opened_by).states(keys)


def _existing(api: Api, namespace: str) -> Mapping[str, SecretMetadata] | None:
    """Return the Secrets of a namespace by name; None without the right to list them."""
    try:
        return list_secrets(api, namespace)
    except Refused as refused:
        if refused.status != 403:
            raise
        return None


def _standing(resources: Resources, built: Iterable[Document], standing: Mapping[str, Object]) -> Iterator[Compared]:
    """Compare the objects that stand for Secrets."""
    for document in built:
        live = standing.get(document.subject.name)
        stated = _readable(document.object)
        owner = gitops_owner(live) if live else ""
        yield Compared(
            name=f"{document.subject.kind.lower()}.{resources.group}/{document.subject.name}",
            live=_as_far_as(stated, _readable(live)) if live else None,
            built=stated,
            notes=[f"{owner} applies it"] if owner else (),
        )


def _extra(resources: Resources, built: Collection[str], standing: Mapping[str, Object]) -> Iterator[Compared]:
    """Find the objects that we once applied and that no file has any more."""
    for name, live in standing.items():
        managers = {entry.get("manager") for entry in live["metadata"].get("managedFields") or ()}
        if name not in built and FIELD_MANAGER in managers:
            kind = resources.plural.removesuffix("s")
            subject = {"metadata": {"name": name, "namespace": live["metadata"]["namespace"]}}
            yield Compared(name=f"{kind}.{resources.group}/{name}", live=subject, built=None)


def _readable(manifest: Object) -> Object:
    """Return an object with digests in the place of ciphertext, which nobody can read."""
    spec = mapping(manifest.get("spec"))
    if "encryptedData" not in spec:
        return manifest
    digests = {key: record.digest_of(str(text)) for key, text in mapping(spec["encryptedData"]).items()}
    return manifest | {"spec": spec | {"encryptedData": digests}}


def _as_far_as(stated: Any, live: Any, field: str = "") -> Any:
    """Return of a live value what the stated one speaks of, in the stated form where both mean the same.

    What is left out is filled in by a server, but for the maps whose names people choose, and lists.
    """
    if isinstance(stated, dict) and isinstance(live, dict):
        names = live if field in _CHOSEN_NAMES else [name for name in live if name in stated]
        return {name: _as_far_as(stated.get(name), live[name], name) for name in names}
    if isinstance(stated, list) and isinstance(live, list):
        pairs = zip_longest(stated, live)
        return [_as_far_as(element, live_element) for element, live_element in pairs if live_element is not None]
    if isinstance(stated, str) and isinstance(live, str) and _same_duration(stated, live):
        return stated
    return live


def _same_duration(one: str, other: str) -> bool:
    """Whether two texts are the same time, such as 1h and 1h0m0s, which is how ESO writes it anew."""
    return one[-1:] in "hms" and other[-1:] in "hms" and 0 < seconds(one) == seconds(other)


def _not_built(environment: Environment, name: str) -> Compared:
    verb = "seal" if backend_of(environment).seals else "render --write"
    note = f"the build has no such Secret; kubectl ksecret {verb} {environment.name} makes its manifest"
    return Compared(name=f"secret/{name}", live={"data": {}}, built=None, notes=[note])


def _secret(api: Api, expected: _Expected, existing: Mapping[str, SecretMetadata] | None) -> Compared:
    """Compare a Secret: its type, labels and keys, and what is known of each key."""
    declared = expected.declared
    live = find_secret(api, expected.namespace, expected.name) if existing is None else existing.get(expected.name)
    marked = frozenset(expected.changed(live)) if live else frozenset()
    built = _without_values(
        expected,
        type_=declared.type,
        labels=declared.labels,
        data={key: _after(key in marked) for key in expected.keys},
    )
    if live is None:
        return Compared(name=f"secret/{expected.name}", live=None, built=built)
    labels = {label: value for label, value in live.labels.items() if label in declared.labels}
    shown = _without_values(
        expected, type_=live.type, labels=labels, data={key: _before(key in marked) for key in live.keys}
    )
    return Compared(name=f"secret/{expected.name}", live=shown, built=built, notes=list(_notes(live, expected.keys)))


def _before(changed: bool) -> str:
    return "*** (before)" if changed else "***"


def _after(changed: bool) -> str:
    return "*** (after)" if changed else "***"


def _without_values(expected: _Expected, *, type_: str, labels: Mapping[str, str], data: Mapping[str, str]) -> Object:
    metadata: Object = {"name": expected.name, "namespace": expected.namespace}
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": dict(data)}


def _sealed_anew(entries: record.Entries, live: SecretMetadata) -> Iterator[str]:
    """Find the keys whose record in the file is not the one that came to the Secret together with the data."""
    arrived = live.record
    for key, provenance in entries.items():
        digests = (provenance.digest, arrived[key].digest if key in arrived else "")
        if all(digests) and len(set(digests)) > 1:
            yield key


def _notes(live: SecretMetadata, keys: frozenset[str]) -> Iterator[str]:
    if live.owners:
        yield f"made by {live.owners[0].kind} {live.owners[0].name}"
    if owner := gitops_owner(live.object):
        yield f"{owner} applies it"
    for manager, names in other_managers(live.object, "data"):
        if left := sorted((names & live.keys) - keys):
            yield f"{manager} put there, and nothing declares: {', '.join(left)}"
