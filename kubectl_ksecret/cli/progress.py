"""A progress bar, or a line of what is waited for, on a terminal; nothing elsewhere."""

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

import click

from ..sources import Progress

_ERASE = "\r\x1b[K"


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """Yield a function to call with how many of how many are done; the bar shows from its first call to its last."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    _show_notices(sys.stderr)
    with ExitStack() as shown:
        bar: Any = None

        def show(done: int, total: int) -> None:
            nonlocal bar
            bar = bar or shown.enter_context(click.progressbar(length=total, label=label, file=sys.stderr))
            bar.update(done - bar.pos)
            if done == total:
                shown.close()
                bar = None

        yield show


def _show_notices(terminal: TextIO) -> None:
    """Show what a source says of a long wait."""
    logger = logging.getLogger("kubectl_ksecret.sources")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler(terminal))
        logger.setLevel(logging.INFO)


class StatusLine:
    """A line on a terminal that says what is waited for; nothing elsewhere. It is taken away before anything else."""

    def __init__(self) -> None:
        self.is_on_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._shows = False

    def show(self, text: str) -> None:
        """Show a text, as far as it fits."""
        if self.is_on_terminal:
            click.echo(f"{_ERASE}{text[: shutil.get_terminal_size().columns - 1]}", nl=False, err=True)
            self._shows = True

    def clear(self) -> None:
        """Take the line away."""
        if self._shows:
            click.echo(_ERASE, nl=False, err=True)
            self._shows = False


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows on a terminal what is waited for, in one line that is gone at the end."""
    line = StatusLine()
    try:
        yield line.show
    finally:
        line.clear()
