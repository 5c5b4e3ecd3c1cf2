"""The kustomizations that a root is made of, each in the folder below which it lists others."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from .. import yamlio
from ..errors import InputError
from ..files.project import Project, decode
from ..model.kubernetes import Object
from ..objects.documents import KUSTOMIZATION_FILES, Document, mapping, sequence

BELOW = ("resources", "components", "bases")
# All that kustomize follows into folders: generators and transformers may be kustomizations themselves.
FOLLOWED = (*BELOW, "generators", "transformers", "validators")
# kustomize reads its fields without regard to case.
_FIELDS = {
    field.lower(): field
    for field in (
        *FOLLOWED,
        *("namespace", "namePrefix", "nameSuffix", "crds", "configurations", "openapi", "helmCharts", "kind"),
        *("patches", "patchesStrategicMerge", "patchesJson6902", "replacements"),
        *("secretGenerator", "configMapGenerator", "generatorOptions"),
    )
}
Layers = Mapping[str, Document]  # by real path of the folder; the root is the first


class Renaming(NamedTuple):
    """What kustomizations add to the names of all that is below them."""

    prefix: str = ""
    suffix: str = ""

    def of(self, name: str) -> str:
        """Return the name in the build."""
        return f"{self.prefix}{name}{self.suffix}"


def read(project: Project, folder: str) -> Layers:
    """Return the kustomizations that one reaches, itself first.

    Left out are those outside of the project, and what can't be read: a build refuses it.
    """
    matches: dict[str, Document] = {}
    todo = [os.path.realpath(folder)]
    while todo:
        current = todo.pop(0)
        document = _read(project, current) if current not in matches and os.path.isdir(current) else None
        if document is not None:
            matches[current] = document
            below = (name for _, _, name in listed(document.object, *FOLLOWED) if "://" not in name)
            todo += [os.path.realpath(os.path.join(current, name)) for name in below]
    return matches


def _read(project: Project, folder: str) -> Document | None:
    for name in KUSTOMIZATION_FILES:
        path = os.path.join(folder, name)
        try:
            content = project.read_if_there(path)
            if content is None:
                continue
            shown = project.name(path)
            text = decode(content, shown)
        except InputError:
            return None
        # kustomize does without apiVersion and kind, so they need not be there.
        for node, value in yamlio.read_foreign(text, shown).documents[:1]:
            if isinstance(value, dict):
                return Document(shown, node, _with_usual_names(value))
    return None


def _with_usual_names(fields: Object) -> Object:
    return {_FIELDS.get(str(name).lower(), str(name)): value for name, value in fields.items()}


def listed(document: Object, *fields: str) -> Iterator[tuple[str, int, str]]:
    """Yield the texts in lists of a kustomization: the field, the number in it, and what is listed."""
    for field in fields:
        for index, element in enumerate(sequence(document.get(field))):
            if isinstance(element, str) and "\0" not in element:
                yield field, index, element


def way(layers: Layers, root: str, targets: Collection[str]) -> Sequence[Document]:
    """Return the kustomizations from the root to one that is or lists one of the targets; none if there is no such way.

    Targets are real paths of folders; a file that is listed out of one counts.
    """
    start = os.path.realpath(root)
    ways: dict[str, list[Document]] = {start: [layers[start]]} if start in layers else {}
    todo = list(ways)
    while todo:
        folder = todo.pop(0)
        if folder in targets:
            return ways[folder]
        for _, _, name in listed(layers[folder].object, *BELOW):
            path = os.path.realpath(os.path.join(folder, name))
            if os.path.dirname(path) in targets and path not in layers:
                return ways[folder]
            if path in layers and path not in ways:
                ways[path] = [*ways[folder], layers[path]]
                todo.append(path)
    return []


def renaming(layers: Layers, documents: Sequence[Document]) -> Renaming:
    """Return what these kustomizations, outermost first, and their components make of a name."""
    prefix = suffix = ""
    for document in documents:
        # A component changes what its kustomization has gathered, before that one adds its own.
        own = [*_components(layers, document), document]
        prefix += "".join(_text(layer, "namePrefix") for layer in reversed(own))
        suffix = "".join(_text(layer, "nameSuffix") for layer in own) + suffix
    return Renaming(prefix, suffix)


def namespace(layers: Layers, documents: Sequence[Document]) -> Document | None:
    """Return the outermost of these kustomizations that sets a namespace, or the component of one that does."""
    for document in documents:
        for layer in (document, *_components(layers, document)):
            if _text(layer, "namespace"):
                return layer
    return None


def _components(layers: Layers, document: Document) -> list[Document]:
    folder = next((folder for folder, layer in layers.items() if layer is document), None)
    if folder is None:
        return []
    paths = [os.path.realpath(os.path.join(folder, name)) for _, _, name in listed(document.object, "components")]
    return [layers[path] for path in paths if path in layers]


def _text(document: Document, field: str) -> str:
    matches = mapping(document.object).get(field)
    return matches if isinstance(matches, str) else ""
