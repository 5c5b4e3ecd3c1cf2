"""What Git knows of a work tree, with nothing that the repository names being run."""

import os
import re
from collections.abc import Collection
from typing import NamedTuple

from ..errors import Mistake, Refusal, printable
from .project import Project

_PASSED = {"PATH", "HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT"}
_UNREAD = re.compile(rb"could not open directory '(.+)'")


class FileList(NamedTuple):
    """Files by their path from the project's root, and the folders that Git could not look into."""

    paths: Collection[str]
    unread: Collection[str]


def tracked(project: Project) -> Collection[str] | None:
    """Return the files that Git tracks, by their path from the project's root; None without Git.

    Raises Refusal if Git can't tell.
    """
    if project.git is None:
        return None
    files = _list_files(project)
    if files is None:
        raise Refusal(Mistake("Git can't tell which files it tracks", hint="see the reason with: git ls-files"))
    return files.paths


def not_ignored(project: Project, name: str) -> FileList | None:
    """Return the files of a name that Git tracks or does not ignore; None if Git is absent or refuses.

    A folder that is a work tree of its own is none of this one.
    """
    return _list_files(project, "--cached", "--others", "--exclude-standard", "--", f":(top,glob)**/{name}")


def tracks(path: str) -> bool:
    """Whether the work tree around a file tracks it; False where Git can't tell."""
    real = os.path.realpath(path)
    project = Project.around(os.path.dirname(real))
    command = ("ls-files", "--error-unmatch", "--", f":(top,literal){os.path.relpath(real, project.root)}")
    return project.git is not None and _answer(project, *command) is not None


def ignores(project: Project, path: str) -> bool:
    """Whether Git ignores a path, from the project's root, that need not exist; False where Git can't tell."""
    return project.git is not None and _answer(project, "check-ignore", "--quiet", "--", path) is not None


def _list_files(project: Project, *arguments: str) -> FileList | None:
    answer = _answer(project, "ls-files", "-z", *arguments)
    if answer is None:
        return None
    output, complaints = answer
    # In the middle of a merge a file is listed once for each side.
    paths = dict.fromkeys(os.fsdecode(path) for path in output.split(b"\0") if path)
    return FileList(paths, [os.fsdecode(path) for path in _UNREAD.findall(complaints)])


def last_commit(project: Project, path: str) -> str | None:
    """Return the commit that last changed a file, for a person; None if the file is not committed as it is now."""
    if project.git is None or _answer(project, "diff", "--quiet", "--no-ext-diff", "HEAD", "--", path) is None:
        return None
    log = _answer(project, "log", "-1", "--no-show-signature", "--format=%h of %as by %an: %s", "--", path)
    return printable(log[0].decode(errors="replace").strip()) if log and log[0] else None


def variables() -> dict[str, str]:
    """Return the variables of this process that Git is given.

    A hook sets GIT_DIR and others, which are of the repository that it belongs to. Git needs none of the variables
    that hold values or identities either, so it gets none of them.
    """
    return {name: text for name, text in os.environ.items() if name in _PASSED or name.startswith("GIT_CONFIG")}


def _answer(project: Project, *arguments: str) -> tuple[bytes, bytes] | None:
    """Return what Git prints and what it complains of; None if it is absent, or if it fails.

    Nearly every command of ours asks Git, and the module subprocess takes longer to import than Git to answer.
    """
    output, output_end = os.pipe()
    complaints, complaints_end = os.pipe()
    os.set_blocking(complaints_end, False)  # read only when Git has ended: what does not fit is dropped
    with open(output, "rb") as written, open(complaints, "rb") as complained:
        try:
            process = os.posix_spawnp(
                "git",
                ["git", "-c", "core.fsmonitor=false", "-C", project.root, *arguments],
                variables() | {"LC_ALL": "C"},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output_end, 1),
                    (os.POSIX_SPAWN_DUP2, complaints_end, 2),
                ],
            )
        except OSError:
            return None
        finally:
            os.close(output_end)
            os.close(complaints_end)
        content = written.read()
        _, status = os.waitpid(process, 0)
        return (content, complained.read()) if status == 0 else None
