"""External Secrets Operator: asking for a refresh, and knowing when this very refresh has happened.

Tried on 0.20.4. ESO writes its status with the resourceVersion of what it read, so a sync that began before our write
can't be recorded after it; and status.syncedResourceVersion moves on success alone.
"""

import hashlib
import re
import time
from collections.abc import Mapping

from ..model.kubernetes import OPERATOR, Object
from .api import MERGE, Api
from .arrival import Expectation, Failure, Outcome, View, condition, deleted, unanswered
from .delivery import Delivery, Order, after_applying, apply, arrived, event_versions, refused_adoption
from .messages import names_of, scrubbed
from .resources import EXTERNAL_SECRETS

KIND = "ExternalSecret"
FORCE = "ksecret.dev/force-sync"
_NOT_REALLY_READY = ("SecretMissing", "SecretDeleted")


class ExternalSecretDelivery(Delivery):
    """Applies an ExternalSecret and forces a refresh."""

    kind = KIND
    resources = EXTERNAL_SECRETS
    verb = "refreshed"

    def deliver(self, api: Api, order: Order, before: View) -> Expectation | Outcome:
        """Apply the ExternalSecret, unless a GitOps controller does that, and ask ESO for a refresh."""
        target = EXTERNAL_SECRETS.among(order.namespace, order.object_name)
        if order.object_name not in before.objects and (refusal := refused_adoption(order, KIND)):
            return refusal

        def refresh(live: Object) -> Expectation | Outcome:
            if reason := ignores_refresh(live):
                return Outcome(state="never", cause=f"{reason}; it does after: {way_out(order.namespace, order.name)}")
            if order.dry_run:
                # Where there is no ExternalSecret yet, none was made that a refresh could be asked of.
                return Outcome(state="arrived", undecided=True)
            body = {"metadata": {"annotations": {FORCE: str(time.time_ns()), **order.mark}}}
            written = api.patch(target, body, MERGE)
            if ignores_refresh(written):
                # ESO made the Secret of what was applied before the request came, and looks no second time.
                return arrived(api, order, owner="External Secrets Operator")
            return _Refresh(api, order, written, event_versions(before, written))

        return after_applying(apply(api, order, target, before), order.manifest, refresh, dry_run=order.dry_run)


class _Refresh(Expectation):
    """A refresh that was asked for; `written` is what the API server answered."""

    def __init__(self, api: Api, order: Order, written: Object, events: Mapping[str, str]) -> None:
        self._api, self._order, self._written, self._events = api, order, written, events
        self._status = written.get("status") or {}
        self._request = written["metadata"]["annotations"][FORCE]
        self._failure = Failure()

    def look(self, view: View) -> Outcome | None:
        """Return the outcome once ESO has synced what was written or a later form of it, or fails for some time."""
        uid = self._written["metadata"]["uid"]
        live = view.objects.get(self._order.object_name)
        if live is None or live["metadata"]["uid"] != uid:
            return deleted(KIND)
        status, before = live.get("status") or {}, self._status.get("syncedResourceVersion")
        ready = condition(status, "Ready")
        if status.get("syncedResourceVersion") not in (None, "", before):
            if ready.get("reason") in _NOT_REALLY_READY:
                # ESO says Ready=True all the same.
                return Outcome(state="failed", cause=f"{ready['reason']}: {self._scrubbed(ready.get('message', ''))}")
            return arrived(self._api, self._order, owner="External Secrets Operator")
        failures = view.new_events(uid, self._events, "UpdateFailed")
        if failures:
            self._failure.note(self._scrubbed(failures[-1].get("message") or ""))
        elif ready.get("status") == "False" and ready != condition(self._status, "Ready"):
            self._failure.note(self._scrubbed(ready.get("message", "")))
        if self._failure.lasts():
            return Outcome(state="failed", cause=self._failure.cause)
        annotations = live["metadata"].get("annotations") or {}
        if annotations.get(FORCE) != self._request and synced_version(live) == before:
            return Outcome(state="failed", cause="somebody took the request for a refresh away before it was seen")
        return None

    def give_up(self, view: View) -> Outcome:
        """Return the last cause that is known, or that ESO did not answer."""
        if self._failure.cause:
            return Outcome(state="failed", cause=self._failure.cause)
        live = view.objects.get(self._order.object_name) or {}
        if condition(live.get("status") or {}, "Ready").get("status") == "False":
            # A failure that repeats does not move the condition, and after 25 Events of one object there are no more.
            uid = self._written["metadata"]["uid"]
            causes = [event for event in view.events.get(uid, ()) if event.get("reason") == "UpdateFailed"]
            last = max(causes, key=lambda event: event.get("lastTimestamp") or "", default=None)
            cause = self._scrubbed(last.get("message") or "") if last else "no Event says why"
            return Outcome(state="failed", cause=f"still failing; the last cause that is known: {cause}")
        return unanswered("External Secrets Operator")

    def _scrubbed(self, message: str) -> str:
        return scrubbed(message, names_of(self._written))


def synced_version(external_secret: Object) -> str:
    """Return the status.syncedResourceVersion that ESO writes once it has synced this very form of the object.

    It is "<generation>-<sha3-224>" of Go's %+v of a struct of two maps (pkg/controllers/util of ESO 0.20).
    """
    metadata = external_secret["metadata"]
    fields = " ".join(f"{name}:{_go_map(metadata.get(name) or {})}" for name in ("annotations", "labels"))
    digest = hashlib.sha3_224(f"{{{fields}}}".encode()).hexdigest()
    return f"{metadata['generation']}-{digest}"


def _go_map(values: Mapping[str, str]) -> str:
    return "map[" + " ".join(f"{key}:{value}" for key, value in sorted(values.items())) + "]"


def ignores_refresh(external_secret: Object) -> str:
    """Return why ESO will not look at this object again, or nothing."""
    spec, synced = external_secret["spec"], (external_secret.get("status") or {}).get("syncedResourceVersion")
    policy = spec.get("refreshPolicy") or "Periodic"
    if synced and policy == "CreatedOnce":
        return "refreshPolicy is CreatedOnce, so External Secrets Operator does not look again"
    if synced and policy == "Periodic" and not re.search(r"[1-9]", spec.get("refreshInterval") or "1h0m0s"):
        return "refreshInterval is 0, so External Secrets Operator does not look again"
    return ""


def way_out(namespace: str, secret: str) -> str:
    """Return the command after which ESO makes the Secret anew: without its data-hash the Secret counts as changed."""
    return f"kubectl annotate secret {secret} --namespace={namespace} reconcile.{OPERATOR}/data-hash-"
