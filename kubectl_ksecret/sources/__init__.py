"""Where plaintext is read, and where possible written: one module a source, imported when it is opened."""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ..errors import InputError, Mistake, Refusal
from ..frozen import Record
from ..model.resolution import Environment
from ..model.types.source import Source
from ..model.types.sources import (
    SOURCES,
    AlibabaKms,
    AzureKeyVault,
    Command,
    Dotenv,
    EnvironmentVariables,
    Vault,
)
from ..sensitive import Sensitive

Progress = Callable[[int, int], None]  # done, of how many


class Version(Record):
    """What a source shows of a value without the value; times have a zone.

    `withdrawn` says why nobody gets the value, such as `disabled`; nothing where it is handed out. As the current
    version of a name it is the one that a reader gets, the newest enabled one: it is withdrawn if all are, and `newest`
    is false if a newer one is.
    """

    id: str
    created: datetime | None = None
    expires: datetime | None = None
    not_before: datetime | None = None
    withdrawn: str = ""
    newest: bool = True

    @property
    def enabled(self) -> bool:
        """Whether the value is handed out."""
        return not self.withdrawn


class Problem(NamedTuple):
    """Something to do about a value: a stable name, and the end of a sentence."""

    reason: str
    message: str


def problems(version: Version, now: datetime) -> Iterator[Problem]:
    """Find what is wrong with a version, though the source may hand it out."""
    if version.withdrawn:
        yield Problem("disabled", f"is {version.withdrawn}")
    if not version.newest:
        yield Problem("disabled", "is not the newest: a newer one is disabled")
    if version.expires and version.expires <= now:
        yield Problem("expired", f"expired on {version.expires:%Y-%m-%d}")
    if version.not_before and version.not_before > now:
        yield Problem("not-yet-valid", f"is not valid before {version.not_before:%Y-%m-%d}")


class SourceValue(Record):
    """A value, and its version where the source has versions."""

    value: Sensitive
    version: Version | None = None


class GivenSecrets(Record):
    """Values as a user gives them, by Secret and key, with the namespaces that the Secrets state."""

    values: Mapping[str, Mapping[str, Sensitive]]
    namespaces: Mapping[str, str] = {}
    file: str = ""


class OpenSource(Protocol):
    """A source that can be read; `shown` is what messages call it."""

    shown: str

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """Return the current version of each name that exists; None where the source knows no versions."""

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """Return the current values of those names that it has. Raises Refusal if anything else is wrong."""

    def names(self) -> Collection[str]:
        """Return the names that it has, to say which may have been meant; none where they can't be listed."""


@runtime_checkable
class VersionedSource(OpenSource, Protocol):
    """A source that hands out values of versions that are not the newest."""

    def describe_versions(self, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Version]:
        """Return what is known of those names and versions that it has, without reading a value."""

    def read_versions(self, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], SourceValue]:
        """Return the values of those names and versions that it has. Raises Refusal if anything else is wrong."""


@runtime_checkable
class WritableSource(OpenSource, Protocol):
    """A source that takes new values; each write has an id, by which a second attempt finds it done."""

    def refused(self, name: str, value: Sensitive) -> str:
        """Return why the source can't hold a value under a name, or nothing; never the value."""

    def write(self, name: str, value: Sensitive, id_: str) -> None:
        """Write a new version, once for each id. Raises Refusal."""

    def written(self, name: str, id_: str) -> bool:
        """Whether a value of this id was written."""


@runtime_checkable
class NumberedSource(WritableSource, Protocol):
    """A source that numbers its versions: an id of its own holds the version that stood when a write began.

    Where a version can't carry an id, what it replaced tells whether it was made.
    """

    def new_id(self, name: str) -> str:
        """Return an id for a write that begins now."""

    def before(self, name: str, id_: str) -> SourceValue | None:
        """Return the value that stood when the id was made; None if there was none, or it is gone."""


def new_id(source: WritableSource, name: str) -> str:
    """Return an id for a write that begins now."""
    return source.new_id(name) if isinstance(source, NumberedSource) else uuid.uuid4().hex


OpenedBy = Callable[[Environment], OpenSource]
Opener = Callable[[Environment, Any, Progress], OpenSource]  # Any is the type that SOURCES has under the same name


def _azure_key_vault(environment: Environment, source: AzureKeyVault, progress: Progress) -> OpenSource:
    try:
        from . import azurekeyvault
    except ImportError:
        from ..files import installation

        raise Refusal(
            Mistake("Azure's SDK is not installed", source.origin.at(), installation.extra("azure"))
        ) from None
    return azurekeyvault.open_source(environment, source, progress)


def _alibaba_kms(environment: Environment, source: AlibabaKms, progress: Progress) -> OpenSource:
    try:
        from . import alibabakms
    except ImportError:
        from ..files import installation

        hint = installation.extra("alibaba")
        raise Refusal(Mistake("Alibaba Cloud's SDK is not installed", source.origin.at(), hint)) from None
    return alibabakms.open_source(environment, source, progress)


def _vault(environment: Environment, source: Vault, progress: Progress) -> OpenSource:
    try:
        from . import vault
    except ImportError:
        from ..files import installation

        raise Refusal(Mistake("urllib3 is not installed", source.origin.at(), installation.extra("vault"))) from None
    return vault.open_source(environment, source, progress)


def _dotenv(environment: Environment, source: Dotenv, _progress: Progress) -> OpenSource:
    from . import dotenv

    return dotenv.open_source(environment, source)


def _environment(_environment: Environment, _source: EnvironmentVariables, _progress: Progress) -> OpenSource:
    from . import environment as variables

    return variables.open_source()


def _command(_environment: Environment, source: Command, _progress: Progress) -> OpenSource:
    from . import command

    return command.open_source(source)


# What opens a source of each type; its module, and what that needs, is imported only then.
IMPLEMENTATIONS: dict[str, Opener] = {
    "azureKeyVault": _azure_key_vault,
    "alibabaKms": _alibaba_kms,
    "vault": _vault,
    "dotenv": _dotenv,
    "environment": _environment,
    "command": _command,
}
if lacking := SOURCES.keys() - IMPLEMENTATIONS.keys():
    raise ImportError(f"nothing opens the sources {', '.join(sorted(lacking))}")


def open_source(environment: Environment, progress: Progress) -> OpenSource:
    """Open the environment's source. Raises InputError if none is declared, or Refusal if it can't be opened."""
    source = _declared(environment)
    return IMPLEMENTATIONS[source.field](environment, source, progress)


def open_writable(environment: Environment, progress: Progress) -> WritableSource:
    """Open the source to write to it as well. Raises InputError for a source that is read-only."""
    source = _declared(environment)
    if not source.writable:
        hint = "set the new value there by your own means, then run seal"
        message = f"the source {source.field} of {environment.name} is read-only"
        raise InputError(Mistake(message, source.origin.at(), hint))
    opened = IMPLEMENTATIONS[source.field](environment, source, progress)
    if not isinstance(opened, WritableSource):
        raise TypeError(f"the source {source.field} says that it is writable and has no write")
    return opened


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
