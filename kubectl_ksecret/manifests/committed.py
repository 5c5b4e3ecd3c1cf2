"""The committed folder of an overlay: its objects, one a file."""

import os
from collections.abc import Mapping

from .. import yamlio
from ..errors import InputError, Mistake, Place
from ..files.project import decode
from ..frozen import Record
from ..model.kubernetes import Object
from ..model.resolution import Environment

FOLDER = "manifests"


class Manifest(Record):
    """One committed object, with the text and the bytes that it was read from."""

    file: str
    content: bytes
    text: str
    object: Object

    def place(self, *path: str) -> Place:
        """Return where a field stands."""
        return yamlio.place_of(self.text, self.file, *path)


Committed = Mapping[str, Manifest]


def read(environment: Environment) -> Committed:
    """Return the committed objects of the declared Secrets by name.

    Raises InputError with every file that is not one object.
    """
    manifests: dict[str, Manifest] = {}
    mistakes: list[Mistake] = []
    for name in environment.secrets:
        try:
            manifest = _read(environment, os.path.join(FOLDER, file_of(name)))
        except InputError as error:
            mistakes += error.mistakes
            continue
        if manifest is not None:
            manifests[name] = manifest
    if mistakes:
        raise InputError(*mistakes)
    return manifests


def _read(environment: Environment, name: str) -> Manifest | None:
    path = environment.path(name)
    content, file = environment.project.read_if_there(path), environment.project.name(path)
    if content is None:
        return None
    text = decode(content, file)
    documents = yamlio.load(text, file)
    if len(documents) != 1 or not _is_object(documents[0]):
        hint = "restore it from Git, or remove it"
        raise InputError(Mistake("expected one Kubernetes object", Place(file), hint))
    return Manifest(file=file, content=content, text=text, object=documents[0])


def _is_object(document: object) -> bool:
    return (
        isinstance(document, dict)
        and all(isinstance(document.get(key), str) for key in ("apiVersion", "kind"))
        and isinstance(document.get("metadata"), dict)
        and isinstance(document["metadata"].get("annotations") or {}, dict)
    )


def secret_of(document: Object) -> str:
    """Return the name of the Secret that a rendered object stands for; an ExternalSecret may have another than it."""
    spec = document.get("spec")
    target = spec.get("target") if isinstance(spec, dict) else None
    name = target.get("name") if isinstance(target, dict) else None
    return str(name or document["metadata"]["name"])


def file_of(secret: str) -> str:
    """Return the file of a Secret in the folder, in which kustomization.yaml is something else."""
    name = f"{secret}.yaml"
    return f"_{name}" if name == "kustomization.yaml" else name


def text_of(environment: Environment, name: str) -> str | None:
    """Return a file of the overlay's folder, which need not exist."""
    path = environment.path(name)
    content = environment.project.read_if_there(path)
    return None if content is None else decode(content, environment.project.name(path))
