"""The outside of a SOPS document: what can be seen of a committed Secret without any key.

Nothing here imports cryptography: ksecret-fn reads it too.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

from ...model.backend import Flaw
from ...model.kubernetes import Object

BLOCK = "sops"
ENCRYPTED_FIELDS = ("data", "stringData")
ENCRYPTED_REGEX = "^(data|stringData)$"

# The kinds of keys beside age's, and the field of an entry that names it.
OTHER_KINDS = {
    "pgp": "fp",
    "kms": "arn",
    "gcp_kms": "resource_id",
    "azure_kv": "name",
    "hc_vault": "key_name",
    "hckms": "key_id",
}
_OUR_BLOCK = {"age", "encrypted_regex", "lastmodified", "mac", "mac_only_encrypted", "version"}
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"
_VALUE = rf"ENC\[AES256_GCM,data:({_BASE64}),iv:({_BASE64}),tag:({_BASE64}),type:([a-z]+)\]"


def parts(text: str) -> re.Match[str] | None:
    """Return data, IV, tag and type of an encrypted value; None of another text."""
    # Compiled where it is needed: it takes half a millisecond, and few builds read such a value.
    return re.fullmatch(_VALUE, text)


def block(document: Object) -> Object:
    """Return the sops block; empty if there is none."""
    stated = document.get(BLOCK)
    return stated if isinstance(stated, dict) else {}


def age_entries(document: Object) -> list[dict[str, str]]:
    """Return the age recipients with what each has of the data key.

    Those of a single key group count too, as sops reads them.
    """
    holder: Any = block(document)
    groups = holder.get("key_groups")
    if not holder.get("age") and isinstance(groups, list) and len(groups) == 1 and isinstance(groups[0], dict):
        holder = groups[0]
    entries = holder.get("age")
    return [entry for entry in entries if _is_entry(entry)] if isinstance(entries, list) else []


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in ("recipient", "enc"))


def readers(document: Object) -> tuple[str, ...]:
    """Return who can open a document: its age recipients, and each entry of another kind by kind and name.

    Any entry adds a reader, whatever its kind, and the MAC covers none of them.
    """
    stated = block(document)
    groups = stated.get("key_groups")
    holders = [stated, *(groups if isinstance(groups, list) else ())]
    others = (name for holder in holders if isinstance(holder, dict) for name in _others(holder))
    return (*recipients(document), *dict.fromkeys(others))


def _others(holder: Object) -> Iterator[str]:
    for kind, field in OTHER_KINDS.items():
        entries = holder.get(kind)
        for entry in entries if isinstance(entries, list) else ():
            yield f"{kind} {_name_of(entry, field)}"


def _name_of(entry: object, field: str) -> str:
    name = entry.get(field) if isinstance(entry, dict) else None
    return name if isinstance(name, str) and name else "without a name"


def recipients(document: Object) -> tuple[str, ...]:
    """Return for whom a document is encrypted."""
    return tuple(entry["recipient"] for entry in age_entries(document))


def fingerprint(recipients: Collection[str]) -> str:
    """Return the name of a set of recipients, whatever their order."""
    import base64
    import hashlib

    digest = hashlib.sha256("\n".join(sorted(set(recipients))).encode()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def mac_covers_plain_fields(document: Object) -> bool:
    """Whether the MAC covers what is not encrypted as well, so that other metadata would break it."""
    return block(document).get("mac_only_encrypted") is not True


def in_our_form(document: Object) -> bool:
    """Whether it is as we write it: all values encrypted under `data`, nothing else, and a MAC over these alone."""
    data, stated = document.get("data"), block(document)
    rest = {name: value for name, value in document.items() if name not in ("data", BLOCK)}
    return (
        # Older releases of sops write empty lists of the key types that are not used.
        {name for name, value in stated.items() if value} == _OUR_BLOCK
        and stated["encrypted_regex"] == ENCRYPTED_REGEX
        and isinstance(data, dict)
        and all(isinstance(text, str) for pair in data.items() for text in pair)
        and not any(caught(rest))
    )


def mac_survives_rewriting(document: Object) -> bool:
    """Whether it can be written anew, with other metadata and sorted keys, and keeps its MAC.

    `sops set` appends a new key at the end, and the MAC depends on the order.
    """
    return in_our_form(document) and list(document["data"]) == sorted(document["data"])


def caught(value: object) -> Iterator[str]:
    """Find the names of fields below that our selection rule would catch: an annotation called data."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name in ENCRYPTED_FIELDS:
                yield name
            yield from caught(below)
    elif isinstance(value, list):
        for below in value:
            yield from caught(below)


def flaws(document: Object) -> Iterator[Flaw]:
    """Find what is wrong with a committed Secret, as far as its form shows it."""
    if not block(document):
        yield Flaw((), "not encrypted: it has no sops block")
        return
    if not parts(str(block(document).get("mac", ""))):
        yield Flaw((BLOCK,), "the sops block has no MAC")
    if not age_entries(document):
        yield Flaw((BLOCK,), "the sops block has no age recipient")
    for field in ENCRYPTED_FIELDS:
        values = document.get(field)
        if values is not None and not isinstance(values, dict):
            yield Flaw((field,), f"{field} is not a mapping of encrypted values")
            continue
        for key, value in (values or {}).items():
            if value == "" or (isinstance(value, str) and parts(value)):
                continue  # SOPS leaves an empty value empty
            broken = isinstance(value, str) and value.startswith("ENC[")
            problem = "not a whole ENC[…] value" if broken else "not encrypted"
            yield Flaw((field, str(key)), f"{field}.{key} is {problem}")
