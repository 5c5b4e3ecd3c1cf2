"""The secrets in the vault and Key Vault's rules for them. No HTTP here.

Codes and messages are those of the real vault, from the recordings of Azure's own SDK tests where there is one.
"""

import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack

from .answers import Refusal

MAX_BYTES = 25_600
RETENTION = timedelta(days=7)
_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")


class Attributes(TypedDict, total=False):
    """What a version has beside its value; the names are the SDK's."""

    enabled: bool
    not_before: datetime | None
    expires_on: datetime | None
    content_type: str | None
    tags: Mapping[str, str]
    created_on: datetime


@dataclass(frozen=True)
class Version:
    """One version of a secret. Times are in whole seconds, as in Key Vault."""

    name: str
    id: str
    value: str = field(repr=False)
    number: int
    created_on: datetime
    updated_on: datetime
    enabled: bool = True
    not_before: datetime | None = None
    expires_on: datetime | None = None
    content_type: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def age(self) -> tuple[datetime, int]:
        """The order of versions: by `created`, and the double's own count where the seconds are equal."""
        return self.created_on, self.number


@dataclass(frozen=True)
class Deleted:
    """A soft-deleted secret: its name stays taken until it is recovered or purged."""

    versions: list[Version]
    deleted_on: datetime


class Vault:
    """Secrets by name without case; each has the spelling of its first version."""

    def __init__(self, *, skips_disabled: bool) -> None:
        self._skips_disabled = skips_disabled
        self._lock = threading.RLock()
        self._live: dict[str, list[Version]] = {}
        self._deleted: dict[str, Deleted] = {}
        self._count = 0

    def set(self, name: str, value: str, **attributes: Unpack[Attributes]) -> Version:
        """A new version."""
        _check_name(name)
        if len(value.encode()) > MAX_BYTES:
            raise Refusal(400, "BadParameter", f"The secret value exceeds the maximum of {MAX_BYTES} bytes.")
        with self._lock:
            if name.lower() in self._deleted:
                raise Refusal(
                    409,
                    "Conflict",
                    f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; "
                    "in this state, the secret can only be recovered or purged.",
                    inner="ObjectIsDeletedButRecoverable",
                )
            versions = self._live.setdefault(name.lower(), [])
            self._count += 1
            now = _now()
            made = Version(
                name=versions[0].name if versions else name,
                id=secrets.token_hex(16),
                value=value,
                number=self._count,
                created_on=now,
                updated_on=now,
            )
            made = replace(made, **attributes)
            versions.append(replace(made, created_on=made.created_on.replace(microsecond=0)))
            return versions[-1]

    def get(self, name: str, version: str = "") -> Version:
        """A version, or the current one. Expired and not yet valid ones are handed out all the same."""
        with self._lock:
            current = self._find(name, version)
        if not current.enabled:
            raise Refusal(
                403, "Forbidden", "Operation get is not allowed on a disabled secret.", inner="SecretDisabled"
            )
        return current

    def update(self, name: str, version: str = "", **attributes: Unpack[Attributes]) -> Version:
        """Change the attributes of a version, a disabled one too; its value can't be changed."""
        with self._lock:
            current = self._find(name, version) if version else self.newest(name)
            changed = replace(current, updated_on=_now())
            changed = replace(changed, **attributes)
            versions = self._live[name.lower()]
            versions[versions.index(current)] = changed
        return changed

    def versions(self, name: str) -> list[Version]:
        """All versions, in the order in which they were made; none for an unknown or deleted name."""
        with self._lock:
            return list(self._live.get(name.lower(), ()))

    def newest(self, name: str) -> Version:
        """The newest version, enabled or not: whose attributes a listing of the vault shows."""
        _check_name(name)
        versions = self._live.get(name.lower())
        if not versions:
            raise _not_found(name)
        return max(versions, key=lambda candidate: candidate.age)

    def every_newest(self) -> list[Version]:
        """The newest version of each secret."""
        with self._lock:
            return [self.newest(name) for name in self._live]

    def delete(self, name: str) -> Deleted:
        """Soft delete, which takes effect at once here; the real vault takes some seconds."""
        with self._lock:
            self.newest(name)
            deleted = Deleted(self._live.pop(name.lower()), _now())
            self._deleted[name.lower()] = deleted
        return deleted

    def deleted(self, name: str) -> Deleted:
        """A soft-deleted secret."""
        with self._lock:
            if name.lower() not in self._deleted:
                raise Refusal(404, "SecretNotFound", f"Deleted Secret not found: {name}")
            return self._deleted[name.lower()]

    def recover(self, name: str) -> Version:
        """Undo a soft delete."""
        with self._lock:
            self._live[name.lower()] = self.deleted(name).versions
            del self._deleted[name.lower()]
            return self.newest(name)

    def purge(self, name: str) -> None:
        """Forget a soft-deleted secret; its name is free again."""
        with self._lock:
            self.deleted(name)
            del self._deleted[name.lower()]

    def _find(self, name: str, version: str) -> Version:
        newest = self.newest(name)
        versions = self._live[name.lower()]
        if version:
            named = next((candidate for candidate in versions if candidate.id == version.lower()), None)
            if named is None:
                raise _not_found(f"{name}/{version}")
            return named
        enabled = [candidate for candidate in versions if candidate.enabled]
        return max(enabled, key=lambda candidate: candidate.age) if self._skips_disabled and enabled else newest


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refusal(400, "BadParameter", f"The request URI contains an invalid name: {name}")


def _not_found(subject: str) -> Refusal:
    return Refusal(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {subject} was not found in this key vault. If you recently deleted this secret you "
        "may be able to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
