"""`kubectl ksecret cluster`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from . import arguments, kubectl

if TYPE_CHECKING:
    from ..cluster.api import Api


@click.group("cluster")
def command() -> None:
    """Say which cluster an overlay belongs to.

    \b
    Examples:
      kubectl ksecret cluster pin prod --context shop-prod
    """


@command.command("pin")
@arguments.one_overlay()
@kubectl.flags()
def pin(overlay: arguments.OneOverlay, connect: Callable[[], "Api"]) -> None:
    """Write the UID of the overlay's namespace into its ksecret.yaml.

    Commands that write to a cluster refuse any other from then on. Commit the change. After a move to another cluster,
    pin the overlay again.

    \b
    Examples:
      kubectl ksecret cluster pin prod --context shop-prod
    """
    from ..actions import pin as action

    environment = overlay.load()
    outcome = action.pin(environment, connect())
    state = "pinned to" if outcome.changed else "already pinned to"
    click.echo(f"{outcome.file}: {state} namespace {outcome.namespace} ({outcome.uid}) at {outcome.server}")
    if outcome.changed:
        step = (
            "certificate {} --fetch takes its controller's certificate" if outcome.seals else "sync {} delivers to it"
        )
        click.echo(f"hint: kubectl ksecret {step.format(environment.name)}", err=True)
