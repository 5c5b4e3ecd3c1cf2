"""What `check --fix` does before it checks; each change is told at once, as the next may fail."""

from collections.abc import Iterable
from datetime import UTC, datetime

import click

from ..actions import check, render
from ..actions.mend import mend
from ..actions.survey import survey
from ..errors import InputError
from ..model.resolution import Environment
from . import arguments


def mended(overlays: arguments.Overlays) -> list[Environment]:
    """The overlays, after all that has a safe mend is mended."""
    environments = _loaded(overlays)
    for environment in environments:
        tell(f"{file}: rendered" for file in render.write(environment))
    judged = check.judge(survey(environments, None, datetime.now(UTC)), None)
    tell(mend(finding.as_mistake() for finding in judged.findings))
    return _loaded(overlays)


def _loaded(overlays: arguments.Overlays) -> list[Environment]:
    """The overlays, after the mistakes in them are mended; behind one there may be another."""
    while True:
        try:
            return overlays.load()
        except InputError as error:
            done = mend(error.mistakes)
            tell(done)
            if not done:
                raise


def tell(changes: Iterable[object], err: bool = True) -> None:
    """What has been done, a line each."""
    for change in changes:
        click.echo(str(change), err=err)
