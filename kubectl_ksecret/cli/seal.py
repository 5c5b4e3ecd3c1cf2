"""`kubectl ksecret seal`."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import click

from ..actions import seal as action
from ..files import git
from ..sensitive import forbid_core_dumps
from ..sources import GivenSecrets, open_source, open_writable
from . import asking, given
from .formats import seal as format_
from .progress import progress_bar


@click.command("seal")
@click.argument("overlay", required=False)
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--reseal", is_flag=True, help="Seal anew what is sealed already: all keys, or those addressed.")
@click.option(
    "--source",
    metavar="KIND=PATH",
    callback=given.source,
    help="Read from dotenv=FILE or environment instead of the overlay's source.",
)
@click.option("-f", "--filename", metavar="FILE|-", help="Take the values from Secret manifests.")
@click.option("--from-stdin", is_flag=True, help="Take the value of the one addressed key from standard input.")
@click.option("--accept", multiple=True, metavar="SHA256:…|age1…", help="Seal for this new certificate or recipient.")
@click.option("--generate-missing", is_flag=True, help="Make what the source lacks and its declaration can generate.")
@click.option("--dry-run", is_flag=True, help="Do everything but write.")
def command(
    overlay: str | None,
    addresses: tuple[str, ...],
    reseal: bool,
    source: action.TypedSource | None,
    filename: str | None,
    from_stdin: bool,
    accept: tuple[str, ...],
    generate_missing: bool,
    dry_run: bool,
) -> None:
    """Seal what is missing, addressed, or changed in the source.

    ADDRESS is SECRET or SECRET/KEY. A key whose version in the source is the recorded one is left as it is, byte for
    byte; a source without versions seals what is missing and what is addressed.

    \b
    Examples:
      kubectl ksecret seal prod
      kubectl ksecret seal prod --generate-missing
      kubectl ksecret seal prod --source dotenv=.env.prod
      kubectl ksecret seal prod backend-secrets/jwt-secret --from-stdin
      kubectl get secret backend-secrets -o yaml | kubectl ksecret seal prod -f -
    """
    if sum((source is not None, filename is not None, from_stdin)) > 1:
        raise click.UsageError("--source, --filename and --from-stdin exclude each other.")
    if generate_missing and (source is not None or filename is not None or from_stdin):
        raise click.UsageError("--generate-missing writes into the overlay's own source; no other can be named.")
    forbid_core_dumps()
    request = action.SealRequest(
        overlay=overlay,
        addresses=addresses,
        reseal=reseal,
        source=source,
        generate_missing=generate_missing,
        dry_run=dry_run,
    )
    exit_code, sealed_any = 0, False
    with progress_bar("reading") as reading, progress_bar("sealing") as sealing:
        ports = action.SealPorts(
            consent=asking.consent(accept, os.environ),
            variables=os.environ,
            given=_given(addresses, filename, from_stdin=from_stdin),
            opened_by=lambda environment: open_source(environment, reading),
            writable=lambda environment: open_writable(environment, reading),
            reading=reading,
            sealing=sealing,
        )
        for outcome in action.seal(request, ports, datetime.now(UTC)):
            exit_code = max(exit_code, report(outcome, dry_run=dry_run))
            sealed_any = sealed_any or bool(outcome.sealed)
    _warn_of_history(filename if sealed_any else None)
    sys.exit(exit_code)


def report(outcome: action.SealOutcome, *, dry_run: bool) -> int:
    """Print what became of one overlay, and return the exit code."""
    click.echo(format_.made(outcome.environment, outcome.made, dry_run), nl=False)
    if outcome.sealed:
        for warning in outcome.sealed.warnings:
            click.echo(warning.said("warning"), err=True)
        click.echo(format_.text(outcome.sealed, dry_run), nl=False)
        if outcome.sealed.goes_over and not dry_run:
            click.echo(format_.next_step(outcome.environment), err=True)
    for mistake in outcome.mistakes:
        click.echo(mistake, err=True)
    return outcome.exit_code


def _given(addresses: tuple[str, ...], filename: str | None, *, from_stdin: bool) -> Callable[[], GivenSecrets] | None:
    """Return how the user's own values are read, where he gives any."""
    if from_stdin:
        given.refuse_several(addresses)
        return lambda: given.value(addresses)
    if filename is not None:
        return lambda: given.secrets(filename)
    return None


def _warn_of_history(filename: str | None) -> None:
    if filename not in (None, "-") and git.tracks(filename):
        click.echo(f"warning: Git tracks {filename}: change these values, they are in Git's history", err=True)
