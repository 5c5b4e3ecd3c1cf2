"""The gate for values: what only stands for a value, is empty or has another form is sealed by no way in."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubectl_ksecret.values.placeholders import stand_in

from .keyvault import KeyVault
from .peers import peer, run
from .projects import Project, age, ciphertext, opened_by_kubeseal, secret_manifest, shop

LITERAL = "where it is meant as it is, declare rules: {literal: true}"
STAND_INS = {
    "ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]": "is ciphertext of SOPS",
    "ENC[PKCS7,MIIBeQYJKoZIhvcNAQcDoIIBajCCAWYCAQAx]": "is ciphertext of hiera-eyaml",
    "$ANSIBLE_VAULT;1.1;AES256\n3338653530\n": "is ciphertext of Ansible Vault",
    "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==": "is ciphertext of Vault",
    "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n": "is ciphertext of age",
    json.dumps({"data": "ENC[AES256_GCM,data:eA==]", "sops": {"mac": "x"}}): "is a file that SOPS encrypted",
    "a: ENC[AES256_GCM,data:eA==]\nsops:\n    mac: x\n": "is a file that SOPS encrypted",
    "<path:kv/data/shop#token>": "is a reference (<path:…>)",
    "ref+vault://kv/shop#/token": "is a reference (ref+…://)",
    "vault:secret/data/shop#token": "is a reference (vault:…#…)",
    "op://production/shop/token": "is a reference (op://…)",
    "token@azurekeyvault": "is a reference (…@azurekeyvault)",
    "${DB_PASSWORD}": "is a variable that nobody replaced (${…})",
    "${DB_PASSWORD:-none}\n": "is a variable that nobody replaced (${…})",
    "$DB_PASSWORD": "is a variable that nobody replaced ($NAME)",
    "$(DB_PASSWORD)": "is a variable that nobody replaced ($(…))",
    "${{ secrets.TOKEN }}": "is a variable that nobody replaced (${{…}})",
    "{{ .Values.token }}": "is a variable that nobody replaced ({{…}})",
    '"{{ token }}"': "is a variable that nobody replaced ({{…}})",
    "%DB_PASSWORD%": "is a variable that nobody replaced (%NAME%)",
    "__DB_PASSWORD__": "is a variable that nobody replaced (__NAME__)",
    "changeme": "is a placeholder (changeme)",
    "Change_Me!": "is a placeholder (changeme)",
    "YOUR_API_KEY": "is a placeholder (YOUR_…)",
    "your-password-here": "is a placeholder (YOUR_…)",
    "<your password>": "is a placeholder (<…>)",
    "REDACTED": "is a placeholder (REDACTED)",
    "xxxx-xxxx": "is a placeholder (xxxx)",
    "********": "is a placeholder (****)",
    "TODO: ask ops": "is a placeholder (TODO)",
    "null": "is a placeholder (null)",
    "00000000-0000-0000-0000-000000000000": "is a placeholder (a UUID of one digit)",
}
VALUES = [
    "postgres://app:${DB_PASSWORD}@db/shop",
    "correct horse battery staple",
    '{"token": "${x}", "other": "changeme"}',
    "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo",
    "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "p4$$w0rd",
    "todolist",
    "Unchangement",
    "nullable",
    "xX9xx",
    "vault:enabled",
    "<config>\n  <a/>\n</config>\n",
    "a{{b}}c",
    "0",
    "-1",
    "false",
    b64encode(bytes(range(256)) * 2).decode(),
    "/dev/null",
    "https://token@vault.azure.net",
]


def keys_of(values: list[str]) -> dict[str, str]:
    """Return a name for each value."""
    return {f"k{index}": value for index, value in enumerate(values)}


def declared(values: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return a plain declaration for each key."""
    return {key: {} for key in values}


def test_what_stands_for_a_value_is_refused(tmp_path: Path) -> None:
    """Each with Secret, key and form, none shown; nothing of the overlay is written."""
    project = Project(tmp_path)
    values = keys_of(list(STAND_INS))
    project.declare("app", {**declared(values), "good": {}})
    project.sealed_overlay()
    given_ = yaml.safe_dump(secret_manifest("app", stringData={**values, "good": "a real value"}))
    done = project.ksecret("seal", "prod", "-f", "-", stdin=given_)
    errors = [line for line in done.err.splitlines() if line.startswith("error")]
    assert done.code == 2
    assert {re.sub(r"^error: generators/app.yaml:\d+:\d+: the value of app/", "", line) for line in errors} == {
        f"{key} {STAND_INS[value]}" for key, value in values.items()
    }
    assert all(LITERAL in line for line in done.err.splitlines() if line.startswith("hint"))
    assert [value for value in STAND_INS if len(value) > 8 and value in done.err] == []
    assert not project.manifest("app").exists()


def test_what_only_holds_such_a_form_is_a_value(tmp_path: Path) -> None:
    """A form counts if it is the whole value; and a declaration, or an overlay with a reason, can allow it then too."""
    project = Project(tmp_path)
    values = keys_of(VALUES)
    literal = {"always": {"rules": {"literal": True}}, "here": {}}
    project.declare("app", declared(values) | literal)
    overrides = {"app": {"keys": {"here": {"literal": "The application expands it itself"}}}}
    project.sealed_overlay(overrides=overrides)
    values |= {"always": "${HOME}", "here": "<path:kv/x#y>"}
    project.done("seal", "prod", "-f", "-", stdin=yaml.safe_dump(secret_manifest("app", stringData=values)))
    assert opened_by_kubeseal(project.manifest("app")) == {key: value.encode() for key, value in values.items()}
    project.sealed_overlay(overrides={"app": {"keys": {"here": {"literal": ""}}}})
    done = project.ksecret("render", "prod")
    assert (done.code, "say why the value is meant as it is" in done.err) == (2, True)


def test_what_sops_and_kubeseal_print_is_no_value(tmp_path: Path) -> None:
    """The Secret of the one, with the way to decrypt it; the ciphertext of the other."""
    project = shop(tmp_path)
    manifest = project.write("plain.yaml", yaml.safe_dump(secret_manifest("app", stringData={"token": "the token"})))
    encrypt = ("encrypt", "--age", age("alice").recipient, "--encrypted-regex", "^(data|stringData)$")
    encrypted = run(peer("sops"), *encrypt, manifest)
    done = project.ksecret("seal", "prod", "-f", "-", stdin=encrypted)
    hint = "hint: decrypt it first, as in: sops decrypt FILE | kubectl ksecret seal OVERLAY -f -\n"
    assert (done.code, done.err) == (2, f"error: standard input: the Secret app is encrypted with SOPS\n{hint}")
    without_block = {field: value for field, value in yaml.safe_load(encrypted).items() if field != "sops"}
    done = project.ksecret("seal", "prod", "-f", "-", stdin=yaml.safe_dump(without_block))
    assert (done.code, "the value of app/token is ciphertext of SOPS" in done.err) == (2, True)
    project.done("seal", "prod")
    sealed = ciphertext(project)["token"]
    done = project.ksecret("seal", "prod", "app/token", "--from-stdin", stdin=sealed)
    assert (done.code, "the value of app/token is ciphertext of Sealed Secrets" in done.err) == (2, True)


@pytest.mark.parametrize("value", ["changeme", ""])
def test_no_way_in_leads_past_the_gate(tmp_path: Path, value: str) -> None:
    """A dotenv file, the environment, a command, standard input, a template, a rotation; and check says so too."""
    project = shop(tmp_path, f"TOKEN={value}\nPASSWORD=p\n")
    reason = "is empty" if not value else "is a placeholder (changeme)"
    refused = f"error: generators/app.yaml:7:12: the value of app/token {reason}\n"
    ways: list[tuple[tuple[str, ...], dict[str, str], str]] = [
        (("seal", "prod"), {}, ""),
        (("seal", "prod", "--source", "environment"), {"TOKEN": value, "PASSWORD": "p"}, ""),
        (("seal", "prod", "app/token", "--from-stdin"), {}, f"{value}\n"),
    ]
    for arguments, variables, piped in ways:
        done = project.ksecret(*arguments, stdin=piped, **variables)
        assert (done.code, done.out, refused in done.err) == (2, "", True), arguments
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin=f"{value}\n")
    assert (done.code, f"the new value of app/token {reason}" in done.err) == (2, True)
    done = project.ksecret("check", "prod", "--with-values")
    finding = f"error: generators/app.yaml:7:12: the value of app/token {reason} in prod [value-unusable]"
    assert (done.code, finding in done.out) == (1, True)
    project.declare("app", {"token": {"template": "{{ password }}"}, "password": {}})
    project.write(".env", f"PASSWORD={value}\n")
    done = project.ksecret("seal", "prod")
    assert (done.code, f"the value of app/token {reason}" in done.err) == (2, True)
    project.declare("app", {"token": {}})
    project.sealed_overlay(source={"command": {"arguments": ["sh", "-c", f"echo '{value}'", "{name}"]}})
    done = project.ksecret("seal", "prod")
    assert (done.code, f"the value of app/token {reason}" in done.err) == (2, True)
    assert not project.manifest("app").exists()


def test_a_vault_that_answers_an_empty_value_seals_none(tmp_path: Path) -> None:
    """Where a declaration allows it, it is a value like any other."""
    with KeyVault() as vault:
        project = Project(tmp_path)
        project.environment |= vault.environment
        project.declare("app", {"token": {}})
        project.sealed_overlay(source={"azureKeyVault": {"vaultUrl": vault.url}})
        vault.set("token", "")
        done = project.ksecret("seal", "prod")
        hint = "hint: declare rules: {minLength: 0} if nothing is meant\n"
        assert (done.code, done.err) == (2, f"error: generators/app.yaml:7:12: the value of app/token is empty\n{hint}")
        project.declare("app", {"token": {"rules": {"minLength": 0}}})
        project.done("seal", "prod")
        assert opened_by_kubeseal(project.manifest("app")) == {"token": b""}


@pytest.mark.parametrize("piped", [b"v", b"v\n", b"v\r\n"])
def test_one_line_end_is_taken_off_what_came_through_a_pipe(tmp_path: Path, piped: bytes) -> None:
    """Standard input and a command; neither more of them nor any other blank."""
    project = shop(tmp_path)
    project.done("seal", "prod", "app/token", "--from-stdin", stdin=piped)
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"v"}
    program = project.write("print.sh", f"#!/bin/sh\nprintf '{piped.decode()}'\n")
    program.chmod(0o755)
    project.sealed_overlay(source={"command": {"arguments": [str(program), "{name}"]}})
    project.done("seal", "prod", "app/password")
    assert opened_by_kubeseal(project.manifest("app"))["password"] == b"v"


def test_every_other_way_keeps_line_ends(tmp_path: Path) -> None:
    """A certificate needs its last one; of a value of one line it is said that it has one."""
    project = shop(tmp_path)
    values = {"token": "one line\r\n", "password": "two\nlines\n"}
    given_ = yaml.safe_dump(secret_manifest("app", stringData=values))
    done = project.ksecret("seal", "prod", "-f", "-", stdin=given_)
    message = "the value of app/token is one line with a line end, which is sealed with it"
    hint = "hint: where it is not meant, take it out of the source: printf %s writes none\n"
    assert (done.code, done.err) == (0, f"warning: generators/app.yaml:7:12: {message}\n{hint}")
    assert opened_by_kubeseal(project.manifest("app")) == {key: value.encode() for key, value in values.items()}


def certificate(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    """Return a certificate for a key in PEM."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def private_key(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, form: PrivateFormat, word: str = ""
) -> str:
    """Return a private key in PEM, under a passphrase if there is one."""
    encryption = BestAvailableEncryption(word.encode()) if word else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, encryption).decode()


def docker(**entry: object) -> str:
    """Return a docker config with one registry."""
    return json.dumps({"auths": {"registry.example": entry}})


KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
PKCS8, OPENSSH = PrivateFormat.PKCS8, PrivateFormat.OpenSSH
AUTH = b64encode(b"user:password").decode()
DOCKER = "kubernetes.io/dockerconfigjson"
TYPED: list[tuple[str, dict[str, str], str]] = [
    (DOCKER, {".dockerconfigjson": docker(auth=AUTH)}, ""),
    (DOCKER, {".dockerconfigjson": docker(auth=AUTH.rstrip("="))}, ""),
    (DOCKER, {".dockerconfigjson": docker(username="u", password="p")}, ""),
    (DOCKER, {".dockerconfigjson": b64encode(docker(auth=AUTH).encode()).decode()}, "is no JSON object"),
    (DOCKER, {".dockerconfigjson": "[]"}, "is no JSON object"),
    (DOCKER, {".dockerconfigjson": '{"registry.example": {}}'}, "it has no registries under auths"),
    (DOCKER, {".dockerconfigjson": '{"auths": []}'}, "it has no registries under auths"),
    (DOCKER, {".dockerconfigjson": docker(auth="user:password")}, "whose auth is not user:password in base64"),
    (DOCKER, {".dockerconfigjson": docker()}, "holds a registry without credentials"),
    ("kubernetes.io/dockercfg", {".dockercfg": json.dumps({"r.example": {"auth": AUTH}})}, ""),
    ("kubernetes.io/dockercfg", {".dockercfg": docker(auth=AUTH)}, "use the type kubernetes.io/dockerconfigjson"),
    ("kubernetes.io/tls", {"tls.crt": certificate(KEY, "a"), "tls.key": private_key(KEY, PKCS8)}, ""),
    (
        "kubernetes.io/tls",
        {"tls.crt": certificate(KEY, "a") + certificate(OTHER, "ca"), "tls.key": private_key(KEY, PKCS8)},
        "",
    ),
    (
        "kubernetes.io/tls",
        {"tls.crt": certificate(OTHER, "ca") + certificate(KEY, "a"), "tls.key": private_key(KEY, PKCS8)},
        "does not begin with the certificate of tls.key",
    ),
    (
        "kubernetes.io/tls",
        {"tls.crt": certificate(OTHER, "a"), "tls.key": private_key(KEY, PKCS8)},
        "is not the key of the certificate in tls.crt",
    ),
    ("kubernetes.io/tls", {"tls.crt": "MIIB", "tls.key": private_key(KEY, PKCS8)}, "is no certificate in PEM"),
    ("kubernetes.io/tls", {"tls.crt": certificate(KEY, "a"), "tls.key": "a key"}, "is no private key in PEM"),
    (
        "kubernetes.io/tls",
        {"tls.crt": certificate(KEY, "a"), "tls.key": private_key(KEY, PKCS8, "word")},
        "is a private key with a passphrase",
    ),
    (
        "kubernetes.io/ssh-auth",
        {"ssh-privatekey": private_key(ed25519.Ed25519PrivateKey.generate(), OPENSSH)},
        "",
    ),
    ("kubernetes.io/ssh-auth", {"ssh-privatekey": private_key(KEY, PKCS8)}, ""),
    ("kubernetes.io/ssh-auth", {"ssh-privatekey": "ssh-ed25519 AAAA me@here"}, "is no private key in PEM"),
    ("kubernetes.io/basic-auth", {"username": "me", "password": "a:b"}, ""),
    ("kubernetes.io/basic-auth", {"username": "me:you", "password": "a"}, "holds a colon"),
    ("kubernetes.io/basic-auth", {"username": "me", "password": "a\nb"}, "is not one line of text"),
    ("bootstrap.kubernetes.io/token", {"token-id": "abcdef", "token-secret": "0123456789abcdef"}, ""),
    ("bootstrap.kubernetes.io/token", {"token-id": "ABC", "token-secret": "0123456789abcdef"}, "is not 6 lower case"),
]


@pytest.mark.parametrize(("type_", "values", "problem"), TYPED, ids=range(len(TYPED)))
def test_the_values_of_a_known_type_have_its_form(
    type_: str, values: Mapping[str, str], problem: str, tmp_path: Path
) -> None:
    """As the API server and the programs that read such a Secret demand it."""
    project = Project(tmp_path)
    project.declare("app", declared(values), type=type_)
    project.sealed_overlay()
    done = project.ksecret(
        "seal", "prod", "-f", "-", stdin=yaml.safe_dump(secret_manifest("app", stringData=dict(values)))
    )
    assert (done.code, done.err.count("error:"), problem in done.err) == (2 if problem else 0, bool(problem), True)
    assert project.manifest("app").exists() is not bool(problem)


def test_a_secret_is_no_larger_than_the_api_server_takes(tmp_path: Path) -> None:
    """All its values together, in bytes."""
    project = shop(tmp_path)
    values = {"token": "x1" * (1 << 18), "password": "y2" * (1 << 18)}
    done = project.ksecret("seal", "prod", "-f", "-", stdin=yaml.safe_dump(secret_manifest("app", stringData=values)))
    warning = "app has 1366 KiB as a manifest, more than client-side kubectl apply can store"
    assert (done.code, warning in done.err) == (0, True)
    values["password"] += "z"
    given_ = yaml.safe_dump(secret_manifest("app", stringData=values))
    done = project.ksecret("seal", "prod", "--reseal", "-f", "-", stdin=given_)
    message = "the values of app have 1048577 bytes together, and a Secret holds 1048576 at most"
    assert (done.code, message in done.err) == (2, True)


_BLANKS = st.text(alphabet=" \t\r\n", max_size=2)
_INNER = st.text(st.characters(exclude_characters="{}[]<>()\n\r", exclude_categories=["C", "Z"]), min_size=1)


@settings(deadline=None)
@given(_BLANKS, _INNER, _BLANKS, st.sampled_from(['"', "'", ""]))
@example("", "DB_PASSWORD", "\n", "")
def test_blanks_and_quotes_hide_no_form(before: str, inner: str, after: str, quote: str) -> None:
    """Whatever stands in the braces."""
    for text in (f"${{{inner}}}", f"{{{{ {inner} }}}}", f"<path:{inner}>"):
        assert stand_in(f"{before}{quote}{text}{quote}{after}".encode()) is not None, text


@settings(deadline=None)
@given(
    st.text(alphabet="abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWYZ0123456789-._~", min_size=12).filter(
        str.isalnum
    )
)
def test_random_text_is_a_value(text: str) -> None:
    """None of it is taken for a placeholder."""
    assert stand_in(text.encode()) is None


@given(st.binary())
def test_bytes_do_no_harm(content: bytes) -> None:
    """Whatever they are, the answer is a form or none."""
    form = stand_in(content)
    assert form is None or form.kind in ("ciphertext", "reference", "variable", "placeholder")
