"""Where the objects of a build were written.

kustomize can tell (originAnnotations), but a build that it annotates takes up to nine times as long. So we look for an
object of that kind and name in the files that the kustomizations list; where more than one may be meant, kustomize is
asked.
"""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..files.project import Project
from ..model.kubernetes import STORES
from ..objects.documents import Document, Tree
from ..objects.producers import without_hash
from . import building, contents
from .generators import GENERATORS, entries, name_of
from .layers import Layers

_SECRETS = ("Secret", "SealedSecret", "ExternalSecret", "VaultStaticSecret", *STORES)


class _Affixes(NamedTuple):
    """All that the kustomizations may put before and behind a name."""

    prefixes: frozenset[str]
    suffixes: frozenset[str]

    def may_make(self, name: str, written: str) -> bool:
        """Whether one name may be what becomes of another."""
        before, _, behind = name.partition(written)
        return written in name and _is_made_of(before, self.prefixes) and _is_made_of(behind, self.suffixes)


def _is_made_of(text: str, parts: frozenset[str]) -> bool:
    return not text or any(text.startswith(part) and _is_made_of(text[len(part) :], parts) for part in parts)


def _affixes(layers: Layers) -> _Affixes:
    fields = [{str(layer.object.get(name) or "") for layer in layers.values()} for name in ("namePrefix", "nameSuffix")]
    prefixes, suffixes = (frozenset(filter(None, texts)) for texts in fields)
    return _Affixes(prefixes, suffixes)


class Located(NamedTuple):
    """The objects of a build with their places, and whether all that matter have one."""

    objects: list[Document]
    is_sure: bool


def located(project: Project, built: Sequence[Document], layers: Layers, tree: Tree) -> Located:
    """Find each object in the files that the kustomizations list."""
    by_name: dict[tuple[str, str], list[Document]] = {}
    for path in dict.fromkeys(map(os.path.realpath, contents.resources(layers))):
        for document in tree.documents(path):
            by_name.setdefault((document.subject.kind, document.subject.name), []).append(document)
    by_kind: dict[str, list[str]] = {}
    for kind, name in by_name:
        by_kind.setdefault(kind, []).append(name)
    generated = dict(_generated(layers))
    affixes = _affixes(layers)
    objects, is_sure = [], True
    for document in built:
        origins = _candidates(document, by_name, by_kind, affixes)
        if len(origins) == 1:
            objects.append(Document(origins[0].file, origins[0].node, document.object))
            continue
        file = _generator_of(document, generated)
        objects.append(Document(file or document.file, None, document.object))
        is_sure &= bool(file) or document.subject.kind not in _SECRETS
    return Located(objects, is_sure)


def _candidates(
    document: Document,
    by_name: dict[tuple[str, str], list[Document]],
    by_kind: dict[str, list[str]],
    affixes: _Affixes,
) -> list[Document]:
    kind, namespace, name = document.subject
    origins = by_name.get((kind, name), [])
    if not origins:
        # A prefix or suffix may have grown on the name; the longest one is the least likely to be there by chance.
        names = [other for other in by_kind.get(kind, ()) if other and affixes.may_make(name, other)]
        longest = max(map(len, names), default=0)
        origins = [document for other in names if len(other) == longest for document in by_name[kind, other]]
    if len(origins) > 1:
        origins = [origin for origin in origins if origin.subject.namespace in ("", namespace)]
    return [origin for origin in origins if origin.group == document.group]


def _generated(layers: Layers) -> Iterator[tuple[tuple[str, str], str]]:
    for layer in layers.values():
        for field in GENERATORS:
            kind = "Secret" if field == "secretGenerator" else "ConfigMap"
            for _, entry in entries(layer, field):
                yield (kind, name_of(entry)), layer.file


def _generator_of(document: Document, generated: dict[tuple[str, str], str]) -> str:
    """Return the kustomization that generates an object, if one does."""
    kind, _, name = document.subject
    plain = without_hash(name)
    files = {file for (other, entry), file in generated.items() if other == kind and entry and entry in plain}
    return files.pop() if len(files) == 1 else ""


def annotated(project: Project, outcome: building.BuildOutcome, file: str, tree: Tree) -> list[Document]:
    """Return the objects of a build that kustomize has annotated with their origins."""
    return [_at_origin(project, outcome.above, document, tree) for document in building.objects_of(outcome.text, file)]


def _at_origin(project: Project, above: str, built: Document, tree: Tree) -> Document:
    """Return the object with the node of the file that it was read from; what is generated has its generator's."""
    origin = building.origin_of(built)
    path, repository = origin.get("path") or origin.get("configuredIn"), origin.get("repo")
    if not isinstance(path, str):
        return built
    if isinstance(repository, str):
        return Document(f"{repository}/{path}", None, built.object)
    file = os.path.normpath(os.path.join(above, path))
    written = _same(built, tree.documents(file))
    return Document(project.name(file), written.node if written else None, built.object)


def _same(built: Document, documents: Sequence[Document]) -> Document | None:
    """Return what an object was built from: of its kind, with the longest name that a prefix may have grown on."""
    of_kind = [document for document in documents if document.subject.kind == built.subject.kind]
    named = [document for document in of_kind if document.subject.name and document.subject.name in built.subject.name]
    return max(named, key=lambda document: len(document.subject.name), default=None)
