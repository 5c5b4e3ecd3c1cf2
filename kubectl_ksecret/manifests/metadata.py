"""Metadata of a manifest: name, namespace, and the overlay's own labels and annotations."""

from collections.abc import Mapping

from ..model.kubernetes import Object
from ..model.resolution import Environment
from ..model.types.backends import ManifestMetadata


def metadata(
    environment: Environment,
    name: str,
    declared: ManifestMetadata | None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Object:
    """Return the metadata of one manifest; what is empty is left out."""
    fields = {
        "name": name,
        "namespace": environment.namespace,
        "labels": {**(declared.labels if declared else {}), **(labels or {})},
        "annotations": {**(declared.annotations if declared else {}), **(annotations or {})},
    }
    return {field: value for field, value in fields.items() if value}
