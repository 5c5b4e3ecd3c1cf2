"""`kubectl ksecret status`."""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

import click

from ..actions import status as action
from ..sources import open_source
from . import arguments, kubectl
from .formats import status as format_
from .progress import progress_bar

if TYPE_CHECKING:
    from ..cluster.api import Api
    from ..manifests.record import Entries
    from ..model.resolution import Environment


@click.command("status")
@arguments.overlays()
@arguments.output("table", "wide", "json", "yaml")
@click.option("--offline", is_flag=True, help="Ask no source and no cluster; look at the committed manifests alone.")
@click.option(
    "--warn-days",
    type=click.IntRange(min=0),
    default=14,
    show_default=True,
    help="Report what ends within so many days.",
)
@kubectl.flags()
def command(
    overlays: arguments.Overlays, output: str, offline: bool, warn_days: int, connect: Callable[[], "Api"]
) -> None:
    """Show what is missing, stale, due for rotation or about to end; no value is read.

    Of Key Vault only versions are listed. The cluster is asked about overlays of the backend secret alone, of which
    nothing is committed: for the metadata of their Secrets.

    Exit codes: 0 nothing to do; 1 something to do; 3 a source or cluster could not be asked.

    \b
    Examples:
      kubectl ksecret status
      kubectl ksecret status prod --offline
      kubectl ksecret status -o json --warn-days 30
    """
    request = action.StatusRequest(offline=offline, warn=timedelta(days=warn_days))
    now = datetime.now(UTC)
    connected = cache(connect)

    def live(environment: "Environment") -> "Mapping[str, Entries]":
        from ..actions.live_records import live_records

        return live_records(environment, connected())

    with progress_bar("asking") as progress:
        opened_by = partial(open_source, progress=progress)
        status = action.status_of_all(overlays.load(), opened_by, live, request, now)
    click.echo(format_.text(status, output, now, arguments.terminal_width()), nl=False)
    for error in dict.fromkeys(map(str, status.unasked)):
        click.echo(error, err=True)
    sys.exit(status.exit_code)
