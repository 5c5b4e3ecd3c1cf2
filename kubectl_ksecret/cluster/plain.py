"""Plain Secrets, applied server-side, so that no annotation holds the values a second time."""

from base64 import b64encode
from collections.abc import Mapping

from ..errors import shown
from ..frozen import Record
from ..manifests import record
from ..model.kubernetes import Object
from ..sensitive import Sensitive
from .api import FIELD_MANAGER, MERGE, Api
from .arrival import Outcome
from .ownership import OVERLAY, gitops_owner, other_overlay, overlay_label, take_over_from_kubectl
from .resources import SECRETS
from .secrets import RESTARTING, LiveSecret, digest, read_secret


class PlainOrder(Record):
    """A Secret to apply; `manifest` is all of it but the values and the record. `before` is the Secret as it was."""

    overlay: str
    manifest: Object
    values: Mapping[str, Sensitive]
    entries: record.Entries
    before: LiveSecret | None
    adopt: bool
    dry_run: bool

    @property
    def namespace(self) -> str:
        """The Secret's namespace."""
        return str(self.manifest["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """The Secret's name."""
        return str(self.manifest["metadata"]["name"])


def apply_secret(api: Api, order: PlainOrder) -> Outcome:
    """Apply a Secret and return the outcome. A Secret that others make is refused, or taken over if that is asked."""
    before = order.before
    if before is not None:
        if refusal := _refusal(order, before):
            return Outcome(state="failed", cause=refusal)
        if fixed := _fixed(order, before):
            cause = f"the Secret {order.name} {fixed}; the way out: {before.anew}"
            return Outcome(state="never", cause=cause)
        live = api.get(SECRETS.among(order.namespace, order.name))
        live.pop("data", None)
        take_over_from_kubectl(api, SECRETS.among(order.namespace, order.name), live, dry_run=order.dry_run)
    keys = _changed_keys(order, before)
    changed = before is None or bool(keys)
    restarting = changed or (before is not None and before.restarting)
    answer = api.apply(
        SECRETS.among(order.namespace, order.name),
        _manifest(order, restarting=restarting),
        dry_run=order.dry_run,
    )
    answer.clear()  # it holds the values
    if order.dry_run:
        return Outcome(state="arrived", changed=changed, changed_keys=keys)
    after = read_secret(api, order.namespace, order.name)
    if after is None or (missing := sorted(order.values.keys() - after.keys)):
        lacking = "it is gone again" if after is None else f"it lacks {', '.join(missing)}"
        return Outcome(state="failed", cause=f"it was applied, and {lacking}")
    return Outcome(state="arrived", changed=restarting, changed_keys=keys)


def finish_secret(api: Api, order: PlainOrder) -> None:
    """Note that what reads the Secret has restarted."""
    live = read_secret(api, order.namespace, order.name)
    if live is not None and live.restarting:
        patch = {"metadata": {"annotations": {RESTARTING: None}}}
        api.patch(SECRETS.among(order.namespace, order.name), patch, MERGE).clear()


def _refusal(order: PlainOrder, before: LiveSecret) -> str:
    """Return why a Secret that exists is not written, or nothing."""
    if owner := gitops_owner(before.object):
        return f"{owner} applies it"
    if before.owners:
        taking = "once it is free, --adopt takes it over"
        hint = before.owners[0].freeing(order.namespace)
        return f"it is made by {before.maker}, which would undo the change; {taking}\nhint: {hint}"
    if (other := other_overlay(before.labels, order.overlay)) and not order.adopt:
        return f"overlay {other} has one of this name in the same namespace; --adopt takes it over"
    managers = {entry.get("manager") for entry in before.object["metadata"].get("managedFields") or ()}
    if FIELD_MANAGER in managers or order.adopt:
        return ""
    losing = sorted(before.keys - order.values.keys())
    loss = f", which may delete {', '.join(losing)}" if losing else ""
    maker = f"made by {before.maker}" if before.maker else "not made by ksecret"
    return f"it exists and is {maker}; --adopt takes it over{loss}"


def _fixed(order: PlainOrder, before: LiveSecret) -> str:
    """Return what the API server lets nobody change of a Secret, if this would."""
    declared = str(order.manifest.get("type") or "Opaque")
    if before.type != declared:
        return f"is of the type {shown(before.type)}, and nobody can make it {declared}"
    return "is immutable, so its values stay" if before.immutable and _changed_keys(order, before) else ""


def _changed_keys(order: PlainOrder, before: LiveSecret | None) -> list[str]:
    earlier = before.digests if before else {}
    changed = {key for key, value in order.values.items() if earlier.get(key) != digest(_encoded(value))}
    return sorted(changed | (earlier.keys() - order.values.keys()))


def _manifest(order: PlainOrder, *, restarting: bool) -> Object:
    """Return the whole Secret. Of a value that did not change the record stays as it is, time and all."""
    entries = {key: _entry(order, key) for key in order.values if key in order.entries}
    metadata = order.manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), record.ANNOTATION: record.text(entries)}
    if restarting:
        annotations[RESTARTING] = "true"
    data = {key: _encoded(value) for key, value in order.values.items()}
    labels = {**(metadata.get("labels") or {}), OVERLAY: overlay_label(order.overlay)}
    # An immutable one has the same values; left out, the field would go with whoever applied it, which is refused.
    fixed = {"immutable": True} if order.before and order.before.immutable else {}
    stated = {"metadata": metadata | {"annotations": annotations, "labels": labels}, "data": data, **fixed}
    return order.manifest | stated


def _entry(order: PlainOrder, key: str) -> record.Provenance:
    """Return what is known of a value; of one that is what it was, that it has been so since then."""
    provenance, before = order.entries[key], order.before
    earlier = before.record.get(key) if before else None
    if before is None or earlier is None or before.digests.get(key) != digest(_encoded(order.values[key])):
        return provenance
    return earlier if _state(earlier) == _state(provenance) else provenance


def _state(provenance: record.Provenance) -> tuple[object, ...]:
    return provenance.by, provenance.digest, provenance.version, dict(provenance.inputs), provenance.template


def _encoded(value: Sensitive) -> str:
    return b64encode(value.reveal()).decode()
