"""ksecret-fn: the KRM generator. It starts on every build, so it imports only what it needs."""

import gc
import os
import sys


def main() -> None:
    """Entry point: nothing on standard output unless all went well."""
    gc.disable()  # nothing lives longer than the process; what is imported is much of it
    from ..errors import InputError
    from .generator import generate

    try:
        generated = generate(sys.stdin.buffer.read(), os.getcwd())
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(generated.text)
    sys.stdout.flush()
    os._exit(0)  # tearing the interpreter down takes longer than the work
