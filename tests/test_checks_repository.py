"""Secret files and private keys that Git tracks; every key is made here."""

import json
import time
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from kubectl_ksecret.files import contents, git
from kubectl_ksecret.files.project import Project as Files

from .deployed import OVERLAY, deployed, found, kustomize, line
from .projects import Project, age, sealing

FILES, KEYS = "tracked-secret-file", "private-key"
PEM = sealing(1).private_key.decode()


def keys() -> dict[str, str]:
    """Private keys of many kinds and forms, as text."""
    curve, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    old = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    encrypted = curve.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"word"))
    short = edwards.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "PKCS 8": PEM,
        "PKCS 1": old.decode(),
        "of a curve": curve.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode(),
        "short": short,
        "OpenSSH": edwards.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
        "encrypted, with headers": encrypted.decode(),
        "age": age("somebody").identity,
        "Windows": PEM.replace("\n", "\r\n"),
        "JSON": json.dumps({"key": short}),
        "source code": "\n".join(f'    "{text}\\n"' for text in short.splitlines()),
        "kubeconfig": f"client-key-data: {b64encode(short.encode()).decode()}",
        "PGP": short.replace("PRIVATE KEY", "PGP PRIVATE KEY BLOCK").replace("-----\n", "-----\nVersion: 1\n\n", 1),
    }


@pytest.mark.parametrize("kind", keys())
def test_a_private_key_is_found_at_its_line_in_every_form(tmp_path: Path, kind: str) -> None:
    """Not while Git does not track its file; nothing of the key is shown."""
    project, key = deployed(tmp_path), keys()[kind]
    project.write("docs/guide.md", f"# Guide\n\n{key}\nafter it\n")
    assert found(project, KEYS) == []
    project.git("add", "--all")
    assert found(project, KEYS, FILES) == ["docs/guide.md:3"]
    assert key.strip()[40:60] not in project.ksecret("check").out


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN PRIVATE KEY-----",
        b'("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "AGE-SECRET-KEY-1")',
        b"-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\n" + b"YWJj" * 16,
        b"LS0tLS1CRUdJTi" + b"A" * 200,
        # A key is new in each process, and may not become part of the name of a test.
        pytest.param(b"\0\1" + PEM.encode(), id="a key in a file that is no text"),
        pytest.param(b" " * (1 << 20) + PEM.encode(), id="a key behind a megabyte of blanks"),
    ],
)
def test_what_is_no_key_or_no_text_is_not_found(tmp_path: Path, content: bytes) -> None:
    """Markers alone, what is public, binary files, and what stands beyond the first megabyte."""
    project = deployed(tmp_path)
    project.write("file", content)
    project.git("add", "--all")
    assert found(project, KEYS, FILES) == []


def test_symlinks_are_not_followed_and_test_data_is_left_out(tmp_path: Path) -> None:
    """Nothing outside of the project is read, and nobody's fixtures are told."""
    project = deployed(tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key.txt").write_text(PEM)
    (project.root / "one.txt").symlink_to(tmp_path / "outside" / "key.txt")
    project.write("folder/key.txt", "nothing\n")
    project.write("testdata/key.txt", PEM)
    project.write("lib/node_modules/key.txt", PEM)
    project.git("add", "--all")
    (project.root / "folder" / "key.txt").unlink()
    (project.root / "folder").rmdir()
    (project.root / "folder").symlink_to(tmp_path / "outside")
    assert found(project, KEYS, FILES) == []


def test_a_key_that_is_the_value_of_a_secret_is_found_as_one(tmp_path: Path) -> None:
    """The plaintext Secret is told, once."""
    project = deployed(tmp_path)
    body = "".join(f"    {text}\n" for text in PEM.splitlines())
    text = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: old\nstringData:\n  key: |\n{body}"
    project.write(f"{OVERLAY}/old.yaml", text + "---\n" + text.replace("kind: Secret", "kind: Other"))
    project.git("add", "--all")
    assert found(project, "plaintext-secret") == [f"{OVERLAY}/old.yaml:6"]
    assert found(project, KEYS) == [f"{OVERLAY}/old.yaml:{text.count(chr(10)) + 8}"]


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        "app/.env.production",
        "prod.env",
        "app/.ENV",
        "app.key",
        "app.pfx",
        "app.p12",
        ".ssh/id_rsa",
        "id_ed25519",
    ],
)
def test_a_secret_file_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    """As soon as Git tracks it, and as a whole."""
    project = deployed(tmp_path)
    project.write(name, "TOKEN=something\n")
    assert found(project, FILES) == []
    project.git("add", "--all", "--force")
    assert found(project, FILES) == [name]


@pytest.mark.parametrize("name", ["keys.txt", "tls.key", "id_rsa"])
def test_a_key_file_is_found_once(tmp_path: Path, name: str) -> None:
    """Not as a file that holds a key too."""
    project = deployed(tmp_path)
    project.write(name, age("somebody").identity if name == "keys.txt" else PEM)
    project.git("add", "--all")
    assert (found(project, FILES), found(project, KEYS)) == ([name], [])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.example", "TOKEN=something"),
        (".env.prod.sample", "TOKEN=something"),
        ("template.env", "TOKEN=something"),
        (".env.vault", "TOKEN=something"),
        (".env", ""),
        (".env", "# TOKEN=something\nTOKEN=\nexport OTHER='' # none\n"),
        ("prod.env", "TOKEN=ENC[AES256_GCM,data:YQ==]\nsops_mac=ENC[AES256_GCM,data:YQ==]\n"),
        ("app.key", '{"data": "ENC[AES256_GCM,data:YQ==]", "sops": {}}'),
        ("sign.key", "-----BEGIN PUBLIC KEY-----\n"),
        ("talk.key", "PK\x03\x04"),
        ("keys.txt", "left, right\n"),
        (".environment", "TOKEN=something"),
        ("keyfile.py", "TOKEN=something"),
    ],
)
def test_a_file_without_a_secret_is_not_found(tmp_path: Path, name: str, content: str) -> None:
    """Examples, empty ones, what is encrypted, and names that only look alike."""
    project = deployed(tmp_path)
    project.write(name, content)
    project.git("add", "--all", "--force")
    assert found(project, FILES, KEYS) == []


def test_the_dotenv_file_of_an_overlay_is_found_in_the_overlay(tmp_path: Path) -> None:
    """Whatever its name; once, although its name alone would tell."""
    project = deployed(tmp_path)
    project.sealed_overlay("prod", source={"dotenv": {"file": "../../../values.txt"}})
    project.sealed_overlay("other", source={"dotenv": {"file": "../../../.env"}})
    project.write("values.txt", "TOKEN=something\n")
    project.write(".env", "TOKEN=something\n")
    assert found(project, FILES, arguments=("test",)) == []
    project.git("add", "--all", "--force")
    expected = [line(project, f"overlays/{overlay}/secrets/ksecret.yaml", "file:") for overlay in ("other", "prod")]
    assert found(project, FILES, arguments=("test",)) == expected


def test_what_a_config_map_is_made_of_is_no_secret_file(tmp_path: Path) -> None:
    """The Secret beside it is."""
    project = deployed(tmp_path)
    for name in ("settings.env", "secret.env"):
        project.write(f"{OVERLAY}/{name}", f"{name[:3]}=value\n")
    kustomize(project, configMapGenerator=[{"name": "settings", "envs": ["settings.env"]}])
    project.git("add", "--all")
    assert found(project, FILES) == [f"{OVERLAY}/secret.env"]


def test_without_git_nothing_is_tracked(tmp_path: Path) -> None:
    """And a check works all the same."""
    project = deployed(tmp_path)
    project.write(".env", PEM)
    (project.root / ".git").rename(tmp_path / "elsewhere")
    assert found(project, FILES, KEYS) == []


def test_ten_thousand_files_are_searched_within_seconds(tmp_path: Path) -> None:
    """Most of the time is the system's, for opening them."""
    project = Project(tmp_path)
    for number in range(10_000):
        folder = project.root / str(number % 100)
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.yaml").write_text(f"key: {number}\n" * 100)
    project.write("last.txt", PEM)
    project.git("add", "--all")
    files = Files(str(project.root))
    before = time.perf_counter()
    assert [hit.path for hit in contents.search(files, git.tracked(files) or ())] == ["last.txt"]
    assert time.perf_counter() - before < 5
