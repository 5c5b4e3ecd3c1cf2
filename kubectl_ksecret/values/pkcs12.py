"""A certificate and its key out of a PKCS #12 file, as PEM: Key Vault hands out certificates so.

The order of the certificates is that of External Secrets Operator (pkg/template/v2, pem_chain.go): from the one that
issued none of the others up to the root. Where they are not one chain it keeps the file's order; here the certificate
of the key comes first then too, since a server needs it there.
"""

import warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12


def certificates(content: bytes) -> bytes:
    """Return the certificate and its chain as PEM. Raises ValueError with what is wrong."""
    _, unordered = _read(content)
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in _ordered(unordered))


def private_key(content: bytes) -> bytes:
    """Return the private key as PEM (PKCS #8). Raises ValueError with what is wrong."""
    key, _ = _read(content)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read(content: bytes) -> tuple[PrivateKeyTypes, list[x509.Certificate]]:
    try:
        with warnings.catch_warnings():
            # Windows writes BER where DER is due; it is read all the same, and nobody here could mend it.
            warnings.simplefilter("ignore")
            loaded = load_pkcs12(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        hint = "set encoding: base64 where the source holds base64"
        raise ValueError(f"is not a PKCS #12 file without a password ({hint})") from None
    if loaded.key is None or loaded.cert is None:
        raise ValueError("is a PKCS #12 file without a private key and its certificate")
    return loaded.key, [loaded.cert.certificate, *(other.certificate for other in loaded.additional_certs)]


def _ordered(unordered: list[x509.Certificate]) -> list[x509.Certificate]:
    """From the leaf to the root; as they are if they are not one chain."""
    identities = [_identities(certificate) for certificate in unordered]
    issuers: dict[int, int] = {}
    for index, (authority, _) in enumerate(identities):
        for other, (_, subject) in enumerate(identities):
            if index != other and authority == subject:
                issuers[index] = other
                break
    leaves = [index for index in range(len(unordered)) if index not in issuers.values()]
    if len(leaves) != 1:
        return unordered
    chain = leaves
    while chain[-1] in issuers:
        if len(chain) == len(unordered):
            return unordered
        chain.append(issuers[chain[-1]])
    return [unordered[index] for index in chain]


def _identities(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """Return the key identifiers of the issuer and of the certificate itself; what is absent equals what is absent."""
    authority = subject = b""
    try:
        for extension in certificate.extensions:
            if isinstance(extension.value, x509.AuthorityKeyIdentifier):
                authority = extension.value.key_identifier or b""
            elif isinstance(extension.value, x509.SubjectKeyIdentifier):
                subject = extension.value.digest
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise ValueError("holds a certificate that can't be read") from None
    return authority, subject
