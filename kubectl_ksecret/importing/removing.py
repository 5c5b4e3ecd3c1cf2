"""Which lines of the old kustomizations stand for what was imported, and have to go."""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ..errors import InputError, Mistake, Place, printable
from ..kustomize import generators, layers
from ..objects.documents import KUSTOMIZATION_FILES, Document, Path, mapping, sequence
from ..objects.documents import read as read_documents
from .collecting import CollectedObjects
from .secrets import title

_PATCHES = ("patches", "patchesStrategicMerge", "patchesJson6902")


class Replaced(NamedTuple):
    """An imported object: the Secret that it makes, none for a store, and whether a value is yet to be sealed."""

    document: Document
    secret: str
    sealed_first: bool


class Removal(NamedTuple):
    """A line of an old file that has to go, and the text of its entry; never a value.

    `path` leads to an entry of a kustomization; it is empty for an object in a file with others.
    """

    place: Place
    text: str
    file: str
    path: Path
    secrets: frozenset[str]
    sealed_first: bool

    def __str__(self) -> str:
        return printable(f"{self.place.file}:{self.place.line}: {self.text}")


def removals(collected: CollectedObjects, replaced: Sequence[Replaced]) -> Iterator[Removal]:
    """Yield the lines that stand for these objects.

    Raises:
        InputError: a patch changes one of them together with something that stays.
    """
    by_node = {id(one.document.node): one for one in replaced if one.document.node}
    generated = {
        one.document.subject.name: one for one in replaced if os.path.basename(one.document.file) in KUSTOMIZATION_FILES
    }
    for folder, kustomization in collected.layers.items():
        file = os.path.join(folder, os.path.basename(kustomization.file))
        for field, index, name in layers.listed(kustomization.object, *layers.BELOW):
            yield from _resource(collected, kustomization, file, (field, index), os.path.join(folder, name), by_node)
        for field in _PATCHES:
            for index, patch in enumerate(sequence(kustomization.object.get(field))):
                yield from _patch(collected, kustomization, file, (field, index), patch, replaced)
        for path, entry in generators.entries(kustomization, "secretGenerator"):
            if one := generated.get(generators.name_of(entry)):
                text = f"- name: {one.document.subject.name} (of secretGenerator)"
                yield _removal(kustomization.place(*path), text, file, path, [one])


def _removal(place: Place, text: str, file: str, path: Path, replaced: Sequence[Replaced]) -> Removal:
    return Removal(
        place=place,
        text=text,
        file=file,
        path=path,
        secrets=frozenset(one.secret for one in replaced if one.secret),
        sealed_first=any(one.sealed_first for one in replaced),
    )


def _resource(
    collected: CollectedObjects,
    kustomization: Document,
    file: str,
    path: Path,
    listed: str,
    by_node: dict[int, Replaced],
) -> Iterator[Removal]:
    documents = collected.tree.documents(listed) if os.path.isfile(listed) else []
    gone = [by_node[id(document.node)] for document in documents if id(document.node) in by_node]
    waiting = {one.sealed_first for one in gone}
    if gone and len(gone) == len(documents) and len(waiting) == 1:
        yield _removal(kustomization.place(*path), f"- {kustomization.at(*path)}", file, path, gone)
        return
    for one in gone:
        text = f"{title(one.document)}, in a file with other objects"
        yield _removal(one.document.place(), text, listed, (), [one])


def _patch(
    collected: CollectedObjects,
    kustomization: Document,
    file: str,
    path: Path,
    patch: object,
    replaced: Sequence[Replaced],
) -> Iterator[Removal]:
    """Yield a patch of nothing but what goes."""
    fields = patch if isinstance(patch, dict) else {"path": patch}
    concerned = _concerned(collected, os.path.dirname(file), fields)
    by_document = {id(one.document): one for one in replaced}
    gone = [by_document[id(document)] for document in concerned if id(document) in by_document]
    place = kustomization.place(*path)
    if gone and len(gone) < len(concerned):
        other = next(document for document in concerned if id(document) not in by_document)
        message = f"this patch changes {title(gone[0].document)}, which is imported, and {title(other)}, which stays"
        raise InputError(Mistake(message, place, "give the patch the name of what stays"))
    if gone:
        yield _removal(place, f"{_shown(fields, gone)} (of {path[0]})", file, path, gone)


def _concerned(collected: CollectedObjects, folder: str, fields: dict[str, object]) -> list[Document]:
    """Return the objects that a patch changes."""
    target = mapping(fields.get("target"))
    if target:
        return [document for document in collected.documents if _is_target(document, target)]
    path = str(fields.get("path", ""))
    file = os.path.join(folder, path)
    is_file = path.isprintable() and os.path.isfile(file)
    patches = collected.tree.documents(file) if is_file else _inline(str(fields.get("patch") or path))
    patched = {(document.subject.kind, document.subject.name) for document in patches}
    return [document for document in collected.documents if _names(document) & patched]


def _names(document: Document) -> set[tuple[str, str]]:
    """Return kind and name, before a prefix and after it."""
    written = document.written("metadata", "name")
    return {(document.subject.kind, name) for name in (document.subject.name, written)}


def _is_target(document: Document, target: dict[str, object]) -> bool:
    for field, names in (("kind", {document.subject.kind}), ("name", {name for _, name in _names(document)})):
        pattern = target.get(field)
        if isinstance(pattern, str) and pattern and not any(_matches(pattern, text) for text in names):
            return False
    group = target.get("group")
    return not isinstance(group, str) or group == document.group


def _matches(pattern: str, text: str) -> bool:
    """Whether a selector of kustomize takes a text; it is an anchored regular expression."""
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return pattern == text


def _shown(fields: dict[str, object], gone: Sequence[Replaced]) -> str:
    target, path = mapping(fields.get("target")), fields.get("path")
    if target:
        return f"- target: {{kind: {target.get('kind', '')}}}"
    return f"- {path}" if isinstance(path, str) and "\n" not in path else f"the patch of {title(gone[0].document)}"


def _inline(text: str) -> list[Document]:
    """Return the objects of a patch that stands in the kustomization itself."""
    try:
        return read_documents(text, "patch") if "\n" in text else []
    except InputError:
        return []


def without(text: str, places: Collection[int], file: str) -> str:
    """Return a file without the objects at these lines.

    Raises:
        InputError: one of them is an element of a list, or stands in a file of another form.
    """
    lines = text.splitlines(keepends=True)
    starts = [0, *(number for number, line in enumerate(lines) if number and re.match(r"---(\s|$)", line))]
    remaining: list[str] = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        document = "".join(lines[start:end])
        inside = [line for line in places if start < line <= end]
        if len(inside) > 1 or (inside and len(read_documents(document, file)) != 1):
            raise InputError(Mistake("an object can't be taken out of a list here", Place(file, inside[0], 1)))
        remaining += [] if inside else [document]
    return "".join(remaining)
