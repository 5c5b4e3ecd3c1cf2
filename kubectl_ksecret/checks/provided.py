"""What the objects of a build will be as Secrets, whatever they are made of."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..kustomize.generators import without_hash
from ..model.kubernetes import OPERATOR, Subject
from ..objects.documents import Document, Path, mapping
from ..objects.producers import Provision, provisions
from .scope import Build

_OPAQUE = "Opaque"
_GROUPS = {"Secret": "", "SealedSecret": "bitnami.com", "ExternalSecret": OPERATOR}
_TEMPLATES: dict[str, Path] = {
    "Secret": (),
    "SealedSecret": ("spec", "template"),
    "ExternalSecret": ("spec", "target", "template"),
}
_SHARED = ("sealedsecrets.bitnami.com/managed", "sealedsecrets.bitnami.com/patch")


class Provided(NamedTuple):
    """A Secret that an object of a build is or makes; `keys` is None if the object does not say them all.

    `name` is that in the build, `written` that in the file. `shares` if it is meant to meet another one's Secret.
    """

    document: Document
    name: str
    written: str
    type: str
    keys: Collection[str] | None
    shares: bool

    @property
    def subject(self) -> Subject:
        """The object; without the hash of its content, which has no place in an exception and ends with any change."""
        subject = self.document.subject
        return subject._replace(name=without_hash(subject.name)) if subject.kind == "Secret" else subject

    @property
    def namespace(self) -> str:
        """Of the Secret, as far as the build says it."""
        return self.document.subject.namespace


def provided(root: Build) -> Iterator[Provided]:
    """All Secrets of a build, but for what only adds to one that another object makes."""
    for document in root.objects:
        kind = document.subject.kind
        if (
            kind in _GROUPS
            and document.group == _GROUPS[kind]
            and document.at("spec", "target", "creationPolicy") != "Merge"
        ):
            yield from (_provided(document, each) for each in provisions(document))


def type_path(kind: str) -> Path:
    """Where an object of a kind says the type of its Secret."""
    return (*_TEMPLATES[kind], "type")


def _provided(document: Document, provision: Provision) -> Provided:
    kind, name = document.subject.kind, provision.secret
    # A Secret that an ExternalSecret names in its target has no other name.
    written = document.written("metadata", "name") if name == document.subject.name else name
    said = document.at(*type_path(kind))
    annotations = mapping(document.at(*_TEMPLATES[kind], "metadata", "annotations"))
    return Provided(
        document=document,
        name=name,
        written=written or name,
        type=said if isinstance(said, str) and said else _OPAQUE,
        keys=None if provision.keys is None else sorted(provision.keys),
        shares=kind != "ExternalSecret" and any(annotations.get(each) == "true" for each in _SHARED),
    )
