"""Live Secrets without their values: what is kept of a Secret is its keys, its record and whom it belongs to.

A request for metadata alone is not free of values, since client-side `kubectl apply` stores them in an annotation; all
annotations but our own are dropped here.
"""

import hmac
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import shown
from ..frozen import Record
from ..manifests import record
from ..model.kubernetes import LAST_APPLIED, OPERATOR, Object
from .api import Api, Refused, Row
from .ownership import fields_below
from .resources import SECRETS

# On a plain Secret whose values have changed, until what reads it has restarted.
RESTARTING = "ksecret.dev/restarting"
_HELM_RELEASE = "meta.helm.sh/release-name"
# Values are compared by digests under a key that lives as long as the process: nobody can guess a value by them.
_KEY = os.urandom(32)


class Owner(Record):
    """An object that a controller makes another one of."""

    kind: str
    name: str
    group: str

    def freeing(self, namespace: str) -> str:
        """Return the command by which it goes, and what it made stays."""
        resource = f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()
        return f"kubectl delete {shown(resource)} {shown(self.name)} --namespace={namespace} --cascade=orphan"


class SecretMetadata(Record):
    """A Secret of the cluster, of which no value was read.

    `last_applied` says whether it has the annotation in which client-side `kubectl apply` stores all values again,
    `hashed` whether it has the one in which External Secrets Operator stores a digest of them.
    `object` is what can be shown of it.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: str
    type: str
    keys: frozenset[str]
    record_text: str
    labels: Mapping[str, str]
    owners: Sequence[Owner]
    managed_by_sealed_secrets: bool
    restarting: bool
    last_applied: bool
    hashed: bool
    helm_release: str
    object: Object

    @property
    def maker(self) -> str:
        """Who makes it, by the object that owns it or the Helm release that it is of; empty if nothing says so."""
        if self.owners:
            return f"{self.owners[0].kind} {self.owners[0].name}"
        return f"the Helm release {self.helm_release}, whose next upgrade writes it again" if self.helm_release else ""

    @property
    def record(self) -> record.Entries:
        """What is known of its values: where they came from, and when they were sealed."""
        return record.parse(self.record_text)


class LiveSecret(SecretMetadata):
    """A Secret that was read. `digests` has a digest of each value, which only this process can compare."""

    digests: Mapping[str, bytes]
    immutable: bool

    @property
    def anew(self) -> str:
        """Return the command after which it can be made anew."""
        return f"kubectl delete secret {self.name} --namespace={self.namespace}, and the same command again"


def read_secret(api: Api, namespace: str, name: str) -> LiveSecret | None:
    """Return a Secret, or None if there is none. Its values are dropped at once."""
    live = api.find(SECRETS.among(namespace, name))
    if live is None:
        return None
    data = live.pop("data", None) or {}
    digests = {key: digest(str(value)) for key, value in data.items()}
    fields = _fields(live["metadata"], live.get("type"), frozenset(digests))
    return LiveSecret(digests=digests, immutable=live.get("immutable") is True, **fields)


def list_secrets(api: Api, namespace: str) -> dict[str, SecretMetadata]:
    """Return the Secrets of a namespace by name. Where it can be avoided, no value leaves the cluster."""
    secrets = [_of_row(api, row) for row in api.rows(SECRETS.among(namespace))]
    return {secret.name: secret for secret in secrets if secret is not None}


def find_secret(api: Api, namespace: str, name: str) -> SecretMetadata | None:
    """Return a Secret, or None if there is none. Where it can be avoided, no value leaves the cluster."""
    try:
        rows = api.rows(SECRETS.among(namespace, name))
    except Refused as refused:
        if refused.status == 404:
            return None
        raise
    return _of_row(api, rows[0])


def _of_row(api: Api, row: Row) -> SecretMetadata | None:
    """Return the Secret of a row; None if it had to be read, and somebody has deleted it meanwhile."""
    metadata, (_, type_, *_) = row.metadata, row.cells
    keys = managed_keys(row)
    if keys is None:
        return read_secret(api, metadata["namespace"], metadata["name"])
    return SecretMetadata(**_fields(metadata, type_, keys))


def managed_keys(row: Row) -> frozenset[str] | None:
    """Return the keys of a Secret as managedFields name them; None where somebody reset them or wrote stringData.

    The API server removes from managedFields what is gone, so that they are complete when they are as many as the
    table counts.
    """
    keys = frozenset(managed(row.metadata, "data"))
    return keys if len(keys) == row.cells[2] else None


def managed(metadata: Object, *path: str) -> Iterator[str]:
    """Yield the names of the fields below a path, as whoever wrote them has left it in managedFields."""
    for entry in metadata.get("managedFields") or ():
        yield from fields_below(entry, *path)


def _fields(metadata: Object, type_: str | None, keys: frozenset[str]) -> dict[str, Any]:
    annotations = metadata.get("annotations") or {}
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "resource_version": metadata["resourceVersion"],
        "created": metadata.get("creationTimestamp") or "",
        "type": type_ or "Opaque",
        "keys": keys,
        "record_text": annotations.get(record.ANNOTATION) or "",
        "labels": metadata.get("labels") or {},
        "owners": [_owner(reference) for reference in metadata.get("ownerReferences") or ()],
        "restarting": annotations.get(RESTARTING) == "true",
        "managed_by_sealed_secrets": annotations.get("sealedsecrets.bitnami.com/managed") == "true",
        "last_applied": LAST_APPLIED in annotations,
        "helm_release": shown(annotations.get(_HELM_RELEASE, "")),
        "hashed": f"reconcile.{OPERATOR}/data-hash" in annotations,
        "object": _value_free(metadata),
    }


def _owner(reference: Object) -> Owner:
    group, slash, _ = reference["apiVersion"].partition("/")
    return Owner(kind=reference["kind"], name=reference["name"], group=group if slash else "")


def changed_keys(before: LiveSecret | None, after: LiveSecret) -> list[str]:
    """Return the keys that have other values than before, that are new, or that are gone."""
    earlier = before.digests if before else {}
    return sorted(key for key in {*earlier, *after.digests} if earlier.get(key) != after.digests.get(key))


def digest(encoded: str) -> bytes:
    """Return the digest by which a value, in base64, is compared with that of a live Secret."""
    return hmac.digest(_KEY, encoded.encode(), "sha256")


def _value_free(metadata: Object) -> Object:
    """Return what can be shown of a Secret: last-applied holds values, and ESO's data-hash is an unkeyed digest."""
    shown = ("labels", "managedFields", "ownerReferences")
    harmless = {name: value for name, value in metadata.items() if name in shown}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": harmless}
