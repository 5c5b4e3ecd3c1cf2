"""JSON Schema of the objects, for editors; it falls out of the types that the reader reads."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from ..types.declaration import SecretDeclaration
from ..types.origin import Stated
from ..types.overlay import SecretOverlay
from .reader import (
    fields_of,
    inline_union,
    is_inline,
    is_optional,
    is_record,
    is_union,
    members_of,
    optional_type,
    yaml_name,
)

Schema = dict[str, Any]


def schema() -> Schema:
    """Return the schema of a SecretDeclaration or a SecretOverlay (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kubectl ksecret",
        "oneOf": [_of(SecretDeclaration), _of(SecretOverlay)],
    }


def described(kind: type[Stated]) -> Mapping[str, str]:
    """Return what the docstring of a type says of each field: its lines `field: text`."""
    return dict(re.findall(r"^    (\w+): (.+)$", kind.__doc__ or "", re.MULTILINE))


def _of(kind: Any) -> Schema:
    origin = getattr(kind, "__origin__", None)
    if is_union(kind):
        return _closed(_members(kind)) | {"minProperties": 1, "maxProperties": 1}
    if is_optional(kind):
        return _of(optional_type(kind))
    if hasattr(kind, "__metadata__"):
        form = kind.__metadata__[0]
        limit = {"maxLength": form.max_length} if form.max_length else {}
        return {"type": "string", "pattern": f"^(?:{form.pattern})$", **limit}
    if origin is Literal:
        return {"enum": list(kind.__args__)}
    if origin is Mapping:
        names, values = map(_of, kind.__args__)
        return {"type": ["object", "null"], "propertyNames": names, "additionalProperties": values}
    if origin is tuple:
        return {"type": "array", "items": _of(kind.__args__[0])}
    if is_record(kind):
        return _record(kind)
    return {"type": {int: "integer", bool: "boolean"}.get(kind, "string")}


def _members(kind: Any) -> Schema:
    return {name: _of(member) for name, member in members_of(kind).items()}


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _record(kind: type[Stated]) -> Schema:
    texts = described(kind)
    fields = {name: type_ for name, type_ in fields_of(kind).items() if not is_inline(kind, name)}
    properties = {
        yaml_name(name): _of(type_) | ({"description": texts[yaml_name(name)]} if yaml_name(name) in texts else {})
        for name, type_ in fields.items()
    }
    required = [yaml_name(name) for name in fields if name not in kind._defaults]
    inline = [name for name in fields_of(kind) if is_inline(kind, name)]
    members = _members(inline_union(kind, inline[0])) if inline else {}
    record = _closed(properties | members)
    record["description"] = (kind.__doc__ or "").partition("\n")[0]
    if required:
        record["required"] = required
    needed = bool(inline) and inline[0] not in kind._defaults
    if needed:
        record["oneOf"] = [{"required": [name]} for name in members]
    elif inline:
        # At most one; the record itself may be left empty.
        others = {name: {other: False for other in members if other != name} for name in members}
        record["dependentSchemas"] = {name: {"properties": excluded} for name, excluded in others.items()}
    if not required and not needed:
        # A record of which nothing must be said may be left empty: `password:`.
        record["type"] = ["object", "null"]
    return record
