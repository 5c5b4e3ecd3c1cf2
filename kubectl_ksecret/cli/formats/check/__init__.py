"""Findings, for a person or a program: a module a format."""

from collections.abc import Callable

from . import findinglist, github, junit, sarif, terminal
from .report import Report

__all__ = ["FORMATS", "Report", "text"]

# On a terminal, `terminal.text` takes the place of the plain text.
FORMATS: dict[str, Callable[[Report], str]] = {
    "text": terminal.plain,
    "json": findinglist.text,
    "sarif": sarif.text,
    "junit": junit.text,
    "github": github.text,
}


def text(report: Report, output: str) -> str:
    """Return the findings in an output format."""
    return FORMATS[output](report)
