"""Label selectors, as kubectl's -l takes them and as objects hold them."""

import re
from collections.abc import Iterator, Mapping, Sequence

from ..errors import InputError, Mistake, shown
from ..frozen import Record
from ..model.kubernetes import Object

_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_VALUE = r"[-A-Za-z0-9_.]*"
_REQUIREMENT = re.compile(
    rf"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>{_KEY})
      | (?P<key>{_KEY})\s*(?:
            (?P<sign>==|=|!=)\s*(?P<value>{_VALUE})
          | (?P<word>in|notin)\s*\((?P<values>[^()]*)\)
        )?
    )\s*(?:,|$)""",
    re.VERBOSE,
)


class Requirement(Record):
    """What a selector asks of one label: one of these values, or any if there are none; `negated`: the opposite."""

    key: str
    values: Sequence[str] | None
    negated: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fulfil it. A label that is not there has none of any values."""
        has = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return has != self.negated

    def __str__(self) -> str:
        """The requirement as kubectl takes it."""
        if self.values is None:
            return f"!{self.key}" if self.negated else self.key
        if len(self.values) == 1:
            return f"{self.key}{'!=' if self.negated else '='}{self.values[0]}"
        return f"{self.key} {'notin' if self.negated else 'in'} ({','.join(self.values)})"


class Selector(Record):
    """Requirements that labels must fulfil, all of them; `text` is how they were typed, or would be."""

    text: str
    requirements: Sequence[Requirement]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fulfil all of it."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def parse(text: str) -> Selector:
    """Return a selector: KEY=VALUE, KEY!=VALUE, KEY in (A,B), KEY notin (A,B), KEY or !KEY, with commas between them.

    Raises InputError for anything else.
    """
    return Selector(text=text, requirements=list(_requirements(text)))


def in_object(selector: Object) -> Selector:
    """Return the selector that an object holds as matchLabels and matchExpressions; without either it selects all."""
    requirements = [
        Requirement(key=key, values=[str(value)], negated=False)
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    for expression in selector.get("matchExpressions") or ():
        operator = expression.get("operator")
        values = [str(value) for value in expression.get("values") or ()] if operator in ("In", "NotIn") else None
        negated = operator in ("NotIn", "DoesNotExist")
        requirements.append(Requirement(key=str(expression.get("key")), values=values, negated=negated))
    return Selector(text=",".join(map(str, requirements)), requirements=requirements)


def _requirements(text: str) -> Iterator[Requirement]:
    position = 0
    while position < len(text) or not text:
        match = _REQUIREMENT.match(text, position)
        if match is None:
            hint = "for example team=payments, or 'tier in (web,api)'"
            raise InputError(Mistake(f"{shown(text)} is not a label selector", hint=hint))
        position = match.end()
        if match["absent"]:
            yield Requirement(key=match["absent_key"], values=None, negated=True)
        elif match["sign"]:
            yield Requirement(key=match["key"], values=[match["value"]], negated=match["sign"] == "!=")
        elif match["word"]:
            values = [value.strip() for value in match["values"].split(",")]
            yield Requirement(key=match["key"], values=values, negated=match["word"] == "notin")
        else:
            yield Requirement(key=match["key"], values=None, negated=False)
