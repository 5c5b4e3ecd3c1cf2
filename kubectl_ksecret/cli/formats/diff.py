"""What `diff` prints: unified differences of objects without values, as kubectl diff prints them, or an object."""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import unified_diff

from ... import yamlio
from ...actions.diff import Compared, Diff
from ...model.kubernetes import Object
from ...model.loading import API_VERSION
from ...objects.documents import Path, dotted

_MISSING = object()


def text(diffs: Sequence[Diff], output: str) -> str:
    """Return the differences in an output format: one object after the other, or the names of those that differ."""
    if output == "json":
        return json.dumps(_object(diffs), indent=2, ensure_ascii=False) + "\n"
    if output == "yaml":
        return yamlio.dump([_object(diffs)])
    if output == "name":
        return "".join(f"{one.name}\n" for diff in diffs for one in diff.differing)
    texts = [both_texts(one) for diff in diffs for one in diff.differing]
    names = [name for diff in diffs for name in _titles(diff, several=len(diffs) > 1)]
    return "".join(
        line
        for name, (live, built) in zip(names, texts, strict=True)
        for line in unified_diff(live, built, f"live/{name}", f"built/{name}")
    )


def notes(diffs: Sequence[Diff]) -> Iterator[str]:
    """Yield a line for each note on an object that differs, and for what could not be compared."""
    for diff in diffs:
        yield from (f"note: {note}" for note in diff.notes)
        for one in diff.differing:
            yield from (f"note: {one.name}: {note}" for note in one.notes)


def both_texts(one: Compared) -> tuple[list[str], list[str]]:
    """Return the lines of an object as it lives and as it is built, without values."""
    return _lines(one.live), _lines(one.built)


def _titles(diff: Diff, *, several: bool) -> list[str]:
    """Return the names of the objects that differ; of several overlays they begin with the overlay's namespace."""
    return [f"{diff.namespace}/{one.name}" if several else one.name for one in diff.differing]


def _lines(content: Object | None) -> list[str]:
    return yamlio.dump([content]).splitlines(keepends=True) if content is not None else []


def _object(diffs: Sequence[Diff]) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Diff",
        "items": [
            {
                "overlay": diff.environment,
                "namespace": diff.namespace,
                "object": one.name,
                "state": _state(one),
                "fields": [{"path": dotted(path), "change": change} for path, change in _fields(one)],
                "notes": list(one.notes),
            }
            for diff in diffs
            for one in diff.compared
        ],
    }


def _state(one: Compared) -> str:
    if not one.differs:
        return "same"
    return "missing" if one.live is None else "extra" if one.built is None else "changed"


def _fields(one: Compared) -> Iterator[tuple[Path, str]]:
    """Find the fields that differ between what lives and what is built; of values no more than that they do."""
    if one.live is not None and one.built is not None:
        yield from _below(one.live, one.built, ())


def _below(live: object, built: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(live, Mapping) and isinstance(built, Mapping):
        for name in sorted({*live, *built}):
            yield from _below(live.get(name, _MISSING), built.get(name, _MISSING), (*path, name))
    elif live is _MISSING:
        yield path, "added"
    elif built is _MISSING:
        yield path, "removed"
    elif live != built:
        yield path, "changed"
