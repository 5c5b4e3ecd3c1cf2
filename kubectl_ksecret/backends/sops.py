"""A Secret encrypted with SOPS: its metadata and type are made here, its encrypted values are committed."""

from ..manifests import record, sops
from ..model.kubernetes import Object
from ..model.resolution import Environment, Secret
from ..model.types.backends import Sops
from .metadata import metadata


def shell(environment: Environment, backend: Sops, secret: Secret, entries: dict[str, record.Entry]) -> Object:
    """The Secret without its values; `entries` are the record of those that it will hold."""
    spec = secret.declaration.spec
    annotations = {**spec.annotations, **({record.ANNOTATION: record.text(entries)} if entries else {})}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(environment, secret.name, backend.metadata, spec.labels, annotations),
        "type": spec.type,
    }


def encrypted(document: Object) -> dict[str, str]:
    """The encrypted values of a committed Secret by key."""
    found = document.get("data")
    return {key: text for key, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def mend(environment: Environment, backend: Sops, secret: Secret, document: Object) -> Object:
    """A committed Secret with the declared metadata and type, where its MAC does not cover them.

    A key that is no longer declared stays: without the data key the MAC can't be made anew.
    """
    if document["kind"] != "Secret" or not sops.mac_survives_rewriting(document):
        return document
    values = encrypted(document)
    entries = {key: entry for key, entry in record.of(document).items() if key in values}
    return shell(environment, backend, secret, entries) | {"data": document["data"], "sops": document["sops"]}
