"""Findings for a person: in colour, with their places drawn, on a terminal; plain elsewhere."""

from collections.abc import Callable
from unicodedata import east_asian_width

import click

from ....checks import Finding, Severity
from ....errors import Place
from .drawing import Drawing
from .report import Report, totals

_COLOURS: dict[Severity, str] = {"error": "red", "warning": "yellow", "note": "cyan"}

Draw = Callable[[Place], Drawing | None]


def plain(report: Report) -> str:
    """Return a line for each finding, and one for its hint."""
    return "".join(f"{printable(finding)}\n" for finding in report.findings)


def printable(finding: Finding) -> Finding:
    """Return the same finding; a name that a stranger gave can neither move the cursor nor begin a line."""
    return finding.but(message=_printable(finding.message), hint=_printable(finding.hint))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " if c == "\n" else "?" for c in text)


def text(report: Report, draw: Draw, colour: bool) -> str:
    """Return the same with the places drawn, where `draw` can, and how many there are of each severity."""
    styled = click.style if colour else _unstyled
    blocks = [_block(printable(finding), draw, styled) for finding in report.findings]
    return "".join(f"{line}\n" for line in (*blocks, totals(report.findings)))


def _unstyled(text: str, **_style: object) -> str:
    return text


def _block(finding: Finding, draw: Draw, styled: Callable[..., str]) -> str:
    place, severity, colour = finding.place, finding.severity, _COLOURS[finding.severity]
    first, *hints = str(finding).splitlines()
    lines = [styled(f"{severity}:", fg=colour, bold=True) + first.removeprefix(f"{severity}:")]
    if place and (drawing := draw(place)):
        number, caret = f"{place.line:5}", styled("^", fg=colour, bold=True)
        before = "".join("  " if east_asian_width(c) in "WF" else " " for c in drawing.text[: drawing.caret])
        lines.append(styled(f"{number} | ", dim=True) + drawing.text)
        lines.append(styled(f"{' ' * len(number)} | ", dim=True) + before + caret)
    lines += [styled("hint:", bold=True) + hint.removeprefix("hint:") for hint in hints]
    return "".join(f"{line}\n" for line in lines)
