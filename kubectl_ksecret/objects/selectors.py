"""Label selectors, as kubectl's -l takes them."""

import re
from collections.abc import Iterator, Mapping, Sequence

from ..errors import InputError, Mistake, shown
from ..frozen import Record

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


class Selector(Record):
    """Requirements that labels must fulfil, all of them; `text` is how they were typed."""

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
