"""The secrets in KMS and its rules for them. No HTTP here. Codes and messages are those of its documentation."""

import re
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from .answers import Refusal

CURRENT, PREVIOUS = "ACSCurrent", "ACSPrevious"
MAX_BYTES = 30_720
MAX_VERSIONS = 10
_NAME = re.compile(r"(?!acs/)[A-Za-z0-9_/+=.@-]{1,192}")


@dataclass(frozen=True)
class Version:
    """One version of a secret."""

    id: str
    value: str = field(repr=False)
    data_type: str = "text"
    created: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    stages: tuple[str, ...] = ()


class Secrets:
    """Secrets by name; the case of a name counts."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._versions: dict[str, list[Version]] = {}
        self._to_be_deleted: set[str] = set()

    def create(self, name: str, version: Version) -> None:
        """Make a secret with its first version."""
        _check(name, version)
        with self._lock:
            if name in self._to_be_deleted:
                raise _in_delete_window()
            if name in self._versions:
                raise _exists()
            self._versions[name] = [replace(version, stages=(CURRENT,))]

    def put(self, name: str, version: Version) -> None:
        """Add a version, which is the current one then; the same one again changes nothing."""
        _check(name, version)
        with self._lock:
            versions = self._of(name)
            same = next((other for other in versions if other.id == version.id), None)
            if same is not None:
                if (same.value, same.data_type) != (version.value, version.data_type):
                    raise _exists()
                return
            moved = [replace(other, stages=_moved(other.stages)) for other in versions]
            self._versions[name] = [*moved, replace(version, stages=(CURRENT,))][-MAX_VERSIONS:]

    def get(self, name: str, id_: str = "", stage: str = "") -> Version:
        """A version by its id or stage."""
        with self._lock:
            for version in self._of(name):
                if version.id == id_ if id_ else (stage or CURRENT) in version.stages:
                    return version
        raise _not_found()

    def versions(self, name: str, *, deprecated: bool) -> list[Version]:
        """All versions, or those that have a stage."""
        with self._lock:
            return [version for version in self._of(name) if version.stages or deprecated]

    def names(self) -> list[str]:
        """All names."""
        with self._lock:
            return sorted(self._versions)

    def delete(self, name: str) -> None:
        """Delete a secret without a way back."""
        with self._lock:
            del self._versions[name]

    def schedule_deletion(self, name: str) -> None:
        """Plan a deletion: nobody reads the secret any more, and its name stays taken."""
        with self._lock:
            self._of(name)
            self._to_be_deleted.add(name)

    def _of(self, name: str) -> list[Version]:
        if name in self._to_be_deleted:
            raise _in_delete_window()
        if name not in self._versions:
            raise _not_found()
        return self._versions[name]


def _moved(stages: tuple[str, ...]) -> tuple[str, ...]:
    return (PREVIOUS,) if CURRENT in stages else ()


def _check(name: str, version: Version) -> None:
    if not _NAME.fullmatch(name) or not 1 <= len(version.id) <= 64 or len(version.value.encode()) > MAX_BYTES:
        raise Refusal(400, "InvalidParameter", "The specified parameter is not valid.")


def _exists() -> Refusal:
    return Refusal(409, "Rejected.ResourceExist", "The resource already exists.")


def _in_delete_window() -> Refusal:
    return Refusal(409, "Rejected.ResourceInDeleteWindow", "The secret is planned to be deleted.")


def _not_found() -> Refusal:
    return Refusal(404, "Forbidden.ResourceNotFound", "Resource not found.")
