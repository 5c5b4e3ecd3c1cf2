"""Environments side by side: does each ask in the source for its own names?"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import Place
from ..model.resolution import Environment, Remote, variable
from ..model.types.sources import AzureKeyVault
from ..model.validation.declaration import root_of
from ..model.validation.sharing import source_of
from . import Finding, rule
from .scope import Repository


class _Asked(NamedTuple):
    """A key of an environment, and what it asks the source for."""

    environment: Environment
    secret: str
    key: str
    value: Remote

    @property
    def address(self) -> str:
        return f"{self.secret}/{self.key}"

    def place(self) -> Place:
        """Where the name is said, or the key that has it by the pattern."""
        root = root_of(self.environment.declarations, self.secret, self.key)
        for secret, key in ((self.secret, self.key), root):
            override = self.environment.overlay.spec.overrides.get(secret)
            said = override.keys.get(key) if override else None
            if said and said.remote_name:
                return said.origin.at("remoteName")
        return self.value.key.origin.at("remoteName")

    def by_pattern_of(self, other: Environment) -> str:
        """What the pattern of another environment makes of this key."""
        secret, key = root_of(self.environment.declarations, self.secret, self.key)
        plain = self.value.key.remote_name or key
        return _pattern(other).replace("{secret}", secret).replace("{key}", key).replace("{remoteName}", plain)


def _asked(environment: Environment) -> Iterator[_Asked]:
    for secret in environment.secrets.values():
        for key, value in secret.values.items():
            if isinstance(value, Remote) and environment.source:
                yield _Asked(environment, secret.name, key, value)


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
    others = [each for each in repository.environments if each.source]
    for overlay in repository.overlays:
        told = set()  # a key that others share by `from` is wrong once
        for asked in _asked(overlay.environment):
            if not (asked.value.explicit or asked.value.overridden):
                continue
            owner = next((each for each in others if _is_of(asked, each)), None)
            if owner and asked.place() not in told:
                told.add(asked.place())
                what = (
                    f"{asked.address} of {overlay.environment.name} asks for {asked.value.name}, a name of {owner.name}"
                )
                own = asked.by_pattern_of(overlay.environment)
                hint = f"by the pattern of {overlay.environment.name} it is {own}"
                yield Finding(
                    message=what,
                    place=asked.place(),
                    hint=hint,
                    overlay=overlay.environment.name,
                )


def _is_of(asked: _Asked, other: Environment) -> bool:
    """Whether a name is that of another environment and not the asking one's own."""
    own, foreign = _pattern(asked.environment), _pattern(other)
    if other.name == asked.environment.name or foreign == own:
        return False
    name, mark, own_mark = variable(asked.value.name), _mark(foreign), _mark(own)
    if name == variable(asked.by_pattern_of(asked.environment)):
        return False
    # Without a mark a name is anybody's, but for one that the other reads in the very same source.
    known = mark != ("", "") or source_of(other) == source_of(asked.environment)
    if known and name == variable(asked.by_pattern_of(other)):
        return True
    return mark.is_on(name) and not own_mark.is_on(name)


@rule("vault-collision", "error")
def vault_collision(repository: Repository) -> Iterator[Finding]:
    """Two keys ask one Key Vault for names that differ in nothing but case.

    Key Vault takes them for one secret: what is written for one is read by the other. Write one name where one is
    meant, and two that differ where two are.
    """
    chosen = {overlay.environment.name for overlay in repository.overlays}
    found: dict[tuple[object, str], dict[str, list[_Asked]]] = {}
    for environment in repository.environments:
        if environment.source and isinstance(environment.source.kind, AzureKeyVault):
            vault = source_of(environment)
            for asked in _asked(environment):
                spellings = found.setdefault((vault, asked.value.name.lower()), {})
                spellings.setdefault(asked.value.name, []).append(asked)
    for spellings in found.values():
        if len(spellings) > 1 and any(each.environment.name in chosen for all_ in spellings.values() for each in all_):
            usual = max(spellings, key=lambda name: len(spellings[name]))
            first = spellings[usual][0]
            for spelling, (asked, *_) in spellings.items():
                if spelling != usual:
                    what = (
                        f"{asked.address} of {asked.environment.name} asks for {spelling}, "
                        f"{first.address} of {first.environment.name} for {usual}: one secret in Key Vault"
                    )
                    hint = f"write {usual}, or a name that differs in more than case"
                    yield Finding(
                        message=what,
                        place=asked.place(),
                        hint=hint,
                        overlay=asked.environment.name,
                    )


RULES = (foreign_name, vault_collision)
