"""SealedSecrets: what we seal kubeseal opens, what kubeseal seals we open, and a certificate is what it should be."""

import json
import random
import shutil
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_ksecret.actions.unseal import unseal as unseal_files
from kubectl_ksecret.errors import InputError
from kubectl_ksecret.sealing import certificate as certificates
from kubectl_ksecret.sealing.sealedsecret import seal, unseal
from kubectl_ksecret.sensitive import Sensitive

from .peers import missing, peer, run
from .projects import DAY, Project, Sealing, certificate, opened_by_kubeseal, record, sealing, secret_manifest

SCOPES = ("strict", "namespace-wide", "cluster-wide")


def random_values(count: int) -> dict[str, bytes]:
    """Values of every kind, ten of them of 64 kB among 500; the same in every run."""
    chance = random.Random(4)
    kinds = (
        lambda: b"",
        lambda: chance.randbytes(1),
        lambda: chance.randbytes(chance.randrange(2, 400)),
        lambda: "\n".join(f"line {number}: {chance.random()}" for number in range(5)).encode() + b"\n",
        lambda: "".join(chance.choices("äßœ–漢字🔑 \t\"'\\%", k=40)).encode(),
    )
    values = {f"key-{number}": kinds[number % len(kinds)]() for number in range(count)}
    return values | {f"key-{number}": chance.randbytes(1 << 16) for number in range(0, count, 50)}


def test_kubeseal_opens_500_random_values_in_each_scope_byte_for_byte(tmp_path: Path) -> None:
    """Empty, 1 byte, 64 kB, binary, several lines, non-ASCII; strict, namespace-wide and cluster-wide."""
    project, values = Project(tmp_path), random_values(500)
    parts = {f"part-{first}": [f"key-{first + n}" for n in range(100)] for first in range(0, 500, 100)}
    for part, keys in parts.items():
        project.declare(part, {key: {"rules": {"minLength": 0}} for key in keys})
    for scope in SCOPES:
        project.sealed_overlay(scope, scope=scope)
    given_ = [
        secret_manifest(part, data={key: b64encode(values[key]).decode() for key in keys})
        for part, keys in parts.items()
    ]
    assert project.ksecret("seal", "-f", "-", stdin=json.dumps({"kind": "List", "items": given_})).code == 0
    for scope in SCOPES:
        opened = [opened_by_kubeseal(project.manifest(part, scope)) for part in parts]
        assert {key: value for part in opened for key, value in part.items()} == values


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("scope", SCOPES)
def test_what_kubeseal_seals_is_opened_by_unseal(tmp_path: Path, scope: str, form: str) -> None:
    """The Secret comes back with values, type, labels, namespace and all, whichever scope and format kubeseal wrote."""
    project, values = Project(tmp_path), random_values(20)
    plain = secret_manifest("app", data={key: b64encode(value).decode() for key, value in values.items()})
    plain["metadata"] |= {"namespace": "shop", "labels": {"team": "checkout"}}
    plain |= {"type": "example.org/own", "immutable": True}
    cert, key = project.write("sealing.pem", sealing(1).certificate), project.write("key.pem", sealing(1).private_key)
    by_kubeseal = (peer("kubeseal"), "--cert", cert, "--scope", scope, "--format", form)
    project.write("sealed", run(*by_kubeseal, input=json.dumps(plain)))

    (opened,) = yaml.safe_load_all(project.done("unseal", "sealed", "--private-key", key.name))
    assert {name: b64decode(text) for name, text in opened["data"].items()} == values
    assert (opened["type"], opened["metadata"]["labels"]) == ("example.org/own", {"team": "checkout"})
    assert opened["immutable"] is True
    assert (opened["metadata"]["name"], opened["metadata"]["namespace"]) == ("app", "shop")


def test_a_key_of_4096_bits_as_the_controller_makes_it_is_sealed_for(tmp_path: Path) -> None:
    """The ciphertext begins with Ag, as everywhere in the wild, and kubeseal opens it."""
    key = rsa.generate_private_key(65537, 4096)
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.write("overlays/prod/secrets/sealing.pem", certificate(key))
    project.done("seal", "prod", "app/token", "--from-stdin", stdin="of 4096 bits")
    private = project.write("key.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert project.object("app")["spec"]["encryptedData"]["token"].startswith("Ag")
    opening = (peer("kubeseal"), "--recovery-unseal", "--recovery-private-key", private)
    opened = json.loads(run(*opening, input=project.manifest("app").read_text()))
    assert b64decode(opened["data"]["token"]) == b"of 4096 bits"


KEY_FILE = ("key.pem", sealing(2).private_key)
KEY = certificates.private_keys(sealing(2).private_key, "key.pem")
CERTIFICATE = certificates.load(sealing(2).certificate, datetime.now(UTC))


@settings(max_examples=60, deadline=None)
@given(value=st.binary(max_size=2000), label=st.sampled_from(["", "shop", "shop/app"]))
def test_what_is_sealed_is_opened_with_its_own_label_only(value: bytes, label: str) -> None:
    """A ciphertext that was moved to another Secret or namespace is not opened."""
    sealed = seal(Sensitive(value), CERTIFICATE, label)
    assert unseal(sealed, KEY, label).reveal() == value
    with pytest.raises(ValueError, match=r"^none of the keys opens it$"):
        unseal(sealed, KEY, "shop/other")


def test_no_changed_byte_goes_unnoticed() -> None:
    """Length, wrapped session key, ciphertext and tag: any one byte changed, and nothing is opened."""
    sealed = seal(Sensitive(b"value"), CERTIFICATE, "shop/app")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(ValueError, match=r"^none of the keys opens it$"):
            unseal(bytes(changed), KEY, "shop/app")


def test_the_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    """What the record says of a certificate can be compared with `ssh-keygen -lf` of its public key."""
    if shutil.which("ssh-keygen") is None:
        missing("ssh-keygen")
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.done("seal", "prod", "app/token", "--from-stdin", stdin="value")
    public = x509.load_pem_x509_certificate(sealing(1).certificate).public_key()
    file = project.write("key.pub", public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
    fingerprint = run("ssh-keygen", "-lf", file).split()[1]
    assert f" by={fingerprint} digest=" in record(project)


EC = ec.generate_private_key(ec.SECP256R1())
# A curve that nobody knows: the last byte of the identifier of P-256, changed.
UNKNOWN_CURVE = x509.load_pem_x509_certificate(certificate(EC)).public_bytes(Encoding.DER)
UNKNOWN_CURVE = UNKNOWN_CURVE.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f"))
RSA = rsa.generate_private_key(65537, 2048)


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + b64encode(der) + b"\n-----END CERTIFICATE-----\n"


PLAIN = json.dumps(secret_manifest("app", stringData={"a": "b"}))
UNUSABLE: dict[str, tuple[bytes, str, bool]] = {
    # the file, what is said of it, and whether kubeseal refuses it too
    "expired": (certificate(RSA, -3 * DAY, -2 * DAY), "the certificate ended on ", True),
    "not yet valid": (certificate(RSA, DAY, 2 * DAY), "the certificate begins on ", False),
    "elliptic curve": (certificate(EC), "the certificate's key is not RSA", True),
    "unknown curve": (pem(UNKNOWN_CURVE), "the certificate can't be read", True),
    "private key in it": (sealing(3).certificate + sealing(3).private_key, "the file holds a private key", False),
    "public key": (
        RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "the file holds no PEM certificate",
        True,
    ),
    "garbage in it": (pem(b"garbage"), "the certificate can't be read", True),
    "not base64": (pem(b"").replace(b"\n\n", b"\n%%%%\n"), "the certificate can't be read", True),
    "DER": (x509.load_pem_x509_certificate(certificate(RSA)).public_bytes(Encoding.DER), "the file holds no PEM", True),
    "empty": (b"", "the file holds no PEM certificate", True),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_certificate_that_can_not_be_used_is_refused(tmp_path: Path, case: str) -> None:
    """What is wrong is said at the line that names the file; kubeseal refuses the same, or less."""
    content, message, by_kubeseal = UNUSABLE[case]
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    file = project.write("overlays/prod/secrets/sealing.pem", content)
    before = project.files()
    done = project.ksecret("seal", "prod", "app/token", "--from-stdin", stdin="value")
    assert done.code == 2
    assert done.err.startswith(f"error: overlays/prod/secrets/ksecret.yaml:11:20: {message}")
    assert project.changed_since(before) == set()
    if by_kubeseal:
        with pytest.raises(AssertionError, match="exit 1"):
            run(peer("kubeseal"), "--namespace", "shop", "--cert", file, input=PLAIN)


def test_the_first_of_several_certificates_is_taken_as_kubeseal_does(tmp_path: Path) -> None:
    """Whatever text stands around them; also where a later one has ended."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    several = b"subject=CN\n" + sealing(2).certificate + certificate(RSA, -3 * DAY, -2 * DAY)
    cert = project.write("overlays/prod/secrets/sealing.pem", several)
    project.done("seal", "prod", "app/token", "--from-stdin", stdin="value")
    assert opened_by_kubeseal(project.manifest("app"), 2) == {"token": b"value"}
    by_kubeseal = run(peer("kubeseal"), "--namespace", "shop", "--cert", cert, input=PLAIN)
    assert opened_by_kubeseal(project.write("by-kubeseal.yaml", by_kubeseal), 2) == {"a": b"b"}


def sealed_project(folder: Path) -> Project:
    """A project with one sealed value; its manifest is sealed.yaml too."""
    project = Project(folder)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.done("seal", "prod", "app/token", "--from-stdin", stdin="value")
    project.write("sealed.yaml", project.manifest("app").read_text())
    return project


def tls_secret(name: str, controller: Sealing) -> dict[str, Any]:
    """A key as the controller keeps it."""
    parts = {"tls.crt": controller.certificate, "tls.key": controller.private_key}
    return secret_manifest(name, data={key: b64encode(pem).decode() for key, pem in parts.items()})


@pytest.mark.parametrize("form", ["List", "documents", "several files"])
def test_the_controllers_tls_secrets_are_taken_as_private_keys(tmp_path: Path, form: str) -> None:
    """All keys in them are tried, as after a rotation: `kubectl get secret -l sealedsecrets.bitnami.com/…`."""
    project = sealed_project(tmp_path)
    keys = [tls_secret("sealed-secrets-new", sealing(2)), tls_secret("sealed-secrets-old", sealing(1))]
    listed = {
        "List": [yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": keys})],
        "documents": [yaml.safe_dump_all(keys)],
        "several files": [json.dumps(keys[0]), sealing(1).private_key.decode()],
    }[form]
    options = []
    for number, content in enumerate(listed):
        options += ["--private-key", str(project.write(f"key-{number}", content))]
    opened = yaml.safe_load(project.done("unseal", "sealed.yaml", *options))
    assert opened["data"] == {"token": b64encode(b"value").decode()}


UNUSABLE_KEYS = {
    "another key": (sealing(2).private_key, 3, "sealed.yaml: app/token: none of the keys opens it"),
    "a certificate": (sealing(1).certificate, 2, "key: not an unencrypted PEM private key"),
    "an Ed25519 key": (
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        2,
        "key: the private key is not RSA",
    ),
    "no TLS Secret": (b"kind: Secret\ndata: {a: YQ==}\n", 2, "key: holds no private key"),
    "no base64 in it": ("kind: Secret\ndata: {tls.key: é}\n".encode(), 2, "key: holds no private key"),
    "binary": (b"\xff\xfe\x00", 2, "key: holds no private key"),
    "nothing": (b"", 2, "key: holds no private key"),
}


@pytest.mark.parametrize("case", UNUSABLE_KEYS)
def test_a_private_key_that_opens_nothing_is_refused(tmp_path: Path, case: str) -> None:
    """The error says whether it is the wrong key or no key."""
    content, code, message = UNUSABLE_KEYS[case]
    project = sealed_project(tmp_path)
    project.write("key", content)
    done = project.ksecret("unseal", "sealed.yaml", "--private-key", "key")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"error: {message}\n")


BROKEN = {
    "nothing": "",
    "a Secret": "{kind: Secret, metadata: {name: a}}",
    "a text": "SealedSecret",
    "a list": "[1]",
    "no metadata": "{kind: SealedSecret}",
    "no name": "{kind: SealedSecret, metadata: {}, spec: {}}",
    "no spec": "{kind: SealedSecret, metadata: {name: a}}",
    "a list of annotations": "{kind: SealedSecret, metadata: {name: a, annotations: [b]}, spec: {}}",
    "a list of values": "{kind: SealedSecret, metadata: {name: a}, spec: {encryptedData: [b]}}",
    "a number as value": "{kind: SealedSecret, metadata: {name: a}, spec: {encryptedData: {b: 5}}}",
    "a text as template": "{kind: SealedSecret, metadata: {name: a}, spec: {template: b}}",
    "data in the template": "{kind: SealedSecret, metadata: {name: a}, spec: {template: {data: {b: '{{ .c }}'}}}}",
    "not base64": "{kind: SealedSecret, metadata: {name: a}, spec: {encryptedData: {b: ä}}}",
    "nothing sealed": "{kind: SealedSecret, metadata: {name: a}, spec: {encryptedData: {b: ''}}}",
    "too short": "{kind: SealedSecret, metadata: {name: a}, spec: {encryptedData: {b: AQ==}}}",
    "items without a list": "{items: [{kind: SealedSecret, metadata: {name: a}, spec: {}}]}",
    "one good, one bad": "{kind: List, items: [{kind: SealedSecret, metadata: {name: a}, spec: {}}, {kind: Pod}]}",
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_whole_sealed_secret_is_refused_with_its_file(tmp_path: Path, case: str) -> None:
    """Nothing is printed of the rest, so that no key is missed in a recovered Secret."""
    project = Project(tmp_path)
    project.write("broken.yaml", BROKEN[case])
    project.write("key.pem", sealing(1).private_key)
    done = project.ksecret("unseal", "broken.yaml", "--private-key", "key.pem")
    assert (done.code in (2, 3), done.out) == (True, "")
    assert done.err.startswith("error: broken.yaml: ")


def test_a_name_in_a_sealed_secret_can_not_move_the_cursor(tmp_path: Path) -> None:
    """An error names what can't be opened, on one line."""
    project = Project(tmp_path)
    evil = "a\x1b[2J\nb"
    sealed = {"kind": "SealedSecret", "metadata": {"name": evil}, "spec": {"encryptedData": {evil: "AQ=="}}}
    project.write("sealed.yaml", json.dumps(sealed))
    project.write("key.pem", sealing(1).private_key)
    done = project.ksecret("unseal", "sealed.yaml", "--private-key", "key.pem")
    name = r"a\x1b[2J\nb"
    assert (done.code, done.err) == (3, f"error: sealed.yaml: {name}/{name}: none of the keys opens it\n")


def test_every_value_gets_a_session_key_of_its_own() -> None:
    """The nonce is constant, so two ciphertexts of one value must have nothing in common."""
    first, second = (seal(Sensitive(b"the same value"), CERTIFICATE, "") for _ in range(2))
    assert first[:2] == second[:2] == (256).to_bytes(2, "big")
    assert first[2:258] != second[2:258]
    assert first[258:] != second[258:]


anything = st.recursive(
    st.none() | st.integers() | st.dates() | st.text() | st.sampled_from(["SealedSecret", "true", "AQ=="]),
    lambda below: (
        st.lists(below)
        | st.dictionaries(
            st.sampled_from(["kind", "metadata", "name", "spec", "encryptedData", "template", "annotations", "items"]),
            below,
        )
    ),
    max_leaves=8,
)
almost = st.fixed_dictionaries(
    {
        "kind": st.just("SealedSecret"),
        "metadata": st.fixed_dictionaries({"name": anything}, optional={"annotations": anything}),
        "spec": st.fixed_dictionaries({}, optional={"template": anything, "encryptedData": anything}),
    }
)


@settings(deadline=None, max_examples=40)
@given(anything | almost)
def test_no_document_in_place_of_a_sealed_secret_does_harm(document: object) -> None:
    """It is opened, or refused as wrong input."""
    try:
        opened = unseal_files([("file", yaml.safe_dump(document, allow_unicode=True).encode())], [KEY_FILE])
        assert all(json.loads(secret.reveal())["kind"] == "Secret" for secret in opened)
    except InputError as error:
        assert error.exit_code in (2, 3)
