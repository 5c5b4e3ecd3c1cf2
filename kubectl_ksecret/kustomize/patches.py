"""The patches that stand in a kustomization itself, or are lists of operations: where they set a field.

A patch of its own file, in the form of the object, is one of the documents of the tree.
"""

import os
import re
from collections.abc import Iterator, Sequence

from .. import yamlio
from ..errors import InputError, Place
from ..files.project import Project, decode
from ..objects.documents import Document, Path, Step, mapping, sequence
from ..yamlio import Node, ScalarNode
from .layers import Layers

_FIELDS = ("patches", "patchesStrategicMerge", "patchesJson6902")


class Operations(Document):
    """A patch of JSON 6902: the list of what is done to an object."""

    def find(self, document: Document, path: Path) -> Place | None:
        """Return where an operation sets a field of the built object to what it is there."""
        for index, operation in enumerate(sequence(self.object.get("operations"))):
            stated = mapping(operation)
            if stated.get("op") not in ("add", "replace"):
                continue
            below = _below(str(stated.get("path", "")), path)
            if below is not None and _value_at(stated.get("value"), below) == document.at(*path):
                return self.place("operations", index, "value", *below)
        return None


def read(project: Project, layers: Layers) -> list[Document]:
    """Return the patches of these kustomizations; what can't be read is left out, as the build says so."""
    return [patch for folder, layer in layers.items() for patch in _of_layer(project, folder, layer)]


def _of_layer(project: Project, folder: str, layer: Document) -> Iterator[Document]:
    for field in _FIELDS:
        for index, entry in enumerate(sequence(layer.object.get(field))):
            stated = mapping(entry)
            try:
                if isinstance(stated.get("patch"), str):
                    yield from _inline(project, layer, (field, index, "patch"))
                elif isinstance(entry, str) and "\n" in entry:
                    yield from _inline(project, layer, (field, index))
                elif isinstance(path := stated.get("path"), str) and "://" not in path:
                    yield from _operations_of_file(project, os.path.join(folder, path))
            except InputError:
                continue


def _inline(project: Project, layer: Document, path: Path) -> Iterator[Document]:
    node = layer.node_at(*path)
    if not isinstance(node, ScalarNode):
        return
    text, lines = str(node.value), project.read_text(project.shown_as(layer.file)).splitlines()
    first = node.start_mark.line + 1 if node.style in ("|", ">") else node.start_mark.line
    indentation = 0
    if node.style in ("|", ">") and first < len(lines):
        indentation = len(lines[first]) - len(lines[first].lstrip(" "))
    for patch in yamlio.read_foreign(text, layer.file).documents:
        yield from _patch(layer.file, patch.node, patch.value, (first, indentation))


def _operations_of_file(project: Project, path: str) -> Iterator[Document]:
    content = project.read_if_there(path)
    if content is None or not re.search(rb"^\s*(- |\[)", content, re.MULTILINE):
        return
    shown = project.name(path)
    for patch in yamlio.read_foreign(decode(content, shown), shown).documents:
        if isinstance(patch.value, list):
            yield from _patch(shown, patch.node, patch.value, (0, 0))


def _patch(file: str, node: Node, value: object, offset: tuple[int, int]) -> Iterator[Document]:
    if isinstance(value, dict):
        yield Document(file, node, value, offset)
    elif isinstance(value, list):
        above = yamlio.MappingNode("tag:yaml.org,2002:map", [(_name("operations", node), node)])
        above.start_mark = node.start_mark
        yield Operations(file, above, {"operations": value}, offset)


def _name(text: str, node: Node) -> ScalarNode:
    return ScalarNode("tag:yaml.org,2002:str", text, node.start_mark, node.end_mark)


def _below(pointer: str, path: Path) -> Path | None:
    """Return what is left of a path below a JSON pointer; None where it leads elsewhere."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    if len(steps) > len(path):
        return None
    for step, own_step in zip(steps, path, strict=False):
        # What is appended stands behind what was there, at an index that the patch does not name.
        if step != str(own_step) and not (step == "-" and isinstance(own_step, int)):
            return None
    return path[len(steps) :]


def _value_at(value: object, path: Sequence[Step]) -> object:
    for step in path:
        if isinstance(step, int):
            elements = sequence(value)
            value = elements[step] if step < len(elements) else None
        else:
            value = mapping(value).get(step)
    return value
