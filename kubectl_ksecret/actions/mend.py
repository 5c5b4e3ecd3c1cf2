"""Mends in place what has one safe mend."""

import os
from collections.abc import Iterable

from ..errors import InputError, Mend
from ..files.folder import locked
from ..files.project import decode
from ..yamlio import editing


def mend(mends: Iterable[Mend | None], *, dry_run: bool = False) -> list[Mend]:
    """Make these changes, and return those that were made, or would be. Raises Refusal if the system refuses.

    A place with a line is one that was read through the project, so it lies in it.
    """
    by_file: dict[str, list[Mend]] = {}
    for change in dict.fromkeys(mends):
        if change is not None and change.place.line:
            by_file.setdefault(os.path.realpath(change.place.file), []).append(change)
    return [
        done for file, changes in by_file.items() if os.path.isfile(file) for done in _mended(file, changes, dry_run)
    ]


def _mended(file: str, mends: Iterable[Mend], dry_run: bool) -> list[Mend]:
    folder, name = os.path.split(file)
    with locked(folder) as held:
        with open(file, "rb") as opened:
            content = opened.read()
        try:
            text, done = editing.mended(decode(content, name), mends)
        except InputError:
            return []  # it has changed since, and whoever reads it next is shown why
        if done and not dry_run:
            held.write(name, editing.encoded(text, content))
    return done
