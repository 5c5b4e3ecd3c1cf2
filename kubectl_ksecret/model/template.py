"""A key's template, parsed: literal text and references. Evaluation is in values, ESO's form in rendering."""

import re
from collections.abc import Iterator

from ..frozen import Record
from .names import KEY_PATTERN
from .reader import shown

FILTERS = ("urlencode",)
_PARAMETER = "parameters."


class Reference(Record):
    """`{{ mongodb-password | urlencode }}`, or `{{ parameters.mongodb-host }}`."""

    name: str
    parameter: bool
    filters: tuple[str, ...]


Part = str | Reference
Parts = tuple[Part, ...]


def parse(text: str) -> Parts:
    """Literal text and references in turn. Raises ValueError with what is wrong."""
    parts: list[Part] = []
    while text:
        literal, opened, rest = text.partition("{{")
        if literal:
            parts.append(literal)
        if not opened:
            break
        inner, closed, text = rest.partition("}}")
        if not closed:
            raise ValueError("the template has {{ without }}")
        parts.append(_reference(*(word.strip() for word in inner.split("|"))))
    return tuple(parts)


def _reference(name: str, *filters: str) -> Reference:
    parameter = name.startswith(_PARAMETER)
    if not re.fullmatch(KEY_PATTERN, name):
        raise ValueError("a template takes names of keys, inputs and parameters only, as {{ name | filter }}")
    for each in filters:
        if each not in FILTERS:
            raise ValueError(f'unknown filter "{shown(each)}"; known: {", ".join(FILTERS)}')
    return Reference(name=name.removeprefix(_PARAMETER) if parameter else name, parameter=parameter, filters=filters)


def references(parts: Parts) -> Iterator[Reference]:
    """The keys, inputs and parameters that a template names, in its order."""
    return (part for part in parts if not isinstance(part, str))
