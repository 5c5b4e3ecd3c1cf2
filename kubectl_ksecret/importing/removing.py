"""Which lines of the old kustomizations stand for what was imported, and have to go."""

import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..errors import InputError, Place, printable
from ..kustomize import generators, layers
from ..objects.documents import KUSTOMIZATION_FILES, Document, Path, Tree, mapping, sequence
from ..objects.documents import read as read_documents
from .collecting import CollectedObjects
from .secrets import title

_PATCHES = ("patches", "patchesStrategicMerge", "patchesJson6902")


class Removal(NamedTuple):
    """A line of an old file that has to go, and the text of its entry; never a value."""

    place: Place
    text: str

    def __str__(self) -> str:
        return printable(f"{self.place.file}:{self.place.line}: {self.text}")


def removals(inventory: CollectedObjects, imported: Collection[Document]) -> Iterator[Removal]:
    """Yield resources whose every object was imported, generators, and patches of what is gone."""
    nodes = {id(document.node) for document in imported if document.node}
    kinds = {document.subject.kind for document in imported} - {"Secret"}
    generated = {
        document.subject.name for document in imported if os.path.basename(document.file) in KUSTOMIZATION_FILES
    }
    for folder, kustomization in inventory.layers.items():
        for field, index, name in layers.listed(kustomization.object, *layers.BELOW):
            yield from _resource(kustomization, (field, index), os.path.join(folder, name), inventory.tree, nodes)
        for field in _PATCHES:
            for index, patch in enumerate(sequence(kustomization.object.get(field))):
                if text := _patch(folder, patch, inventory.tree, kinds):
                    yield Removal(kustomization.place(field, index), f"{text} (of {field})")
        for path, entry in generators.entries(kustomization, "secretGenerator"):
            if (name := generators.name_of(entry)) in generated:
                yield Removal(kustomization.place(*path), f"- name: {name} (of secretGenerator)")


def _resource(kustomization: Document, path: Path, file: str, tree: Tree, nodes: Collection[int]) -> Iterator[Removal]:
    documents = tree.documents(file) if os.path.isfile(file) else []
    gone = [document for document in documents if id(document.node) in nodes]
    if gone and len(gone) == len(documents):
        yield Removal(kustomization.place(*path), f"- {kustomization.at(*path)}")
    else:
        yield from (Removal(document.place(), f"{title(document)}, in a file with other objects") for document in gone)


def _patch(folder: str, patch: object, tree: Tree, kinds: Collection[str]) -> str:
    """Return a patch of these kinds alone, as it is shown; nothing for another one."""
    fields = patch if isinstance(patch, dict) else {"path": patch}
    target, path = mapping(fields.get("target")).get("kind"), str(fields.get("path", ""))
    if target:
        return f"- target: {{kind: {target}}}" if target in kinds else ""
    file = os.path.join(folder, path)
    is_file = path.isprintable() and os.path.isfile(file)
    documents = tree.documents(file) if is_file else _inline(str(fields.get("patch") or path))
    if not documents or any(document.subject.kind not in kinds for document in documents):
        return ""
    return f"- {path}" if is_file else f"the patch of {title(documents[0])}"


def _inline(text: str) -> list[Document]:
    """Return the objects of a patch that stands in the kustomization itself."""
    try:
        return read_documents(text, "patch") if "\n" in text else []
    except InputError:
        return []
