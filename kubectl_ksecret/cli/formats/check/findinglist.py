"""Findings as a FindingList, in JSON."""

import json

from ....checks import Finding
from ....model.loading import API_VERSION
from .report import Report


def text(report: Report) -> str:
    """Return one object; files are named as from where the command runs."""
    matches = {
        "apiVersion": API_VERSION,
        "kind": "FindingList",
        "items": [_item(finding) for finding in report.findings],
        "silenced": report.silenced,
    }
    return json.dumps(matches, indent=2, ensure_ascii=False) + "\n"


def _item(finding: Finding) -> dict[str, object]:
    place, subject = finding.place, finding.subject
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.message,
        "hint": finding.hint or None,
        "object": subject._asdict() if subject else None,
        "field": finding.field or None,
        "file": place.file if place else None,
        "line": place.line or None if place else None,
        "column": place.column or None if place else None,
        "overlay": finding.overlay or None,
    }
