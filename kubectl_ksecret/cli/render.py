"""`kubectl ksecret render`."""

import sys

import click

from ..actions import render as action
from . import arguments
from .formats import objects as format_


@click.command("render")
@arguments.overlays()
@arguments.output("yaml", "json", "name")
@click.option("--write", is_flag=True, help="Keep the committed manifests: do all that needs no value.")
@click.option("--check", is_flag=True, help="Exit with 1 and list the files that --write would change.")
def command(overlays: arguments.Overlays, output: str, write: bool, check: bool) -> None:
    """Show the objects of environments, or keep their committed manifests.

    \b
    Examples:
      kubectl ksecret render test
      kubectl ksecret render --write
      kubectl ksecret render --check
    """
    environments = overlays.load().chosen
    if write or check:
        files = [
            file for environment in environments for file in (action.outdated if check else action.write)(environment)
        ]
        click.echo("".join(f"{file}\n" for file in files), nl=False)
        sys.exit(1 if check and files else 0)
    rendered = [action.render(environment) for environment in environments]
    findings = [finding for each in rendered for finding in each.findings]
    for finding in findings:
        click.echo(finding, err=True)
    if findings:
        sys.exit(1)
    click.echo(format_.text([document for each in rendered for document in each.objects], output), nl=False)
