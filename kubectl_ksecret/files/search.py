"""Texts in a project's tracked files, however many: each file is gone through once."""

import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

from .project import NOT_OURS, Project

_LOOKED_AT = 4 << 20  # bytes of a file
_BEGINNING = 8  # a text is found by its first bytes


class Hit(NamedTuple):
    """Where a text stands; `path` is the file's from the project's root."""

    text: bytes
    path: str
    line: int
    column: int


def search(project: Project, tracked: Collection[str], texts: Collection[bytes]) -> Iterator[Hit]:
    """Yield where these texts, of eight bytes at least, stand by themselves and not within a longer word.

    Files of other projects, and those made for tests, are left out.
    """
    by_beginning: dict[bytes, list[bytes]] = {}
    for text in texts:
        by_beginning.setdefault(text[:_BEGINNING], []).append(text)
    for path in tracked if by_beginning else ():
        if NOT_OURS.isdisjoint(path.split("/")):
            content = project.beginning(os.path.join(project.root, path), _LOOKED_AT) or b""
            for start, text in _in(content, by_beginning):
                line = content.count(b"\n", 0, start) + 1
                yield Hit(text, path, line, start - content.rfind(b"\n", 0, start))


def _in(content: bytes, by_beginning: dict[bytes, list[bytes]]) -> Iterator[tuple[int, bytes]]:
    for start in range(len(content) - _BEGINNING + 1):
        if (texts := by_beginning.get(content[start : start + _BEGINNING])) is not None:
            yield from ((start, text) for text in texts if _stands_alone(content, start, text))


def _stands_alone(content: bytes, start: int, text: bytes) -> bool:
    end = start + len(text)
    begins_in_word = text[:1].isalnum() and content[start - 1 : start].isalnum()
    ends_in_word = text[-1:].isalnum() and content[end : end + 1].isalnum()
    return content.startswith(text, start) and not begins_in_word and not ends_in_word
