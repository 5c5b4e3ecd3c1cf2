"""Members of a JSON value: found as External Secrets Operator finds them, with gjson, and replaced in place.

A property is a path (model/propertypath.py). What of gjson's syntax is not read here is refused, rather than read in
another way.
"""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from ..model.propertypath import PathStep, steps, unread

_BLANKS = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)  # int refuses more than 4,300 digits


class _Member(NamedTuple):
    """A member's JSON, and where it stands in the text; `start` is -1 for what is made of several members."""

    raw: str
    start: int = -1
    end: int = -1


class Absent(ValueError):
    """A JSON value does not have the member."""


def member(text: str, property_: str) -> str:
    """Return the text of a member.

    Raises ValueError with the end of a sentence that begins with the value's name, Absent where there is none.
    """
    member = _located(text, property_)
    if member is None:
        raise Absent(f"has no property {property_}")
    raw = member.raw
    if raw.startswith(('"', "{", "[")):
        return str(json.loads(raw)) if raw[0] == '"' else raw
    if raw == "null":
        raise ValueError(f"has no text as its property {property_}")
    return raw if raw in ("true", "false") else _number(raw, property_)


def with_member(text: str, property_: str, value: str) -> str:
    """Return the JSON with another text as this member, and otherwise as it is; a member that is absent is added.

    Raises ValueError where that can't be done, with the end of a sentence that begins with the value's name.
    """
    member = _located(text, property_)
    new = json.dumps(value, ensure_ascii=False)
    if member is not None and member.start < 0:
        raise ValueError(f"has a property {property_} that is made of others")
    if member is not None:
        return text[: member.start] + new + text[member.end :]
    *above, last = steps(property_)
    root = _beginning(text)
    parent = _find(text, root, above) if above else None
    if parent is not None and parent.raw.startswith("{"):
        return _with_added(text, parent.start, last.name, new)
    if text[root : root + 1] != "{":
        raise ValueError(f"has no place for a property {property_}")
    return _with_added(text, root, re.sub(r"\\(.)", r"\1", property_), new)


def _located(text: str, property_: str) -> _Member | None:
    """Return a member, by its path or by its whole name. Raises ValueError for what providers read differently."""
    if wrong := unread(property_):
        raise ValueError(f"has a property {property_} that this tool does not read: {wrong}")
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise ValueError(f"is not JSON, so it has no property {property_}") from None
    root = _beginning(text)
    by_path = _find(text, root, steps(property_))
    named = "." in property_ and "\\" not in property_ and text[root : root + 1] == "{"
    by_name = _find(text, root, [PathStep(property_, property_)]) if named else None
    if by_path and by_name and by_path.start != by_name.start:
        # The operator's providers disagree: for Azure the path goes first, for Vault, AWS and Google the name.
        raise ValueError(f"has a member {property_} and a path {property_}, which providers read differently")
    return by_path or by_name


def _find(text: str, at: int, path: Sequence[PathStep]) -> _Member | None:
    """Return what stands at a path below an object or list; of members of one name the first that has it."""
    first, *rest = path
    if text[at : at + 1] == "{":
        candidates = [(start, end) for name, start, end in _members(text, at) if name == first.name]
    elif text[at : at + 1] == "[":
        elements = list(_elements(text, at))
        if first.written == "#":
            return _of_elements(text, elements, rest) if rest else _Member(str(len(elements)))
        index = int(first.written) if re.fullmatch("[0-9]{1,9}", first.written) else len(elements)
        candidates = elements[index : index + 1]
    else:
        return None
    for start, end in candidates:
        member = _Member(text[start:end], start, end) if not rest else _find(text, start, rest)
        if member is not None:
            return member
    return None


def _of_elements(text: str, elements: Sequence[tuple[int, int]], path: Sequence[PathStep]) -> _Member:
    for start, end in elements:
        if text[start] == '"' and re.search(r"[\[{]", text[start:end]):
            raise ValueError("has a list with texts that the operator would take for JSON")
    members = [_find(text, start, path) for start, _ in elements]
    return _Member(f"[{','.join(member.raw for member in members if member is not None)}]")


def _beginning(text: str) -> int:
    return _after_blanks(text, 0)


def _after_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield the members of an object: the name, and where the value begins and ends."""
    at = _after_blanks(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _after_blanks(text, _after_blanks(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        yield name, start, end
        at = _after_comma(text, end)


def _elements(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Yield where the elements of a list begin and end."""
    start = _after_blanks(text, at + 1)
    while text[start] != "]":
        _, end = _DECODER.raw_decode(text, start)
        yield start, end
        start = _after_comma(text, end)


def _after_comma(text: str, at: int) -> int:
    at = _after_blanks(text, at)
    return _after_blanks(text, at + 1) if text[at] == "," else at


def _with_added(text: str, at: int, name: str, value: str) -> str:
    """Return the text with one more member, at the end of an object."""
    member = f"{json.dumps(name, ensure_ascii=False)}: {value}"
    ends = [end for _, _, end in _members(text, at)]
    if ends:
        return f"{text[: ends[-1]]}, {member}{text[ends[-1] :]}"
    return f"{text[: at + 1]}{member}{text[at + 1 :]}"


def _number(raw: str, property_: str) -> str:
    """Return a number as gjson shows it: its digits, or the shortest decimal without an exponent."""
    if re.fullmatch("-?[0-9]+", raw):
        return raw
    number = float(raw)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"has a number that is too large as its property {property_}")
    return format(Decimal(repr(number)), "f").removesuffix(".0")
