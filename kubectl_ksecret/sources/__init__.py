"""Where plaintext is read: one module a source, imported when it is opened."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol, assert_never

from ..errors import InputError, Mistake, Refusal
from ..model.environment import Environment
from ..model.overlay import AzureKeyVault, Command, Dotenv
from ..model.overlay import Environment as EnvironmentVariables
from ..sensitive import Sensitive


class OpenSource(Protocol):
    """A source that can be read."""

    def versions(self, names: Collection[str]) -> Mapping[str, str | None]:
        """The current version of each name that exists; None where the source knows no versions."""

    def read(self, names: Collection[str]) -> Mapping[str, Sensitive]:
        """The current values. Raises Refusal with every name that is missing."""


OpenedBy = Callable[[Environment], OpenSource]


def open_source(environment: Environment) -> OpenSource:
    """The environment's source. Raises InputError if none is declared, or Refusal if it can't be opened."""
    if environment.source is None:
        raise InputError(
            Mistake(
                f"overlay {environment.name} has no source",
                environment.overlay.spec.origin.at(),
                "set spec.source, name one with --source, or pipe Secrets in with -f -",
            )
        )
    source = environment.source.kind
    if isinstance(source, Dotenv):
        from . import dotenv

        return dotenv.open_source(environment, source)
    if isinstance(source, EnvironmentVariables):
        from . import environment as variables

        return variables.open_source()
    if isinstance(source, Command):
        from . import command

        return command.open_source(source)
    if isinstance(source, AzureKeyVault):
        raise Refusal(
            Mistake(
                "this version can't read Azure Key Vault",
                source.origin.at(),
                "name another source with --source dotenv=FILE, or pipe Secrets in with -f -",
            )
        )
    assert_never(source)


def missing(names: Collection[str], found: Collection[str], where: str) -> list[Mistake]:
    """A mistake for each name that a source lacks."""
    return [Mistake(f"{where} has no {name}") for name in sorted(set(names) - set(found))]
