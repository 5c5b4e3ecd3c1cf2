"""A progress bar on a terminal; nothing elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..actions.seal import Progress


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """A function that is told how many of how many are done."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with click.progressbar(length=0, label=label, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show
