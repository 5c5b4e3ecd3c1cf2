"""A progress bar, or a line of what is waited for, on a terminal; nothing elsewhere."""

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

import click

from ..sources import Progress


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


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows on a terminal what is waited for, in one line that is gone at the end."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _text: None
        return
    erase = "\r\x1b[K"
    try:
        yield lambda text: click.echo(f"{erase}{text[: shutil.get_terminal_size().columns - 1]}", nl=False, err=True)
    finally:
        click.echo(erase, nl=False, err=True)
