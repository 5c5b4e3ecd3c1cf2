"""A dotenv file: NAME=value lines, values literal, one pair of single or double quotes stripped."""

import os
import re
import subprocess
from collections.abc import Collection, Mapping

from ..errors import InputError, Mistake, Place, Refusal
from ..files.project import Project, decode
from ..model.environment import Environment
from ..model.overlay import Dotenv
from ..sensitive import Sensitive
from . import missing

_BLANK = " \t\r"


class DotenvFile:
    """The values of one file; it knows no versions."""

    def __init__(self, file: str, values: Mapping[str, Sensitive]) -> None:
        self._file, self._values = file, values

    def versions(self, names: Collection[str]) -> Mapping[str, str | None]:
        """None for each variable that is there."""
        return {name: None for name in names if name in self._values}

    def read(self, names: Collection[str]) -> Mapping[str, Sensitive]:
        """The values. Raises Refusal with every variable that is missing."""
        if mistakes := missing(names, self._values, self._file):
            raise Refusal(*mistakes)
        return {name: self._values[name] for name in names}


def open_source(environment: Environment, source: Dotenv) -> DotenvFile:
    """The file that an overlay names; it must lie in the project."""
    project, path, said = environment.project, environment.path(source.file), source.origin.at("file")
    real = project.inside(path, said)
    _refuse_tracked(real, project.name(path), said)
    return _parse(project.read(path, said), project.name(path))


def open_file(path: str) -> DotenvFile:
    """The file that a user names on the command line; it may lie anywhere."""
    _refuse_tracked(os.path.realpath(path), path, None)
    try:
        with open(path, "rb") as file:
            return _parse(file.read(), path)
    except OSError as error:
        raise InputError(Mistake(f"{path}: {error.strerror}")) from None


def _refuse_tracked(real: str, shown: str, said: Place | None) -> None:
    """Plaintext in a commit is plaintext for good; Git is asked, since only it knows its index."""
    work_tree = Project.around(os.path.dirname(real))
    if work_tree.git is None:
        return
    # Asked at the root of the work tree: a folder below may hold what looks like a repository of its own, and name a
    # program in its configuration. A hook, too, is given variables that lead to another index; a user's configuration
    # may stand in variables, and says which work trees Git may trust.
    git = ["git", "--literal-pathspecs", "-c", "core.fsmonitor=false", "-C", work_tree.root]
    named = os.path.relpath(real, work_tree.root)
    leading = {name for name in os.environ if name.startswith("GIT_") and not name.startswith("GIT_CONFIG")}
    variables = {name: value for name, value in os.environ.items() if name not in leading}
    try:
        code = subprocess.run(
            [*git, "ls-files", "--error-unmatch", "--", named],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        ).returncode
    except OSError:
        return  # no Git, no commit
    if code == 0:
        hint = f"git rm --cached {shown}, add it to .gitignore, and change the values that were committed"
        raise InputError(Mistake(f"{shown} is tracked by Git", said, hint))
    if code != 1:
        hint = f"see what it says: git -C {work_tree.root} ls-files"
        raise Refusal(Mistake(f"Git can't tell whether it tracks {shown}", said, hint))


def _parse(content: bytes, file: str) -> DotenvFile:
    """Raises InputError with the line, never its text."""
    values: dict[str, Sensitive] = {}
    mistakes = []
    for number, line in enumerate(decode(content, file).split("\n"), 1):
        stripped = line.strip(_BLANK)
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.removeprefix("export ").partition("=")
        name = name.strip(_BLANK)
        if not equals or not re.fullmatch("[A-Za-z0-9_]+", name):
            mistakes.append(Mistake("expected NAME=value", Place(file, number, 1)))
        elif name in values:
            # Not named: what stands before a = may be a piece of a value of several lines.
            mistakes.append(Mistake("this name stands here twice", Place(file, number, 1)))
        else:
            values[name] = Sensitive(_unquoted(value.strip(_BLANK)).encode())
    if mistakes:
        raise InputError(*mistakes)
    return DotenvFile(file, values)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
