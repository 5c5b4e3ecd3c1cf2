"""ExternalSecrets that extract every member of a value, and whose template names those that it takes.

Each of these members can be listed by itself: as data with the value's name and the member as property.
"""

import re
from collections.abc import Mapping

from ..model.kubernetes import Object
from ..objects.documents import mapping, sequence
from .gotemplates import GoReference, GoTemplate, Inexpressible, read, references_in

_DEFAULTS = {"conversionStrategy": ("Default",), "metadataPolicy": ("None",), "decodingStrategy": ("None",)}


def with_members(spec: Object) -> Object:
    """Return the spec of an ExternalSecret with the members that its template names as data, and without its extract.

    The same spec where there is no such extract, or where it can't be known what a name means.
    """
    target = mapping(spec.get("target"))
    template = mapping(target.get("template"))
    made = mapping(template.get("data"))
    extract = _only_extract(spec)
    if not extract or not made or template.get("mergePolicy") == "Merge" or template.get("templateFrom"):
        return spec
    try:
        parts = {key: read(text) for key, text in made.items() if isinstance(text, str)}
    except Inexpressible:
        return spec
    listed = {str(mapping(entry).get("secretKey")) for entry in sequence(spec.get("data"))}
    members = {named.name for text in parts.values() for named in references_in(text)} - listed
    if not members or len(parts) != len(made):
        return spec
    names = {member: _keys_of(member, parts, members | listed) for member in members}
    entries = [
        {"secretKey": name, "remoteRef": _remote(extract, member)}
        for member, keys in sorted(names.items())
        for name in sorted(keys)
    ]
    own = {key: f'{{{{ index . "{key}" }}}}' for keys in names.values() for key in keys if key in parts}
    rest = {name: value for name, value in spec.items() if name != "dataFrom"}
    return rest | {
        "data": [*sequence(spec.get("data")), *entries],
        "target": target | {"template": template | {"data": {**made, **own}}},
    }


def _only_extract(spec: Object) -> Object:
    """Return what is extracted, if that is one value as it is; nothing for whatever renames, filters or decodes."""
    sources = sequence(spec.get("dataFrom"))
    if len(sources) != 1 or set(mapping(sources[0])) != {"extract"}:
        return {}
    extract = mapping(mapping(sources[0])["extract"])
    if not isinstance(extract.get("key"), str) or set(extract) - {"key", "property", "version", *_DEFAULTS}:
        return {}
    is_plain = all(extract.get(name, usual[0]) in usual for name, usual in _DEFAULTS.items())
    return extract if is_plain else {}


def _keys_of(member: str, parts: Mapping[str, GoTemplate], taken: set[str]) -> set[str]:
    """Return the names under which a member is listed: those of the keys that hold it as it is, else its own.

    Its own it has too where another template needs it.
    """
    alone = {
        key for key, text in parts.items() if text == (GoReference(member),) and (key == member or key not in taken)
    }
    elsewhere = any(
        named.name == member for key, text in parts.items() if key not in alone for named in references_in(text)
    )
    return alone | {member} if elsewhere or not alone else alone


def _remote(extract: Object, member: str) -> Object:
    above = [str(extract["property"])] if extract.get("property") else []
    name = member if not above else re.sub(r"\.", r"\\.", member)
    remote = {"key": extract["key"], "property": ".".join([*above, name])}
    return remote | ({"version": extract["version"]} if extract.get("version") else {})
