"""Writing: each file whole or not at all, one writer at a time."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..errors import Mistake, Refusal

_PATIENCE = 1.0  # seconds
LEFTOVER = ".ksecret-tmp"


def leftover_of(path: str) -> str:
    """Return the name that a file is written under before it has its own, and that a removed one keeps until the end.

    One fixed name a file: under the lock nobody else has it, and a leftover is known by it.
    """
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}{LEFTOVER}")


class Folder:
    """A folder that this process alone writes; had from `locked`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._changed: list[str] = []

    def write(self, name: str, content: bytes, mode: int = 0o666) -> None:
        """Replace a file whole; `name` may lie one folder below. Raises Refusal if the system refuses."""
        path = os.path.join(self.path, name)
        leftover = leftover_of(path)
        with self._changing(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _remove_leftover(leftover)
            descriptor = _create(leftover, mode)
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(leftover, path)

    def remove(self, name: str) -> None:
        """Remove a file; until `clean` a leftover tells that it was here. Raises Refusal if the system refuses."""
        path = os.path.join(self.path, name)
        with self._changing(path):
            os.replace(path, leftover_of(path))

    def clean(self) -> None:
        """Remove what this process or a killed one left behind. Raises Refusal if the system refuses."""
        below = (entry.path for entry in os.scandir(self.path) if entry.is_dir(follow_symlinks=False))
        for folder in (self.path, *below):
            with _refusing(folder):
                names = os.listdir(folder)
            for name in names:
                if name.startswith(".") and name.endswith(LEFTOVER):
                    _remove_leftover(os.path.join(folder, name))

    @contextmanager
    def _changing(self, path: str) -> Iterator[None]:
        """Change a file; if that fails, say which others have been changed before."""
        done = f"changed before that: {', '.join(self._changed)}" if self._changed else ""
        with _refusing(path, done):
            yield
        self._changed.append(os.path.relpath(path))


@contextmanager
def locked(path: str) -> Iterator[Folder]:
    """Yield the folder, made if it is missing, locked against a second writer.

    The lock is the folder's own: it leaves no file behind and ends with the process. A second writer waits, and after
    a second says for what.
    """
    with _refusing(path):
        os.makedirs(path, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(descriptor, path)
        yield Folder(path)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: str) -> None:
    import fcntl

    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_PATIENCE / 50)
    import logging

    shown = os.path.relpath(path)
    logging.getLogger(__name__).warning("warning: %s is locked by a process that writes there; waiting for it", shown)
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def rewrite(path: str, change: Callable[[bytes], bytes], through: str) -> None:
    """Replace a file whole by what is made of it, its mode kept; one writer at a time. Raises Refusal.

    What a kill leaves behind lies in the folder `through`, and is cleaned by the next run; a failure leaves nothing.
    """
    with locked(through) as folder, _refusing(path):
        folder.clean()
        with open(path, "rb") as before:
            content = change(before.read())
        leftover = os.path.join(through, os.path.basename(leftover_of(path)))
        descriptor = _create(leftover, 0o600)
        try:
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, stat.S_IMODE(os.stat(path).st_mode))
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(leftover, path)
        except OSError:
            _remove_leftover(leftover)
            raise


def on_one_device(path: str, folder: str) -> bool:
    """Whether a file can take the place of another at once; of a folder that is not there yet, the one above it."""
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return os.stat(path).st_dev == os.stat(folder).st_dev


@contextmanager
def _refusing(path: str, hint: str = "") -> Iterator[None]:
    """Turn an error of the system about a file into a Refusal."""
    try:
        yield
    except OSError as error:
        raise Refusal(Mistake(f"{os.path.relpath(path)}: {error.strerror}", hint=hint)) from None


def _create(leftover: str, mode: int) -> int:
    """Create a file, and never follow a link that a repository holds under its name."""
    return os.open(leftover, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)


def _remove_leftover(path: str) -> None:
    with _refusing(path), suppress(FileNotFoundError):
        os.remove(path)
