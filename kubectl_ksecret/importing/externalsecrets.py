"""ExternalSecrets and their stores, of v1 and v1beta1, read back into what a declaration and an overlay say."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeGuard

from ..model.kubernetes import STORES, Object
from ..model.types.declaration import Encoding
from ..model.types.names import Duration, Line, Property
from ..objects.documents import Document, mapping, sequence
from . import ownership
from .gotemplates import GoTemplate, Inexpressible, names_in, read, reference, references_in, translated
from .members import with_members
from .secrets import ImportedKey, ImportedSecret, below, fits, key_names, type_of, written_name
from .stores import StoreReading

_REFRESH_POLICIES = ("CreatedOnce", "Periodic", "OnChange")
_CREATION_POLICIES = ("Owner", "Orphan", "Merge", "None", "CreateOrMerge")
_DELETION_POLICIES = ("Retain", "Delete", "Merge")
# What an ExternalSecret has that says nothing of it.
_USUAL = {"refreshPolicy": "Periodic", "creationPolicy": "Owner", "deletionPolicy": "Retain"}


class NamedStore(NamedTuple):
    """The store that an ExternalSecret reads."""

    kind: str
    name: str


def store_of(document: Document) -> NamedStore:
    """Return the store that is read; its name is empty where the document has none."""
    named = below(document.object, "spec", "secretStoreRef")
    name, kind = named.get("name"), named.get("kind", "SecretStore")
    return NamedStore(kind if kind in STORES else "", name if isinstance(name, str) else "")


def remote_names(document: Document) -> list[object]:
    """Return what an ExternalSecret reads in its store."""
    spec = with_members(below(document.object, "spec"))
    return [below(entry, "remoteRef").get("key") for entry in sequence(spec.get("data"))]


def secret_of(document: Document, store: StoreReading) -> ImportedSecret:
    """Read the Secret that an ExternalSecret makes, as far as it can be declared."""
    spec = with_members(below(document.object, "spec"))
    target = below(spec, "target")
    template = below(target, "template")
    # Without a template the operator copies the ExternalSecret's own labels and annotations.
    metadata = below(template, "metadata") if "template" in target else document.metadata
    keys, inputs = _keys(document, spec, store)
    return ImportedSecret(
        name=name_of_secret(document),
        document=document,
        type=type_of(template.get("type")),
        labels=ownership.of_secret(metadata.get("labels")),
        annotations=ownership.of_secret(metadata.get("annotations")),
        keys=keys,
        inputs=inputs,
    )


def name_of_secret(document: Document) -> str:
    """Return the name of the Secret that an ExternalSecret makes."""
    name = below(document.object, "spec", "target").get("name")
    return name if isinstance(name, str) and name else written_name(document)


def _fetched(document: Document, spec: Object, store: StoreReading) -> Iterator[tuple[str, ImportedKey]]:
    listed = len(sequence(below(document.object, "spec").get("data")))
    for index, entry in enumerate(sequence(spec.get("data"))):
        key, remote = mapping(entry).get("secretKey"), below(entry, "remoteRef")
        written, property_, version = remote.get("key"), remote.get("property"), remote.get("version")
        name = store.name_in_source(written)
        encoding: Encoding = "base64" if remote.get("decodingStrategy") == "Base64" else "none"
        if _is_line(name) and isinstance(key, str) and any(key_names({key: None})):
            yield (
                key,
                ImportedKey(
                    place=document.place("spec", *(("data", index) if index < listed else ("dataFrom", 0))),
                    remote_name=name,
                    property=property_ if isinstance(property_, str) and fits(Property, property_) else None,
                    version=version if _is_line(version) else None,
                    encoding=encoding,
                ),
            )


def _is_line(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and fits(Line, text)


def _keys(
    document: Document, spec: Object, store: StoreReading
) -> tuple[Mapping[str, ImportedKey], Mapping[str, ImportedKey]]:
    """Return the keys of the Secret, and what its templates need beside them."""
    template = below(spec, "target", "template")
    fetched = dict(_fetched(document, spec, store))
    data = template.get("data")
    if not isinstance(data, dict) or not data:
        return fetched, {}
    merged = template.get("mergePolicy") == "Merge"
    templates = dict(_templates(data))
    plain = set(fetched) - set(data) if merged else set()
    decoded = _decoded(templates.values(), plain)
    fetched = {
        name: key.but(encoding="base64") if name in decoded and key.encoding == "none" else key
        for name, key in fetched.items()
    }
    keys = {name: key for name, key in fetched.items() if name in plain}
    for key, parts in templates.items():
        try:
            text = translated(parts, decoded)
        except Inexpressible:
            continue
        if text == reference(key) and key in fetched:
            keys[key] = fetched[key]
        elif key not in names_in(text):
            place = document.place("spec", "target", "template", "data", key)
            keys[key] = ImportedKey(place=place, template=text)
    available = {*keys, *fetched}
    keys = {name: key for name, key in keys.items() if names_in(key.template or "") <= available}
    named = {name for key in keys.values() for name in names_in(key.template or "")}
    return keys, {name: fetched[name] for name in sorted(named - keys.keys()) if name in fetched}


def _templates(data: Object) -> Iterator[tuple[str, GoTemplate]]:
    """Yield those that can be read."""
    for key in key_names(data):
        if isinstance(data[key], str):
            try:
                yield key, read(data[key])
            except Inexpressible:
                continue


def undeclarable(document: Document) -> str:
    """Return the first key whose template says what a declaration can't; nothing where each of them can be read."""
    data = below(document.object, "spec", "target", "template", "data")
    readable = dict(_templates(data))
    return next((str(key) for key in data if key not in readable), "")


def _decoded(templates: Iterable[GoTemplate], plain: Iterable[str]) -> set[str]:
    """Return the names that are always decoded from base64, as in External Secrets' recipe for PKCS #12."""
    uses = {name: {False} for name in plain}
    for template in templates:
        for named in references_in(template):
            uses.setdefault(named.name, set()).add(named.decoded)
    return {name for name, decoded in uses.items() if decoded == {True}}


def settings(documents: Sequence[Document]) -> Object:
    """Return how most of the ExternalSecrets refresh, and the metadata of them all, as a backend has it."""
    specs = [below(document.object, "spec") for document in documents]
    fields: Object = {"refreshInterval": _usual(map(_interval, specs)) or "1h"}
    if policy := _usual(_one_of(spec.get("refreshPolicy"), _REFRESH_POLICIES) for spec in specs):
        fields["refreshPolicy"] = policy
    targets = [below(spec, "target") for spec in specs]
    if creation := _usual(_one_of(target.get("creationPolicy"), _CREATION_POLICIES) for target in targets):
        fields["creationPolicy"] = creation
    if deletion := _usual(_one_of(target.get("deletionPolicy"), _DELETION_POLICIES) for target in targets):
        fields["deletionPolicy"] = deletion
    shared = {
        field: ownership.common(ownership.of_manifest(document.metadata.get(field)) for document in documents)
        for field in ("labels", "annotations")
    }
    if any(shared.values()):
        fields["metadata"] = {field: texts for field, texts in shared.items() if texts}
    return fields


def own_settings(document: Document, of_all: Object) -> Object:
    """Return what one ExternalSecret has instead of what its backend has for all, as an override has it."""
    spec = below(document.object, "spec")
    target, reference = below(spec, "target"), store_of(document)
    stated = {
        "refreshInterval": _interval(spec),
        "refreshPolicy": _one_of(spec.get("refreshPolicy"), _REFRESH_POLICIES),
        "creationPolicy": _one_of(target.get("creationPolicy"), _CREATION_POLICIES),
        "deletionPolicy": _one_of(target.get("deletionPolicy"), _DELETION_POLICIES),
    }
    own: Object = {}
    if target.get("name") not in (None, "", written_name(document)):
        own["name"] = written_name(document)
    for field, value in stated.items():
        usual = _USUAL.get(field)
        if (value or usual) != (of_all.get(field) or usual):
            own[field] = value or usual
    store = of_all["store"]
    if reference != NamedStore(store.get("kind", "SecretStore"), store["name"]):
        own["store"] = {"name": reference.name, "kind": reference.kind}
    texts = {field: ownership.of_manifest(document.metadata.get(field)) for field in ("labels", "annotations")}
    shared = of_all.get("metadata", {})
    rest = {
        field: {name: text for name, text in of_one.items() if shared.get(field, {}).get(name) != text}
        for field, of_one in texts.items()
    }
    if any(rest.values()):
        own["metadata"] = {field: of_one for field, of_one in rest.items() if of_one}
    return {field: value for field, value in own.items() if value is not None}


def _interval(spec: Object) -> str | None:
    interval = spec.get("refreshInterval", "1h")
    text = str(interval) if isinstance(interval, str | int) and not isinstance(interval, bool) else ""
    return text if fits(Duration, text) else None


def _one_of(text: object, policies: Sequence[str]) -> str | None:
    return text if isinstance(text, str) and text in policies else None


def _usual(texts: Iterable[str | None]) -> str | None:
    """Return what stands in most of them."""
    ((most, _), *_) = Counter(texts).most_common(1)
    return most
