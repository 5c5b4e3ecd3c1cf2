"""`kubectl ksecret check`."""

import os
import sys
from datetime import UTC, datetime
from functools import partial

import click

from ..actions import check as action
from ..actions.accept import Acceptance
from ..actions.check import CheckReport, CheckRequest
from ..actions.survey import Built
from ..checks import SEVERITIES, Severity
from ..files.project import decode
from ..model.types.names import is_date
from ..sensitive import forbid_core_dumps
from ..sources import open_source
from . import arguments, given
from .formats import check as format_
from .formats.check import terminal
from .formats.check.drawing import drawings
from .progress import progress_bar

_UNITS = {"s": 1, "m": 60, "h": 3600}


@click.command("check")
@arguments.overlays()
@arguments.output(*format_.FORMATS)
@click.option(
    "--min-severity",
    type=click.Choice(SEVERITIES),
    default="note",
    show_default=True,
    help="Leave out findings that are milder; the exit code leaves them out too.",
)
@click.option("--built", metavar="FILE|-", help="Check this build of the overlay instead of building it.")
@click.option("--allow-remote", is_flag=True, help="Let kustomize fetch what kustomizations name by an address.")
@click.option("--timeout", metavar="DURATION", default="5m", show_default=True, help="Time limit of each build.")
@click.option("--with-values", is_flag=True, help="Read the sources too, and check every value in memory.")
@click.option("--fix", is_flag=True, help="Mend what has one safe mend, and report what is left.")
@click.option("--dry-run", is_flag=True, help="List what --fix or --write-exceptions would change, and write nothing.")
@click.option("--write-exceptions", is_flag=True, help="Accept what is found now, in spec.exceptions of the overlays.")
@click.option("--reason", metavar="TEXT", help="Why it is accepted.")
@click.option("--until", metavar="YYYY-MM-DD", help="Last day on which it is; needed for a plaintext Secret.")
def command(
    overlays: arguments.Overlays,
    output: str,
    min_severity: Severity,
    built: str | None,
    allow_remote: bool,
    timeout: str,
    with_values: bool,
    fix: bool,
    dry_run: bool,
    write_exceptions: bool,
    reason: str | None,
    until: str | None,
) -> None:
    """Find what would break a deployment or leak a secret; the exit code is 1 if anything is found.

    What is deployed is built with kubectl's own kustomize; nothing that the repository names is run, and nothing is
    fetched. A tree without overlays is checked too: each kustomization that no other lists, by the rules that need no
    declaration. A note alone does not fail, unless --min-severity note is given. With values,
    rules are applied to every value of the sources, those that External Secrets Operator fetches included, and values
    that two environments have in common, or that stand in a file that Git tracks, are named. Nothing of a value is
    shown.

    A finding is accepted by an entry of the overlay's spec.exceptions, or by a comment at the end of its line or alone
    above it: # ksecret: ignore[RULE] REASON. --write-exceptions writes an entry for each rule and object that is found
    now; what belongs to no overlay goes into the first one that its file belongs to, of those that are chosen.

    --fix corrects misspelt fields, Secrets, keys and rules where one name alone is near, does what render --write does,
    and makes the one change that a finding asks for; comments stay.

    \b
    Examples:
      kubectl ksecret check
      kubectl ksecret check prod -o sarif > ksecret.sarif
      kubectl ksecret check --fix --dry-run
      kubectl ksecret check --write-exceptions --reason "until the move to ESO" --until 2027-03-31
      kustomize build --enable-alpha-plugins --enable-exec overlays/prod | kubectl ksecret check prod --built -
    """
    _refuse(bool(built), fix, write_exceptions, reason, until, dry_run=dry_run)
    if with_values:
        forbid_core_dumps()
    with progress_bar("reading") as progress:
        request = CheckRequest(
            arguments=overlays,
            built=_built(built) if built else None,
            opened_by=partial(open_source, progress=progress) if with_values else None,
            fix=fix,
            dry_run=dry_run,
            tell=partial(click.echo, err=True),
            acceptance=Acceptance(reason=reason or "", until=until or "") if write_exceptions else None,
            min_severity=min_severity,
            allow_remote=allow_remote,
            timeout=_seconds(timeout),
            now=datetime.now(UTC),
        )
        report = action.run(request)
    _print(report, output)
    if report.accepted is None:
        counts = [finding for finding in report.findings if _counts(finding.severity)]
        sys.exit(1 if counts else 0)


def _counts(severity: Severity) -> bool:
    """Whether a finding makes the exit code 1: a note does not, unless notes are what was asked for."""
    return severity != "note" or arguments.is_given("min_severity")


def _print(report: CheckReport, output: str) -> None:
    for mistake in report.left_out:
        click.echo(mistake.said("warning"), err=True)
    if report.silenced and output != "json":
        click.echo(_silenced(report.silenced), err=True)
    if report.accepted is not None:
        for written in report.accepted.written:
            click.echo(str(written))
        for finding in report.accepted.left:
            click.echo(str(finding), err=True)
        return
    _print_findings(report, output)
    if report.roots:
        name = report.repository.project.name
        folders = " ".join(f"{os.path.basename(root)}={name(root)}" for root in report.roots[:2])
        checked = "1 kustomization" if len(report.roots) == 1 else f"{len(report.roots)} kustomizations"
        click.echo(f"checked {checked} without an overlay, by the rules that need no declaration", err=True)
        click.echo(f"to declare what they hold: kubectl ksecret import {folders}", err=True)


def _print_findings(report: CheckReport, output: str) -> None:
    repository = report.repository
    shown = format_.Report(
        findings=report.findings,
        rules=report.rules,
        root=repository.project.root,
        folder=os.getcwd(),
        overlays={overlay.environment.name: overlay.environment.overlay.origin.file for overlay in repository.overlays},
        silenced=report.silenced,
    )
    if output == "text" and sys.stdout is not None and sys.stdout.isatty():
        draw = drawings(lambda file: repository.project.read_text(os.path.abspath(file)))
        click.echo(terminal.text(shown, draw, colour=not os.environ.get("NO_COLOR")), nl=False)
    else:
        click.echo(format_.text(shown, output), nl=False)


def _seconds(duration: str) -> float:
    """Return a duration as kubectl takes it: 5m, 90s."""
    number, unit = duration[:-1], duration[-1:]
    if unit not in _UNITS or not number.isdecimal() or not int(number):
        raise click.UsageError("--timeout takes a duration such as 90s or 5m.")
    return float(int(number) * _UNITS[unit])


def _refuse(
    built: bool, fix: bool, write_exceptions: bool, reason: str | None, until: str | None, *, dry_run: bool
) -> None:
    if dry_run and not (fix or write_exceptions):
        raise click.UsageError("--dry-run goes with --fix or --write-exceptions.")
    if fix + write_exceptions + built > 1:
        raise click.UsageError("--fix, --write-exceptions and --built exclude each other.")
    if write_exceptions and not (reason or "").strip():
        raise click.UsageError("--write-exceptions takes a --reason.")
    if not write_exceptions and (reason or until):
        raise click.UsageError("--reason and --until belong to --write-exceptions.")
    if until and not is_date(until):
        raise click.UsageError("--until takes a date such as 2026-12-31.")


def _silenced(count: int) -> str:
    return f"{count} findings are silenced by exceptions" if count > 1 else "1 finding is silenced by an exception"


def _built(filename: str) -> Built:
    if filename == "-":
        return Built(file="standard input", text=decode(sys.stdin.buffer.read(), "standard input"))
    return Built(file=filename, text=decode(given.content(filename), filename))
