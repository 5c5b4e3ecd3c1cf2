"""Objects as they are deployed, and those of the tree that no build holds: each once, where it was written."""

import os
from collections.abc import Collection, Iterator, Sequence

from ..errors import Place
from ..objects.documents import Document, Path, Step, mapping, sequence
from . import Finding
from .scope import Repository


def built(repository: Repository) -> Iterator[Document]:
    """All that is built."""
    for root in repository.builds:
        yield from root.objects


def written(repository: Repository) -> Iterator[Document]:
    """All of the tree; a file that is reached by two ways once."""
    seen = set()
    for documents in repository.tree.values():
        for each in documents:
            if id(each) not in seen:
                seen.add(id(each))
                yield each


def loose(repository: Repository, kinds: Collection[str]) -> Iterator[Document]:
    """Those of the tree that no build holds; what has the name of one that is built is a patch, and judged with it."""
    tree = {id(each.node): each for each in written(repository) if each.subject.kind in kinds}
    names = set()
    for each in built(repository):
        origin = tree.get(id(each.node), each)
        names.add((origin.subject.kind, origin.subject.name))
    yield from (each for each in tree.values() if (each.subject.kind, each.subject.name) not in names)


def place_of(repository: Repository, document: Document, path: Path) -> Place:
    """Where the value of a built field was written: with its object, else in the patch that sets it."""
    tree = [each for each in written(repository) if each.subject.kind == document.subject.kind]
    origin = next((each for each in tree if each.node is document.node), None)
    if origin is None or _says(origin, document, path):
        return document.place(*path)
    patches = [each for each in _patches(repository, document, tree) if _says(each, document, path)]
    named = [each for each in patches if each.subject.name == origin.subject.name]
    found = next(iter(named or patches), document)
    return Document(found.file, found.node, document.object).place(*path)


def _patches(repository: Repository, document: Document, tree: Sequence[Document]) -> Iterator[Document]:
    """What of a tree is in no build, and in a folder that the root of the document reaches."""
    origins = {id(each.node) for each in built(repository)}
    of_document = (root.layers for root in repository.builds if any(each is document for each in root.objects))
    folders = tuple(os.path.join(folder, "") for folder in next(of_document, ()))
    for each in tree:
        is_reached = not folders or os.path.realpath(repository.project.shown_as(each.file)).startswith(folders)
        if is_reached and id(each.node) not in origins:
            yield each


def _says(said: Document, document: Document, path: Path) -> bool:
    """Whether a manifest has what the built object has at a path; names tell the elements of lists apart."""
    found: object = said.object
    value: object = document.object
    for step in path:
        value = _below(value, step)
        named = mapping(value).get("name") if isinstance(step, int) else None
        same = [each for each in sequence(found) if named and mapping(each).get("name") == named]
        found = same[0] if same else _below(found, step)
    return found is not None and found == value


def root_path(repository: Repository, shown: str) -> str:
    """The path from the project's root of a file that messages show as this, symlinks followed."""
    return os.path.relpath(os.path.realpath(repository.project.shown_as(shown)), repository.project.root)


def encrypted_by_sops(repository: Repository) -> set[str]:
    """The tracked files, by their path from the project's root, that hold nothing that can be read."""
    return {each.path for each in repository.contents if each.kind == "encrypted by SOPS"}


def once(findings: Iterator[Finding]) -> Iterator[Finding]:
    """What two builds have in common is told once."""
    seen = set()
    for fault in findings:
        known = (fault.message, fault.place, fault.field)
        if known not in seen:
            seen.add(known)
            yield fault


def _below(value: object, step: Step) -> object:
    if isinstance(step, int):
        listed = sequence(value)
        return listed[step] if step < len(listed) else None
    return mapping(value).get(step)
