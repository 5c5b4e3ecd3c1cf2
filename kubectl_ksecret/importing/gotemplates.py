"""Go templates of External Secrets Operator, read as far as this tool's language can say the same.

What has no exact counterpart is refused, so that nothing changes its meaning.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..model.template import Filter, Reference, Unparsable, parse
from ..model.types.names import KEY_PATTERN

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LITERAL = re.compile(r'\s*("(?:[^"\\\n]|\\.)*")\s*')
_NAME = r'(?:\.(?P<field>[A-Za-z_][A-Za-z0-9_]*)|index\s+\.\s+"(?P<index>[-._a-zA-Z0-9]+)")'
_OPERAND = re.compile(rf"\s*(?:(?P<function>\w+)\s+)?(?:{_NAME}|\(\s*{_NAME.replace('P<', 'P<in_')}\s*\))\s*")
_DECODE = "b64dec"
_QUOTED = "urlquery | replace"  # Go's urlquery alone writes a blank as +
_FUNCTIONS: dict[str, Filter] = {
    _QUOTED: "urlencode",
    "b64enc": "base64",
    "toJson": "json",
    "pkcs12cert": "pkcs12cert",
    "pkcs12key": "pkcs12key",
}
_QUERY = re.compile(r'\s*\|\s*urlquery\s*\|\s*replace\s+"\+"\s+"%20"')
_FILTER = re.compile(r"\s*\|\s*(\w+)")


class Inexpressible(ValueError):
    """A template that says what this tool's language can't."""


class GoReference(NamedTuple):
    """A fetched value in a template; `decoded` if base64 is taken off before anything else happens to it."""

    name: str
    filters: tuple[Filter, ...] = ()
    decoded: bool = False


GoTemplate = tuple[str | GoReference, ...]


def read(text: str) -> GoTemplate:
    """Return text and references in turn. Raises Inexpressible."""
    parts: list[str | GoReference] = [""]
    end = 0
    for action in _ACTION.finditer(text):
        for part in (_plain(text[end : action.start()]), _meaning(action.group(1))):
            _append(parts, part)
        end = action.end()
    _append(parts, _plain(text[end:]))
    return tuple(part for part in parts if part != "")


def translated(template: GoTemplate, decoded: Collection[str] = ()) -> str:
    """Return the template in our language, in which the source's encoding says that a value is base64.

    `decoded` are the names of which that is said. Raises Inexpressible where the template takes one of them as it is,
    or decodes another one, and where its text would be read as something else.
    """
    text = ""
    for part in template:
        if isinstance(part, GoReference):
            if part.decoded != (part.name in decoded):
                raise Inexpressible
            text += reference(part.name, *part.filters)
        else:
            text += part
    try:
        parsed = parse(text)
    except Unparsable:
        raise Inexpressible from None
    if [_written(part) for part in parsed] != [_written(part) for part in template]:
        raise Inexpressible
    return text


def reference(name: str, *filters: str) -> str:
    """Return `{{ name | filter }}`."""
    return f"{{{{ {' | '.join((name, *filters))} }}}}"


def names_in(text: str) -> set[str]:
    """Return the keys and inputs that a template in our language names."""
    return {part.name for part in parse(text) if isinstance(part, Reference)}


def references_in(template: GoTemplate) -> Iterator[GoReference]:
    """Yield the fetched values that a template names."""
    return (part for part in template if isinstance(part, GoReference))


def _written(part: str | Reference | GoReference) -> str:
    return part if isinstance(part, str) else reference(part.name, *part.filters)


def _append(parts: list[str | GoReference], part: str | GoReference) -> None:
    """Append a part; neighbouring texts become one."""
    last = parts[-1]
    if isinstance(part, str) and isinstance(last, str):
        parts[-1] = last + part
    else:
        parts.append(part)


def _plain(text: str) -> str:
    if "{{" in text:
        raise Inexpressible
    return text


def _meaning(action: str) -> str | GoReference:
    """Return what an action puts in its place."""
    if literal := _LITERAL.fullmatch(action):
        try:
            return _plain(str(json.loads(literal.group(1))))
        except ValueError:
            raise Inexpressible from None
    operand = _OPERAND.match(action)
    if operand is None:
        raise Inexpressible
    function, *names = operand.group("function", "field", "index", "in_field", "in_index")
    name = next(filter(None, names))
    if not re.fullmatch(KEY_PATTERN, name):
        raise Inexpressible
    functions = [*([] if function is None else [function]), *_functions(action[operand.end() :])]
    decoded = functions[:1] == [_DECODE]
    return GoReference(name, tuple(map(_filter, functions[decoded:])), decoded)


def _functions(rest: str) -> Iterator[str]:
    while rest.strip():
        query = _QUERY.match(rest)
        function = query or _FILTER.match(rest)
        if function is None:
            raise Inexpressible
        rest = rest[function.end() :]
        if query:
            yield _QUOTED
        elif function.group(1) != "toString":  # what the operator fetched is text already
            yield function.group(1)


def _filter(function: str) -> Filter:
    if function not in _FUNCTIONS:
        raise Inexpressible
    return _FUNCTIONS[function]
