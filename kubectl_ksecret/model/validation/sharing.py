"""Keys of the project that reach one name in one source: shared on purpose, or by mistake."""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...errors import Mistake, Place
from ..resolution import Environment, Remote
from ..types.sources import AzureKeyVault, Command, Dotenv
from .declaration import root_of


class _Reader(NamedTuple):
    """A key of an environment that reads a name."""

    environment: Environment
    secret: str
    key: str
    value: Remote

    def root(self) -> tuple[Place, str]:
        """Where the key that it shares by `from`, or it itself, is declared, and its address."""
        declarations = self.environment.declarations
        secret, key = root_of(declarations, self.secret, self.key)
        spec = declarations[secret].spec
        return spec.origin.key("keys" if key in spec.keys else "inputs", key), f"{secret}/{key}"


def source_of(environment: Environment) -> tuple[str, ...] | None:
    """What makes a source the same in two environments; None without one."""
    if environment.source is None:
        return None
    kind = environment.source.kind
    if isinstance(kind, AzureKeyVault):
        return ("azureKeyVault", kind.vault_url.rstrip("/").lower())
    if isinstance(kind, Dotenv):
        return ("dotenv", os.path.realpath(environment.path(kind.file)))
    return ("command", *kind.arguments) if isinstance(kind, Command) else ("environment",)


def one_name(source: tuple[str, ...], name: str) -> str:
    """What is the same for two names that are one in a source: Key Vault compares them without case."""
    return name.lower() if source[0] == "azureKeyVault" else name


def mistakes(environments: Iterable[Environment], concerned: Iterable[Environment]) -> Iterator[Mistake]:
    """Two keys on one name, without `from`, an override or a remoteName on both; only those of `concerned`."""
    names = {environment.name for environment in concerned}
    found: dict[tuple[tuple[str, ...], str], list[_Reader]] = {}
    for environment in environments:
        source = source_of(environment)
        if source is None:
            continue
        for reader in _readers(environment):
            found.setdefault((source, one_name(source, reader.value.name)), []).append(reader)
    for readers in found.values():
        # Places are worked out for what is suspect alone: this runs on every build.
        if len(readers) < 2 or all(reader.value.explicit for reader in readers):
            continue
        distinct = {reader.root(): reader.value.name for reader in readers}
        if len(distinct) < 2 or not any(reader.environment.name in names for reader in readers):
            continue
        ((_, first), _), *others = sorted(distinct.items())
        for (place, other), name in others:
            yield Mistake(
                f"{other} and {first} read one name, {name}, in one source",
                place,
                f"share it on purpose (from: {first}), or set remoteName on both",
            )


def _readers(environment: Environment) -> Iterator[_Reader]:
    for secret in environment.secrets.values():
        for name, value in secret.values.items():
            if isinstance(value, Remote):
                yield _Reader(environment, secret.name, name, value)
