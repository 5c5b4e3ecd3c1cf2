"""One value as the Sealed Secrets controller expects it (pkg/crypto of v0.38)."""

import secrets
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from ..sensitive import Sensitive
from .certificate import Certificate

_NONCE = bytes(12)  # it may be zero: each key is used for one value only


def seal(value: Sensitive, certificate: Certificate, label: str) -> bytes:
    """Big-endian uint16 length of the RSA part, the RSA part, the AES-256-GCM part with its tag.

    `label` binds the ciphertext to its scope: namespace/name, namespace, or empty.
    """
    session_key = secrets.token_bytes(32)
    wrapped = certificate.public_key.encrypt(session_key, _padding(label))
    return len(wrapped).to_bytes(2, "big") + wrapped + AESGCM(session_key).encrypt(_NONCE, value.reveal(), None)


def unseal(sealed: bytes, keys: Iterable[RSAPrivateKey], label: str) -> Sensitive:
    """The value. Raises ValueError if none of the keys opens it."""
    length = int.from_bytes(sealed[:2], "big")
    wrapped, encrypted = sealed[2 : 2 + length], sealed[2 + length :]
    for key in keys:
        try:
            session_key = key.decrypt(wrapped, _padding(label))
            return Sensitive(AESGCM(session_key).decrypt(_NONCE, encrypted, None))
        except (ValueError, InvalidTag):
            continue
    raise ValueError("none of the keys opens it")


def _padding(label: str) -> OAEP:
    return OAEP(MGF1(SHA256()), SHA256(), label.encode())
