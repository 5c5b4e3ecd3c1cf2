"""Questions to the user, on the terminal itself: standard input and output may be pipes."""

import os
from collections.abc import Callable, Collection, Mapping

from ..actions.trust import VARIABLE, Consent


def consent(accepted: Collection[str], variables: Mapping[str, str]) -> Consent:
    """Return what the user agrees to on the command line and in the environment, and how to ask for the rest.

    With CI set nobody is asked, though a pipeline may have a terminal.
    """
    tokens = variables.get(VARIABLE, "").split()
    return Consent(accepted=accepted, tokens=tokens, ask=None if variables.get("CI") else _terminal())


def _terminal() -> Callable[[str], bool] | None:
    """Return a question on the process's terminal; None where it has none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return None
    return _ask


def _ask(question: str) -> bool:
    with open("/dev/tty", "r+b", buffering=0) as terminal:
        terminal.write(f"{question} [y/N]: ".encode())
        answer = terminal.read(64) or b""
    return answer.strip().lower() in (b"y", b"yes")
