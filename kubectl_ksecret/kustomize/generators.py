"""What kustomizations generate Secrets and ConfigMaps from, and how they name them."""

import os
from collections.abc import Iterator, Mapping, Sequence

from ..objects.documents import KUSTOMIZATION_FILES, Document, Path, mapping, sequence

GENERATORS = {"secretGenerator": "SecretGenerator", "configMapGenerator": "ConfigMapGenerator"}


def kustomizations(tree: Mapping[str, Sequence[Document]]) -> Iterator[Document]:
    """Yield the kustomizations of a tree, and the generators that have a file of their own."""
    for file, documents in tree.items():
        is_one = os.path.basename(file) in KUSTOMIZATION_FILES
        yield from (document for document in documents if is_one or document.subject.kind in GENERATORS.values())


def entries(document: Document, field: str) -> Iterator[tuple[Path, dict[str, object]]]:
    """Yield the entries of secretGenerator or configMapGenerator, each with its path."""
    if document.subject.kind == GENERATORS[field]:
        yield (), document.object
    for index, entry in enumerate(sequence(document.object.get(field))):
        yield (field, index), mapping(entry)


def name_of(entry: Mapping[str, object]) -> str:
    """Return the name of what an entry generates."""
    return str(entry.get("name") or mapping(entry.get("metadata")).get("name") or "")


def sources_of(document: Document, path: Path, entry: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    """Yield the files that an entry reads, as messages show them, each with the path of the field that names it."""
    named: list[tuple[Path, object]] = [((*path, "env"), entry.get("env"))]
    for list_ in ("envs", "files"):
        named += [((*path, list_, index), element) for index, element in enumerate(sequence(entry.get(list_)))]
    for where, text in named:
        if isinstance(text, str) and text:
            folder = os.path.dirname(document.file)
            yield where, os.path.normpath(os.path.join(folder, text.partition("=")[2] or text))
