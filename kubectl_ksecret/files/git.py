"""What Git says of a work tree, with nothing that the repository names being run."""

import os
import subprocess
from collections.abc import Collection

from ..errors import Mistake, Refusal
from .project import Project


def tracked(project: Project) -> Collection[str] | None:
    """The files that Git tracks, by their path from the project's root; None without Git.

    Raises Refusal if Git can't tell.
    """
    if project.git is None:
        return None
    variables = {n: v for n, v in os.environ.items() if not n.startswith("GIT_") or n.startswith("GIT_CONFIG")}
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", project.root, "ls-files", "-z"],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        done = None
    if done is None or done.returncode != 0:
        raise Refusal(Mistake("Git can't tell which files it tracks", hint="see what it says: git ls-files"))
    # In the middle of a merge a file is listed once for each side.
    return dict.fromkeys(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)
