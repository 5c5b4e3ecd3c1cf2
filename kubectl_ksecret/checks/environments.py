"""Environments side by side: does each ask in the source for its own names?"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..model.resolution import Environment, SourceRead, variable
from . import Finding, rule
from .scope import Repository


def _by_pattern_of(other: Environment, read: SourceRead) -> str:
    """Return the name that the pattern of an environment makes of a key."""
    secret, key = read.root
    plain = read.remote.key.remote_name or key
    return _pattern(other).replace("{secret}", secret).replace("{key}", key).replace("{remoteName}", plain)


def _pattern(environment: Environment) -> str:
    return environment.source.names if environment.source else "{remoteName}"


class _Mark(NamedTuple):
    """What tells the names of an environment from others: how they begin and end, in the form of variables."""

    prefix: str
    suffix: str

    def is_on(self, name: str) -> bool:
        """Whether a name has one of them."""
        return bool((self.prefix and name.startswith(self.prefix)) or (self.suffix and name.endswith(self.suffix)))


def _mark(pattern: str) -> _Mark:
    # Only a mark that a separator sets off: latest is not of the environment test.
    prefix, suffix = pattern.partition("{")[0], pattern.rpartition("}")[2]
    return _Mark(
        variable(prefix) if re.search(r"[^\W_].*[\W_]$", prefix) else "",
        variable(suffix) if re.search(r"^[\W_].*[^\W_]", suffix) else "",
    )


@rule("foreign-name", "error")
def foreign_name(repository: Repository) -> Iterator[Finding]:
    """An overlay asks the source for a name that is another overlay's by its pattern.

    Production works with a value of test, or test with one of production. Correct `remoteName`, or remove it, so that
    the overlay's own pattern makes the name.
    """
    others = [environment for environment in repository.environments if environment.source]
    for overlay in repository.overlays:
        environment, places = overlay.environment, set()  # a key that others share by `from` is wrong once
        for read in environment.source_reads() if environment.source else ():
            if not (read.remote.explicit or read.remote.overridden):
                continue
            owner = next((other for other in others if _is_of(read, other)), None)
            place = read.stated_at("remoteName") if owner else None
            if owner and place not in places:
                places.add(place)
                message = f"{read.address} of {environment.name} asks for {read.remote.name}, a name of {owner.name}"
                hint = f"by the pattern of {environment.name} it is {_by_pattern_of(environment, read)}"
                yield Finding(message=message, place=place, hint=hint, overlay=environment.name)


def _is_of(read: SourceRead, other: Environment) -> bool:
    """Whether a name is that of another environment and not the asking one's own."""
    own, foreign = _pattern(read.environment), _pattern(other)
    if other.name == read.environment.name or foreign == own:
        return False
    name, mark, own_mark = variable(read.remote.name), _mark(foreign), _mark(own)
    if name == variable(_by_pattern_of(read.environment, read)):
        return False
    # Without a mark a name is anybody's, but for one that the other reads in the very same source.
    distinct = mark != ("", "") or other.source_identity == read.environment.source_identity
    if distinct and name == variable(_by_pattern_of(other, read)):
        return True
    return mark.is_on(name) and not own_mark.is_on(name)


@rule("vault-collision", "error")
def vault_collision(repository: Repository) -> Iterator[Finding]:
    """Two keys ask one Key Vault for names that differ in nothing but case.

    Key Vault takes them for one secret: what is written for one is read by the other. Write one name where one is
    meant, and two that differ where two are.
    """
    chosen = {overlay.environment.name for overlay in repository.overlays}
    for spellings in _spellings(repository):
        environments = {read.environment.name for reads in spellings.values() for read in reads}
        if len(spellings) < 2 or not environments & chosen:
            continue
        usual = max(spellings, key=lambda name: len(spellings[name]))
        first = spellings[usual][0]
        for spelling, (read, *_) in spellings.items():
            if spelling != usual:
                message = (
                    f"{read.address} of {read.environment.name} asks for {spelling}, "
                    f"{first.address} of {first.environment.name} for {usual}: "
                    f"one value in {read.environment.source_shown}"
                )
                hint = f"write {usual}, or a name that differs in more than case"
                place = read.stated_at("remoteName")
                yield Finding(message=message, place=place, hint=hint, overlay=read.environment.name)


def _spellings(repository: Repository) -> Iterable[Mapping[str, Sequence[SourceRead]]]:
    """Return for each value of each source the names that it is asked for by, with the keys that ask."""
    values: dict[tuple[object, str], dict[str, list[SourceRead]]] = {}
    for environment in repository.environments:
        for read in environment.source_reads() if environment.source else ():
            name = read.remote.name
            spellings = values.setdefault((environment.source_identity, environment.same_name(name)), {})
            spellings.setdefault(name, []).append(read)
    return values.values()


RULES = (foreign_name, vault_collision)
