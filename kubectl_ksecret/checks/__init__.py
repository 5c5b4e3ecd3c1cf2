"""Rules: small functions, each from what it looks at to what is wrong with it.

A rule looks at a committed overlay, at a build, or at the whole repository; which one is the type of its parameter.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from ..errors import Mend, Mistake, Place
from ..frozen import Record
from ..manifests.committed import Committed
from ..model.kubernetes import Subject
from ..model.resolution import Environment

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("note", "warning", "error")


class Finding(Record):
    """One result of a rule.

    The function of a rule fills in what it found; the rule itself adds its name and its severity, unless the finding
    is `milder` than others of the rule. `field` is a path in the object, such as spec.data[0].secretKey.
    """

    message: str
    place: Place | None = None
    hint: str = ""
    mend: Mend | None = None
    subject: Subject | None = None
    field: str = ""
    overlay: str = ""
    milder: Severity | None = None
    rule: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        return self.as_mistake().said(self.severity, self.rule)

    def as_mistake(self) -> Mistake:
        """Return the finding as a reason to refuse: rendering stops at what `check` would report."""
        return Mistake(self.message, self.place, self.hint, self.mend)


class Rule(Record):
    """A rule with its stable name; the docstring of its function is its entry in docs/rules.md."""

    name: str
    severity: Severity
    find: Callable[[Any], Iterator[Finding]]

    @property
    def takes(self) -> type:
        """What the rule looks at: the type of the one parameter of its function."""
        parameter: type = next(iter(self.find.__annotations__.values()))
        return parameter

    def findings(self, thing: object) -> Iterator[Finding]:
        """Yield what the rule finds in what it looks at."""
        for finding in self.find(thing):
            yield finding.but(rule=self.name, severity=finding.milder or self.severity)


def rule(name: str, severity: Severity) -> Callable[[Callable[[Any], Iterator[Finding]]], Rule]:
    """Make a rule of a function."""
    return lambda find: Rule(name=name, severity=severity, find=find)


class CommittedOverlay(Record):
    """An environment and its committed manifests; nothing here needs a key, a network or cryptography."""

    environment: Environment
    manifests: Committed


def check(thing: object, rules: Iterable[Rule]) -> list[Finding]:
    """Return the findings of these rules, all of which look at this kind of thing, in the order of the rules."""
    return [finding for rule in rules for finding in rule.findings(thing)]
