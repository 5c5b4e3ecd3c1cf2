"""From what the source holds to what the Secret holds: a property of a JSON value, a decoded value."""

import binascii
import json
import re

from ..model.resolution import Remote
from ..sensitive import Sensitive


def extract(remote: Remote, content: Sensitive) -> Sensitive:
    """Return the value of a key. Raises ValueError with what is wrong, never with the value."""
    value = _property(content, remote.property) if remote.property else content
    if remote.encoding == "base64":
        return Sensitive(from_base64(value.reveal()))
    return value


def from_base64(text: bytes) -> bytes:
    """The bytes that base64 stands for, by the rules of Go's StdEncoding, which External Secrets Operator goes by.

    Padded, of the standard alphabet, line breaks anywhere and no other blanks. Raises ValueError.
    """
    # binascii takes a surplus = that Go refuses, and which it takes depends on Python's version.
    joined = text.replace(b"\n", b"").replace(b"\r", b"")
    if not re.fullmatch(rb"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", joined):
        raise ValueError("is not base64")
    return binascii.a2b_base64(joined)


def stored(remote: Remote, value: Sensitive) -> Sensitive:
    """Return the value of a key as the source holds it: what `extract` turns into the value again."""
    return Sensitive(binascii.b2a_base64(value.reveal(), newline=False)) if remote.encoding == "base64" else value


def _property(content: Sensitive, path: str) -> Sensitive:
    """Return a member of a JSON object: by its path, or by its whole name where that holds a dot, as gjson reads it."""
    try:
        # An integer is its digits, however many; int refuses more than 4,300.
        document = json.loads(content.reveal(), parse_int=str)
    except (ValueError, RecursionError):
        raise ValueError(f"is not JSON, so it has no property {path}") from None
    member = _member(document, path.split("."))
    if member is None and isinstance(document, dict):
        member = document.get(path)
    if member is None:
        raise ValueError(f"has no property {path}")
    if isinstance(member, bool):
        return Sensitive(b"true" if member else b"false")
    if not isinstance(member, str):
        raise ValueError(f"has no text as its property {path}")
    try:
        return Sensitive(member.encode())
    except UnicodeEncodeError:
        raise ValueError(f"has no valid text as its property {path}") from None


def _member(document: object, path: list[str]) -> object:
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document
