"""`kubectl ksecret check`."""

import sys
from datetime import UTC, datetime

import click

from ..actions import check as action
from ..checks import SEVERITIES
from ..files.project import decode
from ..sensitive import forbid_core_dumps
from ..sources import open_source
from . import arguments, given
from .formats import check as format_
from .progress import progress_bar


@click.command("check")
@arguments.overlays()
@arguments.output("text", "json")
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
    click.echo(format_.text(findings, output), nl=False)
    sys.exit(1 if findings else 0)


def _built(filename: str) -> action.Built:
    if filename == "-":
        return action.Built(file="standard input", text=decode(sys.stdin.buffer.read(), "standard input"))
    return action.Built(file=filename, text=decode(given.content(filename), filename))
