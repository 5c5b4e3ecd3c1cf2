"""Evaluates templates; what External Secrets Operator does live, byte for byte."""

import base64
import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

from ..model.template import Filter, Parts
from ..sensitive import Sensitive


def evaluate(parts: Parts, values: Mapping[str, Sensitive], parameters: Mapping[str, str]) -> Sensitive:
    """The resolved value. Every key, input and parameter that the template names must be there.

    Raises ValueError if a filter can't take a value: with the name that the template has and what is wrong, never
    with the value.
    """
    resolved = b""
    for part in parts:
        if isinstance(part, str):
            resolved += part.encode()
            continue
        value = parameters[part.name].encode() if part.parameter else values[part.name].reveal()
        for name in part.filters:
            try:
                value = FILTERS[name](value)
            except ValueError as error:
                raise ValueError(f"{part.name} {error}") from None
        resolved += value
    return Sensitive(resolved)


def _urlencode(value: bytes) -> bytes:
    """Everything but letters, digits, `-`, `.`, `_` and `~` as `%` and two digits, as a URL's password needs it."""
    return quote(value, safe="").encode()


def _base64(value: bytes) -> bytes:
    """Base64 in one line, with padding."""
    return base64.b64encode(value)


def _json(value: bytes) -> bytes:
    """A JSON string with its quotes. What is not UTF-8 becomes U+FFFD."""
    text = json.dumps(value.decode(errors="surrogateescape"), ensure_ascii=False)
    return text.translate(_GO).encode()


# Go makes JSON safe in HTML and JavaScript, and writes one escape for each byte that is not UTF-8.
_GO = {
    **{ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"},
    **dict.fromkeys(range(0xDC80, 0xDD00), "\\ufffd"),
}


def _pkcs12cert(value: bytes) -> bytes:
    """The certificates of a PKCS #12 file without a password as PEM, the leaf first. It needs the file's bytes."""
    from . import pkcs12

    return pkcs12.certificates(value)


def _pkcs12key(value: bytes) -> bytes:
    """The private key of such a file as PEM (PKCS #8)."""
    from . import pkcs12

    return pkcs12.private_key(value)


FILTERS: Mapping[Filter, Callable[[bytes], bytes]] = {
    "urlencode": _urlencode,
    "base64": _base64,
    "json": _json,
    "pkcs12cert": _pkcs12cert,
    "pkcs12key": _pkcs12key,
}
