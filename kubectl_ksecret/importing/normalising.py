"""Objects in one form, so that two that mean the same are equal.

Defaults are filled in, lists of named entries become mappings, and what a server or a deployer writes is left out. All
else stays as it is, so that a field that nobody here has heard of is compared too.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..model.kubernetes import STORES, Object
from ..model.types.names import Duration, seconds
from ..objects.documents import Step, mapping, sequence
from . import ownership, stores
from .gotemplates import Inexpressible, read
from .members import with_members
from .secrets import below, fits

# What a server writes, and what names the object itself.
_OF_THE_SERVER = (
    *("name", "namespace", "creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"),
    *("ownerReferences", "finalizers"),
)
_REMOTE_DEFAULTS = {"conversionStrategy": "Default", "metadataPolicy": "None"}
TARGET_DEFAULTS = {"creationPolicy": "Owner", "deletionPolicy": "Retain", "immutable": False}


def normalised(object_: Object) -> Object:
    """Return what an object means, as a tree of mappings; lists of entries with a name are mappings by that name."""
    object_ = _without_own_name(object_)
    form = _FORMS.get(str(object_.get("kind")))
    fields = {name: value for name, value in object_.items() if name not in ("apiVersion", "status")}
    fields["metadata"] = _manifest_metadata(object_)
    meaning = form(fields) if form else fields
    return dict(_without_nothing(meaning))


def entry_number(entries: list[Any], step: Step) -> int | None:
    """Return the number of the entry of a list that the normal form has under this name."""
    names = (mapping(entry).get("secretKey") for entry in entries)
    return next((number for number, name in enumerate(names) if name == step), None)


def _without_nothing(value: Any) -> Any:
    """Leave out empty fields: nothing distinguishes them from missing ones."""
    if isinstance(value, dict):
        pairs = ((name, _without_nothing(below_)) for name, below_ in value.items())
        return {name: below_ for name, below_ in pairs if below_ not in (None, {}, [], False)}
    return value


def _manifest_metadata(object_: Object) -> Object:
    metadata = below(object_, "metadata")
    fields = {name: value for name, value in metadata.items() if name not in _OF_THE_SERVER}
    texts = {field: ownership.of_manifest(metadata.get(field)) for field in ("labels", "annotations")}
    return fields | texts


def _secret_metadata(metadata: Object) -> Object:
    fields = {name: value for name, value in metadata.items() if name not in _OF_THE_SERVER}
    texts = {field: ownership.of_secret(metadata.get(field)) for field in ("labels", "annotations")}
    return fields | texts


def _external_secret(object_: Object) -> Object:
    spec = with_members(below(object_, "spec"))
    target, template = below(spec, "target"), below(spec, "target", "template")
    metadata = below(template, "metadata") if "template" in target else below(object_, "metadata")
    made = mapping(template.get("data"))
    entries = {str(mapping(entry).get("secretKey")): entry for entry in sequence(spec.get("data"))}
    keys = {} if made and template.get("mergePolicy") != "Merge" else {name: _fetched(name) for name in entries}
    keys |= made
    in_base64 = {name for name, entry in entries.items() if _is_in_base64(entry)}
    interval = str(spec.get("refreshInterval", "1h"))
    every = seconds(interval) if fits(Duration, interval) else None
    return object_ | {
        "spec": spec
        | {
            "refreshInterval": interval if every is None else f"{float(every)} seconds",
            # With an interval of nothing the operator fetches once, whatever the policy.
            "refreshPolicy": "CreatedOnce" if every == 0 else spec.get("refreshPolicy") or "Periodic",
            "secretStoreRef": {"kind": "SecretStore"} | below(spec, "secretStoreRef"),
            "data": {name: _entry(entry) for name, entry in entries.items()},
            "target": TARGET_DEFAULTS
            | {name: value for name, value in target.items() if value not in (None, "")}
            | {
                "template": {"engineVersion": "v2", "type": "Opaque"}
                | {name: value for name, value in template.items() if name != "mergePolicy" and value}
                | {
                    "metadata": _secret_metadata(metadata),
                    "data": {str(key): _template(text, in_base64) for key, text in keys.items()},
                },
            },
        }
    }


def _without_own_name(object_: Object) -> Object:
    """Return an ExternalSecret without the name of its Secret where that is its own."""
    spec, target = below(object_, "spec"), below(object_, "spec", "target")
    if object_.get("kind") != "ExternalSecret" or target.get("name") != below(object_, "metadata").get("name"):
        return object_
    rest = {name: value for name, value in target.items() if name != "name"}
    return object_ | {"spec": spec | {"target": rest}}


def _is_in_base64(entry: object) -> bool:
    return below(entry, "remoteRef").get("decodingStrategy") == "Base64"


def _entry(entry: object) -> Object:
    fields = {name: value for name, value in mapping(entry).items() if name != "secretKey"}
    remote = _REMOTE_DEFAULTS | below(entry, "remoteRef")
    if remote.get("decodingStrategy") in ("Base64", "None"):  # else it guesses, and no overlay can say so
        del remote["decodingStrategy"]
    return fields | {"remoteRef": remote}


def _fetched(name: str) -> str:
    """Return the template of a key that is fetched and not made."""
    return f'{{{{ index . "{name}" }}}}'


def _template(text: object, in_base64: set[str]) -> object:
    """Return how a key is made: the parts of its template, and of each fetched value how often it is decoded."""
    try:
        parts = read(text) if isinstance(text, str) else ()
    except Inexpressible:
        parts = ()
    if not parts:
        return (text,)
    written: list[object] = []
    for part in parts:
        if isinstance(part, str):
            written.append(part)
        else:
            written.append((part.name, part.decoded + (part.name in in_base64), part.filters))
    return tuple(written)


def _store(object_: Object) -> Object:
    spec = below(object_, "spec")
    return object_ | {"spec": spec | {"provider": stores.normalised(below(spec, "provider"))}}


def _sealed_secret(object_: Object) -> Object:
    spec = below(object_, "spec")
    template = {"type": "Opaque"} | {name: value for name, value in below(spec, "template").items() if value}
    template["metadata"] = _secret_metadata(mapping(template.get("metadata")))
    return object_ | {"spec": spec | {"template": template}}


def _plain_secret(object_: Object) -> Object:
    """Leave the values out: only the names of the keys are compared."""
    keys = {str(key): "a value" for field in ("data", "stringData") for key in mapping(object_.get(field))}
    fields = {name: value for name, value in object_.items() if name not in ("data", "stringData", "sops")}
    return fields | {
        "metadata": _secret_metadata(mapping(object_.get("metadata"))),
        "type": object_.get("type") or "Opaque",
        "data": keys,
    }


_FORMS: Mapping[str, Callable[[Object], Object]] = {
    "ExternalSecret": _external_secret,
    "SealedSecret": _sealed_secret,
    "Secret": _plain_secret,
    **dict.fromkeys(STORES, _store),
}
