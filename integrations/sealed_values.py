"""Filters for detect-secrets: ciphertext of SealedSecrets and SOPS is no secret, nor is a name in an ExternalSecret.

    detect-secrets scan --filter ./sealed_values.py::is_sealed --filter ./sealed_values.py::is_name

This file needs nothing but Python 3.11: copy it. Ciphertext is judged by itself, by its structure and never by its
file, so a secret beside it is still found, and so is one that only begins like ciphertext.
"""

import binascii
import re
from functools import cache

_RSA_BYTES = (256, 384, 512, 1024)  # of the certificate's key: 2048 bits and more
_GCM_TAG_BYTES = 16
_SOPS = re.compile(
    r"ENC\[AES256_GCM,data:[A-Za-z0-9+/]*={0,2},iv:[A-Za-z0-9+/]{43}=,tag:[A-Za-z0-9+/]{22}==,type:[a-z]+\]"
)
_AGE_RECIPIENT = re.compile(r"age1(?:[a-z0-9]+1)?[02-9ac-hj-np-z]{58,}")
# The record of `kubectl ksecret`: times, fingerprints, versions; nothing that could hold a value.
_VERSION = r"[0-9a-f]{1,64}"
_ENTRY = re.compile(
    r"time=[0-9TZ:-]+ by=SHA256:[A-Za-z0-9+/]{43}(?: digest=sha256:[0-9a-f]{64})?"
    rf"(?: version={_VERSION})?"
    rf"(?: inputs=[A-Za-z0-9-]+={_VERSION}(?:,[A-Za-z0-9-]+={_VERSION})*)?(?: template=sha256:[0-9a-f]{{64}})?"
)
_ANNOTATION = re.compile(r"""\s*["']?ksecret\.dev/sealed-keys["']?\s*:\s*["'|>-]*\s*(.*)""", re.DOTALL)
_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}:")
_SECRET_KEY = re.compile(r"""\s*(?:-\s+)?["']?secretKey["']?\s*:\s*["']?([A-Za-z0-9._-]{1,253})["']?,?\s*""")
_KIND = re.compile(r"""^\s*["']?kind["']?:\s*["']?(\w+)""", re.MULTILINE)
_WITHOUT_VALUES = {"ExternalSecret", "SecretStore", "ClusterSecretStore"}


def is_sealed(secret: str, line: str = "") -> bool:
    """Whether a value that was found is one that only its controller, or the holder of a key, can read."""
    # In a line of JSON detect-secrets takes the backslash of the next quote for a part of the value.
    value = secret.rstrip("\\")
    return bool(
        _SOPS.fullmatch(value)
        or _AGE_RECIPIENT.fullmatch(value)
        or _is_sealed(value)
        or _is_record(secret)
        or _is_in_record(secret, line)
    )


def _is_sealed(secret: str) -> bool:
    """A big-endian uint16 length of the RSA part, the RSA part, and the AES-GCM part with its tag."""
    try:
        content = binascii.a2b_base64(secret, strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    rsa_bytes = int.from_bytes(content[:2], "big")
    return rsa_bytes in _RSA_BYTES and len(content) >= 2 + rsa_bytes + _GCM_TAG_BYTES


def _is_record(secret: str) -> bool:
    lines = [line.strip() for line in secret.splitlines()]
    return any(map(_ENTRY.fullmatch, lines)) and all(_ENTRY.fullmatch(line) or _KEY.fullmatch(line) for line in lines)


def _is_in_record(secret: str, line: str) -> bool:
    """Whether it is a part of an entry: `database-password=VERSION`, an input and its version, looks like a secret.

    The line is the whole annotation, as detect-secrets writes it.
    """
    annotation = _ANNOTATION.match(line)
    if annotation is None:
        return False
    record = annotation[1].rstrip('"\n ')
    return _is_record(record) and all(part.strip() in record for part in secret.splitlines())


def is_name(filename: str, line: str, secret: str) -> bool:
    """Whether it is the name that a key has in its Secret, in a file of ExternalSecrets alone."""
    named = _SECRET_KEY.fullmatch(line)
    return bool(named and named[1] == secret) and _kinds(filename) <= _WITHOUT_VALUES


@cache
def _kinds(filename: str) -> frozenset[str]:
    with open(filename, encoding="utf-8", errors="replace") as file:
        return frozenset(_KIND.findall(file.read())) or frozenset({"none"})
