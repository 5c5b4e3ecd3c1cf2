"""JSON text that is read and written as Go does it, with every digit of a number."""

import json
from collections.abc import Mapping
from typing import Any


class Number(str):
    """A number in JSON, with the digits that stand there."""

    __slots__ = ()


def parsed(text: bytes) -> Any:
    """Return what JSON text says. Raises ValueError."""
    try:
        return json.loads(text, parse_int=Number, parse_float=Number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def text(value: object) -> str:
    """Return JSON text as Go's json.Marshal writes it: sorted keys, no blanks, and <, > and & escaped in strings.

    Raises ValueError for what is nested too deeply.
    """
    try:
        return _text(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(str(name))}:{_text(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, Number):
        return str(value)
    written = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written
