"""`kubectl ksecret doctor`."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ..actions import doctor as action
from ..actions.doctor.examination import DoctorRequest, Step
from . import arguments, kubectl
from .formats import doctor as format_
from .progress import progress_bar

if TYPE_CHECKING:
    from ..cluster.api import Api
    from ..cluster.certificates import Controller

_PAUSE_SECONDS = 2.0


@click.command("doctor")
@arguments.one_overlay()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--wait", is_flag=True, help="Ask again until every step passes, or the time is over.")
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
    wait: bool,
    timeout: float,
    controller: "Controller",
    output: str,
    connect: Callable[[], "Api"],
) -> None:
    """Find out why a Secret does not reach the pods, step by step.

    Walks the chain from the operator and its store to the Secret and the pods that read it. Each step passes, fails
    with the cause and the next command, could not be asked, or does not apply. No value is shown, and nothing in the
    cluster is changed.

    Exit codes: 0 no step failed; 1 a step failed or could not be asked; 2 or 3 an error.

    \b
    Examples:
      kubectl ksecret doctor prod
      kubectl ksecret doctor test backend-secrets --wait --timeout 2m
      kubectl ksecret doctor prod -o json
    """
    environment, api = overlay.load(), connect()
    request = DoctorRequest(addresses=addresses, controller=controller)
    end = time.monotonic() + timeout if timeout else float("inf")
    while True:
        with progress_bar("asking the controller") as progress:
            steps = list(action.examine(environment, api, request, progress))
        if not wait or _passes(steps) or time.monotonic() > end:
            break
        time.sleep(_PAUSE_SECONDS)
    click.echo(format_.text(steps, output), nl=False)
    sys.exit(0 if _passes(steps) else 1)


def _passes(steps: Sequence[Step]) -> bool:
    return all(step.verdict in ("passed", "not applicable") for step in steps)
