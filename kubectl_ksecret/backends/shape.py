"""Fields of a committed object, compared with the declared ones."""

from collections.abc import Iterable, Iterator

from ..manifests import record
from ..model.backend import Path
from ..model.kubernetes import Object


def field(document: Object, path: Path) -> object:
    """Return what stands at a path; None where nothing does."""
    value: object = document
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def differing(document: Object, declared: Object, paths: Iterable[Path]) -> Iterator[Path]:
    """Find the paths at which two objects differ; empty is as good as absent, and the record is not compared."""
    for path in paths:
        if (record.without(field(document, path)) or None) != (record.without(field(declared, path)) or None):
            yield path
