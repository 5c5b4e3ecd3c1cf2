"""What every format is made of."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence

from ....checks import SEVERITIES, Finding, Rule, Severity
from ....frozen import Record


class Report(Record):
    """What was found, by which rules, and where the repository is: `root` and `folder`, the command's, are absolute.

    `overlays` are the files of the overlays by name: where a finding is shown that has no file of its own.
    `silenced` counts what exceptions left out.
    """

    findings: Sequence[Finding]
    rules: Sequence[Rule]
    root: str
    folder: str
    overlays: Mapping[str, str]
    silenced: int = 0

    def path(self, finding: Finding) -> str:
        """Return the file of a finding from the repository's root; that of its overlay if it has none there."""
        place = finding.place
        overlay = self.overlays.get(finding.overlay) or next(iter(self.overlays.values()), "")
        return next(filter(None, (self._in_repository(file) for file in (place.file if place else "", overlay))), "")

    def line(self, finding: Finding) -> int:
        """Return the line in that file; 0 for the whole file."""
        place = finding.place
        return place.line if place and self._in_repository(place.file) else 0

    def column(self, finding: Finding) -> int:
        """Return the column in that line; 0 for the whole line."""
        place = finding.place
        return place.column if place and self.line(finding) else 0

    def _in_repository(self, file: str) -> str:
        # A build that is piped in has a name, but is no file.
        path = os.path.normpath(os.path.relpath(os.path.join(self.folder, file), self.root)) if file else ""
        return "" if path == ".." or path.startswith("../") or file == "standard input" else path.replace(os.sep, "/")


def totals(findings: Sequence[Finding]) -> str:
    """Return how many there are of each severity, the worst first."""
    counts = Counter(finding.severity for finding in findings)
    return (
        ", ".join(_counted(counts[severity], severity) for severity in reversed(SEVERITIES) if counts[severity])
        or "no findings"
    )


def _counted(count: int, severity: Severity) -> str:
    return f"{count} {severity}" + ("" if count == 1 else "s")


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return errors, then warnings, then notes, each in their order."""
    return sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity))


def message_with_hint(finding: Finding) -> str:
    """Return the message, and the hint on a line of its own, for formats that have one text for both."""
    return f"{finding.message}\nhint: {finding.hint}" if finding.hint else finding.message
