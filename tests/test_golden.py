"""Golden cases: tests/testdata/COMMAND/CASE/ holds a project and what a command must say of it.

README     first line: one sentence of what the case shows
in/        the project, as a user has it; its copy is a Git work tree, whose files are tracked
args       the command line after `kubectl ksecret`
out.yaml   standard output; without it there must be none
error.txt  `exit N`, then standard error; without it the command must end with 0 and say nothing
"""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from .projects import COMMAND

TESTDATA = Path(__file__).parent / "testdata"
CASES = sorted(path.parent for path in TESTDATA.glob("*/*/args"))


class Said(NamedTuple):
    """What a command did, as a case's files hold it."""

    out: str
    error: str


def said(case: Path, folder: Path) -> Said:
    """What the command of a case says in a copy of its project."""
    shutil.copytree(case / "in", folder, symlinks=True)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "add", "--all"], check=True)
    command = [COMMAND, *shlex.split((case / "args").read_text())]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60)
    error = f"exit {done.returncode}\n{done.stderr.decode()}" if done.returncode or done.stderr else ""
    return Said(done.stdout.decode(), error)


def expected(case: Path) -> Said:
    """What the files of a case hold."""
    return Said(*(path.read_text() if path.exists() else "" for path in (case / "out.yaml", case / "error.txt")))


def update(case: Path, found: Said) -> None:
    """Write what a case expects."""
    for path, text in ((case / "out.yaml", found.out), (case / "error.txt", found.error)):
        path.unlink(missing_ok=True)
        if text:
            path.write_text(text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "/".join(case.parts[-2:]))
def test_a_command_says_exactly_what_its_golden_case_holds(
    case: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """The README of the case says what is shown; the real command runs as a process."""
    found = said(case, tmp_path / "project")
    if pytestconfig.getoption("--update-golden"):
        update(case, found)
    assert found == expected(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "/".join(case.parts[-2:]))
def test_a_golden_case_says_in_a_sentence_what_it_shows(case: Path) -> None:
    """A stranger learns from the first line of README what to look at."""
    first, *_ = (case / "README").read_text().splitlines()
    assert first[0].isupper() and first.endswith(".") and len(first) <= 120


def test_every_golden_folder_is_a_case() -> None:
    """A folder without args would never run."""
    assert [path for path in TESTDATA.glob("*/*") if path not in CASES] == []
