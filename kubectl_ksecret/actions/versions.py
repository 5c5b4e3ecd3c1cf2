"""Pins keys to the versions that their source has now, in the overlay, so that a commit moves a value and back."""

from collections.abc import Iterator, Mapping, Sequence

from ..errors import InputError, Mistake
from ..frozen import Record
from ..model.resolution import Environment, SourceRead
from ..sources import OpenSource
from ..values.gate import Address
from .addresses import keys_of
from .overlayfile import editable


class PinnedVersions(Record):
    """What was pinned: versions by address, those of them that are new, and the names that have no version to pin."""

    file: str
    versions: Mapping[str, str]
    changed: Sequence[str]
    missing: Sequence[Mistake]


def pin_versions(
    environment: Environment, addresses: Sequence[str], opened: OpenSource, *, dry_run: bool
) -> PinnedVersions:
    """Write the current versions of keys into their overlay; of a derived key those of what its template takes.

    Raises InputError if the overlay can't be edited, Refusal if the source can't be asked.
    """
    reads = list(_reads(environment, addresses))
    current = opened.versions(list(dict.fromkeys(read.remote.name for read in reads)))
    pins: dict[Address, str] = {}
    versions: dict[str, str] = {}
    changed: list[str] = []
    missing: list[Mistake] = []
    for read in reads:
        version = current.get(read.remote.name)
        if version is None or not version.enabled:
            state = "has no version" if version is None else "is disabled"
            message = f"{read.address} is not pinned: {read.remote.name} {state} in {opened.shown}"
            missing.append(Mistake(message, read.stated_at("remoteName")))
            continue
        versions[read.address] = version.id
        if version.id != read.remote.version:
            changed.append(read.address)
            pins[pin_of(read)] = version.id
    if pins and not dry_run:
        write_pins(environment, pins)
    file = environment.project.name(environment.file)
    return PinnedVersions(file=file, versions=versions, changed=changed, missing=missing)


def refuse_without_versions(environment: Environment) -> None:
    """Raise InputError for an overlay whose versions this tool can't ask for, or not read."""
    source, place = environment.source, environment.overlay.spec.origin.at("source")
    by_hand = "write overrides.SECRET.keys.KEY.version by hand"
    if source is None:
        raise InputError(Mistake(f"{environment.name} names no source to ask for versions", place, by_hand))
    if not source.kind.versioned:
        raise InputError(Mistake(f"the source {source.kind.field} of {environment.name} has no versions", place))
    backend = environment.backend
    if backend.fetched and not backend.fetches_versions:
        raise InputError(Mistake(f"{backend.field} fetches the newest version alone", place))
    if not (backend.fetched or source.kind.reads_versions):
        raise InputError(Mistake(f"{source.kind.field} hands out no version but the newest", place))


def _reads(environment: Environment, addresses: Sequence[str]) -> Iterator[SourceRead]:
    seen = set()
    for name, keys in keys_of(environment, addresses).items():
        secret = environment.secrets[name]
        for key in keys:
            for entry, remote in secret.remotes(key).items():
                if (name, entry) not in seen:
                    seen.add((name, entry))
                    yield SourceRead(environment=environment, secret=name, key=entry, remote=remote)


def pin_of(read: SourceRead) -> Address:
    """Return the key of the overlay at which a version stands, or shall stand: at the end of a `from` if it does."""
    own, root = (read.secret, read.key), read.root
    stated = read.environment.override_of(*root)
    is_at_root = stated is not None and stated.version is not None
    mine = read.environment.override_of(*own)
    return root if is_at_root and not (mine and mine.version) else own


def write_pins(environment: Environment, pins: Mapping[Address, str]) -> None:
    """Write versions into an overlay. Raises InputError, with nothing written, if it can't be edited."""
    with editable(environment) as overlay:
        for (secret, key), version in sorted(pins.items()):
            overlay.set(("spec", "overrides", secret, "keys", key, "version"), version)
