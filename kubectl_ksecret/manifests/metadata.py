"""Metadata of a manifest: name, namespace, and the overlay's own labels and annotations."""

from collections.abc import Mapping

from ..model.kubernetes import Object
from ..model.resolution import Environment
from ..model.types.backends import ManifestMetadata


def merged(of_all: ManifestMetadata | None, of_one: ManifestMetadata | None) -> ManifestMetadata | None:
    """Return the metadata of all manifests with that of one over it."""
    if of_all is None or of_one is None:
        return of_one or of_all
    return of_one.but(
        labels={**of_all.labels, **of_one.labels}, annotations={**of_all.annotations, **of_one.annotations}
    )


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
