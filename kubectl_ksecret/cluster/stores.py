"""What an operator reads a vault through: it is applied before the objects that name it, and has to become ready.

These are the stores of External Secrets Operator and of ack-secret-manager, and the connection and the sign-in of Vault
Secrets Operator. What reads through one that is not ready is refused, and the cause stands with that one alone.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..model.kubernetes import Object
from .api import Api
from .arrival import Expectation, Failure, Outcome, View, condition, deleted, events_of, unanswered
from .delivery import after_applying, apply_unowned
from .messages import names_of, scrubbed
from .resources import (
    ACK_SECRET_STORES,
    CLUSTER_SECRET_STORES,
    SECRET_STORES,
    VAULT_AUTHS,
    VAULT_CONNECTIONS,
    Resources,
    Target,
)

# So long a store that was touched may be looked at without a word: to a server that is away, Vault Secrets Operator
# connects three times, and after 25 Events of one object there are no more.
_SILENCE_SECONDS = 10.0
# Events of what has no namespace lie in this one.
_CLUSTER_WIDE_EVENTS = "default"


class _Report(NamedTuple):
    """What an operator says of a store: whether it is ready, and a message; nothing as long as it has not looked."""

    ready: bool | None
    message: str = ""


class StoreKind(NamedTuple):
    """A kind of store. `report` reads its status; None where its operator writes none, so that applied is all it is."""

    kind: str
    resources: Resources
    operator: str
    report: Callable[[Object], _Report] | None
    is_cluster_wide: bool = False

    @property
    def group(self) -> str:
        """The API group."""
        return self.resources.group

    def target(self, namespace: str, name: str) -> Target:
        """Return the target of a request for one."""
        return self.resources.cluster_wide(name) if self.is_cluster_wide else self.resources.among(namespace, name)

    def full_name(self, name: str) -> str:
        """Return the name of a store as kubectl prints it."""
        return f"{self.kind.lower()}.{self.group}/{name}"


def _by_condition(status: Object) -> _Report:
    ready = condition(status, "Ready")
    state = {"True": True, "False": False}.get(str(ready.get("status")))
    return _Report(state, str(ready.get("message", "")))


def _by_validity(status: Object) -> _Report:
    valid = status.get("valid")
    return _Report(valid if isinstance(valid, bool) else None, str(status.get("error") or ""))


_ESO, _VSO = "External Secrets Operator", "Vault Secrets Operator"
# In the order in which they are applied: a VaultAuth names its VaultConnection.
STORE_KINDS: Sequence[StoreKind] = (
    StoreKind("SecretStore", SECRET_STORES, _ESO, _by_condition),
    StoreKind("ClusterSecretStore", CLUSTER_SECRET_STORES, _ESO, _by_condition, is_cluster_wide=True),
    StoreKind("VaultConnection", VAULT_CONNECTIONS, _VSO, _by_validity),
    StoreKind("VaultAuth", VAULT_AUTHS, _VSO, _by_validity),
    StoreKind("SecretStore", ACK_SECRET_STORES, "ack-secret-manager", None),
)


def store_kind(group: str, kind: str) -> StoreKind | None:
    """Return the kind of store that an object is, if it is one."""
    return next((store for store in STORE_KINDS if (store.group, store.kind) == (group, kind)), None)


class StoreDelivery:
    """Applies one store of an overlay. `name` is that of the store as kubectl prints it."""

    verb = "applied"

    def __init__(self, api: Api, kind: StoreKind, manifest: Object, *, namespace: str, overlay: str) -> None:
        self._api, self._kind, self._manifest, self._overlay = api, kind, manifest, overlay
        self._target = kind.target(namespace, manifest["metadata"]["name"])
        self._events_in = _CLUSTER_WIDE_EVENTS if kind.is_cluster_wide else namespace
        self.name = kind.full_name(self._target.name)

    def deliver(self, *, dry_run: bool) -> Expectation | Outcome:
        """Apply the store, unless a GitOps controller does that, and return what is to be expected."""
        before = self.look()
        live = before.objects.get(self._target.name)
        applied = apply_unowned(self._api, self._target, self._manifest, live, overlay=self._overlay, dry_run=dry_run)

        def readiness(written: Object) -> Expectation | Outcome:
            if dry_run or self._kind.report is None:
                return Outcome(state="arrived")
            touched = live is None or _generation(live) != _generation(written)
            return _Readiness(self._kind, written, before.event_versions(_uid(written)), touched=touched)

        return after_applying(applied, self._manifest, readiness, dry_run=dry_run)

    def look(self) -> View:
        """Look at the store and its Events."""
        live = self._api.find(self._target)
        fields = f"involvedObject.kind={self._kind.kind},involvedObject.name={self._target.name}"
        events = events_of(self._api, self._events_in, fields) if live is not None else {}
        return View(objects={self._target.name: live} if live is not None else {}, events=events)


class _Readiness(Expectation):
    """A store that was applied; its operator says whether it can be used.

    A status names no generation. So of a store that was touched the status that it had before counts only when an
    Event tells that it was looked at again, or when nothing has come of it for some time. The Event of a failure comes
    before the status does.
    """

    def __init__(self, kind: StoreKind, written: Object, events: Mapping[str, str], *, touched: bool) -> None:
        assert kind.report is not None
        self._kind, self._report, self._written, self._events = kind, kind.report, written, events
        self._before = self._report(written.get("status") or {}) if touched else _Report(None)
        self._settled = time.monotonic() + _SILENCE_SECONDS
        self._failure = Failure()

    def look(self, view: View) -> Outcome | None:
        """Return the outcome once the operator says that the store is ready, or for some time that it is not."""
        live = view.objects.get(self._written["metadata"]["name"])
        if live is None or _uid(live) != _uid(self._written):
            return deleted(self._kind.kind)
        report, last = self._report(live.get("status") or {}), self._last_event(view)
        if report.ready is False or (last is not None and last.get("type") == "Warning"):
            self._failure.note(self._cause(view, report))
        elif report.ready and (report != self._before or last or time.monotonic() > self._settled):
            return Outcome(state="arrived")
        return Outcome(state="failed", cause=self._failure.cause) if self._failure.lasts() else None

    def give_up(self, view: View) -> Outcome:
        """Return the cause that is known, or that the operator did not answer."""
        if self._failure.cause:
            return Outcome(state="failed", cause=self._failure.cause)
        return unanswered(self._kind.operator)

    def _last_event(self, view: View) -> Object | None:
        """Return the last Event since our write."""
        events = view.events.get(_uid(self._written), ())
        fresh = [event for event in events if self._events.get(_uid(event)) != event["metadata"]["resourceVersion"]]
        return max(fresh, key=_age, default=None)

    def _cause(self, view: View, report: _Report) -> str:
        """Return the last warning about the store; its status says no more than that something is wrong."""
        events = view.events.get(_uid(self._written), ())
        last = max((event for event in events if event.get("type") == "Warning"), key=_age, default=None)
        return scrubbed(str(last.get("message", "")) if last else report.message, names_of(self._written))


def _age(event: Object) -> tuple[str, int]:
    """Return what orders Events in time: within a second the version, which every API server counts up."""
    version = str(event["metadata"]["resourceVersion"])
    return event.get("lastTimestamp") or "", int(version) if version.isdecimal() else 0


def _uid(live: Object) -> str:
    return str(live["metadata"]["uid"])


def _generation(live: Object) -> object:
    return live["metadata"].get("generation")
