"""`kubectl ksecret rotate`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from ..actions import rotate as action
from ..errors import InputError, Mistake
from ..model.loading import select
from ..sealing import open_sealer
from ..sensitive import forbid_core_dumps
from ..sources import open_source, open_writable
from . import asking, given
from .formats import rotate as format_
from .progress import progress_bar


@click.command("rotate")
@click.argument("overlay")
@click.argument("address", metavar="SECRET/KEY")
@click.option("--generate", is_flag=True, help="Make the value as its declaration says; so it is without an option.")
@click.option("--from-stdin", is_flag=True, help="Take the new value from standard input, or ask for it.")
@click.option("--accept", multiple=True, metavar="SHA256:…|age1…", help="Seal for this new certificate or recipient.")
@click.option("--yes", is_flag=True, help="Do not ask before anything is done.")
@click.option("--dry-run", is_flag=True, help="Show the plan, and do nothing.")
def command(
    overlay: str,
    address: str,
    generate: bool,
    from_stdin: bool,
    accept: tuple[str, ...],
    yes: bool,
    dry_run: bool,
) -> None:
    """Give a key a new value: in its source, and in every overlay that reads it there.

    The plan is shown first. A rotation that was interrupted is finished by the same command: exactly one new version.

    \b
    Examples:
      kubectl ksecret rotate prod backend-secrets/jwt-secret
      kubectl ksecret rotate prod backend-secrets/api-key --from-stdin --yes < new-key
    """
    if generate and from_stdin:
        raise click.UsageError("--generate and --from-stdin exclude each other.")
    forbid_core_dumps()
    chosen = select([overlay])
    now = datetime.now(UTC)
    plan = action.plan(chosen, address)
    if dry_run:
        click.echo(format_.plan(plan), nl=False)
        return
    consent = asking.consent(accept, os.environ)
    action.refuse_untrusted(plan, lambda environment: open_sealer(environment, now, os.environ), consent)
    source = open_writable(chosen[0], _unseen)
    value = given.one(address) if from_stdin else action.new_value(plan)
    click.echo(format_.plan(plan), nl=False, err=True)
    if not yes:
        _confirm()
    with progress_bar("sealing") as progress, _saying_how_to_go_on():
        ports = action.Ports(
            opened_by=lambda environment: open_source(environment, _unseen),
            sealer=lambda environment: open_sealer(environment, now, os.environ),
            progress=progress,
        )
        done = action.rotate(plan, source, value, ports, now)
    click.echo(format_.done(done), nl=False)
    if from_stdin and not done.used:
        hint = "run the same command again: it begins a new rotation"
        click.echo(Mistake("the value that was given is not used: another one stood", hint=hint), err=True)
        sys.exit(1)


@contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("hint: run the same command again: it finishes what has begun", err=True)
        raise


def _unseen(_done: int, _total: int) -> None:
    """Reading one name is too short for a bar."""


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise InputError(Mistake("nobody can be asked here whether to go on", hint="add --yes"))
    if not click.confirm("Go on?", err=True):
        click.echo("nothing was done", err=True)
        sys.exit(1)
