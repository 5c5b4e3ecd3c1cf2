"""The file of an overlay, edited in place: only the lines of what changes are touched."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..files.folder import locked
from ..files.project import decode
from ..model.resolution import Environment
from ..yamlio import editing


class OverlayText:
    """The text of an overlay while it is edited."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self._file = text, file

    def set(self, path: editing.Path, value: Any) -> None:
        """Give a field another value. Raises InputError, which ends the edit, if that can't be done without a risk."""
        self.text = editing.with_field(self.text, self._file, path, value)


@contextmanager
def editable(environment: Environment) -> Iterator[OverlayText]:
    """Lock an overlay's folder, give its text to edit, and write that at the end; after an error nothing is written."""
    folder, name = os.path.split(environment.project.inside(environment.file))
    with locked(folder) as held:
        content, shown = environment.project.read(environment.file), environment.project.name(environment.file)
        overlay = OverlayText(decode(content, shown), shown)
        yield overlay
        held.write(name, editing.encoded(overlay.text, content))
