"""Mends in place what has one safe mend."""

import os
from collections.abc import Iterable

from ..errors import InputError, Mend, Mistake
from ..files.folder import locked
from ..files.project import decode
from ..yamlio import editing


def mend(mistakes: Iterable[Mistake]) -> list[Mend]:
    """Make the mends of these mistakes; those that were made. Raises Refusal if the system refuses.

    A place with a line is one that was read through the project, so it lies in it.
    """
    wanted: dict[str, list[Mend]] = {}
    for mistake in mistakes:
        if mistake.mend is not None and mistake.mend.place.line:
            wanted.setdefault(os.path.realpath(mistake.mend.place.file), []).append(mistake.mend)
    return [done for file, mends in wanted.items() if os.path.isfile(file) for done in _mended(file, mends)]


def _mended(file: str, mends: Iterable[Mend]) -> list[Mend]:
    folder, name = os.path.split(file)
    with locked(folder) as held:
        with open(file, "rb") as opened:
            content = opened.read()
        try:
            text, done = editing.mended(decode(content, name), mends)
        except InputError:
            return []  # it has changed since, and whoever reads it next is told
        if done:
            held.write(name, editing.encoded(text, content))
    return done
