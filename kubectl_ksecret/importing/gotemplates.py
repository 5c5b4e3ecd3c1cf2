"""Go templates of External Secrets Operator in this tool's language; the inverse of rendering/externalsecret.

What has no exact counterpart is refused, so that nothing changes its meaning.
"""

import json
import re

from ..model.template import Filter, Parts, Reference, Unparsable, parse
from ..model.types.names import KEY_PATTERN

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LITERAL = re.compile(r'\s*("(?:[^"\\\n]|\\.)*")\s*')
_NAME = r'(?:\.(?P<field>[A-Za-z_][A-Za-z0-9_]*)|index\s+\.\s+"(?P<index>[-._a-zA-Z0-9]+)")'
_OPERAND = re.compile(rf"\s*(?:(?P<function>\w+)\s+)?(?:{_NAME}|\(\s*{_NAME.replace('P<', 'P<in_')}\s*\))\s*")
_FUNCTIONS: dict[str, Filter] = {
    "b64enc": "base64",
    "toJson": "json",
    "pkcs12cert": "pkcs12cert",
    "pkcs12key": "pkcs12key",
}
_QUERY = re.compile(r'\s*\|\s*urlquery\s*\|\s*replace\s+"\+"\s+"%20"')
_FILTER = re.compile(r"\s*\|\s*(\w+)")


class Inexpressible(ValueError):
    """A template that says what this tool's language can't."""


def translated(text: str) -> str:
    """The template in our language. Raises Inexpressible."""
    found, at = "", 0
    for action in _ACTION.finditer(text):
        found += _plain(text[at : action.start()]) + _said(action.group(1))
        at = action.end()
    found += _plain(text[at:])
    parts = references_and_text(found)
    if _joined(parts) != found:
        raise Inexpressible
    return found


def references_and_text(text: str) -> Parts:
    """The parts of a template in our language. Raises Inexpressible where literal text would be read as something."""
    try:
        return parse(text)
    except Unparsable:
        raise Inexpressible from None


def _joined(parts: Parts) -> str:
    return "".join(part if isinstance(part, str) else reference(part.name, *part.filters) for part in parts)


def reference(name: str, *filters: str) -> str:
    """`{{ name | filter }}`."""
    return f"{{{{ {' | '.join((name, *filters))} }}}}"


def _plain(text: str) -> str:
    if "{{" in text:
        raise Inexpressible
    return text


def _said(action: str) -> str:
    """What stands between {{ and }}."""
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
    first = [] if function is None else [_filter(function)]
    return reference(name, *first, *_filters(action[operand.end() :]))


def _filters(rest: str) -> list[Filter]:
    found: list[Filter] = []
    while rest.strip():
        if query := _QUERY.match(rest):
            found.append("urlencode")
            rest = rest[query.end() :]
        elif one := _FILTER.match(rest):
            if one.group(1) != "toString":  # what the operator fetched is text already
                found.append(_filter(one.group(1)))
            rest = rest[one.end() :]
        else:
            raise Inexpressible
    return found


def _filter(name: str) -> Filter:
    if name not in _FUNCTIONS:
        raise Inexpressible
    return _FUNCTIONS[name]


def names_in(text: str) -> set[str]:
    """The keys and inputs that a template in our language names."""
    return {part.name for part in parse(text) if isinstance(part, Reference)}
