"""`kubectl ksecret migrate`."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ..actions import migrate as action
from ..model.resolution import Environment
from ..sensitive import forbid_core_dumps
from ..sources import GivenSecrets, open_source, open_writable
from . import arguments, asking, given, kubectl
from .formats import migrate as format_
from .progress import progress_bar

if TYPE_CHECKING:
    from ..cluster.api import Api


@click.command("migrate")
@arguments.one_overlay()
@click.option(
    "--to",
    "targets",
    multiple=True,
    metavar="YAML",
    help="The new backend or the new source, as it stands in spec; may be given twice.",
)
@click.option("--names", metavar="PATTERN", help="Pattern of the names in the source.")
@click.option("--property", metavar="PATTERN", help="Pattern of the property that each key takes.")
@click.option("-f", "--filename", metavar="FILE|-", help="Take the values from Secret manifests, not from the source.")
@click.option("--from-cluster", is_flag=True, help="Take the values from the live Secrets.")
@click.option("--overwrite", is_flag=True, help="Replace values that stand in the new source under these names.")
@click.option("--accept", multiple=True, metavar="SHA256:…|age1…", help="Seal for this new certificate or recipient.")
@click.option("--dry-run", is_flag=True, help="Compare and check everything, and write nothing.")
@kubectl.flags()
def command(
    overlay: arguments.OneOverlay,
    targets: tuple[str, ...],
    names: str | None,
    property: str | None,
    filename: str | None,
    from_cluster: bool,
    overwrite: bool,
    accept: tuple[str, ...],
    dry_run: bool,
    connect: Callable[[], "Api"],
) -> None:
    """Move an overlay to another backend or another source, with its values.

    The values are copied in memory, written once, read back and compared; the old store is left alone. Then the overlay
    and its manifests change, and what is left to do in the cluster is printed, in an order in which no Secret is ever
    gone.

    Exit codes: 0 done; 2 wrong usage or input; 3 a value is missing, or a source refused.

    \b
    Examples:
      kubectl ksecret migrate prod --to 'sealedSecret: {certificate: sealing.pem}'
      kubectl ksecret migrate prod --to secret --dry-run
      kubectl ksecret migrate prod --to 'vault: {address: "https://vault.example:8200", mount: secret}' \\
        --names 'shop/prod/{secret}' --property '{remoteName}' --from-cluster
    """
    if not (targets or names or property):
        raise click.UsageError("Say where to: --to, --names or --property.")
    if filename is not None and from_cluster:
        raise click.UsageError("--filename and --from-cluster exclude each other.")
    forbid_core_dumps()
    environment = overlay.load()
    request = action.MigrateRequest(
        targets=targets, names=names, property=property, overwrite=overwrite, dry_run=dry_run
    )
    with progress_bar("copying") as copying, progress_bar("sealing") as sealing:
        ports = action.MigratePorts(
            consent=asking.consent(accept, os.environ),
            variables=os.environ,
            given=_given(environment, filename, connect if from_cluster else None),
            opened_by=lambda one: open_source(one, copying),
            writable=lambda one: open_writable(one, copying),
            sealing=sealing,
        )
        migration = action.migrate(environment, request, ports, datetime.now(UTC))
    click.echo(format_.text(migration, dry_run=dry_run), nl=False)
    for line in format_.absent(migration):
        click.echo(line, err=True)
    sys.exit(3 if migration.is_partial else 0)


def _given(
    environment: Environment, filename: str | None, connect: "Callable[[], Api] | None"
) -> Callable[[], GivenSecrets] | None:
    if filename is not None:
        return lambda: given.secrets(filename)
    if connect is not None:
        from ..actions.livesecrets import read

        return lambda: read(environment, connect())
    return None
