"""What Git says of a work tree, with nothing that the repository names being run."""

import os
import subprocess
from collections.abc import Collection

from ..errors import Mistake, Refusal, printable
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


def last_commit(project: Project, path: str) -> str | None:
    """Return the commit that last changed a file, for a person; None if the file is not committed as it is now."""
    if project.git is None or _run(project, "diff", "--quiet", "--no-ext-diff", "HEAD", "--", path) is None:
        return None
    log = _run(project, "log", "-1", "--no-show-signature", "--format=%h of %as by %an: %s", "--", path)
    return printable(log.decode(errors="replace").strip()) if log else None


def _run(project: Project, *arguments: str) -> bytes | None:
    """Return what Git prints; None if it fails. Nothing that the repository names is run."""
    variables = {n: v for n, v in os.environ.items() if not n.startswith("GIT_") or n.startswith("GIT_CONFIG")}
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", project.root, *arguments],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
