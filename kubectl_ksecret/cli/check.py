"""`kubectl ksecret check`."""

import sys

import click

from ..actions import check as action
from ..sensitive import forbid_core_dumps
from ..sources import open_source
from . import arguments
from .formats import check as format_
from .progress import progress_bar


@click.command("check")
@arguments.overlays()
@click.option("--with-values", is_flag=True, help="Read the sources too, and check every value in memory.")
def command(overlays: arguments.Overlays, with_values: bool) -> None:
    """Find what would break a deployment or leak a secret; the exit code is 1 if anything is found.

    With values, rules are applied to every value of the sources, those that External Secrets Operator fetches
    included, and values that two environments have in common are named. Nothing of a value is shown.

    \b
    Examples:
      kubectl ksecret check
      kubectl ksecret check --with-values prod
    """
    environments = overlays.load()
    findings = action.check_committed(environments)
    if with_values:
        forbid_core_dumps()
        with progress_bar("reading") as progress:
            checked = action.check_values(environments, lambda each: open_source(each, progress))
        for mistake in checked.left_out:
            click.echo(mistake.said("warning"), err=True)
        findings += checked.findings
    click.echo(format_.text(findings), nl=False)
    sys.exit(1 if findings else 0)
