"""Keys of the project that reach one name in one source: shared on purpose, or by mistake."""

from collections.abc import Collection, Iterable, Iterator

from ...errors import Mistake
from ..resolution import Environment, SourceRead

_FEW = 3  # collisions that are listed one by one


def mistakes(environments: Iterable[Environment], concerned: Iterable[Environment]) -> Iterator[Mistake]:
    """Find keys on one name and property without `from`, or a remoteName on both; only those of `concerned`.

    Where there are many the pattern of the names is at fault, which is one mistake.
    """
    collisions = list(_collisions(environments, {environment.name for environment in concerned}))
    if len(collisions) <= _FEW:
        yield from collisions
        return
    first, *others = collisions
    yield Mistake(
        f"{first.message}, and {len(others)} others collide like this",
        first.place,
        'give each its own name, as with names: "{secret}-{key}" in spec.source, or a property of its own, '
        f'as with property: "{{key}}"; or {first.hint}',
    )


def _collisions(environments: Iterable[Environment], concerned: Collection[str]) -> Iterator[Mistake]:
    for reads in _by_name(environments):
        # Places are worked out for what is suspect alone: this runs on every build.
        if len(reads) < 2 or all(read.remote.explicit for read in reads):
            continue
        names = {(read.declared_at, "/".join(read.root)): read.remote.shown() for read in reads}
        if len(names) < 2 or not any(read.environment.name in concerned for read in reads):
            continue
        ((_, first), _), *others = sorted(names.items())
        for (place, other), name in others:
            yield Mistake(
                f"{other} and {first} read one name, {name}, in one source",
                place,
                f"share it on purpose (from: {first}), or set remoteName on both",
            )


def _by_name(environments: Iterable[Environment]) -> Iterable[list[SourceRead]]:
    """Return all that read a source, those that read one name and property of it together."""
    reads: dict[tuple[tuple[str, ...], str, str | None], list[SourceRead]] = {}
    for environment in environments:
        identity = environment.source_identity
        if identity is None:
            continue
        for read in environment.source_reads():
            value = (identity, environment.same_name(read.remote.name), read.remote.property)
            reads.setdefault(value, []).append(read)
    return reads.values()
