"""The command line: a module a command, imported when it is called."""

import gc
import os
import sys
from contextlib import suppress


def main() -> None:
    """Entry point of `kubectl ksecret`."""
    gc.disable()  # nothing lives longer than the process; what is imported is much of it
    from .commands import run

    code = run()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None where the caller closed it
            with suppress(OSError):  # each line is flushed when it is said, so it has been told already
                stream.flush()
    os._exit(code)  # tearing the interpreter down takes 10 ms
