"""What an import made, and what is left to do."""

import click

from ..importing import ImportReport


def print_report(report: ImportReport) -> None:
    """Print the files on standard output, and on standard error what is left to do, in its order."""
    click.echo("".join(f"{file}\n" for file in report.written), nl=False)
    for mistake in report.left:
        click.echo(mistake.said("warning"), err=True)
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    wiring = report.wiring
    for addition in wiring.additions:
        click.echo(f"{'added' if report.wired else 'add'}: {addition}", err=True)
    for removal in wiring.removals:
        click.echo(f"{'removed' if report.wired else 'remove'}: {removal}", err=True)
    for removal in wiring.later:
        click.echo(f"remove once it is sealed: {removal}", err=True)
    if wiring.unlisted:
        click.echo(f"note: nothing lists these any more, so delete them: {', '.join(wiring.unlisted)}", err=True)
    for reason in wiring.withheld:
        click.echo(f"note: {reason}", err=True)
