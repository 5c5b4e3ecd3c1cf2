"""The program of KUBECTL_EXTERNAL_DIFF, run as kubectl runs it: on two folders, with an argument list and no shell."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from tempfile import TemporaryDirectory

from ..actions.diff import Diff
from ..errors import Mistake, Refusal, shown
from .formats import diff as format_

VARIABLE = "KUBECTL_EXTERNAL_DIFF"
# kubectl itself passes on nothing else: paths and what a shell would take for more are left out.
_PASSED_ON = re.compile(r"[a-zA-Z0-9-=]+")


def show(diffs: Sequence[Diff], variables: Mapping[str, str]) -> None:
    """Let the program show what differs. The files that it gets are value-free, and gone when it ends.

    Raises Refusal if it can't be run, or ends with more than 1, by which such programs say that they failed.
    """
    program, *words = variables[VARIABLE].split(" ")
    with TemporaryDirectory(prefix="LIVE-") as live, TemporaryDirectory(prefix="BUILT-") as built:
        for diff in diffs:
            for one in diff.differing:
                name = f"{diff.namespace}.{one.name.replace('/', '.')}"
                for folder, lines in zip((live, built), format_.both_texts(one), strict=True):
                    if lines:
                        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                            file.writelines(lines)
        command = [program, live, built, *filter(_PASSED_ON.fullmatch, words)]
        try:
            code = subprocess.run(command, check=False).returncode
        except OSError as error:
            raise _refusal(program, error.strerror or "it can't be run") from None
    if code not in (0, 1):
        raise _refusal(program, f"it ended with exit code {code}")


def _refusal(program: str, cause: str) -> Refusal:
    return Refusal(Mistake(f"{shown(program)}: {cause}", hint=f"{VARIABLE} names this program"))
