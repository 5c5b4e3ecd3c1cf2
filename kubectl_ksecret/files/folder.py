"""Writing: each file whole or not at all, one writer at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Mistake, Refusal

LEFTOVER = ".ksecret-tmp"


class Folder:
    """A folder that this process alone writes; had from `locked`."""

    def __init__(self, path: str) -> None:
        self.path = path

    def write(self, name: str, content: bytes) -> None:
        """Replace a file whole; `name` may lie one folder below. Raises Refusal if the system refuses."""
        path = os.path.join(self.path, name)
        below, base = os.path.split(path)
        # One fixed name a file: under the lock nobody else has it, and a leftover is known by it.
        leftover = os.path.join(below, f".{base}{LEFTOVER}")
        try:
            os.makedirs(below, exist_ok=True)
            # Never through a link that a repository holds under this name.
            descriptor = os.open(leftover, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(leftover, path)
        except OSError as error:
            raise Refusal(Mistake(f"{os.path.relpath(path)}: {error.strerror}")) from None

    def remove(self, name: str) -> None:
        """Remove a file."""
        os.remove(os.path.join(self.path, name))


@contextmanager
def locked(path: str) -> Iterator[Folder]:
    """The folder, made if missing, locked against a second writer, leftovers of a killed one removed.

    The lock is the folder's own: it leaves no file behind and ends with the process. A second writer waits.
    """
    import fcntl

    try:
        os.makedirs(path, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(Mistake(f"{os.path.relpath(path)}: {error.strerror}")) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _clean(path)
        yield Folder(path)
    finally:
        os.close(descriptor)


def _clean(path: str) -> None:
    for folder in (path, *(entry.path for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False))):
        for name in os.listdir(folder):
            if name.startswith(".") and name.endswith(LEFTOVER):
                os.remove(os.path.join(folder, name))
