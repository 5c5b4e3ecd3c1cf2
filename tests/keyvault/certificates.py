"""A CA and a server certificate for 127.0.0.1, made anew for each run; private keys stay in memory but for a moment."""

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def server_context(subject: str, *hosts: str, lives: timedelta = timedelta(days=1)) -> tuple[ssl.SSLContext, bytes]:
    """The TLS side of a server on 127.0.0.1, of these hosts too, and the PEM of the CA that signed its certificate."""
    key, certificate, ca = server_certificate(subject, *hosts, lives=lives)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder, "server.pem")  # the ssl module reads keys from files only
        chain.write_bytes(key + certificate)
        context.load_cert_chain(chain)
    return context, ca


def server_certificate(
    subject: str, *hosts: str, address: str = "127.0.0.1", lives: timedelta = timedelta(days=1)
) -> tuple[bytes, bytes, bytes]:
    """The key and the certificate of a server on an address, of these hosts too, and that of its CA, all PEM."""
    names = [x509.IPAddress(ipaddress.ip_address(address)), *map(x509.DNSName, hosts)]
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{subject} CA")])
    ca = (
        _builder(ca_name, ca_key.public_key())
        .issuer_name(ca_name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]), key.public_key(), lives)
        .issuer_name(ca_name)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private_key = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private_key, certificate.public_bytes(pem), ca.public_bytes(pem)


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, lives: timedelta = timedelta(days=1)
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lives)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
