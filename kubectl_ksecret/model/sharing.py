"""Keys of the project that reach one name in one source: shared on purpose, or by mistake."""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..errors import Mistake, Place
from .declared import root_of
from .environment import Environment, Remote
from .overlay import AzureKeyVault, Command, Dotenv


class _Reader(NamedTuple):
    """A declared key that reads a name."""

    place: Place
    address: str
    name: str
    explicit: bool


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


def mistakes(environments: Iterable[Environment], concerned: Iterable[Environment]) -> Iterator[Mistake]:
    """Two keys on one name, without `from`, an override or a remoteName on both; only those of `concerned`."""
    names = {environment.name for environment in concerned}
    found: dict[tuple[tuple[str, ...], str], list[tuple[_Reader, bool]]] = {}
    for environment in environments:
        source = source_of(environment)
        if source is None:
            continue
        for reader in _readers(environment):
            # Key Vault compares names without case.
            name = reader.name.lower() if source[0] == "azureKeyVault" else reader.name
            found.setdefault((source, name), []).append((reader, environment.name in names))
    for readers in found.values():
        distinct = {reader.place: reader for reader, _ in readers}
        if len(distinct) < 2 or not any(own for _, own in readers) or all(reader.explicit for reader, _ in readers):
            continue
        first, *others = sorted(distinct.values())
        for other in others:
            yield Mistake(
                f"{other.address} and {first.address} read one name, {other.name}, in one source",
                other.place,
                f"share it on purpose (from: {first.address}), or set remoteName on both",
            )


def _readers(environment: Environment) -> Iterator[_Reader]:
    for secret in environment.secrets.values():
        for name, value in secret.values.items():
            if not isinstance(value, Remote):
                continue
            root = root_of(environment.declarations, secret.name, name)
            spec = environment.declarations[root[0]].spec
            section = "keys" if root[1] in spec.keys else "inputs"
            yield _Reader(spec.origin.key(section, root[1]), "/".join(root), value.name, value.explicit)
