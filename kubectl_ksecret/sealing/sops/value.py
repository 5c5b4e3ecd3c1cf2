"""One value of a SOPS document: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]` (aes/cipher.go of sops 3.13)."""

import math
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from decimal import Decimal
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...backends.sops.document import parts
from ...sensitive import Sensitive

Scalar = str | int | float | bool
Path = tuple[str, ...]

KEY_BYTES = 32
_IV_BYTES = 32
_TAG_BYTES = 16


class Changed(Exception):
    """A ciphertext is not what this key made for this place."""


class DataKey:
    """The key that encrypts all values of one document."""

    def __init__(self, key: Sensitive) -> None:
        self.key = key
        self._cipher = AESGCM(key.reveal())

    @classmethod
    def new(cls) -> Self:
        """A random key."""
        return cls(Sensitive(secrets.token_bytes(KEY_BYTES)))

    def encrypt(self, plain: Sensitive, additional: str) -> str:
        """Encrypt a value of type str with a new IV; an empty one stays empty, as in sops."""
        if not plain.reveal():
            return ""
        iv = secrets.token_bytes(_IV_BYTES)
        sealed = self._cipher.encrypt(iv, plain.reveal(), additional.encode())
        data, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        return f"ENC[AES256_GCM,data:{_base64(data)},iv:{_base64(iv)},tag:{_base64(tag)},type:str]"

    def decrypt(self, text: str, additional: str) -> Scalar:
        """Decrypt a value of any type; a time is its text. Raises Changed."""
        if not text:
            return ""
        match = parts(text)
        if not match:
            raise Changed
        data, iv, tag = map(b64decode, match.group(1, 2, 3))
        try:
            plain = self._cipher.decrypt(iv, data + tag, additional.encode())
            return _READERS[match[4]](text_of(plain))
        except (InvalidTag, ValueError, KeyError):
            # ValueError: an IV of a length that AES-GCM does not take; KeyError: a type that there is not.
            raise Changed from None


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


_READERS: dict[str, Callable[[str], Scalar]] = {
    "str": str,
    "bytes": str,
    "time": str,
    "int": int,
    "float": float,
    "bool": {"True": True, "False": False}.__getitem__,
}


def additional_data(path: Path) -> str:
    """What binds a value to its place: the keys on the way to it; elements of a list share their list's."""
    return ":".join(path) + ":"


def mac_bytes(value: Scalar) -> bytes:
    """How a value enters the MAC (ToBytes in sops.go)."""
    if isinstance(value, bool):
        return b"True" if value else b"False"
    if isinstance(value, float):
        return _fixed(value).encode()
    return bytes_of(str(value))


def _fixed(number: float) -> str:
    """The shortest digits that give this number again, without an exponent: Go's FormatFloat(number, 'f', -1, 64)."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return f"{Decimal(repr(number)):f}".removesuffix(".0")


def text_of(content: bytes) -> str:
    """A Go string as text; bytes that are not UTF-8 become surrogates, so that none is lost."""
    return content.decode(errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    """The bytes of what `text_of` made."""
    return text.encode(errors="surrogateescape")
