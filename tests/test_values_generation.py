"""New values: what they are made of, and that each satisfies the rules of its own key."""

import random
import re
import subprocess
from typing import get_args

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kubectl_ksecret.model.types.declaration import Alphabet, Format, Generate, PrivateKey, Rules
from kubectl_ksecret.model.types.origin import Origin
from kubectl_ksecret.values.generation import generate
from kubectl_ksecret.yamlio import compose

from .peers import missing

(NODE,) = compose("{}", "file")
ORIGIN = Origin("file", NODE)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHARACTERS: dict[Alphabet, str] = {
    "alphanumeric": LETTERS + "0123456789",
    "url-safe": LETTERS + "0123456789-_",
    "hex": "0123456789abcdef",
    "digits": "0123456789",
    "printable": LETTERS + "0123456789!#%&()*+,-./:;<=>?@[]^_{|}~",
}
SAID_BY_OPENSSL: dict[PrivateKey, tuple[str, ...]] = {
    "rsa-2048": ("Private-Key: (2048 bit", "publicExponent: 65537 "),
    "rsa-3072": ("Private-Key: (3072 bit", "publicExponent: 65537 "),
    "rsa-4096": ("Private-Key: (4096 bit", "publicExponent: 65537 "),
    "ec-p256": ("Private-Key: (256 bit)", "NIST CURVE: P-256"),
    "ec-p384": ("Private-Key: (384 bit)", "NIST CURVE: P-384"),
    "ed25519": ("ED25519 Private-Key:",),
}


def made(rules: dict[str, object] | None = None, **fields: object) -> bytes:
    """A new value."""
    own = Rules(origin=ORIGIN, **rules) if rules is not None else None  # type: ignore[arg-type]
    return generate(Generate(origin=ORIGIN, **fields), own).reveal()  # type: ignore[arg-type]


@pytest.mark.parametrize("alphabet", get_args(Alphabet))
def test_a_text_is_made_of_all_characters_of_its_alphabet(alphabet: Alphabet) -> None:
    """And of no others; printable has none that a shell, YAML or a dotenv file takes for the end of a text."""
    value = made(length=4096, alphabet=alphabet)
    assert (len(value), set(value.decode())) == (4096, set(CHARACTERS[alphabet]))


def test_a_text_is_alphanumeric_unless_it_is_said() -> None:
    """Which every place takes that a password can stand in."""
    assert set(made(length=4096).decode()) == set(CHARACTERS["alphanumeric"])


@pytest.mark.parametrize("length", [1, 2, 48, 4095])
def test_a_text_has_the_length_that_is_declared(length: int) -> None:
    """To the character."""
    assert len(made(length=length)) == length


def test_no_value_comes_twice() -> None:
    """Nor can a program that seeds Python's other source of randomness make it come again."""
    values = set()
    for _ in range(1000):
        random.seed(0)
        values.add(made(length=22))
    assert len(values) == 1000


@pytest.mark.parametrize("pattern", ["[0-9]", "^[A-Z]", "[a-z]$", "^[^0].*[0-9].*[0-9]"])
def test_a_text_satisfies_a_pattern_that_many_texts_have(pattern: str) -> None:
    """A short one, a hundred times: those that do not have it are not handed out."""
    for _ in range(100):
        assert re.search(pattern, made({"pattern": pattern, "min_length": 8, "max_length": 8}, length=8).decode())


@pytest.mark.parametrize(
    ("format_", "alphabets"),
    [
        ("alphanumeric", ("alphanumeric", "hex", "digits")),
        ("url-safe", ("alphanumeric", "url-safe", "hex", "digits")),
        ("base64", ("alphanumeric", "hex", "digits")),
    ],
)
def test_every_text_of_an_alphabet_that_is_let_through_has_the_format(
    format_: Format, alphabets: tuple[Alphabet, ...]
) -> None:
    """So that it is not luck whether a rotation succeeds."""
    for alphabet in alphabets:
        assert len(made({"format": format_}, length=4096, alphabet=alphabet)) == 4096


@pytest.mark.parametrize("kind", get_args(PrivateKey))
def test_a_private_key_is_of_its_kind_and_pkcs8(kind: PrivateKey) -> None:
    """As cryptography reads it; it has the format pem, and is another one the next time."""
    pem = made({"format": "pem"}, private_key=kind)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n") and pem.endswith(b"\n-----END PRIVATE KEY-----\n")
    key = load_pem_private_key(pem, None)
    if isinstance(key, rsa.RSAPrivateKey):
        assert f"rsa-{key.key_size}" == kind
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        assert (kind, key.curve.name) in [("ec-p256", "secp256r1"), ("ec-p384", "secp384r1")]
    else:
        assert isinstance(key, ed25519.Ed25519PrivateKey) and kind == "ed25519"
    if not kind.startswith("rsa"):
        assert made(private_key=kind) != pem


@pytest.mark.parametrize("kind", get_args(PrivateKey))
def test_openssl_reads_a_private_key(kind: PrivateKey) -> None:
    """And says of what kind it is; it finds it sound."""
    try:
        done = subprocess.run(
            ["openssl", "pkey", "-check", "-noout", "-text"],
            input=made(private_key=kind),
            capture_output=True,
            check=True,
        )
    except FileNotFoundError:
        missing("openssl")
    shown = done.stdout.decode()
    assert "Key is valid\n" in shown + done.stderr.decode()
    assert [text for text in SAID_BY_OPENSSL[kind] if text not in shown] == []


@pytest.mark.parametrize(
    ("rules", "fields", "message"),
    [
        ({"pattern": "^x{9}$"}, {"length": 8}, "no generated value satisfies pattern: ^x{9}$"),
        ({"pattern": "[G-Z]"}, {"length": 64, "alphabet": "hex"}, "no generated value satisfies pattern: [G-Z]"),
        (
            {"max_length": 9, "pattern": "^$"},
            {"private_key": "rsa-4096"},
            "no generated value satisfies maxLength: 9, pattern: ^$",
        ),
    ],
)
def test_rules_that_nothing_satisfies_are_named_and_no_value_is_shown(
    rules: dict[str, object], fields: dict[str, object], message: str
) -> None:
    """After a bounded number of tries, of a private key after one."""
    with pytest.raises(ValueError) as caught:
        made(rules, **fields)
    assert str(caught.value) == message
