"""How long a command takes to start: what a user waits for before any work is done."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from . import tools
from .measure import Line, compare, run


def lines(programs: Path, folder: Path) -> Iterator[Line]:
    """The help, and the sample rendered, beside a Python that does nothing."""
    for name in ("generators", "overlays"):
        shutil.copytree(tools.ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    python = partial(run, programs / "python", "-c", "pass", folder=folder)
    for argument in ("--help", "render"):
        ours = partial(run, programs / "kubectl-ksecret", argument, folder=folder)
        yield compare(f"kubectl-ksecret {argument}, beside python -c pass", ours, python, seconds=4)
