"""Sealed Secrets: applying a SealedSecret, and knowing when this very form of it has been unsealed.

Tried on 0.38.4. The condition alone is not believed. If anybody writes the object's metadata while the controller
works on it, the status update conflicts and is lost for good; with --update-status=false there is none at all.
"""

import time
from collections.abc import Mapping

from ..manifests import record
from ..model.kubernetes import Object
from .api import MERGE, Api
from .arrival import Expectation, Failure, Outcome, View, condition, deleted, unanswered
from .delivery import Delivery, Order, after_applying, apply, arrived, event_versions, refused_adoption
from .messages import names_of, scrubbed
from .ownership import edited_keys
from .resources import SEALED_SECRETS, SECRETS, Target
from .secrets import read_secret

KIND = "SealedSecret"
_OWNER = "the Sealed Secrets controller"
_MANAGED = "sealedsecrets.bitnami.com/managed"
_RETRIED = "ksecret.dev/retried"


class SealedSecretDelivery(Delivery):
    """Applies a SealedSecret, which the controller unseals."""

    kind = KIND
    resources = SEALED_SECRETS
    verb = "applied"

    def deliver(self, api: Api, order: Order, before: View) -> Expectation | Outcome:
        """Apply the SealedSecret, unless a GitOps controller does that."""
        target = SEALED_SECRETS.among(order.namespace, order.object_name)
        if refusal := refused_adoption(order, KIND):
            if order.before is None or not order.before.managed_by_sealed_secrets:
                return refusal
        elif order.adopt and order.before is not None and not order.dry_run:
            self._let_take_over(api, order)
        live_before = before.objects.get(order.object_name)

        def unsealing(live: Object) -> Expectation | Outcome:
            if order.dry_run:
                return _foretold(order, record_of(live))
            touched = live_before is None or live_before["metadata"]["generation"] != live["metadata"]["generation"]
            edited = order.before is not None and bool(edited_keys(order.before.object) & order.keys)
            # What a GitOps controller applies is touched, too: it leaves alone an annotation that it does not state.
            if not touched and (edited or _has_given_up(live, order) or _is_replaced(live, order)):
                live, touched = _touch(api, target), True
            return _Unsealing(api, order, live, event_versions(before, live), touched=touched, edited=edited)

        return after_applying(apply(api, order, target, before), order.manifest, unsealing, dry_run=order.dry_run)

    def _let_take_over(self, api: Api, order: Order) -> None:
        """Annotate a Secret that exists: the controller refuses it otherwise. In the template it would not count."""
        if order.before and not any(owner.kind == KIND for owner in order.before.owners):
            body = {"metadata": {"annotations": {_MANAGED: "true"}}}
            api.patch(SECRETS.among(order.namespace, order.name), body, MERGE)


def _has_given_up(live: Object, order: Order) -> bool:
    """Whether the controller has seen this form, and will not look at it again by itself.

    After six failures it gives up, and a Secret that is deleted while it is down is not made again.
    """
    status = live.get("status") or {}
    if status.get("observedGeneration") != live["metadata"]["generation"]:
        return False
    return condition(status, "Synced").get("status") == "False" or order.before is None


def _is_replaced(live: Object, order: Order) -> bool:
    """Whether the controller has unsealed this form, and the Secret is that of another one, as after a restore."""
    status, record_text = live.get("status") or {}, record_of(live)
    if order.before is None or not record_text or status.get("observedGeneration") != live["metadata"]["generation"]:
        return False
    return condition(status, "Synced").get("status") == "True" and order.before.record_text != record_text


def _touch(api: Api, target: Target) -> Object:
    """Change the spec without a change of what it means: the controller looks at nothing else."""
    annotations = {_RETRIED: str(time.time_ns())}
    return api.patch(target, {"spec": {"template": {"metadata": {"annotations": annotations}}}}, MERGE)


class _Unsealing(Expectation):
    """A SealedSecret that was applied. Three witnesses are heard, and the first that speaks counts.

    They are the record that came to the Secret together with the data, the status of this generation, and the Events
    since our write.
    """

    def __init__(
        self, api: Api, order: Order, written: Object, events: Mapping[str, str], *, touched: bool, edited: bool
    ) -> None:
        self._api, self._order, self._written, self._events = api, order, written, events
        self._touched = touched
        # A Secret that was edited by hand still has the record of what the controller made.
        self._record = "" if edited else record_of(written)
        self._failure = Failure()
        self._next_read, self._pause = 0.0, 0.25

    def look(self, view: View) -> Outcome | None:
        """Return the outcome once this generation has been unsealed, or fails for some time."""
        metadata = self._written["metadata"]
        live = view.objects.get(self._order.object_name)
        if live is None or live["metadata"]["uid"] != metadata["uid"]:
            return deleted(KIND)
        if live["metadata"]["generation"] != metadata["generation"]:
            return Outcome(state="failed", cause="somebody else changed the SealedSecret")
        status = live.get("status") or {}
        current = status.get("observedGeneration") == metadata["generation"]
        synced = condition(status, "Synced") if current else {}
        unsealed = view.new_events(metadata["uid"], self._events, "Unsealed")
        if self._record and self._is_time(witnessed=bool(unsealed) or bool(synced)):
            secret = read_secret(self._api, self._order.namespace, self._order.name)
            if secret is not None and secret.record_text == self._record:
                return arrived(self._api, self._order, owner=_OWNER, live=secret)
        if not self._record and (unsealed or synced.get("status") == "True"):
            return arrived(self._api, self._order, owner=_OWNER)
        if synced.get("status") == "True":
            self._failure.note(f"{_OWNER} has unsealed it, and somebody has written the Secret since then")
        failures = view.new_events(metadata["uid"], self._events, "ErrUnsealFailed", "ErrUpdateFailed")
        if synced.get("status") == "False" or failures:
            message = synced.get("message") or failures[-1].get("message") or ""
            self._failure.note(scrubbed(message, names_of(self._written)))
        return Outcome(state="failed", cause=self._failure.cause) if self._failure.lasts() else None

    def _is_time(self, *, witnessed: bool) -> bool:
        """Whether to read the Secret: at once, when anything tells of it, and else after twice as long each time.

        Status and Events may both be missing for good. But of many Secrets most are still waiting, and a read of each
        at every look would be nearly all that the API server is asked.
        """
        now = time.monotonic()
        if not witnessed and now < self._next_read:
            return False
        self._pause *= 2
        self._next_read = now + self._pause
        return True

    def give_up(self, view: View) -> Outcome:
        """Return that the controller did not answer, which says nothing of what had been applied before."""
        secret = read_secret(self._api, self._order.namespace, self._order.name)
        if self._record and secret is not None and secret.record_text == self._record:
            return arrived(self._api, self._order, owner=_OWNER, live=secret)
        if not self._touched and not self._failure.cause:
            outcome = arrived(self._api, self._order, owner=_OWNER, live=secret)
            if outcome.state == "arrived":
                cause = "it was applied before, and nothing says whether it was ever unsealed"
                return Outcome(state="unknown", cause=cause)
        if self._failure.cause:
            return Outcome(state="failed", cause=self._failure.cause)
        return unanswered("the Sealed Secrets controller")


def _foretold(order: Order, record_text: str) -> Outcome:
    """Return what a dry run can tell of the values: by the records of the file and the Secret, where both are."""
    before = order.before
    if before is None:
        return Outcome(state="arrived", changed=True, changed_keys=sorted(order.keys))
    if not record_text or not before.record_text:
        return Outcome(state="arrived", undecided=True)
    sealed_anew = set(record.sealed_anew(record.parse(record_text), before.record))
    edited = edited_keys(before.object) & order.keys
    keys = sorted(sealed_anew | edited | (before.keys ^ order.keys))
    return Outcome(state="arrived", changed=bool(keys), changed_keys=keys)


def record_of(sealed_secret: Object) -> str:
    """Return the record in the template, if every key stands in it with the digest of its ciphertext.

    Of any other the Secret may have had the same record before the ciphertext changed.
    """
    template = sealed_secret["spec"].get("template") or {}
    text = ((template.get("metadata") or {}).get("annotations") or {}).get(record.ANNOTATION) or ""
    entries, encrypted = record.parse(text), sealed_secret["spec"].get("encryptedData") or {}
    complete = encrypted and all(key in entries and record.is_of(entries[key], encrypted[key]) for key in encrypted)
    return text if complete else ""
