"""The files of an import, and writing them."""

import os
from collections.abc import Iterator, Mapping

from .. import yamlio
from ..errors import InputError, Mistake
from ..files.folder import LEFTOVER, locked
from ..files.project import decode
from ..manifests import kustomization
from ..manifests.committed import FOLDER, file_of
from ..model.types.overlay import FILE
from ..objects.documents import KUSTOMIZATION_FILE, KUSTOMIZATION_FILES
from ..yamlio import editing
from .composing import Composition
from .existing import with_edits
from .target import CERTIFICATE, ImportTarget

Files = Mapping[str, Mapping[str, bytes]]  # by folder and name in it, in the order in which they are written


def files(composition: Composition, target: ImportTarget) -> Files:
    """Return all that is to be written; a kustomization that exists already is its owner's."""
    contents = {target.declarations: {name: text.encode() for name, text in composition.declarations.items()}}
    for composed in composition.environments:
        environment = composed.environment
        secrets = contents[target.secrets(environment.name)] = {FILE: composed.text.encode()}
        secrets |= {**composed.beside, **composed.changes.written, **composed.changes.listed}
        deployed = target.folder(environment.name)
        if environment.name in target.deployed:
            continue
        contents[deployed] = {}
        if not existing_kustomization(deployed):
            namespace = yamlio.dump([[environment.namespace]]).removeprefix("- ").strip()
            contents[deployed] = {KUSTOMIZATION_FILE: kustomization.deployed(namespace).encode()}
    return contents


def without_sealed(contents: Files, composition: Composition, target: ImportTarget) -> Files:
    """Return what is to be written without manifests that exist: an earlier run may have sealed values into them."""
    remaining = dict(contents)
    for composed in composition.environments:
        folder = target.secrets(composed.environment.name)
        remaining[folder] = {
            name: content
            for name, content in contents[folder].items()
            if not name.startswith(os.path.join(FOLDER, "")) or not os.path.lexists(os.path.join(folder, name))
        }
    return remaining


def refuse_existing(contents: Files, composition: Composition, target: ImportTarget, *, seals: bool) -> None:
    """Raise InputError if anything exists already where something is to be written.

    What a run that was killed has written is the same as now, and is no obstacle; nor is what it has sealed, where this
    one `seals` too.
    """
    existing = []
    for folder, texts in contents.items():
        target.project.inside(folder)
        for name, content in texts.items():
            path = os.path.join(folder, name)
            if os.path.lexists(path) and target.project.read_if_there(path) != content:
                existing.append(path)
    for composed in composition.environments:
        ours = {CERTIFICATE, FILE, *composed.beside, *composed.files}
        if seals:
            ours |= {os.path.join(FOLDER, file_of(name)) for name in composed.environment.secrets}
        folder = target.secrets(composed.environment.name)
        existing += [path for path in _files_below(folder) if os.path.relpath(path, folder) not in ours]
    if existing:
        hint = "nothing is overwritten: import into a new folder with --into"
        shown = dict.fromkeys(map(target.project.name, existing))
        raise InputError(*(Mistake(f"{name} exists already", hint=hint) for name in shown))


def _files_below(folder: str) -> Iterator[str]:
    for where, _, names in os.walk(folder):
        yield from (os.path.join(where, name) for name in sorted(names) if not name.endswith(LEFTOVER))


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


def joined(composition: Composition, target: ImportTarget) -> dict[str, bytes]:
    """Return the new contents of the files that exist and get something, by path."""
    contents = {}
    for path in dict.fromkeys(edit.file for edit in composition.edits):
        before = target.project.read(path)
        shown = target.project.name(path)
        text = with_edits(decode(before, shown), shown, [edit for edit in composition.edits if edit.file == path])
        contents[path] = editing.encoded(text, before)
    return contents


def replace(contents: Mapping[str, bytes]) -> None:
    """Write files that exist."""
    for path, content in contents.items():
        with locked(os.path.dirname(path)) as held:
            held.write(os.path.basename(path), content)
            held.clean()
