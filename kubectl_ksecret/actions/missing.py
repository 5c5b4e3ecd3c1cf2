"""Makes first values for what a source lacks and its declaration can generate."""

import uuid
from collections.abc import Mapping, Sequence

from ..errors import InputError, Mistake, Refusal
from ..model.resolution import Environment, Remote, SourceRead
from ..sensitive import Sensitive
from ..sources import WritableSource
from ..values.extraction import stored
from ..values.generation import generate
from .rehearsal import refused


def generate_missing(environment: Environment, source: WritableSource, dry_run: bool) -> Sequence[str]:
    """Make values and return their names. Raises InputError, before anything is written, for one that can't be made.

    Raises Refusal if the source refuses one of them, with those that it took before.
    """
    generated = {
        reads[0].remote.name: reads
        for reads in _by_name(environment).values()
        if any(_is_generated(read.remote) for read in reads)
    }
    existing = source.versions(list(generated))
    values = {name: _value(name, reads, source) for name, reads in generated.items() if name not in existing}
    for index, (name, value) in enumerate(values.items() if not dry_run else ()):
        try:
            source.write(name, value, uuid.uuid4().hex)
        except Refusal as error:
            before = [Mistake(f"made before that, and kept: {', '.join(list(values)[:index])}")] if index else []
            raise Refusal(*error.mistakes, *before) from None
    return list(values)


def _by_name(environment: Environment) -> Mapping[str, Sequence[SourceRead]]:
    """Return all that read the source, those that read one name of it together."""
    reads: dict[str, list[SourceRead]] = {}
    for read in environment.source_reads():
        reads.setdefault(environment.same_name(read.remote.name), []).append(read)
    return reads


def _is_generated(remote: Remote) -> bool:
    return remote.key.generate is not None and not remote.property


def _value(name: str, reads: Sequence[SourceRead], source: WritableSource) -> Sensitive:
    """Return a value as the first declaration that can makes it, and as all that read it take it."""
    remote = next(read.remote for read in reads if _is_generated(read.remote))
    generation = remote.key.generate
    if generation is None:
        raise AssertionError("only what can be generated is")
    try:
        value = stored(remote, generate(generation, remote.key.rules))
    except ValueError as error:
        raise InputError(Mistake(f"{name}: {error}", generation.origin.at())) from None
    if wrong := source.refused(name, value):
        raise InputError(Mistake(f"{name}: {wrong}", generation.origin.at()))
    if mistakes := [mistake for read in reads for mistake in refused(read, value)]:
        raise InputError(*mistakes)
    return value
