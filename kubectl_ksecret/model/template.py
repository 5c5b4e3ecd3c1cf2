"""A key's template, parsed: literal text and references. Evaluation is in values, ESO's form in rendering."""

import re
from collections.abc import Iterator
from typing import Literal, get_args

from ..errors import nearest, shown
from ..frozen import Record
from .types.names import KEY_PATTERN

Filter = Literal["urlencode", "base64", "json", "pkcs12cert", "pkcs12key"]
_FILTERS: dict[str, Filter] = {name: name for name in get_args(Filter)}
_PARAMETER = "parameters."


class Unparsable(ValueError):
    """What is wrong with a template, with a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Reference(Record):
    """`{{ mongodb-password | urlencode }}`, or `{{ parameters.mongodb-host }}`."""

    name: str
    parameter: bool
    filters: tuple[Filter, ...]


Part = str | Reference
Parts = tuple[Part, ...]


def parse(text: str) -> Parts:
    """Literal text and references in turn. Raises Unparsable."""
    parts: list[Part] = []
    while text:
        literal, opened, rest = text.partition("{{")
        if literal:
            parts.append(literal)
        if not opened:
            break
        inner, closed, text = rest.partition("}}")
        if not closed:
            raise Unparsable("the template has {{ without }}")
        parts.append(_reference(*(word.strip() for word in inner.split("|"))))
    return tuple(parts)


def _reference(name: str, *filters: str) -> Reference:
    parameter = name.startswith(_PARAMETER)
    if not re.fullmatch(KEY_PATTERN, name):
        raise Unparsable("a template takes names of keys, inputs and parameters only, as {{ name | filter }}")
    names_of_filters = tuple(_filter(filter_) for filter_ in filters)
    return Reference(
        name=name.removeprefix(_PARAMETER) if parameter else name, parameter=parameter, filters=names_of_filters
    )


def _filter(name: str) -> Filter:
    if name not in _FILTERS:
        hint = nearest(name, _FILTERS) or f"the filters are {', '.join(_FILTERS)}"
        raise Unparsable(f'unknown filter "{shown(name)}"', hint)
    return _FILTERS[name]


def references(parts: Parts) -> Iterator[Reference]:
    """Return the keys, inputs and parameters that a template names, in its order."""
    return (part for part in parts if not isinstance(part, str))
