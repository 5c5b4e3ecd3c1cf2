"""What a source is, as an overlay names it; the types of sources are in `sources`."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from ...errors import Mistake, Place
from ...frozen import Record
from .origin import Alternative, Origin


class PathBase(Protocol):
    """What an overlay knows of the paths that it names."""

    def path(self, named: str) -> str:
        """Return where a path leads."""

    def shown_path(self, named: str) -> str:
        """Return a path as messages show it, from the project's root."""


class UsedName(NamedTuple):
    """A name that a key takes from a source, and where the name is stated, if it is."""

    address: str
    name: str
    origin: Origin


class SourceUse(Record):
    """How an overlay uses its source.

    pattern: The overlay's pattern of names with `x` for each placeholder.
    pattern_place: Where the pattern stands.
    fetched: Whether an operator in the cluster reads the source, which may know more kinds of names.
    names: The names that the keys take.
    """

    pattern: str
    pattern_place: Place
    fetched: bool
    names: Iterable[UsedName]


class Source(Alternative):
    """A place where plaintext lives. Each member below is one that a type of source must have."""

    @property
    def field(self) -> str:
        """Return the name under which SourceSpec holds a source of this type, such as `azureKeyVault`."""
        from .sources import SOURCES

        return next(name for name, type_ in SOURCES.items() if type_ is type(self))

    @property
    @abstractmethod
    def versioned(self) -> bool:
        """Return whether it shows that a value has changed without showing the value itself."""

    @property
    @abstractmethod
    def writable(self) -> bool:
        """Return whether `rotate` and `seal --generate-missing` can write to it."""

    @property
    def reads_versions(self) -> bool:
        """Return whether this tool can read the value of a version that is not the newest."""
        return False

    def refused_version(self, version: str) -> str:
        """Return what a version in it looks like, if this is none; else nothing."""
        return ""

    @property
    @abstractmethod
    def lists_names(self) -> bool:
        """Return whether it can list its names without printing a value."""

    @property
    @abstractmethod
    def runs_program(self) -> bool:
        """Return whether reading runs a program that the overlay names; `check` must not."""

    @property
    @abstractmethod
    def names_are_variables(self) -> bool:
        """Return whether its names are those of environment variables, such as JWT_SECRET_KEY."""

    @abstractmethod
    def identity(self, folder: str) -> tuple[str, ...]:
        """Return what is the same for two sources of this type in which one name means one value.

        Paths start at `folder`, that of the overlay.
        """

    @abstractmethod
    def same_name(self, name: str) -> str:
        """Return the form that is the same for all names which mean one value in it."""

    @abstractmethod
    def shown(self, base: PathBase) -> str:
        """Return what a user knows it by, such as its URL."""

    @abstractmethod
    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return the paths in the project that it names, with where they are named."""

    @abstractmethod
    def mistakes(self, use: SourceUse) -> Iterator[Mistake]:
        """Find what is wrong with it, and with the names that it is asked for."""
