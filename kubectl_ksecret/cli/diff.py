"""`kubectl ksecret diff`."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..actions import diff as action
from ..actions.belonging import belonging
from ..sources import open_source
from . import arguments, external_diff, kubectl
from .formats import diff as format_
from .progress import progress_bar

if TYPE_CHECKING:
    from ..cluster.api import Api


@click.command("diff")
@arguments.parts()
@arguments.output("diff", "name", "json", "yaml")
@kubectl.flags()
def command(parts: arguments.Parts, output: str, connect: Callable[[], "Api"]) -> None:
    """Show what differs between overlays' Secrets and the cluster, without any value.

    A value is *** on both sides; of a key that is sealed anew since it arrived, they are *** (before) and *** (after).
    What the server fills in is no difference. KUBECTL_EXTERNAL_DIFF names the program that shows it, as for kubectl
    diff.

    Exit codes, as those of kubectl diff: 0 no difference; 1 differences; 2 or 3 an error.

    \b
    Examples:
      kubectl ksecret diff prod
      kubectl ksecret diff prod backend-secrets --context shop-prod
      kubectl ksecret diff prod -l team=payments -o name
    """
    environments, api = parts.load(), connect()
    chosen = belonging(environments, api, "diff")
    request = action.DiffRequest(addresses=parts.addresses, selector=parts.selector)
    with progress_bar("asking") as progress:
        diffs = [
            action.diff(environment, api, request, lambda one: open_source(one, progress))
            for environment in chosen.environments
        ]
    if output == "diff" and os.environ.get(external_diff.VARIABLE):
        external_diff.show(diffs, os.environ)
    else:
        click.echo(format_.text(diffs, output), nl=False)
    for note in format_.notes(diffs):
        click.echo(note, err=True)
    differs = any(diff.differing for diff in diffs)
    sys.exit(max(parts.report(chosen), 1 if differs else 0))
