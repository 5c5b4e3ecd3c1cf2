"""Lines of a dotenv file: those that all its common readers take for the same literal value, and no others.

Held against python-dotenv 1.2, Node's dotenv 18 and docker compose, which must take a line as we do, and against a
shell's `. ./.env`, which may not take it at all (as `A=b c` and `A=b&c`), but must not take another value. They differ
in what follows a `#`, in backslashes, in `$` (python-dotenv expands `${NAME}` even between single quotes), in unusual
blanks, and in values of several lines.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import InputError, Mistake, Place
from ..sensitive import Sensitive

_ASSIGNMENT = re.compile(r"[ \t]*(?P<export>export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=(?P<value>.*)")
# A shell expands ~ at the beginning and behind a colon.
_BARE = re.compile(r"(?:[A-Za-z0-9_ \t%+,\-./=@^!*?&|()\[\]{}]|[^\x00-\x7f]|(?<!^)(?<!:)~|:)*")
_AMBIGUOUS = "readers of dotenv files take this value in different ways"
_QUOTE = "put it between single quotes; where it holds one, ${ or a backslash too, declare encoding: base64"
_SEVERAL_LINES = "a value over several lines, which readers of dotenv files take in different ways"
_ENCODE = "declare encoding: base64 for the key, and give it what base64 -w0 FILE prints"


class _Refused(NamedTuple):
    """Why a line is refused; nothing of its text is shown."""

    message: str
    hint: str


def values(text: str, file: str) -> Mapping[str, Sensitive]:
    """Return the values of a file by name. Raises InputError with each line that is refused, never with its text."""
    lines = text.split("\n")
    if any(line.startswith("sops_mac=") for line in lines):
        hint = f"decrypt it first, as in: kubectl ksecret seal OVERLAY --source dotenv=<(sops decrypt {file})"
        raise InputError(Mistake(f"{file} is encrypted with SOPS", hint=hint))
    variables: dict[str, Sensitive] = {}
    mistakes: list[Mistake] = []
    for number, line, follows in _logical_lines(lines):
        name, value = (name_of(line), _SEVERAL_LINES_REFUSED) if follows else _read(line)
        if isinstance(value, _Refused):
            mistakes.append(Mistake(value.message, Place(file, number, 1), value.hint))
        elif name in variables:
            # Not named: what stands before a = may be a piece of a value of several lines.
            mistakes.append(Mistake("this name stands here twice", Place(file, number, 1)))
        elif name:
            variables[name] = Sensitive(value.encode())
    if mistakes:
        raise InputError(*mistakes)
    return variables


def name_of(line: str) -> str:
    """Return the name that a line assigns to; nothing if it assigns to none."""
    assignment = _ASSIGNMENT.fullmatch(line.removesuffix("\r"))
    return assignment["name"] if assignment else ""


def written(value: str) -> str | None:
    """Return a value as it stands behind the =, so that every reader takes it as it is; None where that can't be."""
    for text in (value, f"'{value}'", f'"{value}"'):
        if text == text.strip(" \t") and _is_one_word(text) and _value(text) == value:
            return text
    return None


_SEVERAL_LINES_REFUSED = _Refused(_SEVERAL_LINES, _ENCODE)


def _logical_lines(lines: Sequence[str]) -> Iterator[tuple[int, str, bool]]:
    """Return the lines with their numbers, and whether a value goes on in the next ones, which are left out then."""
    index = 0
    while index < len(lines):
        last = _end_of_value(lines, index)
        yield index + 1, lines[index], last > index
        index = last + 1


def _end_of_value(lines: Sequence[str], first: int) -> int:
    """Return the index of the line in which a value that begins in a line ends."""
    assignment = _ASSIGNMENT.fullmatch(lines[first].removesuffix("\r"))
    value = assignment["value"].strip(" \t") if assignment else ""
    if value.startswith("-----BEGIN "):
        end = "-----END "
    elif value[:1] in ("'", '"', "`") and value[:1] not in value[1:]:
        end = value[:1]
    else:
        return first
    return next((index for index in range(first + 1, len(lines)) if end in lines[index]), first)


def _read(line: str) -> tuple[str, str | _Refused]:
    """Return the name and the value of a line; no name for a blank one or a comment."""
    stripped = line.removesuffix("\r").strip(" \t")
    if not stripped or stripped.startswith("#"):
        return "", ""
    assignment = _ASSIGNMENT.fullmatch(line.removesuffix("\r"))
    if assignment is None:
        hint = "a name has letters, digits and _, and does not begin with a digit"
        return "", _Refused("expected NAME=value", hint)
    value = _value(assignment["value"].strip(" \t"))
    if assignment["export"] and not isinstance(value, _Refused) and not _is_one_word(assignment["value"]):
        return assignment["name"], _Refused(_AMBIGUOUS, _QUOTE)
    return assignment["name"], value


def _is_one_word(text: str) -> bool:
    """Return whether a shell takes the whole text as one word: of `export A=b c` it would take b, without an error."""
    return text[:1] in ("'", '"') or not re.search(r"[ \t]", text.rstrip(" \t"))


def _value(text: str) -> str | _Refused:
    if any(not (character.isprintable() or character == "\t") for character in text):
        return _Refused("a control character, or a blank that some readers drop", _ENCODE)
    quote = text[:1]
    if quote not in ("'", '"', "`"):
        return text if _BARE.fullmatch(text) else _Refused(_AMBIGUOUS, _QUOTE)
    inner, closed, behind = text[1:].partition(quote)
    if not closed:
        return _Refused("a quote that is not closed in its line", _QUOTE)
    if behind.strip(" \t"):
        return _Refused("text behind the closing quote", "a comment goes on a line of its own")
    literal = {
        "'": not re.search(r"\$\{|\\(\\|$)", inner),
        '"': not re.search(r"[\\$`]", inner),
        "`": False,
    }
    return inner if literal[quote] else _Refused(_AMBIGUOUS, _QUOTE)
