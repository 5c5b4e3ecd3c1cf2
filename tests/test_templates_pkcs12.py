"""A Key Vault certificate becomes a kubernetes.io/tls Secret: out of base64 of a PKCS #12 file without a password."""

import subprocess
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
    serialize_key_and_certificates,
)

from .eso import synced
from .peers import missing
from .projects import Project, opened_by_kubeseal

PLAIN = NoEncryption()
KINDS: Mapping[str, Callable[[], CertificateIssuerPrivateKeyTypes]] = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


class Issued(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key as PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(name: str, kind: str = "EC", issuer: Issued | None = None, identified: bool = True) -> Issued:
    """A certificate of an issuer, or of its own; with the key identifiers that a chain is told by, or without."""
    key: CertificateIssuerPrivateKeyTypes = KINDS[kind]()
    subject, now = x509.Name.from_rfc4514_string(f"CN={name}"), datetime.now(UTC)
    signing = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    if identified:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(authority, critical=False)
    return Issued(builder.sign(signing, None if isinstance(signing, ed25519.Ed25519PrivateKey) else SHA256()), key)


def chain(kind: str, length: int) -> list[Issued]:
    """Certificates from the leaf up to the root."""
    chain = [issue("root", kind)]
    for index in range(1, length):
        chain.insert(0, issue(f"certificate {index}", kind, chain[0]))
    return chain


def pkcs12(
    leaf: Issued,
    others: list[Issued],
    encryption: KeySerializationEncryption = PLAIN,
) -> bytes:
    """A PKCS #12 file of a key, its certificate and others in this order."""
    assert isinstance(leaf.key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)
    return serialize_key_and_certificates(
        b"name", leaf.key, leaf.certificate, [issued.certificate for issued in others], encryption
    )


def shop(folder: Path) -> Project:
    """One declaration of a TLS Secret out of a certificate of Key Vault, in two environments."""
    project = Project(folder)
    project.declare(
        "shop-tls",
        {
            "tls.crt": {"template": "{{ certificate | pkcs12cert }}"},
            "tls.key": {"template": "{{ certificate | pkcs12key }}"},
        },
        type="kubernetes.io/tls",
        inputs={"certificate": {"encoding": "base64"}},
    )
    source = {"azureKeyVault": {"vaultUrl": "https://shop.vault.azure.net"}}
    project.overlay("test", {"externalSecret": {"store": {"name": "vault"}}}, source=source)
    project.sealed_overlay(source={"environment": {}})
    return project


def in_both(project: Project, content: bytes) -> dict[str, bytes]:
    """The Secret of a PKCS #12 file, which must be the same from the operator and from sealing."""
    held = b64encode(content)
    project.done("seal", "prod", "--reseal", CERTIFICATE=held.decode())
    sealed = opened_by_kubeseal(project.manifest("shop-tls"))
    external = yaml.safe_load(project.done("render", "test"))
    assert external["spec"]["target"]["template"]["type"] == "kubernetes.io/tls"
    assert synced(external, {"certificate": held}) == sealed
    return sealed


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_and_its_chain_become_a_tls_secret(tmp_path: Path, kind: str, length: int) -> None:
    """The leaf first, then who issued it, up to the root, however the file orders them; the key is the leaf's."""
    leaf, *above = chain(kind, length)
    secret = in_both(shop(tmp_path), pkcs12(leaf, above[::-1]))
    assert secret == {"tls.crt": b"".join(issued.pem for issued in (leaf, *above)), "tls.key": leaf.key_pem}
    assert load_pem_private_key(secret["tls.key"], None).public_key() == leaf.certificate.public_key()


def test_certificates_that_are_no_single_chain_stay_as_the_file_has_them(tmp_path: Path) -> None:
    """With a stranger among them, with one of them twice, or without key identifiers there is nothing to go by."""
    project = shop(tmp_path)
    leaf, middle, root = chain("EC", 3)
    stranger, bare_root = issue("stranger"), issue("bare root", identified=False)
    bare = issue("bare", issuer=bare_root, identified=False)
    for first, others in ((leaf, [root, stranger, middle]), (leaf, [root, leaf, middle]), (bare, [bare_root])):
        secret = in_both(project, pkcs12(first, others))
        assert secret["tls.crt"] == b"".join(issued.pem for issued in (first, *others))


@pytest.mark.parametrize("options", [[], ["-legacy"], ["-nomac"], ["-keypbe", "NONE", "-certpbe", "NONE"]], ids=str)
def test_files_of_openssl_are_read_however_they_are_encrypted(tmp_path: Path, options: list[str]) -> None:
    """An empty password stands for none, with ciphers of today and of Windows, and without any."""
    leaf, middle, root = chain("RSA", 3)
    for name, content in (("key", leaf.key_pem), ("leaf", leaf.pem), ("others", root.pem + middle.pem)):
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "pkcs12", "-export", "-inkey", "key", "-in", "leaf", "-certfile", "others", "-passout"]
    try:
        done = subprocess.run([*command, "pass:", *options], cwd=tmp_path, capture_output=True, check=True)
    except FileNotFoundError:
        missing("openssl")
    secret = in_both(shop(tmp_path), done.stdout)
    assert secret == {"tls.crt": leaf.pem + middle.pem + root.pem, "tls.key": leaf.key_pem}


def test_what_is_no_certificate_is_named_and_never_shown(tmp_path: Path) -> None:
    """Something else, a file with a password or without a key: by key and input, before anything is written."""
    project, issued = shop(tmp_path), issue("leaf")
    no_file = "is not a PKCS #12 file without a password (set encoding: base64 where the source holds base64)"
    no_key = "is a PKCS #12 file without a private key and its certificate"
    truststore = [PKCS12Certificate(issued.certificate, b"name")]
    assert isinstance(issued.key, ec.EllipticCurvePrivateKey)
    cases = (
        (b"", no_file),
        (b"a secret that is no certificate", no_file),
        (issued.pem, no_file),
        (b64encode(pkcs12(issued, [])), no_file),
        (pkcs12(issued, [], BestAvailableEncryption(b"password")), no_file),
        (serialize_java_truststore(truststore, PLAIN), no_key),
        (serialize_key_and_certificates(None, issued.key, None, None, PLAIN), no_key),
    )
    before = project.files()
    for content, message in cases:
        held = b64encode(content).decode()
        done = project.ksecret("seal", "prod", CERTIFICATE=held)
        assert (done.code, done.out) == (2, "")
        assert f"error: generators/shop-tls.yaml:8:17: shop-tls/tls.crt: certificate {message}\n" in done.err
        assert "secret that" not in done.err
        assert project.changed_since(before) == set()
