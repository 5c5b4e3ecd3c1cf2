"""`kubectl ksecret pin-versions`."""

import sys

import click

from ..actions import versions as action
from ..model.resolution import Environment
from ..sources import open_source
from . import arguments
from .progress import progress_bar


@click.command("pin-versions")
@arguments.one_overlay()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--dry-run", is_flag=True, help="Show what would be pinned, and write nothing.")
def command(overlay: arguments.OneOverlay, addresses: tuple[str, ...], dry_run: bool) -> None:
    """Write the versions that the source has now into the overlay's ksecret.yaml.

    A value then reaches the environment by a commit, and `git revert` takes it back. ADDRESS is SECRET or SECRET/KEY;
    without one, all keys are pinned. `rotate` moves the pins of what it rotates.

    \b
    Examples:
      kubectl ksecret pin-versions prod
      kubectl ksecret pin-versions prod backend-secrets/jwt-secret
    """
    environment = overlay.load()
    action.refuse_without_versions(environment)
    with progress_bar("asking") as progress:
        source = open_source(environment, progress)
        pinned = action.pin_versions(environment, addresses, source, dry_run=dry_run)
    verb = "would pin" if dry_run else "pinned"
    for address in pinned.changed:
        click.echo(f"{verb} {address} to {pinned.versions[address]}")
    if not pinned.changed:
        click.echo(f"{pinned.file}: nothing to pin" if not pinned.versions else f"{pinned.file}: pinned already")
    elif not dry_run:
        click.echo(f"next: kubectl ksecret {_following(environment)}")
    for mistake in pinned.missing:
        click.echo(mistake, err=True)
    sys.exit(3 if pinned.missing else 0)


def _following(environment: Environment) -> str:
    """Return the command that carries the versions into what is committed or live."""
    if environment.backend.seals:
        return f"seal {environment.name}"
    return f"render {environment.name} --write" if environment.backend.fetched else f"sync {environment.name}"
