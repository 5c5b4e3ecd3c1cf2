"""What a new value will come to, found out before it is written."""

from collections.abc import Collection, Iterator, Mapping

from ..errors import Mistake
from ..model.resolution import Environment, SourceRead
from ..sensitive import Sensitive
from ..sources import OpenSource, SourceValue, Version, VersionedSource
from ..values import gate
from ..values.extraction import extract


class WithNewValue:
    """A source as it will be read: one name has its new value already, all others have theirs."""

    def __init__(self, source: OpenSource, environment: Environment, name: str, value: Sensitive) -> None:
        self._source, self._environment, self._name, self._value = source, environment, name, value
        self.shown = source.shown

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """Return those that the source has now."""
        return self._source.versions(names)

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """Return the values; the source is not asked for the one name."""
        new = [name for name in names if self._is_new(name)]
        others = [name for name in names if name not in new]
        values = self._source.read(others) if others else {}
        return {**values, **dict.fromkeys(new, SourceValue(value=self._value))}

    def read_versions(self, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], SourceValue]:
        """Return those that the source has; a new value changes no version."""
        assert isinstance(self._source, VersionedSource)
        return self._source.read_versions(wanted)

    def names(self) -> Collection[str]:
        """Return those that the source has."""
        return self._source.names()

    def _is_new(self, name: str) -> bool:
        return self._environment.same_name(name) == self._environment.same_name(self._name)


def refused(read: SourceRead, value_in_source: Sensitive) -> Iterator[Mistake]:
    """Find why a key can't take a new value, given as the source would hold it."""
    place = read.remote.key.origin.at()
    try:
        value = extract(read.remote, value_in_source)
    except ValueError as error:
        yield Mistake(f"{read.address}: the new value {error}", place)
        return
    for objection in gate.objections_to(read.address, read.remote, value, which="the new value"):
        yield objection.mistake
