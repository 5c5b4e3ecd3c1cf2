"""`kubectl ksecret check`."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import click

from ..actions import check as action
from ..actions.accept import accept
from ..actions.survey import Built, survey
from ..checks import SEVERITIES, Finding, rules
from ..checks.scope import Repository
from ..files.project import Project, decode
from ..model.types.names import is_date
from ..sensitive import forbid_core_dumps
from ..sources import open_source
from . import arguments, given, mending
from .formats import check as format_
from .formats.check import terminal
from .formats.check.drawing import drawings
from .progress import progress_bar


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
@click.option("--with-values", is_flag=True, help="Read the sources too, and check every value in memory.")
@click.option("--fix", is_flag=True, help="Mend what has one safe mend, and tell what is left.")
@click.option("--write-exceptions", is_flag=True, help="Accept what is found now, in spec.exceptions of the overlays.")
@click.option("--reason", metavar="TEXT", help="Why it is accepted.")
@click.option("--until", metavar="YYYY-MM-DD", help="Last day on which it is; needed for a plaintext Secret.")
def command(
    overlays: arguments.Overlays,
    output: str,
    min_severity: str,
    built: str | None,
    with_values: bool,
    fix: bool,
    write_exceptions: bool,
    reason: str | None,
    until: str | None,
) -> None:
    """Find what would break a deployment or leak a secret; the exit code is 1 if anything is found.

    What is deployed is built with kubectl's own kustomize; nothing that the repository names is run. With values,
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
      kubectl ksecret check prod -o json
      kubectl ksecret check -o sarif > ksecret.sarif
      kubectl ksecret check --with-values
      kubectl ksecret check --fix
      kubectl ksecret check --write-exceptions --reason "until the move to ESO" --until 2027-03-31
      kustomize build --enable-alpha-plugins --enable-exec overlays/prod | kubectl ksecret check prod --built -
    """
    _refuse(bool(built), fix, write_exceptions, reason, until)
    environments = mending.mended(overlays) if fix else overlays.load()
    repository = survey(environments, _built(built) if built else None, datetime.now(UTC))
    if with_values:
        forbid_core_dumps()
    with progress_bar("reading") as progress:
        judged = action.judge(repository, partial(open_source, progress=progress) if with_values else None)
    for mistake in judged.left_out:
        click.echo(mistake.said("warning"), err=True)
    if judged.silenced and output != "json":
        click.echo(_silenced(judged.silenced), err=True)
    least = SEVERITIES.index(min_severity)
    findings = [finding for finding in judged.findings if SEVERITIES.index(finding.severity) >= least]
    if write_exceptions:
        accepted = accept(repository, findings, reason or "", until or "")
        mending.tell(accepted.written, err=False)
        mending.tell(accepted.left)
        return
    _print(_report(repository, findings, judged.silenced, with_values), repository.project, output)
    sys.exit(1 if findings else 0)


def _report(repository: Repository, findings: Sequence[Finding], silenced: int, with_values: bool) -> format_.Report:
    return format_.Report(
        findings=action.told_once(findings),  # an exception, on the other hand, is each overlay's own
        rules=(*rules.OF_REPOSITORY, *(rules.OF_VALUES if with_values else ()), *rules.OF_EXCEPTIONS),
        root=repository.project.root,
        folder=os.getcwd(),
        overlays={each.environment.name: each.environment.overlay.origin.file for each in repository.overlays},
        silenced=silenced,
    )


def _print(report: format_.Report, project: Project, output: str) -> None:
    if output == "text" and sys.stdout is not None and sys.stdout.isatty():
        draw = drawings(lambda file: project.read_text(os.path.abspath(file)))
        click.echo(terminal.text(report, draw, colour=not os.environ.get("NO_COLOR")), nl=False)
    else:
        click.echo(format_.text(report, output), nl=False)


def _refuse(built: bool, fix: bool, write_exceptions: bool, reason: str | None, until: str | None) -> None:
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
