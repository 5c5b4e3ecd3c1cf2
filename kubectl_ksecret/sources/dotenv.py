"""A dotenv file, read and written in lines that all readers of such files take in the same way."""

import logging
import os
import subprocess
from collections.abc import Collection, Mapping
from itertools import pairwise

from ..errors import InputError, Mistake, Place, Refusal
from ..files import folder, git
from ..files.project import Project, decode
from ..model.resolution import Environment
from ..model.types.sources import Dotenv
from ..sensitive import Sensitive
from . import SourceValue, Version, dotenvlines

_IGNORE = "add a line for it to .gitignore, such as: .env*"
_BLANK = " \t\r"
_WRITTEN = "# written by kubectl ksecret: "


class DotenvFile:
    """The values of one file; it knows no versions. What is written carries its id in a comment above the line."""

    def __init__(self, path: str, shown: str, through: str) -> None:
        """`through` is the folder in which a new file is written before it takes the old one's place."""
        self._path, self.shown, self._through = path, shown, through
        self._values = dotenvlines.values(self._text(), shown)

    def _text(self) -> str:
        return decode(_content(self._path, self.shown), self.shown)

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """Return None for each variable that is there."""
        return {name: None for name in names if name in self._values}

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """Return the values of the variables that are there."""
        return {name: SourceValue(value=self._values[name]) for name in names if name in self._values}

    def names(self) -> Collection[str]:
        """Return the names of all variables."""
        return self._values.keys()

    def refused(self, name: str, value: Sensitive) -> str:
        """Return why no line can hold a value: it holds text of one line, which its readers must agree on."""
        if not folder.on_one_device(self._path, self._through):
            return f"{self.shown} lies on another file system than Git's folder, through which it is replaced"
        try:
            text = value.reveal().decode()
        except UnicodeDecodeError:
            return "a dotenv file holds text alone; add encoding: base64 to the key"
        if "\n" in text:
            return "a dotenv file holds values of one line; add encoding: base64 to the key"
        if dotenvlines.written(text) is None:
            return "readers of dotenv files would take this value in different ways; add encoding: base64 to the key"
        return ""

    def write(self, name: str, value: Sensitive, id_: str) -> None:
        """Set one variable; all other lines stay as they are."""

        def change(before: bytes) -> bytes:
            return _with(decode(before, self.shown), name, value, id_).encode()

        folder.rewrite(self._path, change, self._through)
        self._values = dotenvlines.values(self._text(), self.shown)

    def written(self, name: str, id_: str) -> bool:
        """Whether the comment above the variable says so."""
        lines = self._text().split("\n")
        return any(
            above.strip(_BLANK) == _WRITTEN + id_ and dotenvlines.name_of(line) == name
            for above, line in pairwise(lines)
        )


def open_source(environment: Environment, source: Dotenv) -> DotenvFile:
    """Open the file that an overlay names; it must lie in the project."""
    project, path, place = environment.project, environment.path(source.file), source.origin.at("file")
    real = project.inside(path, place)
    _refuse_tracked(real, project.name(path), place)
    project.read(path, place)
    return DotenvFile(real, project.name(path), _through(project, real))


def open_file(path: str) -> DotenvFile:
    """Open the file that a user names on the command line; it may lie anywhere."""
    real = os.path.realpath(path)
    _refuse_tracked(real, path, None)
    return DotenvFile(path, path, _through(Project.around(os.path.dirname(real)), real))


def _through(project: Project, real: str) -> str:
    """Return a folder where no commit catches what a kill leaves behind: beside the file where there is no Git."""
    return os.path.join(project.git_folder, "ksecret", "dotenv") if project.git_folder else os.path.dirname(real)


def _content(path: str, shown: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(Mistake(f"{shown}: {error.strerror}")) from None


def _refuse_tracked(real: str, shown: str, place: Place | None) -> None:
    """Plaintext in a commit is plaintext for good; Git is asked, since only it knows its index."""
    work_tree = Project.around(os.path.dirname(real))
    if work_tree.git is None:
        return
    # Asked at the root of the work tree: a folder below may hold what looks like a repository of its own, and name a
    # program in its configuration.
    command = ["git", "--literal-pathspecs", "-c", "core.fsmonitor=false", "-C", work_tree.root]
    named = os.path.relpath(real, work_tree.root)
    try:
        code = subprocess.run(
            [*command, "ls-files", "--error-unmatch", "--", named],
            env=git.variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        ).returncode
    except OSError as error:
        hint = "a dotenv file in a Git work tree is read if git says that it is not tracked: install git"
        raise Refusal(Mistake(f"git: {error.strerror}", place, hint)) from None
    if code == 0:
        hint = f"git rm --cached {shown}, add it to .gitignore, and change the values that were committed"
        raise InputError(Mistake(f"{shown} is tracked by Git", place, hint))
    if code != 1:
        hint = f"see what it says: git -C {work_tree.root} ls-files"
        raise Refusal(Mistake(f"Git can't tell whether it tracks {shown}", place, hint))
    if not git.ignores(work_tree, named):
        warning = Mistake(f"{shown} is not ignored by Git: the next commit may hold it", place, _IGNORE)
        logging.getLogger(__name__).warning("%s", warning.said("warning"))


def _with(text: str, name: str, value: Sensitive, id_: str) -> str:
    """Return the text of a file with a variable set, and the id in a comment above it."""
    lines = text.split("\n")
    index = next((number for number, line in enumerate(lines) if dotenvlines.name_of(line) == name), None)
    if index is None:
        lines[len(lines) - (not lines[-1]) :] = ["", ""]
        index = len(lines) - 2
    elif index and lines[index - 1].startswith(_WRITTEN):
        del lines[index - 1]
        index -= 1
    export = "export " if lines[index].lstrip(_BLANK).startswith("export ") else ""
    lines[index : index + 1] = [_WRITTEN + id_, f"{export}{name}={dotenvlines.written(value.reveal().decode())}"]
    return "\n".join(lines)
