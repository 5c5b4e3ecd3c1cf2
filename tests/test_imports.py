"""A word of help, a rendering and a list import only what they need; test_function.py holds the same of a build."""

import subprocess
import sys

import pytest

from .peers import ROOT


def imported(code: str) -> set[str]:
    """The top modules that a fresh interpreter has after running code in the sample."""
    program = f"{code}\nimport sys\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("arguments", [["--help"], ["render", "test"], ["render", "prod"], ["list"]])
def test_help_render_and_list_import_no_azure_and_no_cryptography(arguments: list[str]) -> None:
    """Only what reads or seals values loads what that takes."""
    code = f"from kubectl_ksecret.cli.commands import group\ngroup({arguments!r}, standalone_mode=False)"
    assert imported(code) & {"azure", "cryptography", "kubernetes", "pyrage", "requests"} == set()
