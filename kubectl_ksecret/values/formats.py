"""Well-known forms of values. What a function says of itself is its line in docs/objects.md.

They are strict: a form is a promise to whoever reads the Secret, and what comes near it fails there, later and with
less of a message. No form fits the empty value.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv6Address

from ..model.types.declaration import Format
from .extraction import from_base64

# RFC 3986: what stands for itself in every part of a URL, or as % and two digits.
_PLAIN = r"A-Za-z0-9._~!$&'()*+,;=\-"
_PERCENT = "%[0-9A-Fa-f]{2}"
_USER = rf"(?:(?:[{_PLAIN}:]|{_PERCENT})*@)?"
_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?"
_PATH = rf"(?:/(?:[{_PLAIN}:@/]|{_PERCENT})*)?"
_QUERY = rf"(?:\?(?:[{_PLAIN}:@/?]|{_PERCENT})*)?"
_FRAGMENT = rf"(?:#(?:[{_PLAIN}:@/?]|{_PERCENT})*)?"
_URL = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*://{_USER}{_HOST}{_PATH}{_QUERY}{_FRAGMENT}")
_REDIS = re.compile(rf"rediss?://{_USER}{_HOST}(?:/[0-9]*)?{_QUERY}")
_MONGODB = re.compile(
    rf"mongodb(?P<srv>\+srv)?://(?:(?:[{_PLAIN}]|{_PERCENT})+(?::(?:[{_PLAIN}]|{_PERCENT})*)?@)?"
    rf"(?P<hosts>[^/?@]+)(?:/(?:[{_PLAIN}]|{_PERCENT})*)?{_QUERY}"
)
_HOST_AND_PORT = re.compile(_HOST)
_SOCKET = re.compile(rf"(?:[A-Za-z0-9._-]|{_PERCENT})+\.sock")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_BEGIN = re.compile(r"-----BEGIN ([^-]+)-----")
_HEADER = re.compile(r"[A-Za-z0-9-]+: .*")


def has(format_: Format, value: bytes) -> bool:
    """Whether a value has a form."""
    try:
        return FORMATS[format_](value.decode())
    except ValueError:
        return False


def _url(text: str) -> bool:
    """`scheme://user:password@host:port/path?query#fragment` with one host, by RFC 3986.

    What is not ASCII, blanks, a `%` of its own, and characters such as `"`, `<`, `{` and `^` must be percent-encoded.
    """
    return _fits(_URL, text)


def _fits(pattern: re.Pattern[str], text: str) -> bool:
    match = pattern.fullmatch(text)
    if match is None:
        return False
    if match["ipv6"]:
        IPv6Address(match["ipv6"])
    return match["port"] is None or 0 < int(match["port"]) < 65536


def _uuid(text: str) -> bool:
    """Hexadecimal digits in groups of 8, 4, 4, 4 and 12, in upper or lower case, of any version; no braces around."""
    return _UUID.fullmatch(text) is not None


def _base64(text: str) -> bool:
    """The standard alphabet with `+` and `/`, with padding; line breaks are allowed, other blanks are not."""
    return len(from_base64(text.encode())) > 0


def _json(text: str) -> bool:
    """A JSON value of any type, by RFC 8259 in UTF-8: no NaN, no byte order mark; some hundred levels deep at most."""
    try:
        # A number stays text: JSON has no limit to it.
        json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except RecursionError:
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _pem(text: str) -> bool:
    """Whole blocks of `-----BEGIN X-----`, lines of base64 and `-----END X-----`, one or more; text around is allowed.

    Line breaks that were lost, or that stand as a backslash and an n, are found by it.
    """
    lines = (line.rstrip(" \t\r") for line in text.split("\n"))
    blocks = 0
    for line in lines:
        if begin := _BEGIN.fullmatch(line):
            if not _is_block(lines, f"-----END {begin[1]}-----"):
                return False
            blocks += 1
        elif "-----BEGIN " in line or "-----END " in line:
            return False
    return blocks > 0


def _is_block(lines: Iterator[str], end: str) -> bool:
    content: list[str] = []
    for line in lines:
        if line == end:
            return len(from_base64("".join(content).encode())) > 0
        # An encrypted key of old names its cipher before an empty line.
        if content or (line and not _HEADER.fullmatch(line)):
            content.append(line)
    return False


def _alphanumeric(text: str) -> bool:
    """ASCII letters and digits only."""
    return re.fullmatch("[A-Za-z0-9]+", text) is not None


def _url_safe(text: str) -> bool:
    """ASCII letters, digits, `-`, `.`, `_` and `~` only: what no URL writes in another way."""
    return re.fullmatch("[A-Za-z0-9._~-]+", text) is not None


def _mongodb_url(text: str) -> bool:
    """`mongodb://user:password@host:port,host:port/database?options`, or `mongodb+srv://` with one host and no port.

    `:`, `/`, `?`, `#`, `@` and `%` in the user or password must be percent-encoded. A host may be a socket's path,
    percent-encoded too.
    """
    match = _MONGODB.fullmatch(text)
    if match is None:
        return False
    if match["srv"]:
        return re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+", match["hosts"]) is not None
    return all(_fits(_HOST_AND_PORT, host) or _SOCKET.fullmatch(host) for host in match["hosts"].split(","))


def _redis_url(text: str) -> bool:
    """`redis://user:password@host:port/0?options`, or `rediss://`; the database is a number. No sentinel, no socket."""
    return _fits(_REDIS, text)


FORMATS: Mapping[Format, Callable[[str], bool]] = {
    "url": _url,
    "uuid": _uuid,
    "base64": _base64,
    "json": _json,
    "pem": _pem,
    "alphanumeric": _alphanumeric,
    "url-safe": _url_safe,
    "mongodb-url": _mongodb_url,
    "redis-url": _redis_url,
}
