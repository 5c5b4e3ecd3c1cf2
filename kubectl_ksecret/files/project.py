"""The project's files: every path that one of them names must lie in it, symlinks followed."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Self

from ..errors import InputError, Mistake, Place, printable

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a named pipe in a repository must not hang a build
NOT_OURS = {"node_modules", "testdata"}


class Project:
    """The Git work tree around an overlay; without Git, the folder that the command is given."""

    def __init__(self, root: str, shown_from: str | None = None) -> None:
        self.root = os.path.realpath(root)
        self._shown_from = os.path.join(os.path.realpath(shown_from or "."), "")
        self._real_folders: dict[str, str] = {}
        self._warned: set[str] = set()
        self._found: dict[str, list[str]] = {}
        self._planned: Mapping[str, bytes] = {}

    @classmethod
    def around(cls, path: str, shown_from: str | None = None) -> Self:
        """Return the work tree that holds `path`, or the folder itself; messages name files from `shown_from`."""
        start = folder = os.path.realpath(path)
        while not os.path.exists(os.path.join(folder, ".git")):
            folder, below = os.path.dirname(folder), folder
            if folder == below:
                return cls(start, shown_from)
        return cls(folder, shown_from)

    def with_files(self, contents: Mapping[str, bytes]) -> "Project":
        """Return the project as it will be when it has these files, by their paths: what is read finds them there."""
        project = Project(self.root, self._shown_from)
        project._planned = contents
        return project

    @property
    def git(self) -> str | None:
        """Return the project's `.git`, a folder or (in a linked work tree) a file."""
        path = os.path.join(self.root, ".git")
        return path if os.path.exists(path) else None

    @property
    def git_folder(self) -> str | None:
        """Return Git's own folder of this work tree, which no commit holds; None without Git, or where it is gone."""
        if self.git is None or os.path.isdir(self.git):
            return self.git
        with open(self.git, "rb") as file:
            kind, _, named = os.fsdecode(file.read()).partition(": ")
        folder = os.path.join(self.root, named.rstrip("\r\n"))
        # Else what is written there would lie anywhere: in the work tree, or where another one has been.
        return folder if kind == "gitdir" and os.path.isfile(os.path.join(folder, "HEAD")) else None

    @property
    def common_git_folder(self) -> str | None:
        """Return Git's folder that all linked work trees have in common."""
        if self.git_folder is None:
            return None
        try:
            with open(os.path.join(self.git_folder, "commondir"), "rb") as file:
                return os.path.normpath(os.path.join(self.git_folder, os.fsdecode(file.read()).strip()))
        except FileNotFoundError:
            return self.git_folder

    def name(self, path: str) -> str:
        """Return the path as messages show it; a stranger's file name can't move the cursor or break a line."""
        full = os.path.abspath(path)
        if full.startswith(self._shown_from):
            shown = full[len(self._shown_from) :]
        else:
            shown = min(os.path.relpath(full, self._shown_from), full, key=len)
        return printable(shown)

    def shown_as(self, name: str) -> str:
        """Return the path of what messages show by this name."""
        return os.path.normpath(os.path.join(self._shown_from, name))

    def from_root(self, name: str) -> str:
        """Return the path from the project's root of a file that a message names."""
        return os.path.relpath(self.shown_as(name), self.root)

    def inside(self, path: str, place: Place | None = None) -> str:
        """Return the real path.

        Raises InputError at the place that named it if that is outside the project, or in Git's own folder: hooks and
        configuration there are run.
        """
        real = os.path.realpath(path)
        if self._is_gits(real):
            raise InputError(Mistake(f"{self.name(path)} lies in Git's own folder", place))
        if not self._holds(real):
            hint = (
                "" if self.git else f"no Git work tree was found around {self.root}; the project is that folder alone"
            )
            raise InputError(Mistake(f"{self.name(path)} lies outside the project", place, hint))
        return real

    def _holds(self, real: str) -> bool:
        inside = real == self.root or real.startswith(os.path.join(self.root, ""))
        return inside and not self._is_gits(real)

    def _is_gits(self, real: str) -> bool:
        """Whether a real path lies in a `.git` of the project, by any spelling that a file system takes for it."""
        return ".git" in real[len(self.root) :].lower().split(os.sep) if real.startswith(self.root) else False

    def read(self, path: str, place: Place | None = None) -> bytes:
        """Return the bytes of a regular file. Raises InputError at the place that named it."""
        if path in self._planned:
            return self._planned[path]
        try:
            return _read(self._open(path, place))
        except OSError as error:
            reason = error.strerror or "can't be read"
            raise InputError(Mistake(f"{self.name(path)}: {reason}", place)) from None

    def read_text(self, path: str, place: Place | None = None) -> str:
        """Return the text of a UTF-8 file. Raises InputError as `read` does, and at the first byte that is not."""
        return decode(self.read(path, place), self.name(path))

    def read_if_there(self, path: str) -> bytes | None:
        """Return the bytes of a file that need not exist; None of one that does not."""
        try:
            return _read(self._open(path, None))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(Mistake(f"{self.name(path)}: {error.strerror}")) from None

    def beginning(self, path: str, size: int) -> bytes | None:
        """Return the first bytes of a regular file of the project; None of a symlink, and of all else."""
        try:
            return _read(self._open_itself(path, None), size)
        except (OSError, InputError):
            return None

    def _open_itself(self, path: str, place: Place | None) -> int:
        """Open a file that is no symlink; those of the folders above are followed."""
        folder, name = os.path.split(path)
        real = self._real_folders.get(folder)
        if real is None:
            real = self._real_folders[folder] = self.inside(folder, place)
        if name.lower() == ".git":  # in a linked work tree it is a file
            self.inside(path, place)
        return os.open(os.path.join(real, name), _READ | os.O_NOFOLLOW)

    def _open(self, path: str, place: Place | None) -> int:
        try:
            return self._open_itself(path, place)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        return os.open(self.inside(path, place), _READ | os.O_NOFOLLOW)

    def yaml_files(self, path: str, place: Place | None = None) -> Iterator[str]:
        """Yield the YAML files of a folder, read recursively, hidden ones left out, or the one file."""
        if not os.path.isdir(self.inside(path, place)):
            yield path
            return
        yield from self._walk(path, place, set())

    def _walk(self, folder: str, place: Place | None, seen: set[str]) -> Iterator[str]:
        real = self.inside(folder, place)
        if real in seen:
            return
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(Mistake(f"{self.name(folder)}: {error.strerror}", place)) from None
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry) and (not entry.is_symlink() or self._holds(os.path.realpath(entry.path))):
                yield from self._walk(entry.path, place, seen)
            elif _is_folder(entry):
                yield entry.path  # it leads out of the project, which reading it says
            elif entry.name.endswith((".yaml", ".yml")):
                yield entry.path

    def find(self, name: str, folder: str | None = None) -> list[str]:
        """Return the files of a name in the project, or below a folder that the user names.

        These are the files that Git tracks or does not ignore and that exist, hidden folders included, but none below
        testdata or node_modules or in a work tree of its own. A folder in which Git knows of none is walked by the
        same rules, as is a project of which it knows nothing.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        if folder is None or folder == self.root:
            return [path for path in self._found[name] if self._is_ours(path, self.root)]
        below = os.path.join(folder, "")
        files = [path for path in self._found[name] if path.startswith(below) and self._is_ours(path, folder)]
        return files or list(self._walked(name, folder))

    def _find(self, name: str) -> list[str]:
        from . import git  # a build searches for nothing

        files = git.not_ignored(self, name) if self.git else None
        if files is None:
            if self.git:
                hint = "see the reason with: git status"
                self._warn(Mistake("Git can't tell which files are ignored, so all folders are searched", None, hint))
            return list(self._walked(name, self.root))
        for folder in files.unread:
            self._report(PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.path.join(self.root, folder)))
        in_order = sorted(files.paths, key=lambda path: path.split("/")[:-1])
        return [path for path in (os.path.join(self.root, path) for path in in_order) if os.path.lexists(path)]

    def _is_ours(self, path: str, above: str) -> bool:
        """Whether nothing between a folder and a file makes the file somebody else's."""
        folder = os.path.dirname(path)
        while len(folder) > len(above):
            if not self._is_searched(*os.path.split(folder)):
                return False
            folder = os.path.dirname(folder)
        return True

    def _walked(self, name: str, folder: str) -> Iterator[str]:
        """Yield the files of a name below a folder; what can't be read is reported: an overlay may be in it."""
        for path, folders, names in os.walk(folder, onerror=self._report):
            folders[:] = sorted(below for below in folders if self._is_searched(path, below))
            if name in names:
                yield os.path.join(path, name)

    def _is_searched(self, above: str, name: str) -> bool:
        if name == ".git" or name in NOT_OURS:
            return False
        return not os.path.lexists(os.path.join(above, name, ".git"))

    def _report(self, error: OSError) -> None:
        hint = "no overlay in it is found"
        self._warn(Mistake(f"{self.name(error.filename)}: {error.strerror}", None, hint))

    def _warn(self, mistake: Mistake) -> None:
        if mistake.message not in self._warned:
            import logging  # a build searches for nothing

            self._warned.add(mistake.message)
            logging.getLogger(__name__).warning("%s", mistake.said("warning"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symlink that leads round: reading it says so
        return False


def _read(descriptor: int, size: int | None = None) -> bytes:
    # A file object asks the system twice as much, and a build reads hundreds of files.
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return os.read(descriptor, size) if size else b"".join(iter(lambda: os.read(descriptor, 1 << 20), b""))
    finally:
        os.close(descriptor)


def decode(content: bytes, name: str) -> str:
    """Return the text of a UTF-8 file. Raises InputError with the line of the first byte that is not."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = content.rfind(b"\n", 0, error.start) + 1
        place = Place(name, content.count(b"\n", 0, error.start) + 1, error.start - start + 1)
        raise InputError(Mistake("not UTF-8", place, "save the file as UTF-8")) from None
