"""Rules: each a small function from environments to findings."""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from ..errors import Mistake
from ..frozen import Record
from ..manifests.committed import Committed
from ..model.environment import Environment

Severity = Literal["error", "warning", "note"]


class Finding(Record):
    """One result of a rule; it wraps the mistake that the loader reports too."""

    rule: str
    severity: Severity
    mistake: Mistake

    def __str__(self) -> str:
        return self.mistake.said(self.severity, self.rule)


class Scene(Record):
    """All that rules look at; nothing here needs a key, a network or cryptography."""

    environment: Environment
    committed: Committed


Rule = Callable[[Scene], Iterator[Mistake]]
Rules = Mapping[str, tuple[Severity, Rule]]


def check(scene: Scene, rules: Rules) -> list[Finding]:
    """The findings of these rules, in their order."""
    return [
        Finding(rule=name, severity=severity, mistake=mistake)
        for name, (severity, rule) in rules.items()
        for mistake in rule(scene)
    ]
