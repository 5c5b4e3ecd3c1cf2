"""From what the source holds to what the Secret holds: a property of a JSON value, a decoded value."""

import binascii
import re

from ..model.resolution import Remote
from ..sensitive import Sensitive
from . import properties


def extract(remote: Remote, content: Sensitive) -> Sensitive:
    """Return the value of a key.

    Raises ValueError with what is wrong, never with the value; properties.Absent where the key's property is not there.
    """
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


def _stored(remote: Remote, value: Sensitive) -> Sensitive:
    """Return the value of a key as the source holds it: what `extract` turns into the value again."""
    return Sensitive(binascii.b2a_base64(value.reveal(), newline=False)) if remote.encoding == "base64" else value


def replaced(remote: Remote, value: Sensitive, before: Sensitive | None) -> Sensitive:
    """Return what the source will hold when a key has another value; `before` is what it holds now.

    Of a JSON value only the key's own property changes. Raises ValueError with what is wrong, never with the value.
    """
    new = _stored(remote, value)
    if remote.property is None:
        return new
    try:
        text = new.reveal().decode()
    except UnicodeDecodeError:
        raise ValueError("can hold text alone; add encoding: base64 to the key") from None
    document = _text(before, remote.property) if before is not None else "{}"
    return Sensitive(properties.with_member(document, remote.property, text).encode())


def _property(content: Sensitive, property_: str) -> Sensitive:
    member = properties.member(_text(content, property_), property_)
    try:
        return Sensitive(member.encode())
    except UnicodeEncodeError:
        raise ValueError(f"has no valid text as its property {property_}") from None


def _text(content: Sensitive, property_: str) -> str:
    try:
        return content.reveal().decode()
    except UnicodeDecodeError:
        raise ValueError(f"is not JSON, so it has no property {property_}") from None
