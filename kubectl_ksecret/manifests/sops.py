"""The outside of a SOPS document: what can be seen and checked of a committed Secret without any key.

Nothing here imports cryptography: ksecret-fn reads it too.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

from ..model.kubernetes import Object

BLOCK = "sops"
ENCRYPTED_FIELDS = ("data", "stringData")
ENCRYPTED_REGEX = "^(data|stringData)$"

_OUR_BLOCK = {"age", "encrypted_regex", "lastmodified", "mac", "mac_only_encrypted", "version"}
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"
_VALUE = rf"ENC\[AES256_GCM,data:({_BASE64}),iv:({_BASE64}),tag:({_BASE64}),type:([a-z]+)\]"


def parts(text: str) -> re.Match[str] | None:
    """Data, IV, tag and type of an encrypted value; None of another text."""
    # Compiled where it is needed: it takes half a millisecond, and few builds read such a value.
    return re.fullmatch(_VALUE, text)


def block(document: Object) -> Object:
    """The sops block; empty if there is none."""
    found = document.get(BLOCK)
    return found if isinstance(found, dict) else {}


def age_entries(document: Object) -> list[dict[str, str]]:
    """The age recipients with what each has of the data key; also those of one key group, as sops reads them."""
    found: Any = block(document)
    groups = found.get("key_groups")
    if not found.get("age") and isinstance(groups, list) and len(groups) == 1 and isinstance(groups[0], dict):
        found = groups[0]
    entries = found.get("age")
    return [each for each in entries if _is_entry(each)] if isinstance(entries, list) else []


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in ("recipient", "enc"))


def recipients(document: Object) -> tuple[str, ...]:
    """For whom a document is encrypted."""
    return tuple(entry["recipient"] for entry in age_entries(document))


def fingerprint(recipients: Collection[str]) -> str:
    """The name of a set of recipients, whatever their order."""
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
        and all(isinstance(each, str) for entry in data.items() for each in entry)
        and not any(caught(rest))
    )


def mac_survives_rewriting(document: Object) -> bool:
    """Whether it can be written anew, with other metadata and sorted keys, and keeps its MAC.

    `sops set` appends a new key at the end, and the MAC depends on the order.
    """
    return in_our_form(document) and list(document["data"]) == sorted(document["data"])


def caught(value: object) -> Iterator[str]:
    """The names of fields below that our selection rule would catch: an annotation called data."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name in ENCRYPTED_FIELDS:
                yield name
            yield from caught(below)
    elif isinstance(value, list):
        for below in value:
            yield from caught(below)


def mistakes(document: Object) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with a committed Secret, as far as its form shows it: a field, and a sentence without any value."""
    if not block(document):
        yield (), "not encrypted: it has no sops block"
        return
    if not parts(str(block(document).get("mac", ""))):
        yield (BLOCK,), "the sops block has no MAC"
    if not age_entries(document):
        yield (BLOCK,), "the sops block has no age recipient"
    for field in ENCRYPTED_FIELDS:
        values = document.get(field)
        if values is not None and not isinstance(values, dict):
            yield (field,), f"{field} is not a mapping of encrypted values"
            continue
        for key, value in (values or {}).items():
            if value == "" or (isinstance(value, str) and parts(value)):
                continue  # SOPS leaves an empty value empty
            broken = isinstance(value, str) and value.startswith("ENC[")
            yield (field, str(key)), f"{field}.{key} is {'not a whole ENC[…] value' if broken else 'not encrypted'}"
