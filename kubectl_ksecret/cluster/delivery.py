"""Delivering one Secret: write what stands for it, and expect the Secret itself."""

from collections.abc import Mapping
from typing import Protocol

from ..frozen import Record
from ..model.kubernetes import Object
from .api import MERGE, Api
from .arrival import Expectation, Outcome, View
from .ownership import applied_by_kubectl, gitops_owner, take_over_from_kubectl
from .resources import Resources, Target
from .secrets import LiveSecret, read_secret

# On the object that stands for a Secret: the Secret's resourceVersion when the last sync, restarts and all, was done.
FINISHED = "ksecret.dev/synced-version"


class Order(Record):
    """A Secret to deliver: the object that stands for it, the Secret's own name and the keys that it must have.

    `before` is the Secret as it was, and `finished` its resourceVersion when the last sync was finished, if there was
    one. `adopt` allows to take over a Secret that nobody or somebody else made.
    """

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
        """The Secret's resourceVersion before this sync."""
        return self.before.resource_version if self.before else "none"

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
    changed_now = order.before is None or order.before.digests != live.digests
    changed_before = order.finished not in ("", order.version_before)
    return Outcome(state="arrived", changed=changed_now or changed_before)


def refused_adoption(order: Order, kind: str) -> Outcome | None:
    """Return why a Secret that exists is not taken over unasked: its other keys would be deleted."""
    before = order.before
    if before is None or order.adopt or any(owner.kind == kind for owner in before.owners):
        return None
    losing = sorted(before.keys - order.keys)
    loss = f", which would delete {', '.join(losing)}" if losing else ""
    maker = f"made by {before.owners[0].kind} {before.owners[0].name}" if before.owners else f"not made by a {kind}"
    return Outcome(state="failed", cause=f"the Secret {order.name} exists and is {maker}; --adopt takes it over{loss}")


def apply(api: Api, order: Order, target: Target, before: View) -> Object:
    """Apply the object unless a GitOps controller owns it, and return it as it is in the cluster then.

    Conflicts are forced: ESO owns the durations and lists that it wrote anew in its own form, and what people apply
    by hand is ours from now on. What was listed before is not asked for again, but to take it over as it is now.
    """
    live = before.objects.get(order.object_name)
    if live is not None:
        if gitops_owner(live):
            return live
        if applied_by_kubectl(live) and (live := api.find(target)) is not None:
            take_over_from_kubectl(api, target, live, dry_run=order.dry_run)
    metadata = order.manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), **order.mark}
    manifest = order.manifest | {"metadata": metadata | {"annotations": annotations}}
    return api.apply(target, manifest, force=True, dry_run=order.dry_run)


def finish(api: Api, delivery: Delivery, order: Order) -> None:
    """Note that a sync is finished, with all that had to restart: the next one begins with the Secret as it is now."""
    live = read_secret(api, order.namespace, order.name)
    if live is not None and order.mark[FINISHED] != live.resource_version:
        body = {"metadata": {"annotations": {FINISHED: live.resource_version}}}
        api.patch(delivery.resources.among(order.namespace, order.object_name), body, MERGE)


def finished_version(standing: Object | None) -> str:
    """Return what the last finished sync noted on the object that stands for a Secret."""
    annotations = ((standing or {}).get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(FINISHED, ""))


def event_versions(view: View, live: Object) -> Mapping[str, str]:
    """Return the Events that an object had, by which new ones are told."""
    return view.event_versions(live["metadata"]["uid"])
