"""`kubectl ksecret sync`."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ..actions import sync as action
from ..actions.plain import PlainPorts
from ..sensitive import forbid_core_dumps
from ..sources import open_source
from . import arguments, asking, kubectl
from .formats import sync as format_
from .progress import progress_bar

if TYPE_CHECKING:
    from ..cluster.api import Api


@click.command("sync")
@arguments.one_overlay()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option(
    "--restart",
    type=click.Choice(("auto", "never", "always")),
    default="auto",
    show_default=True,
    help="Restart the workloads that read what changed, none, or all that read what was synced.",
)
@click.option(
    "--timeout",
    metavar="DURATION",
    default="5m",
    show_default=True,
    callback=kubectl.duration,
    help="How long to wait for all of it; 0 is for ever.",
)
@click.option("--accept", multiple=True, metavar="cluster:…|age1…", help="Deliver values there, as was asked.")
@click.option("--adopt", is_flag=True, help="Take over Secrets that exist already.")
@click.option(
    "--dry-run",
    type=click.Choice(("none", "client", "server")),
    default="none",
    show_default=True,
    help="Show what would be done, or let the server check it too; nothing is changed.",
)
@kubectl.flags()
def command(
    overlay: arguments.OneOverlay,
    addresses: tuple[str, ...],
    restart: action.Restart,
    timeout: float,
    accept: tuple[str, ...],
    adopt: bool,
    dry_run: str,
    connect: Callable[[], "Api"],
) -> None:
    """Make an overlay's Secrets arrive in the cluster, and restart what reads them.

    ExternalSecrets are applied and refreshed, SealedSecrets are applied; then the command waits until the Secrets
    really hold what was asked for. Secrets of the backends sops and secret are applied with their values, which are in
    memory alone. Then the workloads restart whose Secrets have other values than before, and the command waits for the
    roll-outs. What Argo CD or Flux owns is not applied.

    Exit codes: 0 everything arrived; 1 something failed or did not arrive in time; 3 the cluster could not be asked, or
    refused a write.

    \b
    Examples:
      kubectl ksecret sync prod
      kubectl ksecret sync test backend-secrets --restart never
      kubectl ksecret sync prod --dry-run=server --context shop-prod
    """
    environment = overlay.load()
    request = action.SyncRequest(
        addresses=addresses, restart=restart, timeout=timeout, adopt=adopt, dry_run=dry_run != "none"
    )
    if dry_run == "client":
        planned = action.plan(environment, request)
        for result in planned:
            _print(result, "dry run")
        sys.exit(0 if all(result.outcome.state == "arrived" for result in planned) else 1)
    forbid_core_dumps()
    reported: list[action.Result] = []

    def report(result: action.Result) -> None:
        reported.append(result)
        _print(result, "server dry run" if dry_run == "server" else "")

    try:
        with progress_bar("reading") as progress:
            ports = PlainPorts(
                opened_by=lambda environment: open_source(environment, progress),
                consent=asking.consent(accept, os.environ),
                variables=os.environ,
                now=datetime.now(UTC),
            )
            outcome = action.sync(environment, connect(), request, ports, report)
    except KeyboardInterrupt:
        click.echo(format_.interrupted(reported), err=True)
        raise
    sys.exit(3 if outcome.refused else 0 if outcome.complete else 1)


def _print(result: action.Result, remark: str) -> None:
    click.echo(format_.line(result, remark), err=result.outcome.state != "arrived")
