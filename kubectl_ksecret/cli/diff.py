"""`kubectl ksecret diff`."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..actions import diff as action
from ..sources import open_source
from . import arguments, kubectl
from .formats import diff as format_
from .progress import progress_bar

if TYPE_CHECKING:
    from ..cluster.api import Api


@click.command("diff")
@arguments.one_overlay()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@kubectl.flags()
def command(overlay: arguments.OneOverlay, addresses: tuple[str, ...], connect: Callable[[], "Api"]) -> None:
    """Show what differs between an overlay's Secrets and the cluster, without any value.

    A value is *** on both sides; of a key that is sealed anew since it arrived, they are *** (before) and *** (after).
    What the server fills in is no difference.

    Exit codes, as those of kubectl diff: 0 no difference; 1 differences; 2 or 3 an error.

    \b
    Examples:
      kubectl ksecret diff prod
      kubectl ksecret diff prod backend-secrets --context shop-prod
    """
    with progress_bar("asking") as progress:
        compared = action.diff(overlay.load(), connect(), addresses, lambda one: open_source(one, progress))
    click.echo(format_.text(compared), nl=False)
    for note in format_.notes(compared):
        click.echo(note, err=True)
    sys.exit(1 if any(one.differs for one in compared) else 0)
