"""The declarations and overlays of what was imported, as they are written."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ..frozen import Record
from ..model.kubernetes import Object
from ..model.loading import API_VERSION
from . import externalsecrets, ownership
from .existing import ExistingBase
from .matching import MatchedEnvironment
from .naming import BARE, KeyAddress, Naming
from .naming import derive as derive_naming
from .parameters import Parameters
from .parameters import derive as derive_parameters
from .secrets import ImportedKey, ImportedSecret


class Declared(Record):
    """Objects ready to be written: declarations by Secret; and what makes overlays of them.

    `added` are the keys that a Secret which is declared already gets.
    """

    declarations: Mapping[str, Object]
    added: Mapping[KeyAddress, Object] = {}
    naming: Naming
    parameters: Parameters
    explicit: frozenset[KeyAddress]


def declare(matched: Sequence[MatchedEnvironment], base: ExistingBase) -> Declared:
    """Return one declaration for each Secret that any environment has, and for those of the base."""
    matched = [_with_names_in_source(environment, base) for environment in matched]
    named = {
        environment.name: _remote_names(environment)
        for environment in matched
        if environment.imported.is_external or environment.imported.source
    }
    naming = derive_naming(named, base.remote_names())
    # Without a source an overlay has no pattern, and one of live Secrets has only the names that are made here.
    bare = {environment.name: BARE for environment in matched if not _has_pattern(environment)}
    declared = Declared(
        declarations={},
        naming=naming._replace(patterns={**naming.patterns, **bare}),
        parameters=derive_parameters(matched, base.templates()),
        explicit=_shared(matched),
    )
    declarations: dict[str, Object] = {}
    added: dict[KeyAddress, Object] = {}
    for name in sorted({name for environment in matched for name in environment.secrets} | set(base.declarations)):
        if name not in base.declarations:
            declarations[name] = _declaration(name, matched, declared)
            continue
        declarations[name] = base.object_of(name)
        new = _new_keys(name, matched, declared, declarations[name]["spec"])
        for (field, key), written in new.items():
            declarations[name]["spec"][field][key] = added[name, key] = written
    return declared.but(declarations=declarations, added=added)


def _has_pattern(matched: MatchedEnvironment) -> bool:
    return matched.imported.is_external


def _with_names_in_source(matched: MatchedEnvironment, base: ExistingBase) -> MatchedEnvironment:
    """Return an environment whose plain keys have names in a source that nothing has been put into yet.

    The key's own name would be that of several Secrets' keys; what is declared already has its name.
    """
    if matched.imported.is_external or not matched.imported.source:
        return matched
    declared = base.remote_names().keys() | base.templates().keys()
    secrets: dict[str, ImportedSecret] = {}
    for name, secret in matched.secrets.items():
        keys = dict(secret.keys)
        for key in secret.keys:
            if (name, key) not in declared:
                keys[key] = secret.keys[key].but(remote_name=re.sub("[^0-9A-Za-z-]", "-", f"{name}-{key}"))
        secrets[name] = secret.but(keys=keys)
    return matched.but(secrets=secrets)


def _new_keys(
    name: str, matched: Sequence[MatchedEnvironment], declared: Declared, spec: Object
) -> dict[tuple[str, str], Object]:
    """Return the keys and inputs that a declared Secret lacks, by field and name."""
    secrets = [environment.secrets[name] for environment in matched if name in environment.secrets]
    new = {}
    for field in ("keys", "inputs"):
        for key in sorted({key for secret in secrets for key in getattr(secret, field)}):
            if key not in spec["keys"] and key not in spec["inputs"]:
                new[field, key] = _key((name, key), secrets, declared)
    return new


def _remote_names(matched: MatchedEnvironment) -> dict[KeyAddress, str]:
    return {
        (name, key): entry.remote_name
        for name, secret in matched.secrets.items()
        for key, entry in secret.entries.items()
        if entry.remote_name
    }


def _shared(matched: Sequence[MatchedEnvironment]) -> frozenset[KeyAddress]:
    """Return the keys that reach one name in one vault, which is an error unless each has it explicitly."""
    readers: dict[tuple[tuple[str, ...], str, str | None], set[KeyAddress]] = {}
    for environment in matched:
        source = environment.imported.source_identity
        for (secret, key), name in _remote_names(environment).items():
            property_ = environment.secrets[secret].entries[key].property
            readers.setdefault((source, name.lower(), property_), set()).add((secret, key))
    return frozenset(address for addresses in readers.values() if len(addresses) > 1 for address in addresses)


def _declaration(name: str, matched: Sequence[MatchedEnvironment], declared: Declared) -> Object:
    secrets = [environment.secrets[name] for environment in matched if name in environment.secrets]
    spec: Object = {}
    ((usual_type, _), *_) = Counter(secret.type for secret in secrets).most_common(1)
    if usual_type != "Opaque":
        spec["type"] = usual_type
    # What one environment alone has, such as its own name as a label, is not spread to the others.
    for field in ("labels", "annotations"):
        if texts := ownership.common(getattr(secret, field) for secret in secrets):
            spec[field] = texts
    keys = sorted({key for secret in secrets for key in secret.keys})
    inputs = sorted({key for secret in secrets for key in secret.inputs} - set(keys))
    for field, entries in (("keys", keys), ("inputs", inputs)):
        if entries:
            spec[field] = {key: _key((name, key), secrets, declared) for key in entries}
    return {"apiVersion": API_VERSION, "kind": "SecretDeclaration", "metadata": {"name": name}, "spec": spec}


def _key(address: KeyAddress, secrets: Sequence[ImportedSecret], declared: Declared) -> Object:
    _, key = address
    entries = [secret.entries[key] for secret in secrets if key in secret.entries]
    first = next((entry for entry in entries if entry.template is not None or entry.remote_name), None)
    if first is None:
        return {}
    if first.template is not None:
        return {"template": declared.parameters.templates.get(address, first.template)}
    written: Object = {}
    name = declared.naming.names[address]
    if name != key or address in declared.explicit:
        written["remoteName"] = name
    if property_ := _property(entries):
        written["property"] = property_
    if first.encoding != "none":
        written["encoding"] = first.encoding
    return written


def _property(entries: Sequence[ImportedKey]) -> str | None:
    """Return what all read, or the first: an override can name another one, and can't name none."""
    properties = [entry.property for entry in entries if entry.remote_name]
    return properties[0] if properties and all(properties) else None


def overlay(matched: MatchedEnvironment, declared: Declared, fields: Object) -> Object:
    """Return the overlay of an environment; `fields` are those of its spec that follow from where it lies."""
    imported = matched.imported
    spec = fields | {"namespace": imported.namespace}
    pattern = declared.naming.patterns[imported.name]
    if imported.source or pattern != BARE:
        spec["source"] = {"names": pattern} | (imported.source or {})
    if parameters := declared.parameters.values[imported.name]:
        spec["parameters"] = dict(parameters)
    overrides = {name: _override(matched, declared, name) for name in declared.declarations}
    if any(overrides.values()):
        spec["overrides"] = {name: override for name, override in overrides.items() if override}
    annotations = {"config.kubernetes.io/function": "exec: {path: ksecret-fn}"}
    metadata = {"name": imported.name, "annotations": annotations}
    return {"apiVersion": API_VERSION, "kind": "SecretOverlay", "metadata": metadata, "spec": spec}


def _override(matched: MatchedEnvironment, declared: Declared, name: str) -> Object:
    secret, imported = matched.secrets.get(name), matched.imported
    absent = f"Not in {imported.name} when it was imported"
    if secret is None:
        return {"omit": imported.staying[name].omission if name in imported.staying else absent}
    spec = declared.declarations[name]["spec"]
    keys: Object = {key: {"omit": absent} for key in spec["keys"] if key not in secret.entries}
    for key, entry in secret.entries.items():
        if differing := _key_override(entry, imported.name, (name, key), declared):
            keys[key] = differing
    override: Object = {"keys": dict(sorted(keys.items()))} if keys else {}
    if secret.kind == "ExternalSecret" and (own := externalsecrets.own_settings(secret.document, imported.backend)):
        override["externalSecret"] = own
    return override


def _key_override(entry: ImportedKey, environment: str, address: KeyAddress, declared: Declared) -> Object:
    name, key = address
    spec = declared.declarations[name]["spec"]
    written = spec["keys"].get(key) or spec.get("inputs", {}).get(key) or {}
    differing: Object = {}
    if entry.remote_name and "template" not in written:
        if entry.remote_name != declared.naming.in_source(environment, address):
            differing["remoteName"] = entry.remote_name
        if entry.property and entry.property != written.get("property"):
            differing["property"] = entry.property
        if entry.version:
            differing["version"] = entry.version
    return differing
