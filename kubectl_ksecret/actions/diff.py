"""What is built against what lives in the cluster, without a value on either side.

Objects are compared as far as the build states them: what a server or a controller fills in is no difference. Of the
Secrets themselves the list that `kubectl get` prints is asked for, which holds no value.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from ..backends import backend_of
from ..cluster.api import Api, Refused
from ..cluster.comparison import as_far_as
from ..cluster.ownership import OVERLAY, edited_keys, gitops_owner, other_managers, overlay_label
from ..cluster.resources import Resources
from ..cluster.secrets import SecretMetadata, find_secret, list_secrets
from ..cluster.stores import STORE_KINDS, StoreKind
from ..frozen import Record
from ..manifests import record
from ..model.backend import Backend
from ..model.kubernetes import Object
from ..model.resolution import Environment
from ..model.types.declaration import DeclarationSpec
from ..objects.documents import Document, mapping
from ..objects.selectors import Selector
from ..sources import OpenedBy
from .addresses import selected
from .deployment import DeployedSecret, Deployment, deployment_to, not_built
from .orders import DELIVERIES
from .provision import SourceState, SourceValues, changed


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


class Diff(Record):
    """An overlay compared with the cluster, object by object; `notes` say what could not be compared."""

    environment: str
    namespace: str
    compared: Sequence[Compared]
    notes: Sequence[str] = ()

    @property
    def differing(self) -> list[Compared]:
        """The objects that differ."""
        return [one for one in self.compared if one.differs]


class DiffRequest(Record):
    """What the user asked for: all of an overlay, or parts of it."""

    addresses: Sequence[str] = ()
    selector: Selector | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of it is compared, so that what nobody declares is a difference too."""
        return not self.addresses and self.selector is None


def diff(environment: Environment, api: Api, request: DiffRequest, opened_by: OpenedBy) -> Diff:
    """Compare the Secrets of an overlay, or the selected ones, with the cluster.

    Of a backend that commits nothing the versions in the source are compared with those that the Secret was made of.

    Raises InputError for another cluster than the overlay's, Refusal if the cluster can't be asked.
    """
    deployed = deployment_to(api, environment)
    names = selected(environment, request.addresses, request.selector)
    if not names:
        return Diff(environment=environment.name, namespace=deployed.namespace, compared=())
    existing = _existing(api, deployed.namespace)
    compared = _compared(
        environment, api, deployed, names=names, request=request, opened_by=opened_by, existing=existing
    )
    notes = []
    if existing is None and _finds_extra_secrets(environment, request):
        notes.append(f"{environment.name}: Secrets that no file has any more are not found without the right to list")
    return Diff(environment=environment.name, namespace=deployed.namespace, compared=compared, notes=notes)


def _finds_extra_secrets(environment: Environment, request: DiffRequest) -> bool:
    """Whether Secrets that nobody declares any more are a difference; those of a controller go with its objects."""
    return request.is_whole and environment.backend.field not in DELIVERIES


def _compared(
    environment: Environment,
    api: Api,
    deployed: Deployment,
    *,
    names: Collection[str],
    request: DiffRequest,
    opened_by: OpenedBy,
    existing: Mapping[str, SecretMetadata] | None,
) -> list[Compared]:
    compared = _standing_objects(environment, api, deployed, names, is_whole=request.is_whole)
    states = _states(environment, names, opened_by)
    backend = backend_of(environment)
    for name in names:
        if name in deployed.secrets:
            compared.append(_secret(api, _expected(backend, deployed.secrets[name]), existing))
        elif name in states:
            compared.append(_secret(api, _expected_of_source(environment, name, states[name]), existing))
        else:
            compared.append(_not_built(environment, name))
    if _finds_extra_secrets(environment, request):
        compared += _extra_secrets(environment, deployed, existing or {})
    return compared


def _standing_objects(
    environment: Environment, api: Api, deployed: Deployment, names: Collection[str], *, is_whole: bool
) -> list[Compared]:
    """Compare the stores that are rendered, and the objects of which a controller makes the Secrets."""
    delivery = DELIVERIES.get(environment.backend.field)
    if delivery is None:
        return []
    compared: list[Compared] = []
    for kind in STORE_KINDS:
        if kind.group == delivery.resources.group:
            compared += _stores(environment, api, deployed, kind, is_whole=is_whole)
    standing = {live["metadata"]["name"]: live for live in api.all(delivery.resources.among(deployed.namespace))}
    built = {name: secret.document for name, secret in deployed.secrets.items() if name in names}
    compared += _standing(delivery.resources, built.values(), standing)
    if is_whole:
        all_built = {secret.document.subject.name for secret in deployed.secrets.values()}
        compared += _extra(environment, delivery.resources, all_built, standing)
    return compared


def _stores(
    environment: Environment, api: Api, deployed: Deployment, kind: StoreKind, *, is_whole: bool
) -> Iterator[Compared]:
    """Compare the stores of a kind with those that live.

    Where none is rendered, another team may have the only right to list them: then none is extra. Of one for the whole
    cluster nothing says which project's overlay of that name it was applied for.
    """
    built = [store.document for store in deployed.stores if store.kind == kind]
    if kind.is_cluster_wide:
        found = (api.find(kind.target("", document.subject.name)) for document in built)
        standing = {live["metadata"]["name"]: live for live in found if live}
    elif built or is_whole:
        try:
            standing = {live["metadata"]["name"]: live for live in api.all(kind.resources.among(deployed.namespace))}
        except Refused as refused:
            if built or refused.status != 403:
                raise
            return
    else:
        return
    yield from _standing(kind.resources, built, standing)
    if is_whole and not kind.is_cluster_wide:
        names = [document.subject.name for document in built]
        yield from _extra(environment, kind.resources, names, standing)


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
        changed=lambda live: record.sealed_anew(entries, live.record),
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
    if environment.backend.commits:
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


def differs(document: Document, live: Object) -> bool:
    """Whether an object that stands for a Secret lives in another form than it is built in."""
    stated = _readable(document.object)
    return bool(as_far_as(stated, _readable(live)) != stated)


def _standing(resources: Resources, built: Iterable[Document], standing: Mapping[str, Object]) -> Iterator[Compared]:
    """Compare the objects that stand for Secrets."""
    for document in built:
        live = standing.get(document.subject.name)
        stated = _readable(document.object)
        owner = gitops_owner(live) if live else ""
        yield Compared(
            name=f"{document.subject.kind.lower()}.{resources.group}/{document.subject.name}",
            live=as_far_as(stated, _readable(live)) if live else None,
            built=stated,
            notes=[f"{owner} applies it"] if owner else (),
        )


def _extra(
    environment: Environment, resources: Resources, built: Collection[str], standing: Mapping[str, Object]
) -> Iterator[Compared]:
    """Find the objects that were once applied for this overlay and that no file has any more.

    Those of its neighbours in the namespace carry other overlays' names.
    """
    label = overlay_label(environment.name)
    kind = resources.plural.removesuffix("s")
    for name, live in standing.items():
        if name not in built and (live["metadata"].get("labels") or {}).get(OVERLAY) == label:
            yield _nobodys(f"{kind}.{resources.group}/{name}", name, live["metadata"]["namespace"])


def _extra_secrets(
    environment: Environment, deployed: Deployment, existing: Mapping[str, SecretMetadata]
) -> Iterator[Compared]:
    """Find the Secrets that were once applied for this overlay and that nobody declares any more."""
    label = overlay_label(environment.name)
    ours = {secret.name for secret in deployed.secrets.values()} | {*environment.secrets}
    for name, live in existing.items():
        if name not in ours and live.labels.get(OVERLAY) == label:
            yield _nobodys(f"secret/{name}", name, deployed.namespace)


def _nobodys(full_name: str, name: str, namespace: str) -> Compared:
    """Return an object that lives and that no file has; what it holds is no difference worth showing."""
    return Compared(name=full_name, live={"metadata": {"name": name, "namespace": namespace}}, built=None)


def _readable(manifest: Object) -> Object:
    """Return an object with digests in the place of ciphertext, which nobody can read."""
    spec = mapping(manifest.get("spec"))
    if "encryptedData" not in spec:
        return manifest
    digests = {key: record.digest_of(str(text)) for key, text in mapping(spec["encryptedData"]).items()}
    return manifest | {"spec": spec | {"encryptedData": digests}}


def _not_built(environment: Environment, name: str) -> Compared:
    return Compared(name=f"secret/{name}", live={"data": {}}, built=None, notes=[not_built(environment)])


def _secret(api: Api, expected: _Expected, existing: Mapping[str, SecretMetadata] | None) -> Compared:
    """Compare a Secret: its type, labels and keys, and what is known of each key."""
    declared = expected.declared
    live = find_secret(api, expected.namespace, expected.name) if existing is None else existing.get(expected.name)
    edited = edited_keys(live.object) & expected.keys & live.keys if live else frozenset()
    marked = edited.union(expected.changed(live)) if live else edited
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
    notes = list(_notes(live, expected.keys))
    if edited:
        notes.append(f"somebody wrote {', '.join(sorted(edited))} with kubectl after it arrived")
    return Compared(name=f"secret/{expected.name}", live=shown, built=built, notes=notes)


def _before(changed: bool) -> str:
    return "*** (before)" if changed else "***"


def _after(changed: bool) -> str:
    return "*** (after)" if changed else "***"


def _without_values(expected: _Expected, *, type_: str, labels: Mapping[str, str], data: Mapping[str, str]) -> Object:
    metadata: Object = {"name": expected.name, "namespace": expected.namespace}
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": dict(data)}


def _notes(live: SecretMetadata, keys: frozenset[str]) -> Iterator[str]:
    if live.owners:
        yield f"made by {live.owners[0].kind} {live.owners[0].name}"
    if owner := gitops_owner(live.object):
        yield f"{owner} applies it"
    for manager, names in other_managers(live.object, "data"):
        if left := sorted((names & live.keys) - keys):
            yield f"{manager} put there, and nothing declares: {', '.join(left)}"
