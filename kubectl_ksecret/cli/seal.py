"""`kubectl ksecret seal`."""

import os
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import click

from ..actions import seal as action
from ..actions.missing import generate_missing as make_missing
from ..actions.provision import FromSecrets, FromSource, Provision, refuse_bad_patterns
from ..errors import InputError, Mistake
from ..frozen import Record
from ..manifests import committed
from ..model.loading import select
from ..model.resolution import Environment
from ..model.types.backends import ExternalSecret
from ..model.types.sources import Dotenv, EnvironmentVariables
from ..model.validation import sharing
from ..model.validation.environment import with_source
from ..sealing import Sealer, open_sealer
from ..sensitive import forbid_core_dumps
from ..sources import GivenSecrets, Progress, open_source, open_writable
from . import given
from .formats import seal as format_
from .progress import progress_bar


class OtherSource(Record):
    """The source named on the command line: a dotenv file, which may lie anywhere, or this process's variables."""

    dotenv: str | None

    def provision(self, environment: Environment, progress: Progress) -> Provision:
        """The environment's values out of it. Raises InputError for two keys that come to one name there."""
        origin, path = environment.overlay.origin, self.dotenv
        kind = EnvironmentVariables(origin=origin) if path is None else Dotenv(origin=origin, file=path)
        changed = with_source(environment, kind)
        if mistakes := list(sharing.mistakes([changed], [changed])):
            raise InputError(*mistakes)
        if path is None:
            return FromSource(changed, lambda each: open_source(each, progress))
        from ..sources.dotenv import open_file

        return FromSource(changed, lambda _: open_file(path))


def _source(_context: click.Context, _parameter: click.Parameter, text: str | None) -> OtherSource | None:
    if text is None:
        return None
    kind, _, path = text.partition("=")
    if kind == "dotenv" and path:
        return OtherSource(dotenv=path)
    if text == "environment":
        return OtherSource(dotenv=None)
    raise click.BadParameter("expected dotenv=FILE or environment")


@click.command("seal")
@click.argument("overlay", required=False)
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--reseal", is_flag=True, help="Seal anew what is sealed already: all keys, or those addressed.")
@click.option(
    "--source",
    metavar="KIND=PATH",
    callback=_source,
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
    source: OtherSource | None,
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
    environments = _sealing(overlay, addresses)
    values: GivenSecrets | None = None
    if from_stdin:
        values = given.value(addresses)
    elif filename is not None:
        values = given.secrets(filename)
    request = action.SealRequest(addresses=addresses, reseal=reseal, accepted=accept, dry_run=dry_run)
    now = datetime.now(UTC)
    sealers = _sealers(environments, accept, now)
    with progress_bar("reading") as reading, progress_bar("sealing") as sealing:
        provisions = [_provision(environment, values, source, reading) for environment in environments]
        for environment, sealer, provision in zip(environments, sealers, provisions, strict=True):
            if generate_missing:
                made = make_missing(environment, open_writable(environment, reading), dry_run)
                click.echo(format_.made(environment.name, made, dry_run), nl=False)
                if made and dry_run:
                    continue  # there is nothing yet that could be read
            done = action.seal(environment, provision, sealer, request, now, sealing)
            for warning in done.warnings:
                click.echo(warning.said("warning"), err=True)
            click.echo(format_.text(done, dry_run), nl=False)


def _sealers(environments: Sequence[Environment], accepted: Collection[str], now: datetime) -> list[Sealer]:
    """Of each overlay. All are asked before the first is written, and before a value is made or read."""
    sealers = [open_sealer(environment, now, os.environ) for environment in environments]
    for environment, sealer in zip(environments, sealers, strict=True):
        action.refuse_strangers(environment, sealer, committed.read(environment), accepted)
    return sealers


def _provision(
    environment: Environment, values: GivenSecrets | None, source: OtherSource | None, progress: Progress
) -> Provision:
    if values is not None:
        return FromSecrets(environment, values)
    if source is not None:
        return source.provision(environment, progress)
    return FromSource(environment, lambda each: open_source(each, progress))


def _sealing(overlay: str | None, addresses: tuple[str, ...]) -> list[Environment]:
    """The overlays to seal: of several, those that hold anything sealed."""
    chosen = select([overlay] if overlay else [])
    sealing = [environment for environment in chosen if not isinstance(environment.backend, ExternalSecret)]
    if addresses and len(sealing or chosen) > 1:
        raise InputError(
            Mistake(
                "addresses go with one overlay",
                hint="name one of: " + ", ".join(each.name for each in sealing or chosen),
            )
        )
    if not sealing and len(chosen) > 1:
        raise InputError(Mistake("no overlay has anything to seal"))
    refuse_bad_patterns(sealing)
    return sealing or list(chosen)
