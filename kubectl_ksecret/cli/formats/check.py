"""Findings, for a person or a program."""

import json
from collections.abc import Sequence

from ...checks import Finding
from ...model.loading import API_VERSION


def text(findings: Sequence[Finding], output: str) -> str:
    """The findings in an output format."""
    if output == "json":
        return json.dumps(_list(findings), indent=2, ensure_ascii=False) + "\n"
    return "".join(f"{finding}\n" for finding in findings)


def _list(findings: Sequence[Finding]) -> dict[str, object]:
    return {"apiVersion": API_VERSION, "kind": "FindingList", "items": [_item(finding) for finding in findings]}


def _item(finding: Finding) -> dict[str, object]:
    place, subject = finding.mistake.place, finding.subject
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.mistake.message,
        "hint": finding.mistake.hint or None,
        "object": subject._asdict() if subject else None,
        "field": finding.field or None,
        "file": place.file if place else None,
        "line": place.line or None if place else None,
        "column": place.column or None if place else None,
        "overlay": finding.overlay or None,
    }
