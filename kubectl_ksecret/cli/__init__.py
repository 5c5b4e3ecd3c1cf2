"""The command line: a module a command, imported when it is called."""

import gc
import os
import sys
from contextlib import suppress


def main() -> None:
    """Entry point of `kubectl ksecret`."""
    gc.disable()  # nothing lives longer than the process; what is imported is much of it
    try:
        from .commands import run

        code = run()
    except KeyboardInterrupt:  # before there is a command that could say anything
        code = 130
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None where the caller closed it
            with suppress(
                OSError
            ):  # each line is flushed when it is printed, so a reader that has gone was noticed already
                stream.flush()
    os._exit(code)  # tearing the interpreter down takes 10 ms
