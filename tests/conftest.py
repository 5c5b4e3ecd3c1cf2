"""Options of the test run."""

import signal

import pytest

# A shell starts what it puts in the background with Ctrl-C ignored, and so would every command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes what the golden cases expect, to be read before it is committed."""
    parser.addoption("--update-golden", action="store_true", help="write the expected output of the golden cases")
