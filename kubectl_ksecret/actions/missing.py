"""Makes first values for what a source lacks and its declaration can generate."""

import uuid
from collections.abc import Mapping, Sequence

from ..errors import InputError, Mistake, Refusal
from ..frozen import Record
from ..model.resolution import Environment, Remote
from ..model.validation.sharing import one_name, source_of
from ..sensitive import Sensitive
from ..sources import WritableSource
from ..values.extraction import stored
from ..values.generation import generate
from .rehearsal import refused


class _Reader(Record):
    """A key or input that reads a name."""

    address: str
    remote: Remote


def generate_missing(environment: Environment, source: WritableSource, dry_run: bool) -> Sequence[str]:
    """The names that were made. Raises InputError, before anything is written, for a value that can't be made.

    Raises Refusal if the source takes one of them no more, with those that it took before.
    """
    wanted = {
        readers[0].remote.name: readers
        for readers in _by_name(environment).values()
        if any(_makes(reader.remote) for reader in readers)
    }
    there = source.versions(list(wanted))
    first = {name: _made(name, readers, source) for name, readers in wanted.items() if name not in there}
    for index, (name, value) in enumerate(first.items() if not dry_run else ()):
        try:
            source.write(name, value, uuid.uuid4().hex)
        except Refusal as error:
            before = [Mistake(f"made before that, and kept: {', '.join(list(first)[:index])}")] if index else []
            raise Refusal(*error.mistakes, *before) from None
    return list(first)


def _by_name(environment: Environment) -> Mapping[str, Sequence[_Reader]]:
    """All that read a name, by what is one name in the source."""
    identity = source_of(environment) or ("",)
    found: dict[str, list[_Reader]] = {}
    for secret in environment.secrets.values():
        for key, value in secret.values.items():
            if isinstance(value, Remote):
                reader = _Reader(address=f"{secret.name}/{key}", remote=value)
                found.setdefault(one_name(identity, value.name), []).append(reader)
    return found


def _makes(remote: Remote) -> bool:
    return remote.key.generate is not None and not remote.property


def _made(name: str, readers: Sequence[_Reader], source: WritableSource) -> Sensitive:
    """A value as the first declaration that can makes it, and all that read it take it."""
    remote = next(reader.remote for reader in readers if _makes(reader.remote))
    said = remote.key.generate
    if said is None:
        raise AssertionError("only what can be generated is")
    try:
        value = stored(remote, generate(said, remote.key.rules))
    except ValueError as error:
        raise InputError(Mistake(f"{name}: {error}", said.origin.at())) from None
    if wrong := source.refused(name, value):
        raise InputError(Mistake(f"{name}: {wrong}", said.origin.at()))
    if mistakes := [mistake for reader in readers for mistake in refused(reader.address, reader.remote, value)]:
        raise InputError(*mistakes)
    return value
