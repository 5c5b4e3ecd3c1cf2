"""`kubectl ksecret render`."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence

import click

from ..actions import render as action
from ..checks import Finding
from ..model.resolution import Environment
from . import arguments, plaintext
from .formats import objects as format_
from .progress import progress_bar


@click.command("render")
@arguments.overlays()
@arguments.output("yaml", "json", "name")
@click.option("--write", is_flag=True, help="Keep the committed manifests: do all that needs no value.")
@click.option("--check", is_flag=True, help="Exit with 1 and list the files that --write would change.")
@click.option("--decrypt", is_flag=True, help="Show the plain Secrets of a sops or secret overlay, for a pipe.")
@plaintext.allow_terminal()
def command(
    overlays: arguments.Overlays, output: str, write: bool, check: bool, decrypt: bool, allow_terminal: bool
) -> None:
    """Show the objects of environments, or keep their committed manifests.

    \b
    Examples:
      kubectl ksecret render test
      kubectl ksecret render --write
      kubectl ksecret render --check
      kubectl ksecret render prod --decrypt | kubectl apply --server-side --field-manager=ksecret -f -
    """
    if write + check + decrypt > 1:
        raise click.UsageError("--write, --check and --decrypt exclude each other.")
    if (write or check) and arguments.is_given("output"):
        raise click.UsageError("--write and --check list files; --output is of what is shown.")
    if decrypt:
        plaintext.begin(allow_terminal)
        _decrypt(overlays.load(), output)
        return
    environments = overlays.load()
    if check or write:
        sys.exit(1 if _keep(environments, action.outdated if check else action.write) and check else 0)
    rendered = [action.render(environment) for environment in environments]
    _stop_at(finding for each in rendered for finding in each.findings)
    click.echo(format_.text([document for each in rendered for document in each.objects], output), nl=False)


def _keep(environments: Iterable[Environment], change: Callable[[Environment], list[str]]) -> bool:
    """Whether files differ; each is named at once, as the next overlay may fail."""
    found = False
    for environment in environments:
        files = change(environment)
        click.echo("".join(f"{file}\n" for file in files), nl=False)
        found = found or bool(files)
    return found


def _decrypt(environments: Sequence[Environment], output: str) -> None:
    from ..actions.decrypt import decrypt
    from ..sources import open_source

    with progress_bar("reading") as progress:
        opened = [decrypt(one, os.environ, lambda asked: open_source(asked, progress)) for one in environments]
    _stop_at(finding for each in opened for finding in each.findings)
    for warning in (warning for one in opened for warning in one.warnings):
        click.echo(warning.said("warning"), err=True)
    plaintext.write([secret for one in opened for secret in one.secrets], output)


def _stop_at(findings: Iterable[Finding]) -> None:
    found = list(findings)
    for finding in found:
        click.echo(finding, err=True)
    if found:
        sys.exit(1)
