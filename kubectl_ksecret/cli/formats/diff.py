"""What `diff` prints: unified differences of objects without values, as kubectl diff prints them."""

from collections.abc import Iterator, Sequence
from difflib import unified_diff

from ... import yamlio
from ...actions.diff import Compared
from ...model.kubernetes import Object


def text(compared: Sequence[Compared]) -> str:
    """Return the differences, one object after the other."""
    return "".join(line for one in compared if one.differs for line in _lines(one))


def notes(compared: Sequence[Compared]) -> Iterator[str]:
    """Yield a line for each note on an object that differs."""
    for one in compared:
        for note in one.notes if one.differs else ():
            yield f"note: {one.name}: {note}"


def _lines(one: Compared) -> Iterator[str]:
    live, built = _document(one.live), _document(one.built)
    yield from unified_diff(live, built, f"live/{one.name}", f"built/{one.name}")


def _document(content: Object | None) -> list[str]:
    return yamlio.dump([content]).splitlines(keepends=True) if content is not None else []
