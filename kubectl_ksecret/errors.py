"""What a user can do wrong, and where."""

from collections.abc import Iterable
from typing import NamedTuple


class Place(NamedTuple):
    """A place in a file; line and column count from 1, 0 is the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Mistake(NamedTuple):
    """One thing to mend, said to the person who can mend it; never quotes a value or a file's content."""

    message: str
    place: Place | None = None
    hint: str = ""

    def __str__(self) -> str:
        return self.said("error")

    def said(self, severity: str, rule: str = "") -> str:
        """The text that a user reads, with the rule that found it."""
        where, found_by = f"{self.place}: " if self.place else "", f" [{rule}]" if rule else ""
        return f"{severity}: {where}{self.message}{found_by}" + (f"\nhint: {self.hint}" if self.hint else "")


class InputError(Exception):
    """Wrong usage or input, or nothing to work on; the command ends with 2."""

    exit_code = 2

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__(*mistakes)
        # Two overlays of one base find the same mistakes in it.
        self.mistakes = tuple(dict.fromkeys(mistakes))

    def __str__(self) -> str:
        return "\n".join(map(str, self.mistakes))


class Refusal(InputError):
    """A source, cluster or tool failed or refused; the command ends with 3."""

    exit_code = 3


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint with the name that was likely meant, or nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(names), n=1)
    return f'did you mean "{found[0]}"?' if found else ""
