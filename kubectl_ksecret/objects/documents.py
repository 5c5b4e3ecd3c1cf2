"""Kubernetes objects with the places that they were written at: in a file of the tree, or in a build."""

import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from .. import yamlio
from ..errors import InputError, Mistake, Place
from ..files.project import Project, decode
from ..model.kubernetes import Object, Subject
from ..model.types.origin import pairs_of
from ..yamlio import MappingNode, Node, ScalarNode, SequenceNode

KUSTOMIZATION_FILE = "kustomization.yaml"
# kustomize takes one of these names, and refuses two of them in a folder.
KUSTOMIZATION_FILES = (KUSTOMIZATION_FILE, "kustomization.yml", "Kustomization")

Step = str | int
Path = tuple[Step, ...]  # of a field: names, and numbers in lists


class Document:
    """One object; of a build, `object` is what was built and the node is where it came from, if that is known."""

    def __init__(self, file: str, node: Node | None, object_: Object, offset: tuple[int, int] = (0, 0)) -> None:
        self.file, self.node, self.object = file, node, object_
        # Lines and columns of the file before those of the node, where it was read from a text within the file.
        self.offset = offset

    @cached_property
    def subject(self) -> Subject:
        """Its kind, namespace and name, as far as it has them."""
        metadata = self.metadata
        return Subject(
            str(self.object.get("kind", "")), str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
        )

    @property
    def group(self) -> str:
        """Of its apiVersion; empty for the core's."""
        return str(self.object.get("apiVersion", "")).rpartition("/")[0]

    @property
    def metadata(self) -> Object:
        """Empty if it has none that can be used."""
        return mapping(self.object.get("metadata"))

    @property
    def annotations(self) -> Object:
        """Empty if it has none that can be used."""
        return mapping(self.metadata.get("annotations"))

    def at(self, *path: Step) -> Any:
        """Return the value of a field; None if there is none."""
        value: Any = self.object
        for step in path:
            value = _value_below(value, step)
        return value

    def place(self, *path: Step) -> Place:
        """Return the place of a field, or of the deepest node on the way to it; a patch may have put it elsewhere."""
        node, value, title = self.node, self.object, self.node
        for step in path:
            value = _value_below(value, step)
            below = _node_below(node, step, value)
            if below is None:
                # A list begins where its first element does, which is another one.
                node = title if isinstance(node, SequenceNode) else node
                break
            title = next((key for key, value_node in pairs_of(node) if value_node is below), below)
            node = below
        return self._at(node)

    def written(self, *path: str) -> str:
        """Return the text of a field where it was written, before a build changed it; empty if there is none."""
        node = self.node
        for step in path:
            node = _node_below(node, step, None)
        return str(node.value) if isinstance(node, ScalarNode) else ""

    def node_at(self, *path: Step) -> Node | None:
        """Return the node of a field, where it was written."""
        node, value = self.node, self.object
        for step in path:
            value = _value_below(value, step)
            node = _node_below(node, step, value)
        return node

    def key(self, *path: Step) -> Place:
        """Return the place of the name of a field, or that of the mapping that lacks it."""
        *above, name = path
        node, value = self.node, self.object
        for step in above:
            value = _value_below(value, step)
            node = _node_below(node, step, value) or node
        if isinstance(node, MappingNode):
            node = next((key for key, _ in node.value if key.value == name), node)
        return self._at(node)

    def _at(self, node: Node | None) -> Place:
        if node is None:
            return Place(self.file)
        line, column = self.offset
        return Place(self.file, node.start_mark.line + 1 + line, node.start_mark.column + 1 + column)


def dotted(path: Path) -> str:
    """Return the path of a field as messages show it: spec.data[0].secretKey."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def plain(node: Node) -> Any:
    """Return what a node says, every scalar as the text that stands there."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, SequenceNode):
        return [plain(element) for element in node.value]
    return {key.value: plain(value) for key, value in pairs_of(node)}


def mapping(matches: Any) -> Object:
    """Return a value that is a mapping; an empty one for anything else."""
    return matches if isinstance(matches, dict) else {}


def sequence(matches: Any) -> list[Any]:
    """Return a value that is a list; an empty one for anything else."""
    return matches if isinstance(matches, list) else []


def _value_below(value: Any, step: Step) -> Any:
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else None
    return value.get(step) if isinstance(value, dict) else None


def _node_below(node: Node | None, step: Step, value: Any) -> Node | None:
    if isinstance(node, MappingNode):
        return next((below for key, below in node.value if key.value == step), None)
    if isinstance(node, SequenceNode) and isinstance(step, int):
        # A build may have put another one before it: names tell elements apart where they have them.
        named = mapping(value).get("name")
        others = node.value[step] if step < len(node.value) else None
        same = [element for element in node.value if named and _name_of(element) == named]
        if same:
            return others if others in same else same[0]
        is_another = isinstance(named, str) and others is not None and _name_of(others) not in named
        return None if is_another else others  # a name that is in its own has grown by a prefix
    return None


def _name_of(node: Node) -> str:
    if not isinstance(node, MappingNode):
        return ""
    return next((v.value for k, v in node.value if k.value == "name" and isinstance(v, ScalarNode)), "")


class File(NamedTuple):
    """The objects of a file, those of Lists one by one, and what is wrong with it; what is no object is left out."""

    documents: list[Document]
    mistakes: list[Mistake]


def read(text: str, file: str) -> list[Document]:
    """Return the objects of a file. Raises InputError with all that is wrong with it."""
    documents, mistakes = read_tolerantly(text, file)
    if mistakes:
        raise InputError(*mistakes)
    return documents


def read_tolerantly(text: str, file: str) -> File:
    """Read other people's objects: a document that is broken hides no other."""
    if file.endswith(".json"):
        text = text.replace("\t", " ")  # JSON may be indented by tabs, YAML may not; none can stand in its strings
    foreign = yamlio.read_foreign(text, file)
    documents = [document for node, value in foreign.documents for document in _objects(file, node, value)]
    return File(documents, foreign.mistakes)


def _objects(file: str, node: Node, value: Any) -> Iterator[Document]:
    if not isinstance(value, dict) or not isinstance(node, MappingNode):
        return
    items = next((below for key, below in node.value if key.value == "items"), None)
    if str(value.get("kind", "")).endswith("List") and isinstance(items, SequenceNode):
        for below, entry in zip(items.value, sequence(value.get("items")), strict=False):
            yield from _objects(file, below, entry)
    elif (
        isinstance(value.get("kind"), str) or os.path.basename(file) in KUSTOMIZATION_FILES
    ):  # which need not say what it is
        yield Document(file, node, value)


class Tree:
    """The YAML files of the folders that a kustomization reaches, each read once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._read: dict[str, list[Document]] = {}
        self.unreadable: list[Mistake] = []

    def documents(self, path: str) -> list[Document]:
        """Return the objects of a file; what is wrong with it is noted."""
        real = os.path.realpath(path)
        if real not in self._read:
            try:
                shown = self._project.name(path)
                file = read_tolerantly(decode(self._project.read(path), shown), shown)
            except InputError as error:
                file = File([], list(error.mistakes))
            self._read[real] = file.documents
            self.unreadable += file.mistakes
        return self._read[real]
