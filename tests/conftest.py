"""Options of the test run."""

import signal
from collections.abc import Iterator

import pytest

from .openbao import PROGRAM, OpenBao
from .peers import missing

# A shell starts what it puts in the background with Ctrl-C ignored, and so would every command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes what the golden cases expect, to be read before it is committed."""
    parser.addoption("--update-golden", action="store_true", help="write the expected output of the golden cases")


@pytest.fixture(scope="session")
def bao() -> Iterator[OpenBao]:
    """The real OpenBao; each test mounts an engine of its own there."""
    if not PROGRAM.exists():
        missing("bao")
    with OpenBao() as server:
        yield server
