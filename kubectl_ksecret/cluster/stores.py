"""The store that External Secrets Operator reads: it is applied before the ExternalSecrets that name it.

ESO refuses an ExternalSecret whose store is not ready, and what is wrong with a store stands in the store's own Events.
"""

from collections.abc import Mapping

from ..model.kubernetes import Object
from .api import Api
from .arrival import Expectation, Failure, Outcome, View, condition, deleted, events_of, unanswered
from .delivery import after_applying, apply_unowned
from .messages import names_of, scrubbed
from .resources import STORES, Target

# Events of what has no namespace lie in this one.
_CLUSTER_WIDE_EVENTS = "default"


class StoreDelivery:
    """Applies the store of an overlay. `name` is that of the store as kubectl prints it."""

    verb = "applied"

    def __init__(self, api: Api, manifest: Object, *, namespace: str, overlay: str) -> None:
        self._api, self._manifest, self._overlay = api, manifest, overlay
        self._kind: str = manifest["kind"]
        resources, name = STORES[self._kind], manifest["metadata"]["name"]
        is_cluster_wide = self._kind == "ClusterSecretStore"
        self._target: Target = resources.cluster_wide(name) if is_cluster_wide else resources.among(namespace, name)
        self._events_in = _CLUSTER_WIDE_EVENTS if is_cluster_wide else namespace
        self.name = f"{self._kind.lower()}.{resources.group}/{name}"

    def deliver(self, *, dry_run: bool) -> Expectation | Outcome:
        """Apply the store, unless a GitOps controller does that, and return what is to be expected."""
        before = self.look()
        live = before.objects.get(self._target.name)
        applied = apply_unowned(self._api, self._target, self._manifest, live, overlay=self._overlay, dry_run=dry_run)

        def readiness(written: Object) -> Expectation | Outcome:
            return Outcome(state="arrived") if dry_run else _Readiness(written, before.event_versions(_uid(written)))

        return after_applying(applied, self._manifest, readiness, dry_run=dry_run)

    def look(self) -> View:
        """Look at the store and its Events."""
        live = self._api.find(self._target)
        fields = f"involvedObject.kind={self._kind},involvedObject.name={self._target.name}"
        events = events_of(self._api, self._events_in, fields) if live is not None else {}
        return View(objects={self._target.name: live} if live is not None else {}, events=events)


class _Readiness(Expectation):
    """A store that was applied; ESO says whether it can be used."""

    def __init__(self, written: Object, events: Mapping[str, str]) -> None:
        self._written, self._events = written, events
        self._failure = Failure()

    def look(self, view: View) -> Outcome | None:
        """Return the outcome once ESO says that the store is ready, or for some time that it is not."""
        live = view.objects.get(self._written["metadata"]["name"])
        if live is None or _uid(live) != _uid(self._written):
            return deleted(self._written["kind"])
        ready = condition(live.get("status") or {}, "Ready")
        if ready.get("status") == "True":
            return Outcome(state="arrived")
        if ready.get("status") == "False":
            self._failure.note(self._cause(view, ready))
        return Outcome(state="failed", cause=self._failure.cause) if self._failure.lasts() else None

    def give_up(self, view: View) -> Outcome:
        """Return the cause that is known, or that ESO did not answer."""
        if self._failure.cause:
            return Outcome(state="failed", cause=self._failure.cause)
        return unanswered("External Secrets Operator")

    def _cause(self, view: View, ready: Object) -> str:
        """Return the last warning about the store; its condition says no more than that something is wrong."""
        uid = _uid(self._written)
        warnings = [event for event in view.events.get(uid, ()) if event.get("type") == "Warning"]
        fresh = [event for event in warnings if event["metadata"]["uid"] not in self._events] or warnings
        last = max(fresh, key=lambda event: event.get("lastTimestamp") or "", default=None)
        return scrubbed((last or ready).get("message", ""), names_of(self._written))


def _uid(live: Object) -> str:
    return str(live["metadata"]["uid"])
