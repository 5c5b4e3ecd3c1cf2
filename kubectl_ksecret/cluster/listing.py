"""What a namespace holds of Secrets, without a value: names, types, owners and the names of the keys.

The table that `kubectl get` prints holds no value and counts the keys; the managedFields beside it name them.
Only where these two disagree, as after an update by a client that resets managedFields, is a Secret itself read, and
its values are dropped at once. Values are read by `read_values` alone.
"""

from collections.abc import Collection, Iterable, Iterator

from ..errors import InputError, Mistake, nearest, shown
from ..frozen import Record
from ..model.kubernetes import LAST_APPLIED, OPERATOR, Object, decoded
from ..sensitive import Sensitive
from .api import Api, Refused, Row
from .resources import SECRETS, Resources
from .secrets import managed, managed_keys

# An annotation of values, and one of an unkeyed digest of them.
_REVEALING = (LAST_APPLIED, f"reconcile.{OPERATOR}/data-hash")


class ListedSecret(Record):
    """A Secret of a list: the object without data, and its keys, where the list tells them."""

    object: Object
    keys: Collection[str] | None

    @property
    def name(self) -> str:
        """The Secret's name."""
        return str(self.object["metadata"]["name"])


def secrets(api: Api, namespace: str, names: Collection[str], selector: str) -> list[ListedSecret]:
    """Return the Secrets of these names, or else all that a selector chooses.

    Raises InputError for a name that no Secret has.
    """
    if names:
        return [_named(api, namespace, name) for name in sorted(set(names))]
    query = {"labelSelector": selector} if selector else {}
    return [_listed(row) for row in api.rows(SECRETS.among(namespace), query)]


def with_keys(api: Api, listed: ListedSecret) -> Object:
    """Return a Secret as an object whose keys have no values."""
    keys, fields = listed.keys, {}
    if keys is None:
        live = api.get(SECRETS.among(listed.object["metadata"]["namespace"], listed.name))
        keys = (live.pop("data", None) or {}).keys()
        fields = {"immutable": True} if live.get("immutable") else {}
    return {**listed.object, **fields, "data": dict.fromkeys(sorted(keys))}


def objects(api: Api, resources: Resources, kind: str, namespace: str, selector: str = "") -> list[Object]:
    """Return the objects of a kind, without what a server and its controllers write; none where it is not served."""
    if not api.serves(resources):
        return []
    query = {"labelSelector": selector} if selector else {}
    return [_without_status(live, resources, kind) for live in api.all(resources.among(namespace), query)]


def one(api: Api, resources: Resources, kind: str, name: str) -> Iterator[Object]:
    """Yield an object of the whole cluster in the same form, if there is one."""
    live = api.find(resources.cluster_wide(name))
    if live is not None:
        yield _without_status(live, resources, kind)


def _without_status(live: Object, resources: Resources, kind: str) -> Object:
    version = f"{resources.group}/{resources.version}"
    metadata, spec = _metadata(live["metadata"]), live.get("spec") or {}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def read_values(api: Api, namespace: str, names: Iterable[str]) -> dict[str, dict[str, Sensitive]]:
    """Return the values of Secrets, by name and key.

    Raises InputError for one that is not there, Refused for one that can't be read.
    """
    values: dict[str, dict[str, Sensitive]] = {}
    for name in names:
        live = api.find(SECRETS.among(namespace, name))
        if live is None:
            raise InputError(_no_secret(api, namespace, name))
        data = live.pop("data", None) or {}
        values[name] = {key: Sensitive(decoded(text)) for key, text in data.items()}
    return values


def _no_secret(api: Api, namespace: str, name: str) -> Mistake:
    try:
        others: list[str] = [row.cells[0] for row in api.rows(SECRETS.among(namespace))]
    except Refused:
        others = []
    return Mistake(f"the namespace {namespace} has no Secret {shown(name)}", hint=nearest(name, others))


def _named(api: Api, namespace: str, name: str) -> ListedSecret:
    try:
        [row] = api.rows(SECRETS.among(namespace, name))
    except Refused as refused:
        if refused.status != 404:
            raise
        raise InputError(_no_secret(api, namespace, name)) from None
    return _listed(row)


def _listed(row: Row) -> ListedSecret:
    metadata, (_, type_, *_) = row.metadata, row.cells
    object_ = {"apiVersion": "v1", "kind": "Secret", "metadata": _metadata(metadata), "type": type_}
    # Whether it is immutable stands beside the keys, and its value is read with them.
    is_immutable = "immutable" in managed(metadata)
    return ListedSecret(object=object_, keys=None if is_immutable else managed_keys(row))


def _metadata(metadata: Object) -> Object:
    annotations = metadata.get("annotations") or {}
    fields = {name: value for name, value in metadata.items() if name != "managedFields"}
    return fields | {"annotations": {name: text for name, text in annotations.items() if name not in _REVEALING}}
