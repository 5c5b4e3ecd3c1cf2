"""From what the source holds to what the Secret holds: a property of a JSON value, a decoded value."""

import base64
import binascii
import json

from ..model.environment import Remote
from ..sensitive import Sensitive


def extract(remote: Remote, found: Sensitive) -> Sensitive:
    """The value of a key. Raises ValueError with what is wrong, never with the value."""
    value = _property(found, remote.property) if remote.property else found
    if remote.encoding == "base64":
        try:
            return Sensitive(base64.b64decode(b"".join(value.reveal().split()), validate=True))
        except binascii.Error:
            raise ValueError("is not base64") from None
    return value


def _property(found: Sensitive, path: str) -> Sensitive:
    """A member of a JSON object: by its path, or by its whole name where that holds a dot, as gjson reads it."""
    try:
        document = json.loads(found.reveal())
    except (ValueError, RecursionError):
        raise ValueError(f"is not JSON, so it has no property {path}") from None
    member = _member(document, path.split("."))
    if member is None and isinstance(document, dict):
        member = document.get(path)
    if member is None:
        raise ValueError(f"has no property {path}")
    if isinstance(member, bool | int):
        return Sensitive(json.dumps(member).encode())
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
