"""`kubectl ksecret status`."""

import sys
from datetime import UTC, datetime, timedelta
from functools import partial

import click

from ..actions import status as action
from ..sources import open_source
from . import arguments
from .formats import status as format_
from .progress import progress_bar


@click.command("status")
@arguments.overlays()
@arguments.output("table", "wide", "json", "yaml")
@click.option("--offline", is_flag=True, help="Ask no source; look at the committed manifests alone.")
@click.option(
    "--warn-days",
    type=click.IntRange(min=0),
    default=14,
    show_default=True,
    help="Report what ends within so many days.",
)
def command(overlays: arguments.Overlays, output: str, offline: bool, warn_days: int) -> None:
    """Show what is missing, stale, due for rotation or about to end; no value is read.

    Of Key Vault only versions are listed. The exit code is 1 if there is anything to do.

    \b
    Examples:
      kubectl ksecret status
      kubectl ksecret status prod --offline
      kubectl ksecret status -o json --warn-days 30
    """
    request = action.StatusRequest(offline=offline, warn=timedelta(days=warn_days))
    now = datetime.now(UTC)
    with progress_bar("asking") as progress:
        opened_by = partial(open_source, progress=progress)
        status = action.status_of_all(overlays.load(), opened_by, request, now)
    click.echo(format_.text(status, output, now, arguments.terminal_width()), nl=False)
    sys.exit(1 if status.needs_attention else 0)
