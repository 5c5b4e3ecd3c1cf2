"""ack-secret-manager: having it read KMS, and knowing whether a Secret has what it should.

Read in the source of 0.5.8, and not run: no build of it can be had without Alibaba Cloud. It writes no status and no
Event, reads KMS every two minutes, and at once when the specification of an ExternalSecret changes; an annotation does
nothing. The Secret itself is all there is to look at.
"""

import time

from ..model.kubernetes import Object
from .api import Api
from .arrival import Expectation, Outcome, View, deleted
from .delivery import Delivery, Order, after_applying, apply, arrived, refused_adoption
from .resources import ACK_EXTERNAL_SECRETS
from .secrets import changed_keys, read_secret

KIND = "ExternalSecret"
OWNER = "ack-secret-manager"
# A Secret that has not changed for so long after a request has the values that KMS has, if anybody looked.
SETTLING_SECONDS = 20.0
POLLING_SECONDS = 130.0
_STAGE, _CURRENT = "versionStage", "ACSCurrent"


class AckSecretManagerDelivery(Delivery):
    """Applies an ExternalSecret in a form that differs from the one that stands, so that it is read at once."""

    kind = KIND
    resources = ACK_EXTERNAL_SECRETS
    verb = "applied"

    def deliver(self, api: Api, order: Order, before: View) -> Expectation | Outcome:
        """Apply the ExternalSecret, unless a GitOps controller does that."""
        standing = before.objects.get(order.object_name)
        if standing is None and (refusal := refused_adoption(order, f"{KIND} of {OWNER}")):
            return refusal

        def copying(live: Object) -> Expectation | Outcome:
            if order.dry_run:
                return Outcome(state="arrived")
            touched = standing is None or standing["metadata"].get("generation") != live["metadata"].get("generation")
            return _Copy(api, order, live, SETTLING_SECONDS if touched else POLLING_SECONDS)

        target = ACK_EXTERNAL_SECRETS.among(order.namespace, order.object_name)
        applied = apply(api, order.but(manifest=_unlike(order.manifest, standing)), target, before)
        return after_applying(applied, order.manifest, copying, dry_run=order.dry_run)


class _Copy(Expectation):
    """A Secret that was asked for; `settling` is how long it may take until it is looked at."""

    def __init__(self, api: Api, order: Order, written: Object, settling: float) -> None:
        self._api, self._order, self._written = api, order, written
        self._settled = time.monotonic() + settling

    def look(self, view: View) -> Outcome | None:
        """Return the outcome once the Secret has changed and is whole, or has been whole for long enough."""
        live = view.objects.get(self._order.object_name)
        if live is None or live["metadata"]["uid"] != self._written["metadata"]["uid"]:
            return deleted(KIND)
        secret = read_secret(self._api, self._order.namespace, self._order.name)
        if secret is None or self._order.keys - secret.keys:
            return None
        # The values alone count: a label that somebody else sets moves the resourceVersion, too.
        changed = bool(changed_keys(self._order.before, secret))
        if not changed and time.monotonic() < self._settled:
            return None
        return arrived(self._api, self._order, owner=OWNER, live=secret)

    def give_up(self, view: View) -> Outcome:
        """Return what the Secret lacks; why, the log of ack-secret-manager alone says."""
        secret = read_secret(self._api, self._order.namespace, self._order.name)
        if secret is None:
            question = "is it running, and does it serve this namespace?"
            return Outcome(state="unknown", cause=f"{OWNER} made no Secret {self._order.name}: {question}")
        if missing := sorted(self._order.keys - secret.keys):
            cause = (
                f"the Secret {self._order.name} lacks {', '.join(missing)}, which KMS does not have or refuses to give"
            )
            return Outcome(state="failed", cause=cause)
        return Outcome(state="unknown", cause=f"{OWNER} reads KMS within two minutes, and does not say when it has")


def _unlike(manifest: Object, standing: Object | None) -> Object:
    """Return the manifest in a form that means the same and differs from the one that stands.

    The stage of a value's current version may be stated or left out. Only a change of the specification is looked at.
    """
    entries = manifest["spec"]["data"]
    place = next((index for index, entry in enumerate(entries) if "versionId" not in entry), None)
    if place is None or standing is None:
        return manifest
    stands = (standing.get("spec") or {}).get("data") or []
    if place < len(stands) and _STAGE in stands[place]:
        return manifest
    changed = [*entries]
    changed[place] = entries[place] | {_STAGE: _CURRENT}
    return manifest | {"spec": manifest["spec"] | {"data": changed}}
