"""Builds what is deployed, with kubectl's own kustomize, and tells where each object came from."""

import os
import subprocess
import tempfile
from collections.abc import Sequence

from .. import yamlio
from ..errors import InputError, Mistake, Place, Refusal
from ..files.project import Project
from ..model.kubernetes import Object
from ..objects.documents import KUSTOMIZATION_FILES, Document, Tree, mapping, read

ORIGIN = "config.kubernetes.io/origin"
_PLUGINS_REFUSED = ("external plugins disabled", "--enable-exec", "enable-alpha-plugins")
_BUILDERS = (("kubectl", "kustomize"), ("kustomize", "build"))


def build(project: Project, folder: str, tree: Tree, said: Place, instead: str) -> list[Document]:
    """The objects of a kustomization, each with the place in the file that it came from.

    Nothing that the repository names is run. Raises Refusal if there is no builder, or if it can't build; `instead` is
    the command that takes a build by another program.
    """
    real = project.inside(folder, said)
    if not any(os.path.exists(os.path.join(real, name)) for name in KUSTOMIZATION_FILES):
        hint = "spec.kustomization names the folder of the one that is deployed"
        raise InputError(Mistake(f"{project.name(real)} has no kustomization.yaml", said, hint))
    with tempfile.TemporaryDirectory() as above:
        # The user's kustomization stays as it is: one above it asks for the origins.
        named = os.path.relpath(real, os.path.realpath(above))
        with open(os.path.join(above, KUSTOMIZATION_FILES[0]), "w", encoding="utf-8") as file:
            file.write(yamlio.dump([{"resources": [named], "buildMetadata": ["originAnnotations"]}]))
        text = _built(above, project, real, said, instead)
        built = read(text, project.name(real))
        return [_at_its_origin(project, os.path.realpath(above), document, tree) for document in built]


def given(text: str, file: str) -> list[Document]:
    """The objects of a build that somebody else made."""
    return read(text, file)


def _built(above: str, project: Project, folder: str, said: Place, instead: str) -> str:
    shown = project.name(folder)
    for program, verb in _BUILDERS:
        try:
            done = subprocess.run(
                [program, verb, above], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            continue
        if done.returncode != 0:
            what = f"{shown} can't be built by {program} {verb}"
            raise Refusal(Mistake(what, said, _hint(done.stderr, f"{program} {verb} {shown}", shown, instead)))
        return done.stdout
    raise Refusal(Mistake("neither kubectl nor kustomize is on the PATH", said, f"or give a build: {instead}"))


def _hint(error: str, command: str, shown: str, instead: str) -> str:
    if any(each in error for each in _PLUGINS_REFUSED):
        return f"kustomize build --enable-alpha-plugins --enable-exec {shown} | {instead}"
    return f"see what it says: {command}"


def _at_its_origin(project: Project, above: str, built: Document, tree: Tree) -> Document:
    """The built object, with the node of the file that it was read from; what is generated has its generator's."""
    origin = _origin(built.object.get("metadata"))
    path = origin.get("path") or origin.get("configuredIn")
    if not isinstance(path, str):
        return built
    file = os.path.normpath(os.path.join(above, path))
    found = _same(built, tree.documents(file))
    return Document(project.name(file), found.node if found else None, built.object)


def _origin(metadata: object) -> Object:
    """What kustomize says of where an object came from, taken off the object."""
    annotations = mapping(mapping(metadata).get("annotations"))
    said = annotations.pop(ORIGIN, None)
    if not annotations:
        mapping(metadata).pop("annotations", None)
    loaded = yamlio.load(said, ORIGIN) if isinstance(said, str) else []
    return mapping(loaded[0]) if loaded else {}


def _same(built: Document, documents: Sequence[Document]) -> Document | None:
    """The document that an object was built from: of its kind, with the longest name that a prefix may have grown."""
    of_kind = [each for each in documents if each.subject.kind == built.subject.kind]
    named = [each for each in of_kind if each.subject.name and each.subject.name in built.subject.name]
    return max(named, key=lambda each: len(each.subject.name), default=None)
