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


class Mend(NamedTuple):
    """The one safe change that mends a mistake: `old`, a whole scalar of YAML at the place, becomes `new`.

    A rule gives it with its fault, and `check --fix` makes it if `old` still stands there:

        place = document.place("apiVersion")
        mend = Mend(place, "external-secrets.io/v1beta1", "external-secrets.io/v1")
        yield Fault("…", place, hint="…", mend=mend)
    """

    place: Place
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.place}: {self.old} is now {self.new}"


class Mistake(NamedTuple):
    """One thing to mend, said to the person who can mend it; never quotes a value or a file's content."""

    message: str
    place: Place | None = None
    hint: str = ""
    mend: Mend | None = None

    def __str__(self) -> str:
        return self.said("error")

    def said(self, severity: str, rule: str = "") -> str:
        """Return the text that a user reads, with the rule that found it."""
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


SHOWN_LENGTH = 60


def printable(text: str) -> str:
    """Return text that a stranger may have written, without the characters that move the cursor or break the line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def shown(name: str) -> str:
    """Return a name that a stranger may have written as a message shows it: one short line, escapes written out."""
    text = name if name.isprintable() else name.encode("unicode_escape").decode()
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"


def with_article(noun: str) -> str:
    """Return a noun, such as the kind of an object, behind its article."""
    return f"an {noun}" if noun[:1] in "AEIOUaeiou" else f"a {noun}"


def nearest_name(name: str, names: Iterable[str]) -> str:
    """Return the name that was likely meant, or nothing."""
    from difflib import get_close_matches

    matches = get_close_matches(name, list(names), n=1)
    return matches[0] if matches else ""


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint with the name that was likely meant, or nothing."""
    near = nearest_name(name, names)
    return f'did you mean "{near}"?' if near else ""


def typo(place: Place, name: str, names: Iterable[str]) -> Mend | None:
    """Return the mend of a name that stands at a place, if exactly one name is near enough to have been meant."""
    from difflib import get_close_matches

    matches = get_close_matches(name, list(names), n=2)
    return Mend(place, name, matches[0]) if len(matches) == 1 and place.line else None
