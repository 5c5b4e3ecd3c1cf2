"""What a new value will come to, found out before it is written."""

from collections.abc import Collection, Iterator, Mapping

from ..errors import Mistake
from ..model.resolution import Remote
from ..model.validation.sharing import one_name
from ..sensitive import Sensitive
from ..sources import Found, OpenSource, Version
from ..values.extraction import extract
from ..values.rules import broken


class WithNewValue:
    """A source as it will be read: one name has its new value already, all others have theirs."""

    def __init__(self, source: OpenSource, identity: tuple[str, ...], name: str, value: Sensitive) -> None:
        self._source, self._identity, self._name, self._value = source, identity, one_name(identity, name), value

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """Those that the source has now."""
        return self._source.versions(names)

    def read(self, names: Collection[str]) -> Mapping[str, Found]:
        """The values; of the one name nothing is asked. Raises Refusal with every other name that is missing."""
        new = [name for name in names if one_name(self._identity, name) == self._name]
        others = [name for name in names if name not in new]
        return {**(self._source.read(others) if others else {}), **dict.fromkeys(new, Found(value=self._value))}


def refused(address: str, remote: Remote, kept: Sensitive) -> Iterator[Mistake]:
    """Why a key can't take a new value, as the source would hold it."""
    place = remote.key.origin.at()
    try:
        value = extract(remote, kept)
    except ValueError as error:
        yield Mistake(f"{address}: the new value {error}", place)
        return
    for rule in broken(remote.key.rules, value):
        yield Mistake(f"the new value of {address} breaks {rule}", place)
