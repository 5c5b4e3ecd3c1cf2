"""Vault Secrets Operator: applying a VaultStaticSecret, and knowing when this form of it has become a Secret.

Tried on 0.10.0. Nothing makes the operator read Vault before its time but another spec, and with another spec it
restarts its targets, be the values new or not. So nothing is forced: it reads Vault by itself, every refreshAfter.
"""

from collections.abc import Mapping

from ..model.kubernetes import Object
from .api import Api
from .arrival import Expectation, Failure, Outcome, View, deleted, unanswered
from .delivery import Delivery, Order, after_applying, apply, arrived, event_versions, refused_adoption
from .messages import names_of, scrubbed
from .resources import VAULT_STATIC_SECRETS

KIND = "VaultStaticSecret"
FAILURES = (
    "VaultClientConfigError",
    "VaultClientError",
    "VaultStaticSecretError",
    "TransformationError",
    "SecretDataBuilderError",
    "SecretSyncError",
    "HMACDataError",
)


class VaultStaticSecretDelivery(Delivery):
    """Applies a VaultStaticSecret."""

    kind = KIND
    resources = VAULT_STATIC_SECRETS
    verb = "applied"

    def deliver(self, api: Api, order: Order, before: View) -> Expectation | Outcome:
        """Apply the VaultStaticSecret, unless a GitOps controller does that."""
        target = VAULT_STATIC_SECRETS.among(order.namespace, order.object_name)
        if order.object_name not in before.objects and (refusal := refused_adoption(order, KIND)):
            return refusal
        if order.adopt:
            # Without it the operator leaves a Secret alone that it did not make.
            spec = order.manifest["spec"]
            destination = spec["destination"] | {"overwrite": True}
            order = order.but(manifest=order.manifest | {"spec": spec | {"destination": destination}})

        def expect(live: Object) -> Expectation | Outcome:
            if order.dry_run:
                return Outcome(state="arrived", undecided=True)
            return _Reading(api, order, live, event_versions(before, live))

        return after_applying(apply(api, order, target, before), order.manifest, expect, dry_run=order.dry_run)


class _Reading(Expectation):
    """A VaultStaticSecret that was applied; the operator notes the generation that it has made a Secret of."""

    def __init__(self, api: Api, order: Order, written: Object, events: Mapping[str, str]) -> None:
        self._api, self._order, self._written, self._events = api, order, written, events
        self._failure = Failure()

    def look(self, view: View) -> Outcome | None:
        """Return the outcome once this generation has become the Secret, or fails for some time."""
        uid = self._written["metadata"]["uid"]
        live = view.objects.get(self._order.object_name)
        if live is None or live["metadata"]["uid"] != uid:
            return deleted(KIND)
        if (live.get("status") or {}).get("lastGeneration") == live["metadata"]["generation"]:
            return arrived(self._api, self._order, owner="Vault Secrets Operator")
        if failures := view.new_events(uid, self._events, *FAILURES):
            self._failure.note(scrubbed(failures[-1].get("message") or "", names_of(self._written)))
        return Outcome(state="failed", cause=self._failure.cause) if self._failure.lasts() else None

    def give_up(self, view: View) -> Outcome:
        """Return the last cause that is known, or that the operator did not answer."""
        if self._failure.cause:
            return Outcome(state="failed", cause=self._failure.cause)
        return unanswered("Vault Secrets Operator")
