"""Live Secrets without their values: what is kept of a Secret is its keys, its record and whom it belongs to."""

import hmac
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..frozen import Record
from ..manifests import record
from ..model.kubernetes import Object
from .api import Api
from .resources import SECRETS

# On a plain Secret whose values have changed, until what reads it has restarted.
RESTARTING = "ksecret.dev/restarting"
# Values are compared by digests under a key that lives as long as the process: nobody can guess a value by them.
_KEY = os.urandom(32)


class Owner(Record):
    """An object that a controller makes another one of."""

    kind: str
    name: str


class LiveSecret(Record):
    """A Secret of the cluster. `digests` has a digest of each value, which only this process can compare."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    type: str
    digests: Mapping[str, bytes]
    record_text: str
    labels: Mapping[str, str]
    owners: Sequence[Owner]
    managed_by_sealed_secrets: bool
    restarting: bool
    object: Object

    @property
    def keys(self) -> frozenset[str]:
        """The names of its keys."""
        return frozenset(self.digests)

    @property
    def record(self) -> record.Entries:
        """What is known of its values: where they came from, and when they were sealed."""
        return record.parse(self.record_text)


def read_secret(api: Api, namespace: str, name: str) -> LiveSecret | None:
    """Return a Secret, or None if there is none. Its values are dropped at once."""
    live = api.find(SECRETS.among(namespace, name))
    return _without_values(live) if live is not None else None


def _without_values(live: Object) -> LiveSecret:
    metadata = live["metadata"]
    annotations = metadata.get("annotations") or {}
    data = live.pop("data", None) or {}
    return LiveSecret(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        type=live.get("type") or "Opaque",
        digests={key: digest(str(value)) for key, value in data.items()},
        record_text=annotations.get(record.ANNOTATION) or "",
        labels=metadata.get("labels") or {},
        owners=[Owner(kind=owner["kind"], name=owner["name"]) for owner in metadata.get("ownerReferences") or ()],
        restarting=annotations.get(RESTARTING) == "true",
        managed_by_sealed_secrets=annotations.get("sealedsecrets.bitnami.com/managed") == "true",
        object=_value_free(live),
    )


def digest(encoded: str) -> bytes:
    """Return the digest by which a value, in base64, is compared with that of a live Secret."""
    return hmac.digest(_KEY, encoded.encode(), "sha256")


def _value_free(live: Object) -> Object:
    """Return what can be shown of a Secret: last-applied holds values, and ESO's data-hash is an unkeyed digest."""
    metadata: dict[str, Any] = {
        name: value
        for name, value in live["metadata"].items()
        if name in ("labels", "managedFields", "ownerReferences")
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
