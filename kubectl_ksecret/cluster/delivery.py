"""Delivering one Secret: write what stands for it, and expect the Secret itself."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from ..errors import with_article
from ..frozen import Record
from ..model.kubernetes import Object
from .api import MERGE, Api
from .arrival import Expectation, Outcome, View
from .comparison import has_form
from .ownership import (
    OVERLAY,
    applied_by_kubectl,
    data_written,
    gitops_owner,
    other_overlay,
    overlay_label,
    take_over_from_kubectl,
)
from .resources import Resources, Target
from .secrets import LiveSecret, changed_keys, read_secret

# On the object that stands for a Secret: the Secret's version when the last sync, restarts and all, was done.
FINISHED = "ksecret.dev/synced-version"


class Order(Record):
    """A Secret to deliver: the object that stands for it, the Secret's own name and the keys that it must have.

    `before` is the Secret as it was, and `finished` its version when the last sync was finished, if there was one.
    `adopt` allows to take over a Secret that nobody or somebody else made.
    """

    overlay: str
    manifest: Object
    namespace: str
    name: str
    keys: frozenset[str]
    before: LiveSecret | None
    finished: str
    adopt: bool
    dry_run: bool

    @property
    def version_before(self) -> str:
        """The Secret's version before this sync."""
        return _version_of(self.before) if self.before else "none"

    @property
    def mark(self) -> dict[str, str]:
        """The annotation by which a sync that is interrupted is finished by the next one."""
        return {FINISHED: self.finished or self.version_before}

    @property
    def object_name(self) -> str:
        """The name of the object that stands for the Secret."""
        return str(self.manifest["metadata"]["name"])


class Delivery(Protocol):
    """How the objects of one kind become Secrets. `kind` is that of Events, `resources` that of requests.

    `verb` says in one word what is done to an object.
    """

    kind: str
    resources: Resources
    verb: str

    def deliver(self, api: Api, order: Order, before: View) -> Expectation | Outcome:
        """Write the object and return what is to be expected, or the outcome where that is known at once."""


def arrived(api: Api, order: Order, *, owner: str, live: LiveSecret | None = None) -> Outcome:
    """Return the outcome of what a controller says it has done: it counts only with the Secret and its keys.

    `live` is the Secret, where it was read just now.
    """
    live = live or read_secret(api, order.namespace, order.name)
    if live is None:
        return Outcome(state="failed", cause=f"{owner} reports success, but there is no Secret {order.name}")
    if missing := sorted(order.keys - live.keys):
        return Outcome(state="failed", cause=f"the Secret {order.name} lacks {', '.join(missing)}")
    keys = changed_keys(order.before, live)
    changed_before = _differs(order.finished, order.version_before)
    changed = bool(keys) or order.before is None or changed_before
    return Outcome(state="arrived", changed=changed, changed_keys=keys, version=_version_of(live))


def refused_adoption(order: Order, kind: str) -> Outcome | None:
    """Return why a Secret that exists is not taken over: unasked, since its other keys would be deleted.

    One that another object makes is not taken over at all. Both would make it in turn, or the controller refuses.
    """
    before = order.before
    if before is None or any(owner.kind == kind for owner in before.owners):
        return None
    losing = sorted(before.keys - order.keys)
    loss = f", which would delete {', '.join(losing)}" if losing else ""
    maker = f"made by {before.maker}" if before.maker else f"not made by {with_article(kind)}"
    cause = f"the Secret {order.name} exists and is {maker}; --adopt takes it over{loss}"
    if before.owners:
        hint = before.owners[0].freeing(order.namespace)
        return Outcome(state="failed", cause=f"{cause}, once it is free\nhint: {hint}")
    return None if order.adopt else Outcome(state="failed", cause=cause)


def refused_neighbour(order: Order, standing: Object | None) -> Outcome | None:
    """Return why an object that another overlay has applied is not written unasked."""
    labels = ((standing or {}).get("metadata") or {}).get("labels") or {}
    other = other_overlay(labels, order.overlay)
    if not other or order.adopt:
        return None
    cause = f"overlay {other} has one of this name in the same namespace; --adopt takes it over"
    return Outcome(state="failed", cause=cause)


def unchangeable(outcome: Outcome, before: LiveSecret | None) -> Outcome:
    """Return the outcome as it is of a Secret that is immutable: what failed there is never tried again."""
    if outcome.state != "failed" or before is None or not before.immutable:
        return outcome
    cause = f"the Secret {before.name} is immutable, so its values stay; the way out: {before.anew}"
    return Outcome(state="never", cause=cause)


class Applied(NamedTuple):
    """An object as it is in the cluster, and the GitOps controller that applies it, if one does; then we did not."""

    live: Object
    owner: str


class OwnersTurn(Expectation):
    """An object that a GitOps controller has yet to apply in the form that was built; `then` goes on from there."""

    def __init__(self, manifest: Object, owner: str, then: Callable[[Object], Expectation | Outcome]) -> None:
        self._manifest, self._owner, self._then = manifest, owner, then
        self._next: Expectation | None = None

    def look(self, view: View) -> Outcome | None:
        """Return the outcome once the object has the form that was built, and what follows from it is done."""
        if self._next is None:
            live = view.objects.get(self._manifest["metadata"]["name"])
            if live is None or not has_form(live, self._manifest):
                return None
            following = self._then(live)
            if isinstance(following, Outcome):
                return following
            self._next = following
        return self._next.look(view)

    def give_up(self, view: View) -> Outcome:
        """Return that the owner has not applied it, or what is known of what follows."""
        if self._next is not None:
            return self._next.give_up(view)
        return Outcome(state="unknown", cause=f"{self._owner} applies it, and has not brought what is built here yet")


def after_applying(
    applied: Applied, manifest: Object, then: Callable[[Object], Expectation | Outcome], *, dry_run: bool
) -> Expectation | Outcome:
    """Go on with what was applied; what a GitOps controller has yet to apply is waited for."""
    if not applied.owner or has_form(applied.live, manifest):
        return then(applied.live)
    return Outcome(state="arrived", undecided=True) if dry_run else OwnersTurn(manifest, applied.owner, then)


def apply(api: Api, order: Order, target: Target, before: View) -> Applied:
    """Apply the object that stands for a Secret, as `apply_unowned` does."""
    metadata = order.manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), **order.mark}
    manifest = order.manifest | {"metadata": metadata | {"annotations": annotations}}
    live = before.objects.get(order.object_name)
    return apply_unowned(api, target, manifest, live, overlay=order.overlay, dry_run=order.dry_run)


def apply_unowned(
    api: Api, target: Target, manifest: Object, live: Object | None, *, overlay: str, dry_run: bool
) -> Applied:
    """Apply an object unless a GitOps controller owns it, and return it as it is in the cluster then.

    Conflicts are forced: ESO owns the durations and lists that it wrote anew in its own form, and what people apply
    by hand is ours from now on. What was listed before is not asked for again, but to take it over as it is now.
    """
    if live is not None:
        if owner := gitops_owner(live):
            return Applied(live, owner)
        if applied_by_kubectl(live) and (live := api.find(target)) is not None:
            take_over_from_kubectl(api, target, live, dry_run=dry_run)
    metadata = manifest["metadata"]
    labels = {**(metadata.get("labels") or {}), OVERLAY: overlay_label(overlay)}
    labelled = manifest | {"metadata": metadata | {"labels": labels}}
    return Applied(api.apply(target, labelled, dry_run=dry_run), "")


def finish(api: Api, delivery: Delivery, order: Order, outcome: Outcome) -> None:
    """Note that a sync is finished, with all that had to restart: the next one begins with the Secret that arrived.

    That is not the Secret as it is now. What was written while the workloads restarted has to restart them again.
    """
    # Compared with what the object had before: an owner's object did not get the mark by being applied.
    if order.finished != outcome.version:
        body = {"metadata": {"annotations": {FINISHED: outcome.version}}}
        api.patch(delivery.resources.among(order.namespace, order.object_name), body, MERGE)


def _version_of(live: LiveSecret) -> str:
    """Return what tells whether a Secret was written: its resourceVersion, and when its values were."""
    return f"{live.resource_version}@{data_written(live.object)[0]}"


def _differs(finished: str, before: str) -> bool:
    """Whether the values may be others than when the last sync was finished.

    An annotation or label that somebody else has put there since then is no reason to restart anything.
    """
    written = finished.partition("@")[2]
    return finished not in ("", before) and (not written or written != before.partition("@")[2])


def finished_version(standing: Object | None) -> str:
    """Return what the last finished sync noted on the object that stands for a Secret."""
    annotations = ((standing or {}).get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(FINISHED, ""))


def event_versions(view: View, live: Object) -> Mapping[str, str]:
    """Return the Events that an object had, by which new ones are told."""
    return view.event_versions(live["metadata"]["uid"])
