"""Options of the test run."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes what the golden cases expect, to be read before it is committed."""
    parser.addoption("--update-golden", action="store_true", help="write the expected output of the golden cases")
