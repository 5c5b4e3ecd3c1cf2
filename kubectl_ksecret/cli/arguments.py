"""Arguments that several commands take."""

import shutil
import sys
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from ..errors import InputError, Mistake
from ..model.loading import select
from ..model.resolution import Environment

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Overlays(tuple[str, ...]):
    """The OVERLAY arguments as they were typed."""

    def load(self) -> list[Environment]:
        """The overlays they mean. Raises InputError with every mistake in them."""
        return select(self)


class OneOverlay(str):
    """The OVERLAY argument of a command that works on one."""

    def load(self) -> Environment:
        """The overlay that it means. Raises InputError with every mistake in it, and if it means several."""
        environments = select([self])
        if len(environments) > 1:
            names = ", ".join(environment.name for environment in environments)
            raise InputError(Mistake("this command works on one overlay", hint=f"name one of: {names}"))
        return environments[0]


def one_overlay() -> Decorator:
    """One OVERLAY argument."""
    return click.argument("overlay", metavar="OVERLAY", callback=lambda _context, _parameter, given: OneOverlay(given))


def overlays() -> Decorator:
    """Any number of OVERLAY arguments."""
    return click.argument(
        "overlays", nargs=-1, metavar="[OVERLAY]...", callback=lambda _context, _parameter, given: Overlays(given)
    )


def is_given(parameter: str) -> bool:
    """Whether a parameter of the running command was typed, be it with its default."""
    return click.get_current_context().get_parameter_source(parameter) is ParameterSource.COMMANDLINE


def terminal_width() -> int | None:
    """Return how wide the terminal is that the result goes to; None if it goes elsewhere, where all of it is kept."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def output(default: str, *formats: str) -> Decorator:
    """-o, the output format."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice((default, *formats)),
        default=default,
        help="Format of the output.",
        show_default=True,
    )
