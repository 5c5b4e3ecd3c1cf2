"""The declarations and overlays of what was found, as they are written."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ..frozen import Record
from ..model.kubernetes import Object
from ..model.loading import API_VERSION
from .found import FoundKey, FoundSecret
from .matching import Matched
from .naming import Address, Naming, derive
from .parameters import Parameters
from .parameters import derive as derive_parameters


class Declared(Record):
    """Objects ready to be written: declarations by Secret, overlays by environment."""

    declarations: Mapping[str, Object]
    naming: Naming
    parameters: Parameters


def declare(matched: Sequence[Matched]) -> Declared:
    """One declaration for each Secret that any environment has."""
    naming = derive({each.found.name: _remotes(each) for each in matched if each.found.backend is not None})
    explicit = _shared(matched)
    parameters = derive_parameters(matched)
    names = sorted({name for each in matched for name in each.secrets})
    declarations = {
        name: _declaration(
            name, [each.secrets[name] for each in matched if name in each.secrets], naming, explicit, parameters
        )
        for name in names
    }
    return Declared(declarations=declarations, naming=naming, parameters=parameters)


def _entries(secret: FoundSecret) -> Mapping[str, FoundKey]:
    return {**secret.keys, **secret.inputs}


def _remotes(matched: Matched) -> dict[Address, str]:
    return {
        (name, key): found.remote
        for name, secret in matched.secrets.items()
        for key, found in _entries(secret).items()
        if found.remote
    }


def _shared(matched: Sequence[Matched]) -> frozenset[Address]:
    """The keys that reach one name in one vault, which is an error unless each says it explicitly."""
    readers: dict[tuple[str, str], set[Address]] = {}
    for each in matched:
        for address, name in _remotes(each).items():
            vault = (each.found.vault_url or "").rstrip("/").lower()
            readers.setdefault((vault, name.lower()), set()).add(address)
    return frozenset(address for those in readers.values() if len(those) > 1 for address in those)


def _declaration(
    name: str, found: Sequence[FoundSecret], naming: Naming, explicit: frozenset[Address], parameters: Parameters
) -> Object:
    spec: Object = {}
    types = Counter(each.type for each in found).most_common(1)
    if types[0][0] != "Opaque":
        spec["type"] = types[0][0]
    for field in ("labels", "annotations"):
        if said := _agreed([getattr(each, field) for each in found]):
            spec[field] = said
    for field in ("keys", "inputs"):
        entries = sorted({key for each in found for key in getattr(each, field)} - spec.get("keys", {}).keys())
        if entries:
            spec[field] = {key: _key((name, key), found, naming, explicit, parameters) for key in entries}
    return {"apiVersion": API_VERSION, "kind": "SecretDeclaration", "metadata": {"name": name}, "spec": spec}


def _agreed(said: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The labels or annotations of all environments, but those of which they say different things."""
    values: dict[str, set[str]] = {}
    for each in said:
        for name, text in each.items():
            values.setdefault(name, set()).add(text)
    return {name: texts.pop() for name, texts in sorted(values.items()) if len(texts) == 1}


def _key(
    address: Address, found: Sequence[FoundSecret], naming: Naming, explicit: frozenset[Address], parameters: Parameters
) -> Object:
    _, key = address
    said = [entries[key] for each in found if key in (entries := _entries(each))]
    first = next((each for each in said if each.template or each.remote), None)
    if first is None:
        return {}
    if first.template:
        return {"template": parameters.templates.get(address, first.template)}
    written: Object = {}
    if naming.names[address] != key or address in explicit:
        written["remoteName"] = naming.names[address]
    if property_ := _property(said):
        written["property"] = property_
    if first.encoding != "none":
        written["encoding"] = first.encoding
    return written


def _property(said: Sequence[FoundKey]) -> str | None:
    """What all read, or the first: an override can say another one, and can't say none."""
    properties = [each.property for each in said if each.remote]
    return properties[0] if properties and all(properties) else None


def overlay(matched: Matched, declared: Declared, backend: Object, declarations: str) -> Object:
    """The overlay of an environment."""
    found = matched.found
    spec: Object = {"declarations": [declarations], "namespace": found.namespace, "backend": backend}
    if found.backend is not None:
        vault = {"azureKeyVault": {"vaultUrl": found.vault_url}}
        spec["source"] = {"names": declared.naming.patterns[found.name]} | vault
    if values := declared.parameters.values[found.name]:
        spec["parameters"] = dict(values)
    overrides = {name: said for name in declared.declarations if (said := _override(matched, declared, name))}
    if overrides:
        spec["overrides"] = overrides
    annotations = {"config.kubernetes.io/function": "exec: {path: ksecret-fn}"}
    metadata = {"name": found.name, "annotations": annotations}
    return {"apiVersion": API_VERSION, "kind": "SecretOverlay", "metadata": metadata, "spec": spec}


def _override(matched: Matched, declared: Declared, name: str) -> Object:
    secret, found = matched.secrets.get(name), matched.found
    absent = f"Not in {found.name} when it was imported"
    if secret is None:
        return {"omit": found.stays.get(name, absent)}
    spec = declared.declarations[name]["spec"]
    keys: Object = {key: {"omit": absent} for key in spec["keys"] if key not in _entries(secret)}
    for key, entry in _entries(secret).items():
        written = spec["keys"].get(key) or spec.get("inputs", {}).get(key) or {}
        differing: Object = {}
        if entry.remote and "template" not in written:
            if entry.remote != declared.naming.in_source(found.name, (name, key)):
                differing["remoteName"] = entry.remote
            if entry.property and entry.property != written.get("property"):
                differing["property"] = entry.property
        if differing:
            keys[key] = differing
    return {"keys": dict(sorted(keys.items()))} if keys else {}
