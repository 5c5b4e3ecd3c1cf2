"""What an imported object had, and what is rendered in its place: whatever differs is named, field by field.

The comparison knows nothing of how an object was read, so a field that the reading has never heard of is found too.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from ..errors import Mistake, printable
from ..model.kubernetes import Object
from ..objects.documents import Document, Path, dotted, mapping
from .normalising import entry_number, normalised
from .secrets import below, title
from .stores import StoreReading

_HINTS = {
    "spec.target.name": "it takes the name of its Secret, which is made anew when the old one is deleted",
    "spec.dataFrom": "each key is declared by name, so that every environment has the same ones: add them",
    "spec.target.template.templateFrom": "only templates of the ExternalSecret itself can be declared",
}
# Where a Secret's keys stand in the normal form of each kind.
_FETCHED: Path = ("spec", "data")
_MADE: Path = ("spec", "target", "template", "data")
_KEYS: tuple[Path, ...] = (("data",), _FETCHED, _MADE, ("spec", "encryptedData"))
# Without these the same Secret arrives, with the same keys; whatever else is lost makes another Secret, or none.
_HARMLESS: tuple[Path, ...] = (
    ("metadata",),
    ("spec", "refreshInterval"),
    ("spec", "target", "name"),
    ("spec", "target", "template", "metadata", "labels"),
    ("spec", "target", "template", "metadata", "annotations"),
    ("spec", "template", "metadata", "labels"),
    ("spec", "template", "metadata", "annotations"),
)


class Difference(NamedTuple):
    """A field that is not as it was; `path` is that of the normal form."""

    document: Document
    path: Path
    change: str

    @property
    def is_harmless(self) -> bool:
        """Whether the same Secret arrives all the same."""
        if str(self.path[-1]).startswith("sealedsecrets.bitnami.com/"):  # these tell the controller how to write it
            return False
        if self.change == _LOST and self.path[:-1] == _FETCHED:
            return True  # it is fetched: a key that is made of it would be lost too
        return any(self.path[: len(path)] == path for path in _HARMLESS)

    @property
    def written(self) -> Path:
        """The path in the document, in which entries have numbers, as far as it leads."""
        *above, name = self.path
        normal: Path = self.path
        if tuple(above) == _MADE and name not in mapping(self.document.at(*_MADE)):
            normal = (*_FETCHED, name)  # a key without a template is what was fetched
        value: object = self.document.object
        path: list[str | int] = []
        for step in normal:
            number = entry_number(value, step) if isinstance(value, list) else None
            value = value[number] if isinstance(value, list) and number is not None else mapping(value).get(str(step))
            path.append(step if number is None else number)
        return tuple(path)

    @property
    def field(self) -> str:
        """The field as messages show it."""
        return printable(dotted(self.written))

    @property
    def mistake(self) -> Mistake:
        """The message, at the field's place or at the nearest one above it."""
        path = self.written
        while path and self.document.at(*path) is None:
            path = path[:-1]
        named = path and isinstance(path[-1], str)
        place = self.document.key(*path) if named else self.document.place(*path)
        return Mistake(f"{title(self.document)}: {self.field} {self.change}", place, _HINTS.get(self.field, ""))


def differences(
    document: Document, rendered: Object, store: StoreReading, elsewhere: Collection[str] = ()
) -> list[Difference]:
    """Return the fields of an object that are not rendered as they were; the keys `elsewhere` are another Secret's."""
    before, after = (
        _without(_with_source_names(normalised(object_), store), elsewhere) for object_ in (document.object, rendered)
    )
    return [Difference(document, path, change) for path, change in _differing(before, after, ())]


def store_differences(document: Document, rendered: Object) -> tuple[bool, list[Difference]]:
    """Return the same of a store, and whether it may be replaced: a label that it did not have does no harm."""
    before, after = normalised(document.object), normalised(rendered)
    all_ = [Difference(document, path, change) for path, change in _differing(before, after, ())]
    lost = [field for field in all_ if field.path[:2] != ("metadata", "labels") or field.change != _NEW]
    # Of a store that stays nothing is new.
    return not lost, lost or all_


_LOST, _OTHER, _NEW = "is not carried over", "is not the same", "is new"


def _with_source_names(object_: Object, store: StoreReading) -> Object:
    """Let each entry have the name in the source that is meant: the operator takes more than one form of it."""
    for entry in mapping(mapping(object_.get("spec")).get("data")).values():
        remote = mapping(mapping(entry).get("remoteRef"))
        if "key" in remote:
            remote["key"] = store.name_in_source(remote["key"]) or remote["key"]
    return object_


def _without(object_: Object, keys: Collection[str]) -> Object:
    for path in _KEYS if keys else ():
        value: object = object_
        for step in path:
            value = mapping(value).get(str(step))
        for key in keys:
            mapping(value).pop(key, None)
    return object_


def _differing(before: object, after: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the deepest paths at which two trees differ; of an entry that is gone, the entry."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        if before != after:
            yield path, _OTHER
        return
    for name in {**before, **after}:
        field = (*path, name)
        if name not in after:
            yield from _leaves(before[name], field, _LOST)
        elif name not in before:
            yield from _leaves(after[name], field, _NEW)
        else:
            yield from _differing(before[name], after[name], field)


def _leaves(value: object, path: Path, change: str) -> Iterator[tuple[Path, str]]:
    """Yield a field that stands on one side alone; labels, annotations and keys one by one."""
    if isinstance(value, dict) and (path in _KEYS or path[-1] in ("metadata", "labels", "annotations")):
        for name, field in value.items():
            yield from _leaves(field, (*path, name), change)
    else:
        yield path, change


def secret_made_by(shell: Object, keys: Iterable[str]) -> Object:
    """Return the Secret that comes of a sealed object, without its values."""
    template = shell if shell["kind"] == "Secret" else below(shell, "spec", "template")
    return {
        "kind": "Secret",
        "metadata": below(template, "metadata"),
        "type": template.get("type"),
        "data": dict.fromkeys(keys),
    }
