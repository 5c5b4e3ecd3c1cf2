"""Arguments that several commands take."""

import shutil
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import InputError, Mistake, shown
from ..model.loading import select
from ..model.resolution import Environment
from ..objects.selectors import parse

if TYPE_CHECKING:
    from ..actions.belonging import Belonging

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


class Parts:
    """The overlays that a command of the live cluster works on, and which of their Secrets."""

    def __init__(
        self, overlay: str | None, addresses: Sequence[str], selector: str | None, *, everything: bool
    ) -> None:
        if everything and overlay is not None:
            raise click.UsageError("--all-namespaces is for all overlays; leave out OVERLAY, or the option.")
        if selector is not None and addresses:
            raise click.UsageError("Name Secrets, or select them by labels; not both.")
        self.addresses = addresses
        self.selector = parse(selector) if selector is not None else None
        self._overlay = overlay

    def load(self) -> list[Environment]:
        """The overlays that are meant. Raises InputError with every mistake in them, and if no label matches."""
        environments = select([self._overlay] if self._overlay is not None else [])
        labels = [secret.declaration.spec.labels for one in environments for secret in one.secrets.values()]
        if self.selector is not None and not any(map(self.selector.matches, labels)):
            raise InputError(Mistake(f"no Secret is declared with labels such as {shown(self.selector.text)}"))
        return environments

    def report(self, chosen: "Belonging") -> int:
        """Print which overlays were left out and why; return the exit code that this alone means."""
        for name in chosen.elsewhere:
            click.echo(f"note: {shown(name)} belongs to another cluster", err=True)
        for mistake in chosen.unknown:
            click.echo(mistake, err=True)
        return 2 if chosen.unknown else 0


def parts() -> Decorator:
    """OVERLAY, ADDRESS..., -l and -A; the command gets `parts`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_parts(
            overlay: str | None, addresses: tuple[str, ...], selector: str | None, all_namespaces: bool, **others: Any
        ) -> Any:
            return command(parts=Parts(overlay, addresses, selector, everything=all_namespaces), **others)

        decorated: Callable[..., Any] = with_parts
        for option in (
            click.option("-A", "--all-namespaces", is_flag=True, help="All overlays that are pinned to the cluster."),
            click.option("-l", "--selector", metavar="LABELS", help="The Secrets that are declared with these labels."),
            click.argument("addresses", nargs=-1, metavar="[ADDRESS]..."),
            click.argument("overlay", required=False),
        ):
            decorated = option(decorated)
        return decorated

    return decorate


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
