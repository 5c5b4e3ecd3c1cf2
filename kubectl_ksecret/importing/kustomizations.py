"""The old kustomizations: what they generate, and which of their lines stand for what was imported."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from .. import yamlio
from ..errors import InputError, Mistake, Place, printable
from ..files.project import Project, decode
from ..kustomize.layers import BELOW
from ..model.types.origin import pairs_of
from ..objects.documents import KUSTOMIZATION_FILES, Document, Tree, mapping, plain, sequence
from ..objects.documents import read as read_documents
from ..yamlio import MappingNode, Node, ScalarNode, SequenceNode
from .found import called, keys_of

_PATCHES = ("patches", "patchesStrategicMerge", "patchesJson6902")


class Kustomization(NamedTuple):
    """One file; its lists are read where they stand."""

    folder: str
    file: str  # as messages show it
    root: Node

    def entries(self, name: str) -> list[Node]:
        """The entries of one of its lists."""
        found = next((value for key, value in pairs_of(self.root) if key.value == name), None)
        return list(found.value) if isinstance(found, SequenceNode) else []

    def place(self, node: Node) -> Place:
        """Where an entry stands."""
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)


class Line(NamedTuple):
    """A line of an old file that has to go, and the text of its entry; never a value."""

    place: Place
    text: str

    def __str__(self) -> str:
        return printable(f"{self.place.file}:{self.place.line}: {self.text}")


def read(project: Project, folders: Iterable[str]) -> list[Kustomization]:
    """The kustomizations of these folders. Raises InputError for one that is not YAML."""
    found = []
    for folder in folders:
        for name in KUSTOMIZATION_FILES:
            path = os.path.join(folder, name)
            content = project.read_if_there(path)
            if content is not None:
                shown, text = project.name(path), decode(content, project.name(path))
                documents, mistakes = yamlio.read_foreign(text, shown)
                if mistakes:
                    raise InputError(*mistakes)
                found += [Kustomization(folder, shown, document.node) for document in documents]
    return found


def files(kustomization: Kustomization) -> Iterator[str]:
    """The files that it lists as resources."""
    for name in BELOW:
        for node in kustomization.entries(name):
            path = os.path.join(kustomization.folder, str(node.value)) if isinstance(node, ScalarNode) else ""
            if os.path.isfile(path):
                yield path


def namespace_of(kustomization: Kustomization) -> str:
    """What it gives to all its objects; empty if it gives none."""
    return next((str(value.value) for key, value in pairs_of(kustomization.root) if key.value == "namespace"), "")


def generated(project: Project, kustomizations: Sequence[Kustomization], namespace: str = "") -> list[Document]:
    """The Secrets of `secretGenerator`, as objects whose values are left out; entries that are merged are one.

    The namespace is what the deployed kustomization gives them.
    """
    found: dict[str, Document] = {}
    for each in kustomizations:
        for node in each.entries("secretGenerator"):
            document = _generated(project, each, node)
            if document is None:
                continue
            if namespace:
                document.metadata["namespace"] = namespace
            first = found.setdefault(document.subject.name, document)
            if first is not document:
                first.object["data"] |= document.object["data"]
    return list(found.values())


def _generated(project: Project, kustomization: Kustomization, node: Node) -> Document | None:
    said = mapping(plain(node))
    options, name = mapping(said.get("options")), said.get("name")
    if not isinstance(node, MappingNode) or not isinstance(name, str):
        return None
    keys = dict.fromkeys(_generated_keys(project, kustomization, said))
    metadata = {"name": name, "labels": options.get("labels"), "annotations": options.get("annotations")}
    if isinstance(namespace := said.get("namespace"), str):
        metadata["namespace"] = namespace
    object_ = {"kind": "Secret", "metadata": metadata, "type": said.get("type"), "data": dict.fromkeys(keys_of(keys))}
    return Document(kustomization.file, node, object_)


def _generated_keys(project: Project, kustomization: Kustomization, said: dict[str, object]) -> Iterator[str]:
    for literal in sequence(said.get("literals")):
        yield str(literal).partition("=")[0]
    for named in sequence(said.get("files")):
        key, equals, path = str(named).partition("=")
        yield key if equals else os.path.basename(path or key)
    for named in (*sequence(said.get("envs")), *([said["env"]] if said.get("env") else [])):
        path = os.path.join(kustomization.folder, str(named))
        text = decode(project.read(path, Place(kustomization.file)), project.name(path))
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                yield line.partition("=")[0].strip()


def sources(document: Document) -> tuple[list[str], list[str], list[str]]:
    """Of a generated Secret: the keys of its literals, its files as KEY=PATH, and its env files."""
    said = mapping(plain(document.node)) if document.node else {}
    literals = [str(each).partition("=")[0] for each in sequence(said.get("literals"))]
    envs = [str(each) for each in (*sequence(said.get("envs")), *([said["env"]] if said.get("env") else []))]
    return literals, [str(each) for each in sequence(said.get("files"))], envs


def lines(kustomizations: Sequence[Kustomization], tree: Tree, imported: Collection[Document]) -> Iterator[Line]:
    """What has to go: resources whose every object was imported, generators, and patches of what is gone."""
    nodes = {id(each.node) for each in imported if each.node}
    kinds = {each.subject.kind for each in imported} - {"Secret"}
    names = {each.subject.name for each in imported if os.path.basename(each.file) in KUSTOMIZATION_FILES}
    for each in kustomizations:
        for name in BELOW:
            for entry in each.entries(name):
                yield from _resource(each, entry, tree, nodes)
        for name in _PATCHES:
            for entry in each.entries(name):
                if text := _patch(each, entry, tree, kinds):
                    yield Line(each.place(entry), f"{text} (of {name})")
        for entry in each.entries("secretGenerator"):
            if (entry_name := str(mapping(plain(entry)).get("name"))) in names:
                yield Line(each.place(entry), f"- name: {entry_name} (of secretGenerator)")


def _resource(kustomization: Kustomization, entry: Node, tree: Tree, nodes: Collection[int]) -> Iterator[Line]:
    documents = _documents(kustomization, str(entry.value), tree)
    gone = [each for each in documents if id(each.node) in nodes]
    if gone and len(gone) == len(documents):
        yield Line(kustomization.place(entry), f"- {entry.value}")
    elif gone:
        yield from (Line(each.place(), f"{called(each)}, in a file with other objects") for each in gone)


def _patch(kustomization: Kustomization, entry: Node, tree: Tree, kinds: Collection[str]) -> str:
    """A patch of these kinds alone; empty for another one."""
    said = mapping(plain(entry)) if isinstance(entry, MappingNode) else {"path": entry.value}
    target, path, text = mapping(said.get("target")).get("kind"), str(said.get("path", "")), said.get("patch")
    if target:
        return f"- target: {{kind: {target}}}" if target in kinds else ""
    documents = _documents(kustomization, path, tree) or _inline(str(text or path))
    if not documents or any(each.subject.kind not in kinds for each in documents):
        return ""
    return f"- {path}" if path and "\n" not in path else f"the patch of {called(documents[0])}"


def _documents(kustomization: Kustomization, path: str, tree: Tree) -> list[Document]:
    full = os.path.join(kustomization.folder, path)
    return tree.documents(full) if path.isprintable() and os.path.isfile(full) else []


def _inline(text: str) -> list[Document]:
    """A patch that stands in the kustomization itself."""
    try:
        return read_documents(text, "patch") if "\n" in text else []
    except InputError:
        return []


def refuse_unreadable(tree: Tree) -> None:
    """Raises InputError with every file that can't be read, at its place."""
    if tree.unreadable:
        raise InputError(*tree.unreadable)


def missing(name: str) -> InputError:
    """What is said of a path that is not there."""
    return InputError(Mistake(f"{name} does not exist"))
