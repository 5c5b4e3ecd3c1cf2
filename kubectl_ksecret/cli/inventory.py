"""`kubectl ksecret list`."""

import click

from ..actions.inventory import inventory
from . import arguments
from .formats import inventory as format_


@click.command("list")
@arguments.overlays()
@arguments.output("table", "wide", "markdown", "json", "yaml")
@click.option("--differences", is_flag=True, help="Only the keys that are not the same by the overlays' patterns.")
def command(overlays: arguments.Overlays, output: str, differences: bool) -> None:
    """Show every Secret and key, the environments side by side.

    On a terminal long texts are cut to fit; -o wide shows all of them.

    \b
    Examples:
      kubectl ksecret list
      kubectl ksecret list --differences
      kubectl ksecret list -o markdown > docs/secrets.md
    """
    text = format_.text(inventory(overlays.load(), differences), output, arguments.terminal_width())
    click.echo(text, nl=False)
