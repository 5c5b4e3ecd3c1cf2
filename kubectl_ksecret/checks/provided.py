"""What the objects of a build will be as Secrets, whatever they are made of."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..manifests.documents import Document, mapping, sequence
from ..manifests.generators import without_hash
from ..model.kubernetes import Object, Subject
from .landscape import Root

_OPAQUE = "Opaque"
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


def provided(root: Root) -> Iterator[Provided]:
    """All Secrets of a build."""
    for document in root.objects:
        found = _of(document)
        if found and found.name:
            yield found


def _of(document: Document) -> Provided | None:
    kind, group = document.subject.kind, document.group
    if kind == "Secret" and not group:
        keys = [*mapping(document.object.get("data")), *mapping(document.object.get("stringData"))]
        return _provided(document, "", document.object.get("type"), keys, document.annotations)
    spec = mapping(document.object.get("spec"))
    if kind == "SealedSecret" and group == "bitnami.com":
        template = mapping(spec.get("template"))
        keys = [*mapping(spec.get("encryptedData")), *mapping(template.get("data"))]
        annotations = mapping(mapping(template.get("metadata")).get("annotations"))
        return _provided(document, "", template.get("type"), keys, annotations)
    if kind == "ExternalSecret" and group == "external-secrets.io":
        target = mapping(spec.get("target"))
        if target.get("creationPolicy") in ("Merge", "None"):
            return None
        template, name = mapping(target.get("template")), target.get("name")
        return _provided(document, name if isinstance(name, str) else "", template.get("type"), _keys(spec, template))
    return None


def _keys(spec: Object, template: Object) -> Collection[str] | None:
    """The keys of an ExternalSecret's Secret; not known where the store or a ConfigMap says them."""
    made = mapping(template.get("data"))
    if template.get("templateFrom") or (spec.get("dataFrom") and not made):
        return None
    if made and template.get("mergePolicy") != "Merge":
        return [str(key) for key in made]
    if spec.get("dataFrom"):
        return None
    fetched = [mapping(each).get("secretKey") for each in sequence(spec.get("data"))]
    return [*map(str, made), *(key for key in fetched if isinstance(key, str))]


def _provided(
    document: Document, target: str, type_: object, keys: Collection[object] | None, annotations: Object | None = None
) -> Provided:
    return Provided(
        document=document,
        name=target or document.subject.name,
        written=target or document.written("metadata", "name") or document.subject.name,
        type=type_ if isinstance(type_, str) and type_ else _OPAQUE,
        keys=None if keys is None else sorted({str(key) for key in keys}),
        shares=any((annotations or {}).get(name) == "true" for name in _SHARED),
    )
