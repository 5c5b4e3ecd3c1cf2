"""`kubectl ksecret certificate`."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from . import arguments, kubectl

if TYPE_CHECKING:
    from ..cluster.api import Api
    from ..cluster.certificates import Controller


@click.command("certificate")
@arguments.one_overlay()
@click.option("--fetch", is_flag=True, help="Take it from the Sealed Secrets controller of the cluster.")
@click.option("--url", metavar="URL", help="Take it from an https:// URL.")
@click.option("--needed", is_flag=True, help="Show which certificates the committed values were sealed with.")
@kubectl.controller_options(", for --fetch")
@kubectl.flags()
def command(
    overlay: arguments.OneOverlay,
    fetch: bool,
    url: str | None,
    needed: bool,
    controller: "Controller",
    connect: Callable[[], "Api"],
) -> None:
    """Show the certificate that an overlay seals for, or replace it.

    With --fetch the certificate is one that the cluster itself gave, so this clone trusts it from then on; nothing
    else of the overlay is trusted by that. With --url the next seal asks.

    \b
    Examples:
      kubectl ksecret certificate prod
      kubectl ksecret certificate prod --fetch --context shop-prod
      kubectl ksecret certificate prod --needed
    """
    # --help must not load cryptography.
    from ..actions import certificate as action
    from .formats import certificate as format_

    if fetch + (url is not None) + needed > 1:
        raise click.UsageError("--fetch, --url and --needed exclude each other.")
    environment, now = overlay.load(), datetime.now(UTC)
    if needed:
        click.echo(format_.needed(action.needed(environment), action.current(environment, now)), nl=False)
        return
    if fetch:
        outcome = action.fetch(environment, connect(), controller, now)
    elif url is not None:
        from ..cluster import certificateurl

        outcome = action.replace(environment, certificateurl.from_url(url), now, trusted=False)
    else:
        outcome = action.current(environment, now)
    click.echo(format_.text(outcome), nl=False)
    for warning in outcome.warnings:
        click.echo(warning.said("warning"), err=True)
    if outcome.changed:
        click.echo(format_.next_steps(environment.name, trusted=fetch), err=True)
    sys.exit(1 if outcome.warnings else 0)
