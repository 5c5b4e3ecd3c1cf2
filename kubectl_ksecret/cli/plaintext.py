"""Plain Secrets go to standard output and nowhere else: into a pipe."""

import json
import os
import stat
import sys
from collections.abc import Sequence

import click

from ..errors import InputError, Mistake
from ..sensitive import Sensitive, forbid_core_dumps
from .arguments import Decorator
from .formats import objects as format_

# Client-side apply would store every value a second time, in an annotation.
_PIPE = "pipe them: … | kubectl apply --server-side --field-manager=ksecret -f -"


def allow_terminal() -> Decorator:
    """--allow-terminal."""
    return click.option("--allow-terminal", is_flag=True, help="Show plain values on a terminal too.")


def begin(allow_terminal: bool) -> None:
    """Call it before a value is read. Raises InputError where values would stay: in a file, or on a screen unasked."""
    forbid_core_dumps()
    if sys.stdout is None:
        raise InputError(Mistake("standard output is closed", hint=_PIPE))
    if stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
        raise InputError(Mistake("plain values are never written to a file", hint=_PIPE))
    if sys.stdout.isatty() and not allow_terminal:
        raise InputError(Mistake("plain values are not shown on a terminal", hint="pipe them, or add --allow-terminal"))


def write(secrets: Sequence[Sensitive], output: str) -> None:
    """Write Secrets, each JSON, in the output format."""
    click.echo(format_.text([json.loads(secret.reveal()) for secret in secrets], output), nl=False)
