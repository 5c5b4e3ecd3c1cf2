"""What a project's tracked files hold that is secret: files by their name, private keys by their form."""

import os
import re
from base64 import b64decode
from collections.abc import Collection, Iterator
from typing import Literal, NamedTuple

from .project import NOT_OURS, Project

Kind = Literal["dotenv file", "key file", "private key", "encrypted by SOPS"]


class Content(NamedTuple):
    """Of a file, or of a place in it; `path` is the file's from the project's root, a line of 0 is all of it."""

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
    """All of it in these files; what is of other projects, or made for tests, is left out."""
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
    """What a file is as a whole: by its name, unless its content shows that it holds nothing secret."""
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
    """Where they begin; a marker that no key follows is none."""
    if any(mark in content for mark in _MARKERS):
        for found in _PEM.finditer(content):
            if not found[1] or len(set(found[1])) > 4:  # a row of x stands for a key
                yield found.start()
    if _BEGIN_AS_BASE64 in content:
        for found in _AS_BASE64.finditer(content):
            if _PEM.search(b64decode(found[0])):
                yield found.start()
