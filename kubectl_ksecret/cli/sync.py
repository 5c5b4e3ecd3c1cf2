"""`kubectl ksecret sync`."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ..actions import sync as action
from ..actions.belonging import belonging
from ..actions.orders import Reporter, Restart, Result, SyncRequest
from ..actions.plain import PlainPorts
from ..errors import Refusal
from ..model.resolution import Environment
from ..sensitive import forbid_core_dumps
from ..sources import open_source
from . import arguments, asking, kubectl
from .formats import sync as format_
from .progress import StatusLine, progress_bar

if TYPE_CHECKING:
    from ..cluster.api import Api


@click.command("sync")
@arguments.parts()
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
@arguments.output("text", "wide", "name", "json", "yaml")
@kubectl.flags()
def command(
    parts: arguments.Parts,
    restart: Restart,
    timeout: float,
    accept: tuple[str, ...],
    adopt: bool,
    dry_run: str,
    output: str,
    connect: Callable[[], "Api"],
) -> None:
    """Make overlays' Secrets arrive in the cluster, and restart what reads them.

    A store that is rendered is applied, ExternalSecrets are applied and refreshed, SealedSecrets are applied; then the
    command waits until the Secrets really hold what was asked for. Secrets of the backends sops and secret are applied
    with their values, which are in memory alone. Then the workloads restart whose Secrets have other values than
    before, and the command waits for the roll-outs. What Argo CD or Flux owns is not applied.

    One overlay that is named is taken at its word. Of several, which is what no OVERLAY means too, those are synced
    that are pinned to the cluster at hand (kubectl ksecret cluster pin).

    Exit codes: 0 everything arrived; 1 something failed or did not arrive in time; 3 the cluster could not be asked, or
    refused a write.

    \b
    Examples:
      kubectl ksecret sync prod
      kubectl ksecret sync test backend-secrets --restart never
      kubectl ksecret sync prod --dry-run=server --context shop-prod
      kubectl ksecret sync prod -l team=payments -o wide
      kubectl ksecret sync --all-namespaces
    """
    environments = parts.load()
    request = SyncRequest(
        addresses=parts.addresses,
        selector=parts.selector,
        restart=restart,
        timeout=timeout,
        adopt=adopt,
        dry_run=dry_run != "none",
    )
    if dry_run == "client":
        syncs = [action.plan(environment, request) for environment in environments]
        show = _Show(output, "dry run")
        for sync in syncs:
            for result in sync.results:
                show.result(result)
        show.end(syncs, dry_run=True)
        sys.exit(max(sync.exit_code for sync in syncs))
    forbid_core_dumps()
    api = connect()
    chosen = belonging(environments, api, "sync")
    syncs = _sync(chosen.environments, api, request, accept, _Show(output, _REMARKS[dry_run]))
    sys.exit(max(parts.report(chosen), *(sync.exit_code for sync in syncs)))


_REMARKS = {"none": "", "server": "server dry run"}


def _sync(
    environments: Sequence[Environment], api: "Api", request: SyncRequest, accept: Sequence[str], show: "_Show"
) -> list[action.Sync]:
    """Sync one overlay after the other. A run that ends before its time says where it stands."""
    try:
        with progress_bar("reading") as progress:
            ports = PlainPorts(
                opened_by=lambda environment: open_source(environment, progress),
                consent=asking.consent(accept, os.environ),
                variables=os.environ,
                now=datetime.now(UTC),
            )
            reporter = Reporter(result=show.result, waiting=show.waiting)
            syncs = [action.sync(environment, api, request, ports, reporter) for environment in environments]
    except KeyboardInterrupt:
        show.stopped("interrupted")
        raise
    except Refusal:
        if show.is_under_way:
            show.stopped("stopped")
        raise
    show.end(syncs, dry_run=request.dry_run)
    return syncs


class _Show:
    """What the user sees: results as they come, on a terminal what is waited for, and a summary at the end."""

    def __init__(self, output: str, remark: str) -> None:
        self._output, self._remark = output, remark
        self._results: list[Result] = []
        self._status = StatusLine()
        self._began: float | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether anything was done yet."""
        return bool(self._results) or self._began is not None

    def waiting(self, names: Sequence[str]) -> None:
        """Show what is waited for, and for how long."""
        self._began = time.monotonic() if self._began is None else self._began
        self._status.show(format_.waiting(names, time.monotonic() - self._began))

    def result(self, result: Result) -> None:
        """Show a result; as JSON or YAML what arrived is shown at the end."""
        self._results.append(result)
        self._status.clear()
        arrived = result.outcome.state == "arrived"
        if not arrived or self._output not in ("json", "yaml"):
            click.echo(format_.line(result, self._output, self._remark), err=not arrived)

    def stopped(self, word: str) -> None:
        """Show where the run stands."""
        self._status.clear()
        click.echo(format_.stopped(self._results, word), err=True)

    def end(self, syncs: Sequence[action.Sync], *, dry_run: bool) -> None:
        """Show what is shown at the end. Where all is well and nobody looks, there is no summary."""
        self._status.clear()
        if self._output in ("json", "yaml"):
            click.echo(format_.document(syncs, self._output, dry_run=dry_run), nl=False)
        for note in format_.may_restart(syncs):
            click.echo(note, err=True)
        complete = all(result.outcome.state == "arrived" for result in self._results)
        if not complete or self._status.is_on_terminal:
            click.echo(format_.summary(syncs), err=True)
