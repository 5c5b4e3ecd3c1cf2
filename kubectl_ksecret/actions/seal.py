"""Seals what is missing, addressed or changed in the source; leaves the rest as it is, byte for byte."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from ..errors import InputError, Mistake, nearest
from ..frozen import Record
from ..manifests import committed, record
from ..manifests.committed import Committed, Manifest
from ..model.environment import Environment, Secret
from .provision import Known, Provision
from .render import writing
from .sealers import Sealer

Progress = Callable[[int, int], None]  # keys sealed, of how many


class Request(Record):
    """What the user asked for; an address is SECRET or SECRET/KEY."""

    addresses: Collection[str] = ()
    reseal: bool = False
    accepted: Collection[str] = ()
    dry_run: bool = False


class Sealed(Record):
    """What was sealed, as addresses: kept are those of which the source can't tell whether they changed."""

    environment: str
    sealed: Collection[str]
    kept: Collection[str]
    missing: Collection[str]
    left_out: Collection[str]
    changed: Collection[str]


def seal(
    environment: Environment,
    provision: Provision,
    sealer: Sealer,
    request: Request,
    now: datetime,
    progress: Progress,
) -> Sealed:
    """Seal an environment. Raises InputError or Refusal if anything is wrong; nothing has been written then."""
    chosen_by_user = _addressed(environment, request)
    with writing(environment) as folder:
        manifests = committed.read(environment)
        _refuse_strangers(environment, sealer, manifests, request.accepted)
        choice = _choose(environment, provision, sealer, manifests, chosen_by_user)
        values = provision.read(choice.needed)
        objects, done = [], 0
        total = sum(map(len, choice.needed.values()))
        for name, secret in environment.secrets.items():
            manifest = manifests.get(name)
            entries = _entries(provision, sealer, secret, manifest, choice.needed[name], now)
            document = sealer.seal(secret, manifest, values[name], entries)
            objects += [document] if document else []
            done += len(values[name])
            progress(done, total)
        changes = committed.changes(environment, objects, manifests)
        if not request.dry_run:
            changes.apply(folder)
    return Sealed(
        environment=environment.name,
        sealed=[f"{name}/{key}" for name, keys in choice.needed.items() for key in keys],
        kept=choice.kept,
        missing=choice.missing,
        left_out=provision.left_out,
        changed=[environment.project.name(environment.path(name)) for name in changes.files],
    )


def _addressed(environment: Environment, request: Request) -> Mapping[str, Collection[str]]:
    """The keys that the user asked for by name."""
    if request.reseal and not request.addresses:
        return {name: secret.keys.keys() for name, secret in environment.secrets.items()}
    found: dict[str, set[str]] = {}
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
            found.setdefault(name, set()).update([key] if slash else secret.keys)
    if mistakes:
        raise InputError(*mistakes)
    return found


def _refuse_strangers(
    environment: Environment, sealer: Sealer, manifests: Committed, accepted: Collection[str]
) -> None:
    """A certificate or recipient that a pull request swapped must not catch the environment's values."""
    known = record.fingerprints(manifest.object for manifest in manifests.values())
    mistakes = [
        sealer.refused(secret, manifests.get(name), known, accepted) for name, secret in environment.secrets.items()
    ]
    if found := [mistake for mistake in mistakes if mistake]:
        raise InputError(*found)


class _Choice(Record):
    """By Secret the keys to seal; kept are those whose change would not show, missing those without a value."""

    needed: Mapping[str, Collection[str]]
    kept: Collection[str]
    missing: Collection[str]


def _choose(
    environment: Environment,
    provision: Provision,
    sealer: Sealer,
    manifests: Committed,
    addressed: Mapping[str, Collection[str]],
) -> _Choice:
    needed, kept, missing, mistakes = {}, [], [], []
    for name, secret in environment.secrets.items():
        manifest = manifests.get(name)
        asked_for = set(addressed.get(name, ()))
        chosen, unknown = _stale(provision, sealer, secret, manifest, asked_for)
        absent = {key for key in chosen if not provision.provides(secret, key)}
        mistakes += [Mistake(f"{name}/{key} is not in what was given") for key in sorted(absent & asked_for)]
        missing += [f"{name}/{key}" for key in sorted(absent)]
        needed[name] = sorted(sealer.needed(secret, manifest, chosen - absent))
        mistakes += [
            Mistake(
                f"{name}/{key} is needed too: no age identity opens {manifest.file}, so it is encrypted anew",
                hint="set SOPS_AGE_KEY_FILE, or give all values of the Secret",
            )
            for key in needed[name]
            if manifest and not provision.provides(secret, key)
        ]
        kept += [f"{name}/{key}" for key in unknown if key not in needed[name]]
    if mistakes:
        raise InputError(*mistakes)
    return _Choice(needed=needed, kept=kept, missing=missing)


def _stale(
    provision: Provision, sealer: Sealer, secret: Secret, manifest: Manifest | None, asked_for: set[str]
) -> tuple[set[str], list[str]]:
    """The keys to seal: those asked for, missing or changed; and those of which nobody can say."""
    held = sealer.held(secret, manifest)
    entries = record.of(manifest.object) if manifest else {}
    chosen, unknown = set(asked_for), []
    for key in secret.keys:
        if key not in held:
            chosen.add(key)
        elif key not in chosen:
            known = provision.known(secret, key)
            if _changed(entries.get(key), known):
                chosen.add(key)
            elif not known.versioned and provision.provides(secret, key):
                unknown.append(key)
    return chosen, unknown


def _changed(entry: record.Entry | None, known: Known) -> bool:
    """Whether a sealed value is no longer the source's, as far as the source can tell."""
    if entry is None:
        return known.versioned
    # A value that was given as it is has no template; one from a source without versions has no version.
    template_changed = bool(entry.template and known.template and entry.template != known.template)
    return template_changed or (known.versioned and (entry.version, entry.inputs) != (known.version, known.inputs))


def _entries(
    provision: Provision,
    sealer: Sealer,
    secret: Secret,
    manifest: Manifest | None,
    sealed: Iterable[str],
    now: datetime,
) -> dict[str, record.Entry]:
    """The record of a Secret after sealing: what is known of the new values, and what was known of the kept ones."""
    old = record.of(manifest.object) if manifest else {}
    held = sealer.held(secret, manifest)
    entries = {key: entry for key, entry in old.items() if key in held and key in secret.keys}
    for key in sealed:
        known = provision.known(secret, key)
        entries[key] = record.Entry(
            time=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            by=sealer.fingerprint(secret),
            version=known.version,
            inputs=known.inputs,
            template=known.template,
        )
    return entries
