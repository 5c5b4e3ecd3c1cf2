"""Keys and certificates of a test cluster, made when it starts."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

DAY = timedelta(days=1)


class Pair(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


class Authority:
    """Signs the certificates by which an API server knows its users."""

    def __init__(self) -> None:
        self._key = _key()
        self._name = _named("clients")
        builder = _builder(self._name, self._name, self._key)
        ca = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = builder.add_extension(ca, critical=True).sign(self._key, hashes.SHA256())

    @property
    def certificate(self) -> str:
        """The authority's own certificate, PEM."""
        return self._certificate.public_bytes(Encoding.PEM).decode()

    def client(self, user: str) -> Pair:
        """Return a certificate whose common name is the user's."""
        key = _key()
        usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = _builder(_named(user), self._name, key).add_extension(usage, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(Encoding.PEM).decode(), _pem(key))


def private_key() -> str:
    """Return a new private key, PEM."""
    return _pem(_key())


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), now - DAY, now + 10 * DAY
    )
