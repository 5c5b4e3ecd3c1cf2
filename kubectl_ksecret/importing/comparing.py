"""What an imported object had, and what is rendered in its place: whatever differs is told, field by field.

The comparison knows nothing of how an object was read, so a field that the reading has never heard of is found too.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..errors import Mistake, printable
from ..model.kubernetes import Object
from ..model.types.names import Duration, seconds
from ..objects.documents import Document, Path, dotted, mapping, sequence
from .externalsecrets import for_secrets, of_vault
from .found import SCOPES, below, called, fits, texts
from .gotemplates import Inexpressible, reference, translated

_Label = tuple[str, ...]


class _Field(NamedTuple):
    """A field's meaning, and where it stands."""

    meaning: object
    path: Path


_Fields = dict[_Label, _Field]
_REMOTE_DEFAULTS = {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}
_TARGET_DEFAULTS = {"creationPolicy": "Owner", "deletionPolicy": "Retain", "immutable": False}
# What is compared elsewhere, and what a server writes.
_NOT_COMPARED = (
    *("name", "namespace", "labels", "annotations"),
    *("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"),
)
_HINTS = {
    "spec.target.name": "it takes the name of its Secret, which is made anew when the old one is deleted",
    "spec.dataFrom": "each key is declared by name, so that every environment has the same ones: add them",
    "spec.target.template.templateFrom": "only templates of the ExternalSecret itself can be declared",
}
_TEMPLATE_DEFAULTS = {"engineVersion": "v2", "type": "Opaque"}


def external_secret(document: Document, rendered: Object, ignored: Iterable[str]) -> list[Mistake]:
    """The fields of an ExternalSecret that are not rendered as they were; the `ignored` keys went elsewhere."""
    return _differences(document, _of_external(document.object), _of_external(rendered), ignored)


def store(document: Document, rendered: Object) -> tuple[bool, list[Mistake]]:
    """The same of a store, and whether it may be replaced: a label that it did not have does no harm."""
    before, after = _of_store(document.object), _of_store(rendered)
    unlabelled = {label: field for label, field in after.items() if label[0] != "metadata.labels" or label in before}
    lost = _differences(document, before, unlabelled, ())
    # Of a store that stays nothing is new.
    return not lost, lost or _differences(document, before, after, ())


def sealed_secret(document: Document, rendered: Object, ignored: Iterable[str]) -> list[Mistake]:
    """The same of a SealedSecret; of its ciphertext only the keys are compared."""
    return _differences(document, _of_sealed(document.object), _of_sealed(rendered), ignored)


def plain_secret(document: Document, rendered: Object, keys: Iterable[str], ignored: Iterable[str]) -> list[Mistake]:
    """The same of a Secret, and what a SealedSecret will make of it; no value is looked at."""
    template = below(rendered, "spec", "template")
    made = {"metadata": template.get("metadata"), "type": template.get("type"), "data": dict.fromkeys(keys)}
    return _differences(document, _of_plain(document.object), _of_plain(made), ignored)


def _differences(document: Document, before: _Fields, after: _Fields, ignored: Iterable[str]) -> list[Mistake]:
    gone = set(ignored)
    labels = [label for label in {**before, **after} if not (label[0] in ("key", "data") and label[1] in gone)]
    found = []
    for label in labels:
        was, is_ = before.get(label), after.get(label)
        if was and is_ and was.meaning == is_.meaning:
            continue
        if was:
            path = was.path
            if label[0] == "data" and ("data", label[1], "key") not in after:
                path = was.path[:3]  # all of it is gone
            shown, what = path, "is not carried over" if is_ is None else "is not the same"
        else:
            assert is_ is not None
            path, shown, what = _shortened(document.object, is_.path), is_.path, "is new"
        field = printable(dotted(shown))
        message = f"{called(document)}: {field} {what}"
        named = path and isinstance(path[-1], str)
        place = document.key(*path) if named else document.place(*path)
        found.append(Mistake(message, place, _HINTS.get(field, "")))
    return sorted(dict.fromkeys(found), key=lambda each: each.place or ())


def _shortened(object_: object, path: Path) -> Path:
    """As far as a path leads."""
    for length, step in enumerate(path):
        object_ = mapping(object_).get(step) if isinstance(step, str) else None
        if object_ is None:
            return path[:length]
    return path


def _each(found: object, path: Path, known: Iterable[str] = ()) -> Iterator[tuple[_Label, _Field]]:
    """The fields of a mapping that stand for themselves, without the known ones."""
    for name, value in mapping(found).items():
        if name not in known:
            yield (".".join(map(str, path)), str(name)), _Field(value, (*path, name))


def _metadata(found: Object) -> _Fields:
    """Labels, annotations and the like of the manifest itself."""
    fields = dict(_each(found.get("metadata"), ("metadata",), _NOT_COMPARED))
    return fields | {
        (f"metadata.{section}", name): _Field(text, ("metadata", section, name))
        for section in ("labels", "annotations")
        for name, text in texts(below(found, "metadata").get(section)).items()
        if name not in SCOPES
    }


def _of_template(labels: object, annotations: object, above: Path) -> _Fields:
    """Labels and annotations of the Secret."""
    fields: _Fields = {}
    for section, said in (("labels", labels), ("annotations", annotations)):
        for name, text in texts(said).items():
            if name not in SCOPES:
                fields["secret", section, name] = _Field(text, (*above, section, name))
    return fields


def _of_external(found: Object) -> _Fields:
    spec = below(found, "spec")
    target = below(spec, "target")
    template = below(target, "template")
    path: Path = ("spec", "target", "template")
    fields = _metadata(found)
    fields.update(_each(spec, ("spec",), ("secretStoreRef", "refreshInterval", "refreshPolicy", "target", "data")))
    reference_ = below(spec, "secretStoreRef")
    fields["store",] = _Field(
        (reference_.get("kind", "SecretStore"), reference_.get("name")), ("spec", "secretStoreRef")
    )
    interval = str(spec.get("refreshInterval", "1h"))
    meant = seconds(interval) if fits(Duration, interval) else interval
    fields["refreshInterval",] = _Field(meant, ("spec", "refreshInterval"))
    fields["refreshPolicy",] = _Field(spec.get("refreshPolicy", "Periodic"), ("spec", "refreshPolicy"))
    fields.update(_each(_TARGET_DEFAULTS | target, ("spec", "target"), ("template", "name")))
    if target.get("name") not in (None, below(found, "metadata").get("name")):
        fields["target.name",] = _Field(target["name"], ("spec", "target", "name"))
    known = ("metadata", "data", "mergePolicy")
    fields.update(_each(_TEMPLATE_DEFAULTS | template, path, known))
    if "template" in target:
        metadata = below(template, "metadata")
        fields.update(_of_template(metadata.get("labels"), metadata.get("annotations"), (*path, "metadata")))
        fields.update(_each(metadata, (*path, "metadata"), ("labels", "annotations")))
    else:
        own = below(found, "metadata")
        fields.update(_of_template(own.get("labels"), for_secrets(own.get("annotations")), ("metadata",)))
    fields.update(_data(spec))
    fields.update(_keys(spec, template))
    return fields


def _data(spec: Object) -> Iterator[tuple[_Label, _Field]]:
    """What is fetched, whatever its order."""
    for index, each in enumerate(sequence(spec.get("data"))):
        said, path = mapping(each), ("spec", "data", index)
        fields = {
            **dict(_each(said, path, ("secretKey", "remoteRef"))),
            **dict(_each(_REMOTE_DEFAULTS | mapping(said.get("remoteRef")), (*path, "remoteRef"))),
        }
        for (_, name), field in fields.items():
            meaning = of_vault(field.meaning) or field.meaning if name == "key" else field.meaning
            yield ("data", str(said.get("secretKey")), name), field._replace(meaning=meaning)


def _keys(spec: Object, template: Object) -> Iterator[tuple[_Label, _Field]]:
    """The keys of the Secret, by how each is made."""
    fetched = {str(mapping(each).get("secretKey")): index for index, each in enumerate(sequence(spec.get("data")))}
    made = mapping(template.get("data"))
    if not made or template.get("mergePolicy") == "Merge":
        yield from (
            (("key", key), _Field(reference(key), ("spec", "data", index)))
            for key, index in fetched.items()
            if key not in made
        )
    for key, text in made.items():
        path = ("spec", "target", "template", "data", key)
        try:
            yield ("key", str(key)), _Field(translated(text) if isinstance(text, str) else text, path)
        except Inexpressible:
            yield ("key", str(key)), _Field(("in Go", text), path)


def _of_store(found: Object) -> _Fields:
    spec, provider = below(found, "spec"), below(found, "spec", "provider")
    vault = {"authType": "ServicePrincipal", "environmentType": "PublicCloud"} | below(provider, "azurekv")
    return (
        _metadata(found)
        | dict(_each(spec, ("spec",), ("provider",)))
        | dict(_each(provider, ("spec", "provider"), ("azurekv",)))
        | dict(_each(vault, ("spec", "provider", "azurekv")))
    )


def _of_sealed(found: Object) -> _Fields:
    spec, template = below(found, "spec"), below(found, "spec", "template")
    metadata = below(template, "metadata")
    path: Path = ("spec", "template")
    return (
        _metadata(found)
        | dict(_each(spec, ("spec",), ("template", "encryptedData")))
        | dict(_each({"type": "Opaque"} | _without_nothing(template), path, ("metadata",)))
        | dict(
            _each(
                _without_nothing(metadata),
                (*path, "metadata"),
                ("labels", "annotations", "name", "namespace", "creationTimestamp"),
            )
        )
        | _of_template(metadata.get("labels"), metadata.get("annotations"), (*path, "metadata"))
        | {
            ("key", str(key)): _Field(None, ("spec", "encryptedData", key))
            for key in below(found, "spec", "encryptedData")
        }
    )


def _without_nothing(found: Mapping[str, object]) -> Object:
    return {name: value for name, value in found.items() if value is not None}


def _of_plain(found: Object) -> _Fields:
    fields: _Fields = {("type",): _Field(found.get("type") or "Opaque", ("type",))}
    if found.get("immutable"):
        fields["immutable",] = _Field(True, ("immutable",))
    metadata = below(found, "metadata")
    fields |= _of_template(metadata.get("labels"), metadata.get("annotations"), ("metadata",))
    for section in ("data", "stringData"):
        fields |= {("key", str(key)): _Field(None, (section, key)) for key in below(found, section)}
    return fields
