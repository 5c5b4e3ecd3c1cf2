"""Findings as annotations of a GitHub workflow."""

from ....checks import Finding, Severity
from .report import Report, message_with_hint, totals, worst_first
from .terminal import printable

MOST = 10  # of one kind GitHub shows no more of a step
_COMMANDS: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "notice"}


def text(report: Report) -> str:
    """Return ten annotations at most, errors first; the rest as lines of the log; then the number of each severity."""
    findings = [printable(finding) for finding in worst_first(report.findings)]
    annotations = [_annotation(report, finding) for finding in findings[:MOST]]
    # GitHub takes `##[` for a command, wherever it stands in a line.
    rest = [str(finding).replace("##[", "## [") for finding in findings[MOST:]]
    return "".join(f"{line}\n" for line in (*annotations, *rest, totals(findings)))


def _annotation(report: Report, finding: Finding) -> str:
    line = report.line(finding)
    text = {"file": report.path(finding), "line": line, "col": report.column(finding), "title": finding.rule}
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in text.items() if value)
    return f"::{_COMMANDS[finding.severity]} {properties}::{_escaped(message_with_hint(finding))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
