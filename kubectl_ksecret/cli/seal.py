"""`kubectl ksecret seal`."""

from datetime import UTC, datetime

import click

from ..actions import seal as action
from ..actions.provision import FromSource
from ..model.loading import select
from ..sensitive import forbid_core_dumps
from ..sources import open_source


@click.command("seal")
@click.argument("overlay", required=False)
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--reseal", is_flag=True, help="Seal everything anew, or all that is addressed.")
def command(overlay: str | None, addresses: tuple[str, ...], reseal: bool) -> None:
    """Seal what is missing or changed."""
    forbid_core_dumps()
    environments = select([overlay] if overlay else []).chosen
    for environment in environments:
        request = action.Request(addresses=addresses, reseal=reseal)
        done = action.seal(
            environment, FromSource(environment, open_source), request, datetime.now(UTC), lambda *_: None
        )
        click.echo(
            f"sealed {len(done.sealed)} keys, kept {len(done.kept)}; files changed: {len(done.changed)}", err=True
        )
