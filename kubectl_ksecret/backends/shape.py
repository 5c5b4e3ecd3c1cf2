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
        if (_without_record(field(document, path)) or None) != (_without_record(field(declared, path)) or None):
            yield path


def _without_record(value: object) -> object:
    """Return a value without the record, and without what is empty because of that."""
    if not isinstance(value, dict):
        return value
    fields = {}
    for name, below in value.items():
        remaining = _without_record(below)
        if name != record.ANNOTATION and (remaining != {} or below == {}):
            fields[name] = remaining
    return fields
