"""What a source lacks: which keys wait for it, which name may have been meant, and what sets the value."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from ..errors import Mistake, nearest_name
from ..frozen import Record
from ..model.loading import readable
from ..model.resolution import Environment, Remote, SourceRead, variable
from ..sources import OpenSource
from ..values.gate import Address


class AbsentValue(Record):
    """A key or input that reads a name, or a property of its value, which the source does not have."""

    address: str
    mistake: Mistake


def absent_values(
    environment: Environment,
    source: OpenSource,
    remotes: Mapping[Address, Remote],
    *,
    present: Collection[str],
    typed: bool,
) -> Sequence[AbsentValue]:
    """Return what is to be reported of keys whose name the source lacks, or whose property a name that is `present`.

    `typed` if it is not the overlay's own source.
    """
    if not remotes:
        return ()
    candidates = _candidates(environment, source.names())
    absent = []
    for (secret, key), remote in sorted(remotes.items(), key=lambda item: item[0]):
        read = SourceRead(environment=environment, secret=secret, key=key, remote=remote)
        is_there = remote.version or remote.name in present
        near = "" if is_there else _nearest(environment, remote.name, candidates)
        hint = f'did you mean "{near}"?' if near else _way_out(read, typed=typed)
        version = f" in version {remote.version}" if remote.version else ""
        message = f"{read.address} is read from {remote.shown()}{version}, which {source.shown} does not have"
        place = read.overridden_at("version") or read.overridden_at("property") or read.stated_at("remoteName")
        absent.append(AbsentValue(address=read.address, mistake=Mistake(message, place, hint)))
    return absent


def _way_out(read: SourceRead, *, typed: bool) -> str:
    environment, remote = read.environment, read.remote
    if remote.version:
        return f"pin the current one: {read.pinning}"
    if typed or not (environment.source and environment.source.kind.writable):
        properties = ", property or source.property" if remote.property else ""
        return f"set it there, or correct remoteName or source.names{properties}"
    if remote.key.generate:
        return f"make it: kubectl ksecret seal {environment.name} --generate-missing"
    return f"set it: kubectl ksecret rotate {environment.name} {read.address} --from-stdin"


def _candidates(environment: Environment, names: Collection[str]) -> Collection[str]:
    """Return the names that may have been meant: neither another key's nor, by its pattern, another environment's."""
    if not names:
        return ()
    others = [other for other in readable(environment.project) if other.file != environment.file]
    own = _affixes(environment)
    foreign = {_affixes(other) for other in others} - {own, ("", "")}
    taken = set(_names_read([environment, *others], environment))
    candidates = []
    for name in names:
        is_foreign = any(_has(name, affixes) for affixes in foreign) and not (any(own) and _has(name, own))
        if environment.same_name(name) not in taken and not is_foreign:
            candidates.append(name)
    return candidates


def _names_read(environments: Sequence[Environment], like: Environment) -> Iterator[str]:
    for environment in environments:
        if environment.source_identity == like.source_identity:
            for read in environment.source_reads():
                yield like.same_name(read.remote.name)


def _nearest(environment: Environment, name: str, candidates: Collection[str]) -> str:
    """Return the candidate nearest to a name; what the overlay's pattern gives to all names makes none of them near."""
    affixes = _affixes(environment)
    if not _has(name, affixes):
        return nearest_name(name, candidates)
    by_middle = {_middle(candidate, affixes): candidate for candidate in candidates if _has(candidate, affixes)}
    return by_middle.get(nearest_name(_middle(name, affixes), by_middle), "")


def _affixes(environment: Environment) -> tuple[str, str]:
    """Return what the overlay's pattern puts before and behind every name."""
    if environment.source is None:
        return "", ""
    pattern = environment.source.names
    prefix, suffix = pattern.partition("{")[0], pattern.rpartition("}")[2]
    is_variable = environment.source.kind.names_are_variables
    return (variable(prefix), variable(suffix)) if is_variable else (prefix, suffix)


def _has(name: str, affixes: tuple[str, str]) -> bool:
    prefix, suffix = affixes
    return name.startswith(prefix) and name.endswith(suffix) and len(name) > len(prefix) + len(suffix)


def _middle(name: str, affixes: tuple[str, str]) -> str:
    prefix, suffix = affixes
    return name[len(prefix) : len(name) - len(suffix)]
