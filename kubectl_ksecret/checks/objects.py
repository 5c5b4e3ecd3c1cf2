"""Objects as they are deployed, and those of the tree that no build holds: each once, where it was written."""

import os
from collections.abc import Collection, Iterator, Sequence

from ..errors import Place
from ..kustomize.patches import Operations
from ..objects.documents import Document, Path, Step, mapping, sequence
from . import Finding
from .scope import Build, Repository


def built(repository: Repository) -> Iterator[Document]:
    """Yield all that is built."""
    for build in repository.builds:
        yield from build.objects


def written(repository: Repository) -> Iterator[Document]:
    """Yield all of the tree; a file that is reached by two ways once."""
    seen = set()
    for documents in repository.tree.values():
        for document in documents:
            if id(document) not in seen:
                seen.add(id(document))
                yield document


def loose(repository: Repository, kinds: Collection[str]) -> Iterator[Document]:
    """Yield what of the tree no build holds; what has the name of a built object is a patch, and judged with it."""
    tree = {id(document.node): document for document in written(repository) if document.subject.kind in kinds}
    names = set()
    for document in built(repository):
        origin = tree.get(id(document.node), document)
        names.add((origin.subject.kind, origin.subject.name))
    for document in tree.values():
        if (document.subject.kind, document.subject.name) not in names:
            yield document


def place_of(build: Build | None, document: Document, path: Path) -> Place:
    """Return where the value of a built field was written: with its object, else in the patch that sets it."""
    if build is None:
        return document.place(*path)
    files = {id(documents): documents for documents in build.tree.values()}.values()
    everything = (candidate for documents in files for candidate in documents)
    tree = [candidate for candidate in everything if candidate.subject.kind == document.subject.kind]
    origin = next((candidate for candidate in tree if candidate.node is document.node), None)
    if origin is None or _says(origin, document, path):
        return document.place(*path)
    own = [candidate for candidate in build.patches if candidate.subject.kind == document.subject.kind]
    patches = [candidate for candidate in (*own, *_patches(build, tree)) if _says(candidate, document, path)]
    named = [document for document in patches if document.subject.name == origin.subject.name]
    if patches:
        patch = (named or patches)[0]
        return Document(patch.file, patch.node, document.object, patch.offset).place(*path)
    operations = (candidate.find(document, path) for candidate in build.patches if isinstance(candidate, Operations))
    return next((place for place in operations if place), document.place(*path))


def _patches(build: Build, tree: Sequence[Document]) -> Iterator[Document]:
    """Yield what of the tree the build does not hold as an object: a patch, in a folder that it reaches."""
    origins = {id(document.node) for document in build.objects}
    folders = tuple(os.path.join(folder, "") for folder in build.layers)
    for document in tree:
        is_reached = not folders or os.path.realpath(build.project.shown_as(document.file)).startswith(folders)
        if is_reached and id(document.node) not in origins:
            yield document


def _says(manifest: Document, document: Document, path: Path) -> bool:
    """Whether a manifest has what the built object has at a path; names tell the elements of lists apart."""
    stated: object = manifest.object
    value: object = document.object
    for step in path:
        value = _below(value, step)
        named = mapping(value).get("name") if isinstance(step, int) else None
        same = [exception for exception in sequence(stated) if named and mapping(exception).get("name") == named]
        stated = same[0] if same else _below(stated, step)
    return stated is not None and stated == value


def root_path(repository: Repository, shown: str) -> str:
    """Return the path from the project's root of a file that messages show as this, symlinks followed."""
    return os.path.relpath(os.path.realpath(repository.project.shown_as(shown)), repository.project.root)


def encrypted_by_sops(repository: Repository) -> set[str]:
    """Return the tracked files, by their path from the project's root, that hold nothing that can be read."""
    return {content.path for content in repository.contents if content.kind == "encrypted by SOPS"}


def once(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield what two builds have in common once."""
    seen = set()
    for finding in findings:
        identity = (finding.message, finding.place, finding.field)
        if identity not in seen:
            seen.add(identity)
            yield finding


def _below(value: object, step: Step) -> object:
    if isinstance(step, int):
        listed = sequence(value)
        return listed[step] if step < len(listed) else None
    return mapping(value).get(step)
