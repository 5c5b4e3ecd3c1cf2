"""ksecret-fn: the KRM generator. It starts on every build, so it imports only what it needs."""

import gc
import os
import sys
from typing import NoReturn


def main() -> None:
    """Entry point: nothing on standard output unless all went well."""
    gc.disable()  # nothing lives longer than the process; what is imported is much of it
    try:
        _generate()
    except KeyboardInterrupt:
        os._exit(130)


def _generate() -> None:
    from ..errors import InputError

    try:
        _run()
    except InputError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:  # the reader has seen enough
        os._exit(0)
    except OSError as error:  # a full disk, a folder that is gone
        _fail(f"error: {error.strerror}", 3)


def _run() -> NoReturn:
    from ..errors import Mistake, Refusal
    from .generator import generate

    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None:  # as a shell closes it with <&-
            raise Refusal(Mistake(f"standard {name} is closed"))
    generated = generate(sys.stdin.buffer.read(), os.getcwd())
    sys.stdout.write(generated.text)
    sys.stdout.flush()
    os._exit(0)  # tearing the interpreter down, and what was generated, takes longer than the work


def _fail(message: str, code: int) -> NoReturn:
    try:
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()
    except (OSError, AttributeError):  # there is nowhere to print it; the exit code says it
        pass
    os._exit(code)
