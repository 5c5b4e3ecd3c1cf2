"""Rules: each a small function from what it looks at to what is wrong with it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from ..errors import Mend, Mistake, Place
from ..frozen import Record
from ..manifests.committed import Committed
from ..model.kubernetes import Subject
from ..model.resolution import Environment

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("note", "warning", "error")


class Fault(NamedTuple):
    """What a rule says: a mistake, and of what; `severity` where it is milder than the rule's own."""

    message: str
    place: Place | None = None
    hint: str = ""
    subject: Subject | None = None
    field: str = ""
    overlay: str = ""
    severity: Severity | None = None
    mend: Mend | None = None


class Finding(Record):
    """One result of a rule; `field` is a path in the object, as spec.data[0].secretKey, where there is one."""

    rule: str
    severity: Severity
    mistake: Mistake
    subject: Subject | None = None
    field: str = ""
    overlay: str = ""

    def __str__(self) -> str:
        return self.mistake.said(self.severity, self.rule)


class Rule(Record):
    """A rule with its stable name; its function's docstring is its entry of docs/rules.md."""

    name: str
    severity: Severity
    find: Callable[[Any], Iterator[Fault]]


def rule(name: str, severity: Severity) -> Callable[[Callable[[Any], Iterator[Fault]]], Rule]:
    """Makes a rule of a function."""
    return lambda find: Rule(name=name, severity=severity, find=find)


class Scene(Record):
    """An environment and what is committed of it; nothing here needs a key, a network or cryptography."""

    environment: Environment
    committed: Committed


def check(scene: object, rules: Iterable[Rule]) -> list[Finding]:
    """The findings of these rules, in their order."""
    return [_finding(rule, fault) for rule in rules for fault in rule.find(scene)]


def _finding(rule: Rule, fault: Fault) -> Finding:
    return Finding(
        rule=rule.name,
        severity=fault.severity or rule.severity,
        mistake=Mistake(fault.message, fault.place, fault.hint, fault.mend),
        subject=fault.subject,
        field=fault.field,
        overlay=fault.overlay,
    )
