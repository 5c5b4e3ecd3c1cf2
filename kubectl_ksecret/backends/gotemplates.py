"""Templates of a Secret in the words of Go's text/template, which the operators run."""

import json
from collections.abc import Callable, Mapping

from ..model.resolution import Derived, Environment, Remote, Secret, Value
from ..model.template import Filter, Part

# Sprig's functions and Go's own, which every operator has.
FILTERS: Mapping[Filter, str] = {
    # Go's urlquery writes a space as +; RFC 3986 has %20.
    "urlencode": 'urlquery | replace "+" "%20"',
    "base64": "b64enc",
    "json": "toJson",
}


class GoTemplates:
    """The templates of one Secret. `fetched` returns the expression of a value that an operator has fetched."""

    def __init__(
        self,
        environment: Environment,
        secret: Secret,
        fetched: Callable[[str, Remote], str],
        filters: Mapping[Filter, str] = FILTERS,
    ) -> None:
        self._parameters, self._secret = environment.overlay.spec.parameters, secret
        self._fetched, self._filters = fetched, filters

    def text(self, key: str) -> str:
        """Return the template of a key or an input."""
        return self._text(key, self._secret.values[key])

    def _text(self, name: str, value: Value) -> str:
        if isinstance(value, Remote):
            return f"{{{{ {self._fetched(name, value)} }}}}"
        return "".join(self._part(part) for part in value.parts)

    def _part(self, part: Part) -> str:
        if isinstance(part, str):
            return part
        if part.filters:
            return f"{{{{ {self._operand(part)} }}}}"
        if part.parameter:
            # What Go would take for an action of its own is text here.
            return self._parameters[part.name].replace("{", '{{ "{" }}')
        return self.text(part.name)

    def _operand(self, part: Part) -> str:
        """Return a part as an expression."""
        if isinstance(part, str):
            return literal(part)
        if part.parameter:
            operand = literal(self._parameters[part.name])
        elif isinstance(value := self._secret.values[part.name], Derived):
            # An operator holds what it fetched; what a template makes is made here again. print puts no space between
            # strings.
            below = (f"({self._operand(part)})" for part in value.parts)
            operand = f"print {' '.join(below)}"
        else:
            operand = self._fetched(part.name, value)
        return operand + "".join(f" | {self._filters[name]}" for name in part.filters)


def literal(text: str) -> str:
    """Return a string literal of Go's templates."""
    return json.dumps(text, ensure_ascii=False)
