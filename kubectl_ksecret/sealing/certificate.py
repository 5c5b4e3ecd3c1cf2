"""The controller's certificate and private keys: what seals and what opens."""

import base64
import re
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from .. import yamlio
from ..errors import InputError, Mistake, Place
from ..model.kubernetes import decoded, unfolded
from .validity import Validity, judge

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", re.DOTALL)


class Certificate(Validity):
    """A certificate that can seal, with its public key, and its block of PEM."""

    public_key: RSAPublicKey
    pem: bytes


def load(pem: bytes, now: datetime) -> Certificate:
    """Return the certificate of a PEM file, if it holds now. Raises ValueError with what is wrong."""
    certificate = read(pem)
    for fact in judge(certificate, now=now):
        raise ValueError(fact.message)
    return certificate


def read(pem: bytes) -> Certificate:
    """Return the first certificate of a PEM file, as kubeseal chooses. Raises ValueError with what is wrong."""
    if b"PRIVATE KEY-----" in pem:
        raise ValueError("the file holds a private key, which seals nothing and must not lie here")
    block = _BLOCK.search(pem)
    if block is None:
        raise ValueError("the file holds no PEM certificate")
    try:
        parsed = x509.load_pem_x509_certificate(block.group())
        key = parsed.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("the certificate can't be read") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the certificate's key is not RSA")
    return Certificate(
        public_key=key,
        pem=block.group() + b"\n",
        fingerprint=fingerprint(key),
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
    )


def fingerprint(key: RSAPublicKey) -> str:
    """Return the fingerprint as `ssh-keygen -lf` prints it: SHA256: and unpadded base64, over OpenSSH's form."""
    line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(base64.b64decode(line.split()[1]))
    return "SHA256:" + base64.b64encode(digest.finalize()).decode().rstrip("=")


def private_keys(content: bytes, file: str) -> list[RSAPrivateKey]:
    """Return the controller's keys: PEM, or the TLS Secrets in which it keeps them, as kubeseal takes them.

    Raises InputError if there is none.
    """
    pems = [content] if content.lstrip().startswith(b"-----BEGIN") else _in_secrets(content, file)
    keys = []
    for pem in pems:
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise InputError(Mistake("not an unencrypted PEM private key", Place(file))) from None
        if not isinstance(key, RSAPrivateKey):
            raise InputError(Mistake("the private key is not RSA", Place(file)))
        keys.append(key)
    if not keys:
        raise InputError(
            Mistake("holds no private key", Place(file), "give a PEM file, or the controller's TLS Secret")
        )
    return keys


def _in_secrets(content: bytes, file: str) -> list[bytes]:
    try:
        documents = yamlio.load(content.decode(), file)
    except UnicodeDecodeError:
        return []
    return [pem for document in unfolded(documents) if (pem := _tls_key(document))]


def _tls_key(document: Any) -> bytes | None:
    data = document.get("data") if isinstance(document, dict) else None
    text = data.get("tls.key") if isinstance(data, dict) else None
    try:
        return decoded(text) if isinstance(text, str) else None
    except ValueError:
        return None
