"""The environment variables of the process that seals."""

import os
from collections.abc import Collection, Mapping

from ..sensitive import Sensitive
from . import SourceValue, Version


class Variables:
    """The variables of a process; they know no versions."""

    shown = "the environment"

    def __init__(self, variables: Mapping[bytes, bytes]) -> None:
        self._values = {os.fsdecode(name): Sensitive(value) for name, value in variables.items()}

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """Return None for each variable that is set."""
        return {name: None for name in names if name in self._values}

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """Return the values of the variables that are set."""
        return {name: SourceValue(value=self._values[name]) for name in names if name in self._values}

    def names(self) -> Collection[str]:
        """Return the names of all variables."""
        return self._values.keys()


def open_source() -> Variables:
    """Open the variables of this process."""
    return Variables(os.environb)
