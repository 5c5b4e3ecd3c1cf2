"""`kubectl ksecret check`."""

import os
import sys
from datetime import UTC, datetime

import click

from ..actions import check as action
from ..checks import SEVERITIES, rules
from ..files.project import Project, decode
from ..sensitive import forbid_core_dumps
from ..sources import open_source
from . import arguments, given
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
def command(overlays: arguments.Overlays, output: str, min_severity: str, built: str | None, with_values: bool) -> None:
    """Find what would break a deployment or leak a secret; the exit code is 1 if anything is found.

    What is deployed is built with kubectl's own kustomize; nothing that the repository names is run. With values,
    rules are applied to every value of the sources, those that External Secrets Operator fetches included, and values
    that two environments have in common are named. Nothing of a value is shown.

    \b
    Examples:
      kubectl ksecret check
      kubectl ksecret check prod -o json
      kubectl ksecret check -o sarif > ksecret.sarif
      kubectl ksecret check --with-values
      kustomize build --enable-alpha-plugins --enable-exec overlays/prod | kubectl ksecret check prod --built -
    """
    environments = overlays.load()
    landscape = action.survey(environments, _built(built) if built else None, datetime.now(UTC))
    checked = [action.check_landscape(landscape)]
    if with_values:
        forbid_core_dumps()
        with progress_bar("reading") as progress:
            checked.append(action.check_values(environments, lambda each: open_source(each, progress)))
    for mistake in (mistake for each in checked for mistake in each.left_out):
        click.echo(mistake.said("warning"), err=True)
    least = SEVERITIES.index(min_severity)
    findings = [f for each in checked for f in each.findings if SEVERITIES.index(f.severity) >= least]
    report = format_.Report(
        findings=findings,
        rules=(*rules.OF_LANDSCAPE, *(rules.OF_VALUES if with_values else ())),
        root=landscape.project.root,
        folder=os.getcwd(),
        overlays={each.name: each.overlay.spec.origin.file for each in environments},
    )
    click.echo(
        _on_terminal(report, landscape.project) if _is_terminal(output) else format_.text(report, output), nl=False
    )
    sys.exit(1 if findings else 0)


def _is_terminal(output: str) -> bool:
    return output == "text" and sys.stdout is not None and sys.stdout.isatty()


def _on_terminal(report: format_.Report, project: Project) -> str:
    draw = drawings(lambda file: project.read_text(os.path.abspath(file)))
    return terminal.text(report, draw, colour=not os.environ.get("NO_COLOR"))


def _built(filename: str) -> action.Built:
    if filename == "-":
        return action.Built(file="standard input", text=decode(sys.stdin.buffer.read(), "standard input"))
    return action.Built(file=filename, text=decode(given.content(filename), filename))
