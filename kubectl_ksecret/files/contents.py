"""What a project's tracked files hold that is secret: files by their name, private keys by their form."""

import os
import re
from base64 import b64decode
from collections.abc import Collection, Iterator
from typing import Literal, NamedTuple

from .project import NOT_OURS, Project

Kind = Literal["dotenv file", "key file", "private key", "encrypted by SOPS"]


class Content(NamedTuple):
    """A secret file, or a place in one; `path` is from the project's root, and a line of 0 means the whole file."""

    path: str
    kind: Kind
    line: int = 0
    column: int = 0


_LOOKED_AT = 1 << 20  # bytes of a file
_SAMPLES = {"example", "sample", "template", "dist"}
_KEY_FILES = (".key", ".pfx", ".p12")
_KEY_NAMES = {"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"}
_AGE_NAMES = {"keys.txt", "key.txt"}

_AGE = rb"AGE-SECRET-KEY-(?:PQ-)?1[02-9AC-HJ-NP-Z]{58,}"
# What may stand between the lines of a key: their ends, also as they are written in source code and JSON.
_BREAK = rb"(?:\\[nrt]|[\s\"'+,#*]){0,80}"
_PEM = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:%(between)s[A-Z][A-Za-z-]{1,30}: [^\\\n]{0,200}){0,6}%(between)s([A-Za-z0-9+/]{32})|%(age)s"
    % {b"between": _BREAK, b"age": _AGE}
)
_MARKERS = (b"PRIVATE KEY", b"AGE-SECRET-KEY-")
_BEGIN_AS_BASE64 = b"LS0tLS1CRUdJTi"  # -----BEGIN, as in a kubeconfig
_AS_BASE64 = re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]{106}")
_ASSIGNMENT = re.compile(rb"(?m)^[ \t]*(?:export[ \t]+)?[A-Za-z_][\w.]*[ \t]*=[ \t]*(?!(?:\"\"|'')?[ \t]*(?:#|\r?$))\S")
_SOPS_MARKS = (b"sops_mac=", b'"sops":', b"\nsops:")
_NOT_SECRET = (b"PUBLIC KEY-----", b"PK\x03\x04")  # the latter begins a presentation of Apple's Keynote


def search(project: Project, tracked: Collection[str]) -> Iterator[Content]:
    """Yield what is secret in these files; those of other projects, and those made for tests, are left out."""
    for path in tracked:
        if NOT_OURS.isdisjoint(path.split("/")):
            content = project.beginning(os.path.join(project.root, path), _LOOKED_AT)
            if content:
                yield from _of(path, content)


def _of(path: str, content: bytes) -> Iterator[Content]:
    kind = _kind_of(os.path.basename(path).lower(), content)
    if kind:
        yield Content(path, kind)
    elif b"\0" not in content[:8000]:
        for start in _private_keys(content):
            yield Content(
                path, "private key", content.count(b"\n", 0, start) + 1, start - content.rfind(b"\n", 0, start)
            )


def _kind_of(name: str, content: bytes) -> Kind | None:
    """Return what a file is as a whole: by its name, unless its content shows that it holds nothing secret."""
    parts = name.split(".")
    if _encrypted_by_sops(content):
        return "encrypted by SOPS"
    if not _SAMPLES.isdisjoint(parts):
        return None
    if (name.startswith(".env.") and name != ".env.vault") or parts[-1] == "env":
        return "dotenv file" if _ASSIGNMENT.search(content) else None
    if name in _AGE_NAMES:
        return "key file" if re.search(_AGE, content) else None
    if name in _KEY_NAMES or name.endswith(_KEY_FILES):
        public = any(mark in content for mark in _NOT_SECRET) and not any(_private_keys(content))
        return None if public else "key file"
    return None


def _encrypted_by_sops(content: bytes) -> bool:
    return b"ENC[AES256_GCM," in content and any(mark in content for mark in _SOPS_MARKS)


def _private_keys(content: bytes) -> Iterator[int]:
    """Yield where private keys begin; a marker that no key follows is none."""
    if any(mark in content for mark in _MARKERS):
        for key in _PEM.finditer(content):
            if not key[1] or len(set(key[1])) > 4:  # a row of x stands for a key
                yield key.start()
    if _BEGIN_AS_BASE64 in content:
        for encoded in _AS_BASE64.finditer(content):
            if _PEM.search(b64decode(encoded[0])):
                yield encoded.start()
