"""Makes first values for what a source lacks and its declaration can generate."""

import uuid
from collections.abc import Sequence

from ..errors import InputError, Mistake
from ..model.environment import Environment, Remote
from ..sensitive import Sensitive
from ..sources import WritableSource
from ..values.extraction import stored
from ..values.generation import generate


def generate_missing(environment: Environment, source: WritableSource, dry_run: bool) -> Sequence[str]:
    """The names that were made. Raises InputError, before anything is written, for a value that can't be made."""
    wanted: dict[str, Remote] = {}
    for secret in environment.secrets.values():
        for value in secret.values.values():
            if isinstance(value, Remote) and value.key.generate and not value.property:
                wanted.setdefault(value.name, value)
    there = source.versions(list(wanted))
    made = {name: _made(name, value, source) for name, value in wanted.items() if name not in there}
    if not dry_run:
        for name, first in made.items():
            source.write(name, first, uuid.uuid4().hex)
    return list(made)


def _made(name: str, remote: Remote, source: WritableSource) -> Sensitive:
    said = remote.key.generate
    if said is None:
        raise AssertionError("only what can be generated is")
    try:
        value = stored(remote, generate(said, remote.key.rules))
    except ValueError as error:
        raise InputError(Mistake(f"{name}: {error}", said.origin.at())) from None
    if wrong := source.refused(name, value):
        raise InputError(Mistake(f"{name}: {wrong}", said.origin.at()))
    return value
