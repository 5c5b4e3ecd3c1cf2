"""Objects as they are deployed, and those of the tree that no build holds: each once, where it was written."""

import os
from collections.abc import Collection, Iterator

from ..errors import Place
from ..manifests.documents import Document, Path, mapping, sequence
from . import Fault
from .landscape import Landscape

OPERATOR = "external-secrets.io"
STORES = ("SecretStore", "ClusterSecretStore")


def built(landscape: Landscape) -> Iterator[Document]:
    """All that is built."""
    for root in landscape.roots:
        yield from root.objects


def written(landscape: Landscape) -> Iterator[Document]:
    """All of the tree; a file that is reached by two ways once."""
    seen = set()
    for documents in landscape.tree.values():
        for each in documents:
            if id(each) not in seen:
                seen.add(id(each))
                yield each


def loose(landscape: Landscape, kinds: Collection[str]) -> Iterator[Document]:
    """Those of the tree that no build holds; what has the name of one that is built is a patch, and judged with it."""
    tree = {id(each.node): each for each in written(landscape) if each.subject.kind in kinds}
    names = set()
    for each in built(landscape):
        origin = tree.get(id(each.node), each)
        names.add((origin.subject.kind, origin.subject.name))
    yield from (each for each in tree.values() if (each.subject.kind, each.subject.name) not in names)


def place_of(landscape: Landscape, document: Document, path: Path) -> Place:
    """Where the value of a built field was written: with its object, else in the patch that sets it."""
    value = _at(document.object, path)
    tree = [each for each in written(landscape) if each.subject.kind == document.subject.kind]
    origin = next((each for each in tree if each.node is document.node), None)
    if origin is None or _at(origin.object, path) == value:
        return document.place(*path)
    setting = (each for each in tree if _at(each.object, path) == value)
    return (next(setting, None) or document).place(*path)


def root_path(landscape: Landscape, shown: str) -> str:
    """The path from the project's root of a file that messages show as this, symlinks followed."""
    return os.path.relpath(os.path.realpath(landscape.project.shown_as(shown)), landscape.project.root)


def encrypted_by_sops(landscape: Landscape) -> set[str]:
    """The tracked files, by their path from the project's root, that hold nothing that can be read."""
    return {each.path for each in landscape.contents if each.kind == "encrypted by SOPS"}


def once(faults: Iterator[Fault]) -> Iterator[Fault]:
    """What two builds have in common is told once."""
    seen = set()
    for fault in faults:
        known = (fault.message, fault.place, fault.field)
        if known not in seen:
            seen.add(known)
            yield fault


def _at(value: object, path: Path) -> object:
    for step in path:
        if isinstance(step, int):
            listed = sequence(value)
            value = listed[step] if step < len(listed) else None
        else:
            value = mapping(value).get(step)
    return value


def dotted(path: Path) -> str:
    """The path of a field as messages show it."""
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return shown.lstrip(".")
