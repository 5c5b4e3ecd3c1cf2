"""Seals in one overlay what is missing, addressed or changed in the source; the rest stays as it is, byte for byte."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from ..backends import backend_of
from ..errors import InputError, Mistake, Refusal, nearest
from ..frozen import Record
from ..manifests import committed, record, upkeep
from ..manifests.committed import Committed, Manifest
from ..manifests.record import Entries, Provenance
from ..model.kubernetes import BASIC_AUTH, LAST_APPLIED, MAX_ANNOTATIONS, REQUIRED_KEYS, Object
from ..model.resolution import Environment, Secret
from ..sealing import Sealer
from ..sources import Progress, Version, problems
from .absent import AbsentValue
from .provision import Plaintext, SourceState, ValueProvider, changed
from .render import writing


class OverlayRequest(Record):
    """What is asked for in one overlay; an address is SECRET or SECRET/KEY.

    With `alone` what is addressed is sealed, and neither what is missing nor what has changed beside it.
    """

    addresses: Collection[str] = ()
    alone: bool = False
    reseal: bool = False
    dry_run: bool = False


class Sealed(Record):
    """What was sealed, as addresses.

    `staying` are those of which the source can't tell whether they changed, `gone` those that it no longer gives a
    value for, be they deleted or disabled. `missing` are those without a value that nobody asked for, `absent` is what
    is to be reported of those that somebody did. `goes_over` says whether all go over to another certificate.
    """

    environment: str
    sealed: Collection[str]
    absent: Sequence[Mistake]
    staying: Collection[str]
    gone: Collection[str]
    missing: Collection[str]
    left_out: Collection[str]
    changed: Collection[str]
    warnings: Collection[Mistake]
    goes_over: bool


def seal_overlay(
    environment: Environment,
    provision: ValueProvider,
    sealer: Sealer,
    request: OverlayRequest,
    now: datetime,
    progress: Progress,
) -> Sealed:
    """Seal an environment. Raises InputError or Refusal if anything is wrong; nothing has been written then."""
    addressed, backend = _addressed(environment, request), backend_of(environment)
    with writing(environment) as folder:
        manifests = committed.read(environment)
        choice = _choose(environment, provision, sealer, manifests, addressed, alone=request.alone)
        read = provision.read(choice.needed)
        if request.alone and read.absent:
            raise Refusal(*(absent.mistake for absent in read.absent))
        provided = {
            name: _sealable(secret, manifests.get(name), sealer, choice.needed[name], read.plaintexts[name])
            for name, secret in environment.secrets.items()
        }
        waiting = _waiting(environment, choice, provided)
        objects: list[Object] = []
        warnings: list[Mistake] = []
        done, goes_over = 0, False
        total = sum(map(len, provided.values()))
        for name, secret in environment.secrets.items():
            manifest = manifests.get(name)
            held = {key: text for key, text in sealer.held(secret, manifest).items() if key in secret.keys}
            old = record.of(manifest.object, backend) if manifest else {}
            by = sealer.fingerprint(secret)
            entries = _entries(held, old, provided[name], by=by, now=now)
            goes_over |= any(old[key].by not in ("", by) for key in provided[name] if key in old)
            values = {key: value.value for key, value in provided[name].items()}
            document = sealer.seal(secret, manifest, values, entries)
            if document is not None:
                objects.append(document)
                warnings += _too_large(document) if provided[name] else ()
                rewritten = manifest is not None and document != manifest.object
                warnings += sealer.warnings(secret, manifest) if rewritten else ()
            done += len(values)
            progress(done, total)
        changes = upkeep.changes(environment, backend, objects, manifests)
        if not request.dry_run:
            changes.apply(folder)
    return Sealed(
        environment=environment.name,
        sealed=[f"{name}/{key}" for name, keys in provided.items() for key in keys],
        absent=[
            *_asked_for(environment, request, addressed, read.absent, waiting=waiting),
            *_in_part(environment, waiting, provided, asked=addressed if request.addresses else provided),
        ],
        staying=choice.staying,
        gone=[*choice.gone, *sorted(waiting & choice.held)],
        missing=[*choice.missing, *sorted(waiting - choice.held)],
        left_out=provision.left_out,
        changed=[environment.project.name(environment.path(name)) for name in changes.files],
        warnings=[*warnings, *_warnings(environment, provided, now)],
        goes_over=goes_over and request.reseal and backend.certificate(environment) is not None,
    )


def _too_large(document: Object) -> Iterator[Mistake]:
    """Find a manifest that client-side `kubectl apply` can't store: as JSON, in an annotation beside the others."""
    annotations = document["metadata"].get("annotations") or {}
    size = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()) + len(LAST_APPLIED)
    size += sum(len(name) + len(value) for name, value in annotations.items())
    if size > MAX_ANNOTATIONS:
        name = document["metadata"]["name"]
        message = f"{name} has {size >> 10} KiB as a manifest, more than client-side kubectl apply can store"
        hint = "apply it with kubectl apply --server-side, as Flux does and Argo CD can (ServerSideApply=true)"
        yield Mistake(message, hint=hint)


def _sealable(
    secret: Secret,
    manifest: Manifest | None,
    sealer: Sealer,
    needed: Collection[str],
    plaintexts: Mapping[str, Plaintext],
) -> Mapping[str, Plaintext]:
    """Return the values of a Secret that are sealed: none of them where it can't be sealed in part.

    A Secret of a known type is read as a whole, and a SOPS file that nobody opens is encrypted as a whole.
    """
    type_, present = secret.declaration.spec.type, plaintexts.keys()
    if type_ in REQUIRED_KEYS or type_ == BASIC_AUTH:
        whole = present >= set(needed) and present | sealer.held(secret, manifest).keys() >= secret.keys.keys()
    else:
        whole = present >= set(needed) or present >= set(sealer.needed(secret, manifest, present))
    return plaintexts if whole else {}


def _waiting(
    environment: Environment, choice: "_Choice", provided: Mapping[str, Mapping[str, Plaintext]]
) -> AbstractSet[str]:
    """Return the addresses of the keys that should have been sealed and are not."""
    addresses: set[str] = set()
    for name in environment.secrets:
        addresses.update(f"{name}/{key}" for key in choice.needed[name] if key not in provided[name])
    return addresses


def _asked_for(
    environment: Environment,
    request: OverlayRequest,
    addressed: Mapping[str, Collection[str]],
    absent: Sequence[AbsentValue],
    *,
    waiting: AbstractSet[str],
) -> Iterator[Mistake]:
    """Return what is to be reported of absent values that were asked for: where nothing is addressed, of all.

    So is a value that keeps one from being sealed that was addressed, as in a file that is encrypted as a whole.
    """
    asked: set[str] = set()
    for name, keys in addressed.items():
        waits = any(f"{name}/{key}" in waiting for key in keys)
        for key in environment.secrets[name].keys if waits else keys:
            asked.update(f"{name}/{entry}" for entry in environment.secrets[name].remotes(key))
    for value in absent:
        if not request.addresses or value.address in asked:
            yield value.mistake


def _in_part(
    environment: Environment,
    waiting: AbstractSet[str],
    provided: Mapping[str, Mapping[str, Plaintext]],
    *,
    asked: Collection[str],
) -> Iterator[Mistake]:
    """Find the Secrets that were asked for and of which nothing is sealed, since a part would be of no use."""
    for name, secret in environment.secrets.items():
        type_ = secret.declaration.spec.type
        is_known = type_ in REQUIRED_KEYS or type_ == BASIC_AUTH
        if (
            name in asked
            and is_known
            and not provided[name]
            and any(address.startswith(f"{name}/") for address in waiting)
        ):
            place = secret.declaration.spec.origin.at("type")
            yield Mistake(f"{name} stays as it is: a Secret of type {type_} is sealed whole or not at all", place)


def _warnings(
    environment: Environment, provided: Mapping[str, Mapping[str, Plaintext]], now: datetime
) -> Iterator[Mistake]:
    """Find what may be an oversight in values, and in versions that the source hands out all the same."""
    versions: dict[str, Version] = {}
    for plaintexts in provided.values():
        for plaintext in plaintexts.values():
            versions.update(plaintext.versions)
            yield from plaintext.warnings
    place = environment.source.origin.at() if environment.source else None
    for name, version in sorted(versions.items()):
        for problem in problems(version, now):
            yield Mistake(f"{name}: the version that was sealed {problem.message}", place)


def _addressed(environment: Environment, request: OverlayRequest) -> Mapping[str, Collection[str]]:
    """Return the keys that the user asked for by name, by Secret."""
    if request.reseal and not request.addresses:
        return {name: secret.keys.keys() for name, secret in environment.secrets.items()}
    addressed: dict[str, set[str]] = {}
    mistakes = []
    for address in request.addresses:
        name, slash, key = address.partition("/")
        secret = environment.secrets.get(name)
        if secret is None:
            hint = nearest(name, environment.secrets)
            mistakes.append(Mistake(f"overlay {environment.name} has no Secret {name}", hint=hint))
        elif slash and key not in secret.keys:
            mistakes.append(Mistake(f"{name} has no key {key} in {environment.name}", hint=nearest(key, secret.keys)))
        else:
            addressed.setdefault(name, set()).update([key] if slash else secret.keys)
    if mistakes:
        raise InputError(*mistakes)
    return addressed


class _Choice(Record):
    """By Secret the keys to seal, and the addresses of all that is sealed already.

    `staying` are keys whose change would not show, `gone` those that the source no longer gives, `missing` those
    without a value.
    """

    needed: Mapping[str, Collection[str]]
    staying: Collection[str]
    gone: Collection[str]
    missing: Collection[str]
    held: AbstractSet[str]


def _choose(
    environment: Environment,
    provision: ValueProvider,
    sealer: Sealer,
    manifests: Committed,
    addressed: Mapping[str, Collection[str]],
    *,
    alone: bool,
) -> _Choice:
    """Choose what is sealed. Raises InputError for what was asked for and can't be."""
    secrets, backend = environment.secrets, backend_of(environment)
    held = {name: set(sealer.held(secret, manifests.get(name))) for name, secret in secrets.items()}
    asked = {name: set(addressed.get(name, ())) for name in secrets}
    others = {name: set() if alone else secret.keys.keys() - asked[name] for name, secret in secrets.items()}
    states = provision.states({name: sorted(held[name] & others[name]) for name in held})
    needed: dict[str, list[str]] = {}
    staying, gone, missing, mistakes = [], [], [], []
    for name, secret in secrets.items():
        manifest = manifests.get(name)
        entries = record.of(manifest.object, backend) if manifest else {}
        chosen = asked[name] | (others[name] - held[name]) | _stale(states[name], entries)
        absent = {key for key in chosen if not provision.provides(secret, key)}
        mistakes += [Mistake(f"{name}/{key} is not in what was given") for key in sorted(absent & asked[name])]
        missing += [f"{name}/{key}" for key in sorted(absent)]
        needed[name] = sorted(sealer.needed(secret, manifest, chosen - absent))
        mistakes += _not_given(provision, secret, manifest, needed[name])
        for key, state in states[name].items():
            if key in needed[name]:
                continue
            if state.gone:
                gone.append(f"{name}/{key}")
            elif not state.versioned and provision.provides(secret, key):
                staying.append(f"{name}/{key}")
    if mistakes:
        raise InputError(*mistakes)
    addresses = {f"{name}/{key}" for name, keys in held.items() for key in keys}
    return _Choice(needed=needed, staying=staying, gone=gone, missing=missing, held=addresses)


def _stale(states: Mapping[str, SourceState], entries: Entries) -> set[str]:
    """Return the keys that changed in the source; what it no longer gives can't be sealed anew."""
    return {key for key, state in states.items() if not state.gone and changed(entries.get(key), state)}


def _not_given(
    provision: ValueProvider, secret: Secret, manifest: Manifest | None, needed: Collection[str]
) -> Iterator[Mistake]:
    """Find the values that it takes beside the given ones, as no identity opens the file."""
    for key in needed:
        if manifest and not provision.provides(secret, key):
            yield Mistake(
                f"{secret.name}/{key} is needed too: no age identity opens {manifest.file}, so it is encrypted anew",
                hint="set SOPS_AGE_KEY_FILE, or give all values of the Secret",
            )


def _entries(
    held: Mapping[str, str], old: Entries, sealed: Mapping[str, Plaintext], *, by: str, now: datetime
) -> dict[str, Provenance]:
    """Return what is known after sealing: of the new values, and as before of those that stay."""
    entries = {key: provenance for key, provenance in old.items() if key in held}
    time = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    for key, plaintext in sealed.items():
        entries[key] = Provenance(
            time=time,
            by=by,
            version=plaintext.state.version,
            inputs=plaintext.state.inputs,
            template=plaintext.state.template,
        )
    return entries
