"""What has to change in an overlay's folder, so that it holds what it should and builds it."""

import os
from collections.abc import Iterable, Iterator, Mapping

from .. import yamlio
from ..errors import InputError, Mistake, Refusal, shown, with_article
from ..files.folder import Folder, leftover_of
from ..frozen import Record
from ..model.backend import Backend
from ..model.kubernetes import RBAC, Object
from ..model.resolution import Environment
from ..objects.documents import KUSTOMIZATION_FILES
from . import access, kustomization, references
from .committed import FOLDER, Committed, Manifest, file_of, secret_of, text_of

MARKER = "# Rendered by kubectl ksecret from ../ksecret.yaml; changes are overwritten.\n"
_FORMS = ("Secret", "SealedSecret", "ExternalSecret")
STORE_FILE = "_store.yaml"  # an underscore can't begin a Kubernetes name: no Secret collides with it


class Changes(Record):
    """What has to change in an overlay's folder, as names in it; in the order in which it is done.

    `before` is what each file held when it was read, None where there was none.
    """

    written: Mapping[str, bytes]
    removed: tuple[str, ...]
    listed: Mapping[str, bytes]
    before: Mapping[str, bytes | None] = {}

    @property
    def files(self) -> list[str]:
        """Return all files that are not as they should be."""
        return [*self.written, *self.removed, *self.listed]

    def apply(self, folder: Folder) -> None:
        """Write, remove, then list.

        A kill in between leaves a list that names a removed file: a build fails loudly and the next run mends it, as
        the file's leftover shows whose it was. In the other order a file would stay that nobody may remove any more.

        Raises Refusal, with nothing written, if another program changed one of the files since it was read.
        """
        for name in self.files:
            if name in self.before and _content_of(os.path.join(folder.path, name)) != self.before[name]:
                hint = "run the same command again: it begins with what stands there now"
                shown_path = os.path.relpath(os.path.join(folder.path, name))
                raise Refusal(Mistake(f"{shown_path} was changed by another program; nothing is written", hint=hint))
        for name, content in self.written.items():
            folder.write(name, content)
        for name in self.removed:
            folder.remove(name)
        for name, content in self.listed.items():
            folder.write(name, content)
        folder.clean()


def changes(environment: Environment, backend: Backend, objects: Iterable[Object], committed: Committed) -> Changes:
    """Return what has to change so that an overlay's folder holds and builds these objects and its readers' Roles.

    A committed object that stays as it is keeps its file byte for byte. Raises InputError if one of the folder's
    kustomizations can't be edited, or somebody's object stands where one of these should.
    """
    roles = list(access.objects(environment))
    contents = _contents(backend, [*objects, *roles], committed)
    stated = environment.overlay.spec.references
    named = references.text(
        [*backend.name_references(), *(access.NAME_REFERENCES if roles else ())], backend.kind, stated
    )
    contents[references.FILE] = (MARKER + named).encode()
    inner, outer = _kustomization_in(environment, FOLDER), _kustomization_in(environment, "")
    listing, including = text_of(environment, inner), text_of(environment, outer)
    shown_inner, shown_outer = (environment.project.name(environment.path(name)) for name in (inner, outer))
    listed = kustomization.resources(listing, shown_inner)
    removed = [name for name in listed if name not in contents and _is_ours(environment, name)]
    files = {os.path.join(FOLDER, name): content for name, content in contents.items()}
    ours = sorted(contents.keys() - {references.FILE})
    lists = {
        inner: kustomization.listing(listing, ours, removed, shown_inner),
        outer: kustomization.including(including, shown_outer),
    }
    before = {os.path.join(FOLDER, file_of(name)): manifest.content for name, manifest in committed.items()}
    # Where nothing was read, nothing may stand by now.
    absent = [os.path.join(FOLDER, file_of(name)) for name in environment.secrets if name not in committed]
    return Changes(
        before={**dict.fromkeys(absent), **before} if backend.seals else {},
        written={name: content for name, content in files.items() if _differs(environment, name, content)},
        removed=tuple(os.path.join(FOLDER, name) for name in removed if _exists(environment, name)),
        listed={name: text.encode() for name, text in lists.items() if _differs(environment, name, text.encode())},
    )


def _contents(backend: Backend, objects: Iterable[Object], committed: Committed) -> dict[str, bytes]:
    """Return the files of the objects, by name.

    An object that stays as it was read stays in its file: the name in it may be anything, a path out of here too.
    """
    read_as = {id(manifest.object): name for name, manifest in committed.items()}
    contents = {}
    mistakes: list[Mistake] = []
    for document in objects:
        name = read_as.get(id(document))
        if name is None:
            mistakes += _in_the_way(backend, document, committed)
            contents[file_name(document, backend.kind)] = _content(backend, document, committed)
        else:
            contents[file_of(name)] = committed[name].text.encode()
    if mistakes:
        raise InputError(*mistakes)
    return contents


def _in_the_way(backend: Backend, document: Object, committed: Committed) -> Iterator[Mistake]:
    """Find somebody's object under the name of ours; a form of the Secret itself is taken over."""
    name = secret_of(document)
    old = _standing(backend, document, committed)
    if old is not None and not old.text.startswith(MARKER) and old.object["kind"] not in {*_FORMS, backend.kind}:
        message = f"{with_article(shown(old.object['kind']))} stands where the Secret {name} is to be written"
        yield Mistake(message, old.place("kind"), "move it to a file of another name")


def _content(backend: Backend, document: Object, committed: Committed) -> bytes:
    old = _standing(backend, document, committed)
    if old is not None and old.object == document:
        return old.text.encode()
    return (MARKER + yamlio.dump([document])).encode()


def _standing(backend: Backend, document: Object, committed: Committed) -> Manifest | None:
    """Return the committed object of a Secret that stands in the file of an object."""
    name = secret_of(document)
    return committed.get(name) if file_name(document, backend.kind) == file_of(name) else None


def file_name(document: Object, kind_of_secrets: str) -> str:
    """Return the file of an object; what stands for no Secret has one of a name that no Secret can have."""
    kind, name = document["kind"], document["metadata"]["name"]
    if kind == kind_of_secrets:
        return file_of(secret_of(document))
    if document["apiVersion"].startswith(f"{RBAC}/"):
        return f"{name}_{kind.lower()}.yaml"
    return STORE_FILE if kind.endswith("SecretStore") else f"_{kind.lower()}.yaml"


def _kustomization_in(environment: Environment, folder: str) -> str:
    """Return the kustomization of a folder, by the name that it has."""
    names = [os.path.join(folder, name) for name in KUSTOMIZATION_FILES]
    return next((name for name in names if os.path.lexists(environment.path(name))), names[0])


def _content_of(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _differs(environment: Environment, name: str, content: bytes) -> bool:
    return environment.project.read_if_there(environment.path(name)) != content


def _exists(environment: Environment, name: str) -> bool:
    return environment.project.read_if_there(environment.path(os.path.join(FOLDER, name))) is not None


def _is_ours(environment: Environment, name: str) -> bool:
    """Whether a listed file is one that this tool wrote: in the folder itself, and marked."""
    path = environment.path(os.path.join(FOLDER, name))
    if os.path.basename(name) != name or os.path.isdir(path):
        return False
    content = environment.project.read_if_there(path)
    if content is None:  # anybody's, unless a kill between removing and listing left it so
        return os.path.lexists(leftover_of(path))
    return content.startswith(MARKER.encode())
