"""Findings, for a person."""

from collections.abc import Sequence

from ...checks import Finding


def text(findings: Sequence[Finding]) -> str:
    """Each finding with its place and hint."""
    return "".join(f"{finding}\n" for finding in findings)
