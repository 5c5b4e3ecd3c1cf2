"""`kubectl ksecret doctor`."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from . import arguments, kubectl
from .progress import progress_bar, status_line

if TYPE_CHECKING:
    from ..cluster.api import Api
    from ..cluster.certificates import Controller


@click.command("doctor")
@arguments.one_overlay()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option(
    "--as-workload",
    is_flag=True,
    help="Sign in to the vault with a token of the store's ServiceAccount, and look for the names; no value is read.",
)
@click.option("--wait", is_flag=True, help="Ask again until no step fails, or the time is over.")
@click.option(
    "--timeout",
    default="5m",
    show_default=True,
    metavar="DURATION",
    callback=kubectl.duration,
    help="How long --wait asks; 0 is for ever.",
)
@kubectl.controller_options()
@arguments.output("text", "json")
@kubectl.flags()
def command(
    overlay: arguments.OneOverlay,
    addresses: tuple[str, ...],
    as_workload: bool,
    wait: bool,
    timeout: float,
    controller: "Controller",
    output: str,
    connect: Callable[[], "Api"],
) -> None:
    """Find out why a Secret does not reach the pods, step by step.

    Walks the chain from the operator and its store to the Secret and the pods that read it. Each step passes (✔),
    fails (✗) with the cause and the next command, could not be asked (?), or is not the cluster's to answer (-). Mend
    the first that fails; the others often follow from it. No value is shown, and nothing in the cluster is changed.

    Exit codes: 0 no step failed; 1 a step failed or could not be asked; 2 or 3 an error.

    \b
    Examples:
      kubectl ksecret doctor prod
      kubectl ksecret doctor test backend-secrets --wait --timeout 2m
      kubectl ksecret doctor test --as-workload
      kubectl ksecret doctor prod -o json
    """
    # --help must not load cryptography.
    from ..actions import doctor as action
    from ..actions.doctor.examination import DoctorRequest
    from .formats import doctor as format_

    request = DoctorRequest(
        now=datetime.now(UTC),
        addresses=addresses,
        controller=controller,
        as_workload=as_workload,
        wait=wait,
        timeout=timeout,
    )
    with progress_bar("asking the controller") as progress, status_line() as show:
        steps = action.examine(
            overlay.load(), connect(), request, progress=progress, report=lambda steps: show(format_.waiting(steps))
        )
    # click takes the colours away where the output goes to no terminal.
    click.echo(format_.text(steps, output, colour=not os.environ.get("NO_COLOR")), nl=False)
    if wait and any(step.verdict == "failed" for step in steps):
        click.echo(f"error: the time is over; {format_.waiting(steps)}", err=True)
    sys.exit(0 if all(step.verdict in ("passed", "not applicable") for step in steps) else 1)
