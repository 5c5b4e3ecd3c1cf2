"""Where plaintext is read, and where possible written: one module a source, imported when it is opened."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from ..errors import InputError, Mistake, Refusal
from ..frozen import Record
from ..model.resolution import Environment
from ..model.types.sources import AzureKeyVault, Command, Dotenv, EnvironmentVariables, Source
from ..sensitive import Sensitive

Progress = Callable[[int, int], None]  # done, of how many


class Version(Record):
    """What a source tells of a value without the value; times have a zone.

    It is the one that a reader gets, the newest enabled one. `newest` is false if a newer one is disabled, `enabled`
    if all are.
    """

    id: str
    created: datetime | None = None
    expires: datetime | None = None
    not_before: datetime | None = None
    enabled: bool = True
    newest: bool = True


class Problem(NamedTuple):
    """Something to do about a value: a stable name, and the end of a sentence."""

    reason: str
    message: str


def problems(version: Version, now: datetime) -> Iterator[Problem]:
    """What is wrong with a version, though the source may hand it out."""
    if not version.enabled:
        yield Problem("disabled", "is disabled")
    if not version.newest:
        yield Problem("disabled", "is not the newest: a newer one is disabled")
    if version.expires and version.expires <= now:
        yield Problem("expired", f"expired on {version.expires:%Y-%m-%d}")
    if version.not_before and version.not_before > now:
        yield Problem("not-yet-valid", f"is not valid before {version.not_before:%Y-%m-%d}")


class Found(Record):
    """A value, and its version where the source has versions."""

    value: Sensitive
    version: Version | None = None


class Given(Record):
    """Values as a user gives them, by Secret and key, with the namespaces that the Secrets state."""

    values: Mapping[str, Mapping[str, Sensitive]]
    namespaces: Mapping[str, str] = {}
    file: str = ""


class OpenSource(Protocol):
    """A source that can be read."""

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """The current version of each name that exists; None where the source knows no versions."""

    def read(self, names: Collection[str]) -> Mapping[str, Found]:
        """The current values. Raises Refusal with every name that is missing."""


class WritableSource(OpenSource, Protocol):
    """A source that takes new values; each write has an id, by which a second attempt finds it done."""

    def refused(self, name: str, value: Sensitive) -> str:
        """Why the source can't hold a value under a name, or nothing; never the value."""

    def write(self, name: str, value: Sensitive, id_: str) -> None:
        """Make a new version, once for each id. Raises Refusal."""

    def written(self, name: str, id_: str) -> bool:
        """Whether a value of this id was written."""


OpenedBy = Callable[[Environment], OpenSource]


def open_source(environment: Environment, progress: Progress) -> OpenSource:
    """The environment's source. Raises InputError if none is declared, or Refusal if it can't be opened."""
    source = _declared(environment)
    if isinstance(source, EnvironmentVariables):
        from . import environment as variables

        return variables.open_source()
    if isinstance(source, Command):
        from . import command

        return command.open_source(source)
    return _open_writable(environment, source, progress)


def open_writable(environment: Environment, progress: Progress) -> WritableSource:
    """The same, to write to. Raises InputError for a source that is read-only."""
    source = _declared(environment)
    if isinstance(source, EnvironmentVariables | Command):
        kind = "command" if isinstance(source, Command) else "environment"
        hint = "set the new value there by your own means, then run seal"
        raise InputError(Mistake(f"the source {kind} of {environment.name} is read-only", source.origin.at(), hint))
    return _open_writable(environment, source, progress)


def has_versions(environment: Environment) -> bool:
    """Whether the source tells a changed value without showing it."""
    return environment.source is not None and isinstance(environment.source.kind, AzureKeyVault)


def _declared(environment: Environment) -> Source:
    if environment.source is None:
        raise InputError(
            Mistake(
                f"overlay {environment.name} has no source",
                environment.overlay.spec.origin.at(),
                "set spec.source, name one with --source, or pipe Secrets in with -f -",
            )
        )
    return environment.source.kind


def _open_writable(environment: Environment, source: Source, progress: Progress) -> WritableSource:
    if isinstance(source, Dotenv):
        from . import dotenv

        return dotenv.open_source(environment, source)
    if isinstance(source, AzureKeyVault):
        try:
            from . import azurekeyvault
        except ImportError:
            hint = "pip install 'kubectl-ksecret[azure]'"
            raise Refusal(Mistake("Azure's SDK is not installed", source.origin.at(), hint)) from None
        return azurekeyvault.open_source(environment, source, progress)
    raise TypeError(type(source).__name__)


def missing(names: Collection[str], found: Collection[str], where: str) -> list[Mistake]:
    """A mistake for each name that a source lacks."""
    return [Mistake(f"{where} has no {name}") for name in sorted(set(names) - set(found))]
