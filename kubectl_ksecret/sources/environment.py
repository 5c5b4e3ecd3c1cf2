"""The environment variables of the process that seals."""

import os
from collections.abc import Collection, Mapping

from ..errors import Refusal
from ..sensitive import Sensitive
from . import SourceValue, Version, missing


class Variables:
    """The variables of a process; they know no versions."""

    def __init__(self, variables: Mapping[bytes, bytes]) -> None:
        self._values = {os.fsdecode(name): Sensitive(value) for name, value in variables.items()}

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """None for each variable that is set."""
        return {name: None for name in names if name in self._values}

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """The values. Raises Refusal with every variable that is not set."""
        if mistakes := missing(names, self._values, "the environment"):
            raise Refusal(*mistakes)
        return {name: SourceValue(value=self._values[name]) for name in names}


def open_source() -> Variables:
    """The variables of this process."""
    return Variables(os.environb)
