"""The files of an import, and writing them."""

import os
from collections.abc import Mapping

from .. import yamlio
from ..files.folder import locked
from ..manifests import kustomization
from ..model.types.overlay import FILE
from ..objects.documents import KUSTOMIZATION_FILE, KUSTOMIZATION_FILES
from .composing import Composition
from .target import CERTIFICATE, Target

Files = Mapping[str, Mapping[str, bytes]]  # by folder and name in it, in the order in which they are written


def files(composition: Composition, target: Target) -> Files:
    """Return all that is to be written; a kustomization that exists already is its owner's."""
    contents = {target.declarations: {name: text.encode() for name, text in composition.declarations.items()}}
    for composed in composition.environments:
        environment = composed.environment
        secrets = contents[target.secrets(environment.name)] = {FILE: composed.text.encode()}
        if composed.certificate:
            secrets[CERTIFICATE] = composed.certificate
        secrets |= {**composed.changes.written, **composed.changes.listed}
        deployed = target.folder(environment.name)
        if environment.name not in target.deployed and not existing_kustomization(deployed):
            namespace = yamlio.dump([[environment.namespace]]).removeprefix("- ").strip()
            contents[deployed] = {KUSTOMIZATION_FILE: kustomization.deployed(namespace).encode()}
    return contents


def existing_kustomization(folder: str) -> str | None:
    """Return the kustomization of a folder, if there is one."""
    paths = (os.path.join(folder, name) for name in KUSTOMIZATION_FILES)
    return next((path for path in paths if os.path.lexists(path)), None)


def write(contents: Files) -> None:
    """Make the files."""
    for folder, texts in contents.items():
        with locked(folder) as held:
            for name, content in texts.items():
                held.write(name, content)
            held.clean()
