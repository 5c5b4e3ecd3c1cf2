"""Metadata of a manifest: name, namespace, and the overlay's own labels and annotations."""

from collections.abc import Mapping

from ..model.kubernetes import Object
from ..model.resolution import Environment
from ..model.types.backends import ManifestMetadata


def metadata(
    environment: Environment,
    name: str,
    said: ManifestMetadata | None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Object:
    """The metadata of one manifest; what is empty is left out."""
    fields = {
        "name": name,
        "namespace": environment.namespace,
        "labels": {**(said.labels if said else {}), **(labels or {})},
        "annotations": {**(said.annotations if said else {}), **(annotations or {})},
    }
    return {field: value for field, value in fields.items() if value}
