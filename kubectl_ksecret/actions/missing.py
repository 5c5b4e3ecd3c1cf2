"""Makes first values for what a source lacks and its declaration can generate."""

from collections.abc import Mapping, Sequence

from ..errors import InputError, Mistake, Refusal
from ..model.resolution import Environment, Remote, SourceRead
from ..sensitive import Sensitive
from ..sources import SourceValue, WritableSource, new_id
from ..values.extraction import extract, replaced
from ..values.generation import generate
from ..values.properties import Absent
from .rehearsal import refused

Reads = Sequence[SourceRead]


def generate_missing(environment: Environment, source: WritableSource, dry_run: bool) -> Sequence[str]:
    """Make values and return their names. Raises InputError, before anything is written, for one that can't be made.

    Raises Refusal if the source refuses one of them, with those that it took before.
    """
    by_name: dict[str, list[Reads]] = {}
    for reads in _by_value(environment).values():
        if any(_is_generated(read.remote) for read in reads):
            by_name.setdefault(environment.same_name(reads[0].remote.name), []).append(reads)
    names = {values[0][0].remote.name: values for values in by_name.values()}
    existing = source.versions(list(names))
    holding = [name for name in existing if any(reads[0].remote.property for reads in names[name])]
    documents = source.read(holding) if holding else {}
    made: dict[str, Sensitive] = {}
    shown: dict[str, list[str]] = {}
    for name, values in names.items():
        missing = [reads for reads in values if _is_missing(reads[0].remote, name in existing, documents.get(name))]
        if missing:
            made[name] = _value(name, missing, source, documents.get(name))
            shown[name] = [reads[0].remote.shown() for reads in missing]
    for index, (name, value) in enumerate(made.items() if not dry_run else ()):
        try:
            source.write(name, value, new_id(source, name))
        except Refusal as error:
            before = [value for earlier in list(made)[:index] for value in shown[earlier]]
            kept = [Mistake(f"made before that, and kept: {', '.join(before)}")] if before else []
            raise Refusal(*error.mistakes, *kept) from None
    return [value for name in made for value in shown[name]]


def _by_value(environment: Environment) -> Mapping[tuple[str, str | None], Reads]:
    """Return all that read the source, those that read one name and property of it together."""
    reads: dict[tuple[str, str | None], list[SourceRead]] = {}
    for read in environment.source_reads():
        reads.setdefault((environment.same_name(read.remote.name), read.remote.property), []).append(read)
    return reads


def _is_generated(remote: Remote) -> bool:
    return remote.key.generate is not None


def _is_missing(remote: Remote, exists: bool, document: SourceValue | None) -> bool:
    """Whether the source lacks a name, or its value the property."""
    if not exists or remote.property is None or document is None:
        return not exists
    try:
        extract(remote, document.value)
    except Absent:
        return True
    except ValueError:
        pass  # what stands there is no JSON, or not encoded: nothing that may be written over
    return False


def _value(name: str, missing: Sequence[Reads], source: WritableSource, before: SourceValue | None) -> Sensitive:
    """Return what a name shall hold: values as the first declaration that can makes them, and as all readers take them.

    Properties that the value has already stay as they are.
    """
    value = before.value if before else None
    for reads in missing:
        remote = next(read.remote for read in reads if _is_generated(read.remote))
        generation = remote.key.generate
        if generation is None:
            raise AssertionError("only what can be generated is")
        place = generation.origin.at()
        try:
            value = replaced(remote, generate(generation, remote.key.rules), value)
        except ValueError as error:
            raise InputError(Mistake(f"{remote.shown()}: {error}", place)) from None
        if wrong := source.refused(name, value):
            raise InputError(Mistake(f"{name}: {wrong}", place))
        if mistakes := [mistake for read in reads for mistake in refused(read, value)]:
            raise InputError(*mistakes)
    if value is None:
        raise AssertionError("there is something missing")
    return value
