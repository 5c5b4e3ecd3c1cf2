"""`kubectl ksecret render`."""

import os
import shlex
import sys
from collections.abc import Sequence

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
        differs = False
        # Each file is named at once, as the next overlay may fail.
        for file in action.outdated_files(environments) if check else action.written_files(environments):
            click.echo(file)
            differs = True
        if check and differs:
            click.echo(f"hint: run: {shlex.join(('kubectl', 'ksecret', 'render', *overlays, '--write'))}", err=True)
        sys.exit(1 if check and differs else 0)
    rendered = action.render_all(environments)
    _stop_at(rendered.findings)
    click.echo(format_.text(rendered.objects, output), nl=False)


def _decrypt(environments: Sequence[Environment], output: str) -> None:
    from ..actions.decrypt import decrypt_all
    from ..sources import open_source

    with progress_bar("reading") as progress:
        decrypted = decrypt_all(environments, os.environ, lambda environment: open_source(environment, progress))
    _stop_at(decrypted.findings)
    for warning in decrypted.warnings:
        click.echo(warning.said("warning"), err=True)
    plaintext.write(decrypted.secrets, output)


def _stop_at(findings: Sequence[Finding]) -> None:
    for finding in findings:
        click.echo(finding, err=True)
    if findings:
        sys.exit(1)
