"""HashiCorp Vault or OpenBao, KV version 2: entries of properties, read whole, compared by version, written once.

A name is the path of an entry, and its value is the entry as JSON text, as External Secrets Operator hands it out.
"""

import logging
import shlex
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, NoReturn, TypeVar

from ..errors import Mistake, Refusal
from ..model.resolution import Environment
from ..model.types.sources import Vault
from ..sensitive import Sensitive
from ..values import document
from . import Progress, SourceValue, Version, sidebyside
from . import vaulterrors as errors
from .moments import moment
from .vaultapi import Answer, VaultApi
from .vaulterrors import VaultFailure

T = TypeVar("T")
_WRITES = 5
_DELETED = "deleted"


class Entry(NamedTuple):
    """A version of an entry: its number, 0 where there never was one, and its text, None of one that is deleted."""

    number: int
    text: Sensitive | None = None
    created: datetime | None = None
    deleted: str = ""

    @property
    def version(self) -> Version:
        """Return it as a source shows it."""
        return Version(id=str(self.number), created=self.created, withdrawn=self.deleted)


def open_source(environment: Environment, source: Vault, progress: Progress) -> "KeyValueEntries":
    """Open the mount that an overlay names. Nothing is asked yet."""
    place = source.origin.at("caFile")
    ca = environment.project.read(environment.path(source.ca_file), place) if source.ca_file else None
    try:
        api = VaultApi(source, ca)
    except VaultFailure as failure:
        message, hint = errors.report(failure, source.shown_address, "")
        of_file = failure.reason == "ca" and ca is not None
        raise Refusal(Mistake(message, place if of_file else source.origin.at("address"), hint)) from None
    return KeyValueEntries(source, api, progress)


class KeyValueEntries:
    """The entries of one mount. Every failure is a Refusal that names the server, the entry and what to do."""

    def __init__(self, source: Vault, api: VaultApi, progress: Progress) -> None:
        self._source, self._api, self._progress = source, api, progress
        self.shown = source.shown_address
        self._absent: set[str] = set()
        self._warned: set[tuple[str, int]] = set()
        self._numbers: dict[str, int] = {}  # of the versions that were read
        self._is_checked = False

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """Return the current version of each entry that has one, without reading a value."""
        entries = self._side_by_side(names, self._metadata)
        return {name: entry.version for name, entry in entries.items() if self._is_there(name, entry)}

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """Return the current entries, each with its version; each is read once, however many keys take part of it."""
        entries = self._side_by_side(names, self._entry)
        return {
            name: SourceValue(value=entry.text, version=entry.version)
            for name, entry in entries.items()
            if self._is_there(name, entry) and entry.text is not None
        }

    def read_versions(self, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], SourceValue]:
        """Return the entries as they were in those versions that the mount still has."""
        return sidebyside.by_version(wanted, self._read_numbers)

    def describe_versions(self, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Version]:
        """Return what the mount has of those versions, also of deleted ones."""
        entries = self._side_by_side(dict.fromkeys(name for name, _ in wanted), self._history)
        described = {name: {str(entry.number): entry.version for entry in every} for name, every in entries.items()}
        return sidebyside.chosen(wanted, described)

    def _read_numbers(self, numbers: Mapping[str, str]) -> Mapping[str, SourceValue | None]:
        # The number that a write replaces stays the current one: it is not noted here.
        entries = self._side_by_side(numbers, lambda name: self._entry(name, int(numbers[name])))
        for name, entry in entries.items():
            self._warn_of_deletion(name, entry, "which is pinned", "pin another version")
        return {
            name: SourceValue(value=entry.text, version=entry.version) if entry.text is not None else None
            for name, entry in entries.items()
        }

    def names(self) -> Collection[str]:
        """Return the entries beside those that were asked for and are not there, where listing is allowed."""
        found: set[str] = set()
        for folder in sorted({name.rpartition("/")[0] for name in self._absent}):
            try:
                answer = self._api.ask("GET", self._path("metadata", folder), query="?list=true")
            except VaultFailure:
                continue
            keys = _mapping(answer.members.get("data")).get("keys")
            listed = keys if answer.status == 200 and isinstance(keys, list) else []
            found |= {f"{folder}/{key}".lstrip("/") for key in listed if not str(key).endswith("/")}
        return found

    def refused(self, name: str, value: Sensitive) -> str:
        """Return why it can't hold a value as a whole entry: an entry is a JSON object."""
        try:
            if not isinstance(document.parsed(value.reveal()), dict):
                raise ValueError
        except ValueError:
            return "an entry of Vault is a JSON object; set property, of the key or of the source"
        self._refuse_unwritable(name)
        return ""

    def new_id(self, name: str) -> str:
        """Return an id for a write: it holds the version that the entry has now."""
        return f"{uuid.uuid4().hex}@{self._number_of(name)}"

    def before(self, name: str, id_: str) -> SourceValue | None:
        """Return the entry as it was when the id was made."""
        number = _number_in(id_)
        entry = self._ask_for(name, lambda _: self._entry(name, number)) if number else Entry(0)
        return SourceValue(value=entry.text, version=entry.version) if entry.text is not None else None

    def written(self, name: str, id_: str) -> bool:
        """Whether the entry has another version than when the id was made."""
        return self._ask_for(name, self._entry).number != _number_in(id_)

    def write(self, name: str, value: Sensitive, id_: str) -> None:
        """Write an entry in place of the version that was read here, or stood when the id was made.

        Check-and-set refuses it where somebody else has written meanwhile.
        """
        replaced = self._numbers.get(name, _number_in(id_))
        body = b'{"data":%s,"options":{"cas":%d}}' % (value.reveal(), replaced)
        for attempt in range(1, _WRITES + 1):
            try:
                answer = self._api.ask("POST", self._path("data", name), body, again=False)
            except VaultFailure as error:
                failure = error
                if not errors.may_have_arrived(failure):
                    break
            else:
                if answer.status in (200, 204):
                    return
                if "check-and-set" not in answer.errors:
                    failure = VaultFailure("refused", answer.status)
                    break
                failure = VaultFailure("conflict")
            time.sleep(0.25 * 2.0**attempt)
            # Behind an answer that got lost may stand the version that was to be made. A standby may not know yet of
            # the one for which the check-and-set failed.
            entry = self._ask_for(name, self._entry)
            if entry.number != replaced:
                if entry.text is None or document.parsed(entry.text.reveal()) != document.parsed(value.reveal()):
                    failure = VaultFailure("conflict")
                    break
                return
        self._fail({name: failure})

    def _number_of(self, name: str) -> int:
        """Return the version that was read here last, and else the current one."""
        return self._numbers[name] if name in self._numbers else self._ask_for(name, self._entry).number

    def _refuse_unwritable(self, name: str) -> None:
        """Raise Refusal if a policy lacks the right to write an entry, before anything is written."""
        path = self._path("data", name)
        needed = "update" if self._number_of(name) else "create"
        try:
            answer = self._api.ask("POST", "sys/capabilities-self", document.text({"paths": [path]}).encode())
        except VaultFailure:
            return  # who may not ask can only try
        rights = _mapping(answer.members.get("data")).get(path)
        if isinstance(rights, list) and not {"root", needed} & set(rights):
            failure = VaultFailure("forbidden", 403)
            failure.path, failure.capability = path, needed
            self._fail({name: failure})

    def _ask_for(self, name: str, call: Callable[[str], T]) -> T:
        try:
            return call(name)
        except VaultFailure as failure:
            self._fail({name: failure})

    def _entry(self, name: str, number: int = 0) -> Entry:
        """Return the current version of an entry, or one by its number."""
        answer = self._api.ask("GET", self._path("data", name), query=f"?version={number}" if number else "")
        body = _mapping(answer.members.get("data"))
        stated = _mapping(body.get("metadata"))
        if not stated:
            return self._nothing(answer)
        held = body.get("data")
        if answer.status == 404:
            # The server's clock counts, which may be ahead of this one: it does not hand the version out any more.
            return Entry(_number(stated, "version"), deleted=_deletion(stated) or _DELETED)
        if held is not None and not isinstance(held, dict):
            raise VaultFailure("strange", answer.status)
        try:
            text = Sensitive(document.text(held or {}).encode())
        except ValueError:
            raise VaultFailure("unreadable", answer.status) from None
        return Entry(_number(stated, "version"), text, moment(stated.get("created_time")))

    def _metadata(self, name: str) -> Entry:
        """Return the current version of an entry without its text."""
        return self._history(name)[-1]

    def _history(self, name: str) -> Sequence[Entry]:
        """Return the versions that the mount keeps of an entry, without their text; the current one is the last."""
        answer = self._api.ask("GET", self._path("metadata", name))
        body = _mapping(answer.members.get("data"))
        current = _number(body, "current_version") if body else 0
        if not current:
            return [self._nothing(answer)]
        versions = _mapping(body.get("versions"))
        older = sorted(int(number) for number in versions if number.isdecimal() and int(number) < current)
        return [_described(number, _mapping(versions.get(str(number)))) for number in (*older, current)]

    def _nothing(self, answer: Answer) -> Entry:
        """Return what stands for an entry that is not there. Raises VaultFailure if the mount has no entries at all."""
        if answer.status not in (200, 404):
            raise VaultFailure("refused", answer.status)
        if answer.status == 200 and "current_version" not in _mapping(answer.members.get("data")):
            raise VaultFailure("v1", path=self._path("data", ""))
        if not self._is_checked:
            self._is_checked = True
            try:
                mount = self._api.ask("GET", f"sys/internal/ui/mounts/{self._source.mount}")
            except VaultFailure:
                return Entry(0)  # who may not ask sees what comes
            stated = _mapping(mount.members.get("data"))
            options, path = _mapping(stated.get("options")), str(stated.get("path", "")).strip("/")
            if mount.status == 200 and path not in ("", self._source.mount):
                raise VaultFailure("below-mount", path=self._path("data", ""), detail=path)
            if mount.status == 200 and options.get("version") != "2":
                raise VaultFailure("v1", path=self._path("data", ""))
        return Entry(0)

    def _is_there(self, name: str, entry: Entry) -> bool:
        """Whether an entry has a current version."""
        self._warn_of_deletion(name, entry, "the current one", "write a new version")
        self._numbers[name] = entry.number
        if not entry.number or entry.deleted:
            self._absent.add(name)
        return bool(entry.number) and not entry.deleted

    def _warn_of_deletion(self, name: str, entry: Entry, role: str, otherwise: str) -> None:
        """Say once of a deleted version how it comes back, or what else there is to do about one that is destroyed."""
        if not entry.deleted or (name, entry.number) in self._warned:
            return
        self._warned.add((name, entry.number))
        message = f"{self.shown}: version {entry.number} of {name}, {role}, is {entry.deleted}"
        namespace = f" -namespace={self._source.namespace}" if self._source.namespace else ""
        options = f"{namespace} -mount={self._source.mount} -versions={entry.number}"
        undelete = f"vault kv undelete{options} {shlex.quote(name)}"
        hint = f"bring it back: {undelete}" if entry.deleted == _DELETED else otherwise
        mistake = Mistake(message, self._source.origin.at("mount"), hint)
        logging.getLogger(__name__).warning("%s", mistake.said("warning"))

    def _side_by_side(self, names: Collection[str], call: Callable[[str], T]) -> Mapping[str, T]:
        results, failures = sidebyside.ask(
            names,
            call,
            parallelism=self._source.parallelism,
            failures=sidebyside.Failures((VaultFailure,), _ends),
            progress=self._progress,
        )
        if failures:
            self._fail(failures)
        return results

    def _path(self, endpoint: str, name: str) -> str:
        return f"{self._source.mount}/{endpoint}/{name}"

    def _fail(self, failures: Mapping[str, Exception]) -> NoReturn:
        raise Refusal(*self._mistakes(failures))

    def _mistakes(self, failures: Mapping[str, Exception]) -> Iterator[Mistake]:
        for name, failure in failures.items():
            assert isinstance(failure, VaultFailure)
            message, hint = errors.report(failure, self.shown, name)
            yield Mistake(message, self._source.origin.at(errors.FIELDS.get(failure.reason, "address")), hint)


def _ends(error: Exception, succeeded: bool) -> bool:
    """Whether other names would fail too; policies may be of a path each: then all that lack one are reported."""
    return errors.concerns_all(error) and not (succeeded and errors.is_of_policies(error))


def _described(number: int, version: Mapping[str, object]) -> Entry:
    """Return a version as metadata show it."""
    return Entry(number, created=moment(version.get("created_time")), deleted=_deletion(version))


def _number_in(id_: str) -> int:
    """Return the version that an id holds."""
    return int(id_.rpartition("@")[2])


def _deletion(version: Mapping[str, object]) -> str:
    """Return whether a version is deleted, by now, or destroyed."""
    if version.get("destroyed") is True:
        return "destroyed"
    time_of_deletion = moment(version.get("deletion_time"))
    return _DELETED if time_of_deletion and time_of_deletion <= datetime.now(UTC) else ""


def _number(members: Mapping[str, object], name: str) -> int:
    try:
        return int(str(members.get(name)))
    except ValueError:
        raise VaultFailure("strange") from None


def _mapping(stated: object) -> Mapping[str, object]:
    return stated if isinstance(stated, dict) else {}
