"""A value that is put in everywhere comes out nowhere, in no encoding: not shown, not written, not handed on."""

import json
import re
import signal
import subprocess
import sys
import time
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from .forkserver import COMMAND
from .keyvault import KeyVault
from .keyvault.faults import Fault, cut, garbled
from .kms import Kms
from .openbao import OpenBao
from .peers import unprivileged
from .projects import DOTENV, Done, Project, age, sealing, secret_manifest

CORE = "Zx7qWv9kJt2m"
CANARY = f"{CORE}&\"'\\ %/+=ß☃$({CORE}):*<{CORE}"
# What every reader of a dotenv file takes for the same, in single quotes.
QUOTABLE = CANARY.replace("'", "").replace("\\", "")
IN_DOTENV = f"TOKEN='{QUOTABLE}'\n"
IDENTITY = age("alice").identity

WATCH = """
import os, sys
log = os.open(os.environ["WATCH"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def watch(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.spawn"):
        os.write(log, f"run {arguments!r}\\n".encode())
    elif event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR) and not isinstance(arguments[0], int):
        os.write(log, f"write {arguments[0]}\\n".encode())
sys.addaudithook(watch)
"""


def in_base64(secret: str) -> set[str]:
    """How a text looks in base64, whatever stands before it; the letters at both ends depend on its neighbours."""
    shifted = [b"\0" * shift + secret.encode() for shift in range(3)]
    return {encoded.decode()[4:-4] for text in shifted for encoded in (b64encode(text), urlsafe_b64encode(text))}


def encodings(secret: str, piece: int) -> set[bytes]:
    """What would give a secret away, in lower case: a piece of it, and its encodings, also one within another.

    None is shorter than the piece: base64 of base64 has a middle of four letters, which stand in many a ciphertext.
    """
    forms = {secret[at : at + piece] for at in range(len(secret) - piece + 1)}
    for text in (secret, *in_base64(secret)):
        forms |= {text, text.encode().hex()} | in_base64(text)
    return {form.lower().encode() for form in forms if len(form) >= piece}


# A short piece stands in any ciphertext by chance, once in a thousand runs of these tests.
_OF_IDENTITY = encodings(IDENTITY.removeprefix("AGE-SECRET-KEY-1"), 12)
SHOWN, STORED = encodings(CORE, 6) | _OF_IDENTITY, encodings(CORE, 8) | _OF_IDENTITY


def traces(content: bytes, forms: set[bytes]) -> list[bytes]:
    """The pieces and encodings of a secret that stand somewhere."""
    lower = content.lower()
    return [trace for trace in forms if trace in lower]


class Watched(Project):
    """A project whose commands are watched: what they show, write, and hand on to other programs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.temporary, self.log = folder / "temporary", folder / "log"
        self.temporary.mkdir()
        watching = folder / "watching"
        watching.mkdir()
        (watching / "sitecustomize.py").write_text(WATCH)
        self.environment |= {
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(watching),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WATCH": str(self.log),
        }
        self.given: set[str] = set()

    def give(self, name: str, content: str | bytes) -> str:
        """A file with the secret in it; its name."""
        self.given.add(name)
        self.write(name, content)
        return name

    def assert_nothing_leaked(self, *shown: str) -> None:
        """Neither in what was shown, nor in a file, nor in the arguments of another program."""
        for text in shown:
            assert (traces(text.encode(), SHOWN), "Traceback" in text) == ([], False)
        for name, content in self.files().items():
            assert name in self.given or (name, traces(content, STORED)) == (name, [])
        assert list(self.temporary.iterdir()) == []
        log = self.log.read_bytes()
        assert traces(log, SHOWN) == []
        written = re.findall(r"^write (.*)$", log.decode(), re.MULTILINE)
        assert [name for name in written if not name.startswith((str(self.root), "/dev/"))] == []


SOURCES = (
    *("azureKeyVault", "dotenv", "other dotenv", "environment", "command"),
    *("data", "stringData", "stdin", "terminal"),
)
KEYS: dict[str, dict[str, Any]] = {
    "any value": {},
    "a longer one": {"rules": {"minLength": 999}},
    "a shorter one": {"rules": {"maxLength": 9}},
    "one of a pattern": {"rules": {"pattern": "^[0-9]$"}},
    "one of a format": {"rules": {"format": "pem"}},
    "one of JSON": {"property": "a.b"},
    "one of base64": {"encoding": "base64"},
    "one that is made": {"template": "{{ part | urlencode }}{{ part }}"},
    "one that is made of a certificate": {"template": "{{ part }}{{ part | json | pkcs12key }}"},
    "one that is made of a longer one": {"template": "{{ longer }}"},
}
INPUTS = {"part": {"remoteName": "token"}, "longer": {"remoteName": "token", "rules": {"minLength": 999}}}


@contextmanager
def key_vault(project: Watched) -> Iterator[KeyVault]:
    """A vault with the canary in it, from which the overlay `prod` is sealed."""
    with KeyVault() as vault:
        vault.set("token", CANARY)
        project.sealed_overlay(source={"azureKeyVault": {"vaultUrl": vault.url}})
        yield vault


def seal_from(project: Watched, source: str) -> Done:
    """Seal app/token with the canary as its value in the source."""
    project.sealed_overlay()
    if source == "command":
        program = project.give("vault", f"cat <<'end'\n{CANARY}\nend\n")
        project.sealed_overlay(source={"command": {"arguments": ["sh", program, "{name}"]}})
        return project.ksecret("seal", "prod")
    if source == "azureKeyVault":
        with key_vault(project) as vault:
            return project.ksecret("seal", "prod", **vault.environment)
    if source == "terminal":
        command = ("seal", "prod", "app/token", "--from-stdin")
        # What it would seal for is confirmed beforehand, so that the prompt for the value is the only question.
        return project.on_terminal(*command, typed=f"{CANARY}\n".encode(), **project.accepting(*command))
    if source == "stdin":
        return project.ksecret("seal", "prod", "app/token", "--from-stdin", stdin=CANARY)
    if source in ("data", "stringData"):
        text = b64encode(CANARY.encode()).decode() if source == "data" else CANARY
        project.give("given.yaml", yaml.safe_dump(secret_manifest("app", **{source: {"token": text}})))
        return project.ksecret("seal", "prod", "-f", "given.yaml")
    if source == "environment":
        return project.ksecret("seal", "prod", "--source", "environment", TOKEN=CANARY)
    project.give(".env", IN_DOTENV)
    return project.ksecret("seal", "prod", *(["--source", "dotenv=.env"] if source == "other dotenv" else []))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("source", SOURCES)
def test_a_value_leaves_no_trace_when_it_is_sealed_or_refused(tmp_path: Path, source: str, key: str) -> None:
    """From every source, for every key that takes it and every one that does not."""
    project = Watched(tmp_path)
    inputs = {name: stated for name, stated in INPUTS.items() if name in KEYS[key].get("template", "")}
    project.declare("app", {"token": KEYS[key]}, inputs=inputs)
    done = seal_from(project, source)
    refused = "rules" in KEYS[key]
    if source not in ("data", "stringData", "stdin", "terminal"):  # these give what the Secret shall hold
        refused |= key in ("one of JSON", "one of base64")
        refused |= key in ("one that is made of a certificate", "one that is made of a longer one")
    assert (done.code, project.manifest("app").exists()) == ((2, False) if refused else (0, True))
    project.assert_nothing_leaked(done.out, done.err)


def test_no_later_command_shows_a_sealed_value(tmp_path: Path) -> None:
    """Neither list nor render nor a second seal, in any format, with SealedSecrets and with SOPS."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}, "made": {"template": "<{{ token }}>"}})
    project.sealed_overlay()
    project.sops_overlay("bob", name="eu")
    project.give(".env", IN_DOTENV)
    for arguments in (
        ["seal"],
        ["seal", "--reseal"],
        ["seal", "--reseal", "--dry-run"],
        *(["list", "-o", output] for output in ("table", "markdown", "json", "yaml")),
        *(["render", "-o", output] for output in ("yaml", "json", "name")),
        ["render", "--check"],
        ["render", "--write"],
        ["init", "overlays/new", "--backend", "sealedSecret", "--namespace", "new", "--certificate", "sealing.pem"],
    ):
        project.write("sealing.pem", sealing(1).certificate)
        done = project.ksecret(*arguments, SOPS_AGE_KEY=age("bob").identity)
        assert (arguments, done.code, done.err) == (arguments, 0, "")
        project.assert_nothing_leaked(done.out)


def test_plain_values_are_on_standard_output_alone_when_they_are_asked_for(tmp_path: Path) -> None:
    """`unseal` and `render --decrypt` into a pipe: that is the one place."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.sops_overlay("bob", name="eu")
    project.give(".env", IN_DOTENV)
    project.done("seal")
    project.write("key.pem", sealing(1).private_key)
    for arguments in (
        ["unseal", str(project.manifest("app")), "--private-key", "key.pem"],
        ["render", "eu", "--decrypt"],
    ):
        for output in ("yaml", "json"):
            done = project.ksecret(*arguments, "-o", output, SOPS_AGE_KEY=age("bob").identity)
            shown = yaml.safe_load(done.out)
            (token,) = [document["data"]["token"] for document in shown.get("items", [shown])]
            assert b64decode(token).decode() == QUOTABLE
            project.assert_nothing_leaked(done.err)
        with (project.temporary / "out").open("wb") as file:
            assert run_into(project, arguments, file.fileno()).returncode == 2
        assert (project.temporary / "out").read_bytes() == b""
        (project.temporary / "out").unlink()
        done = project.on_terminal(*arguments)
        assert done.code == 2
        project.assert_nothing_leaked(done.out)


def run_into(project: Watched, arguments: list[str], out: int) -> subprocess.CompletedProcess[bytes]:
    environment = project.environment | {"SOPS_AGE_KEY": age("bob").identity}
    return subprocess.run([COMMAND, *arguments], cwd=project.root, env=environment, stdout=out, check=False)


BASE64 = b64encode(CANARY.encode()).decode()
PADDED = b64encode(CORE.encode() + b"=").decode()
MALFORMED: dict[str, tuple[str | bytes, list[str]]] = {
    # what is in the file `given`, and how it is given to `seal prod`
    "no name in a dotenv": (CANARY, ["--source", "dotenv=given"]),
    "a second line": (f'TOKEN="{CANARY}\n{CANARY}"\n', ["--source", "dotenv=given"]),
    "a name with a dash": (f"my-{CORE}={CANARY}\n", ["--source", "dotenv=given"]),
    "a name twice": (f"TOKEN={CANARY}\nTOKEN={CANARY}\n", ["--source", "dotenv=given"]),
    "a line of base64 twice": (f"TOKEN=x\n{PADDED}\n{PADDED}\n", ["--source", "dotenv=given"]),
    "no UTF-8 in a dotenv": (f"TOKEN={CANARY}".encode() + b"\xff\n", ["--source", "dotenv=given"]),
    "another name": (f"OTHER='{QUOTABLE}'\n", ["--source", "dotenv=given"]),
    "another kind": (f"kind: ConfigMap\nmetadata: {{name: app}}\ndata: {{token: '{BASE64}'}}\n", ["-f", "given"]),
    "no base64": (yaml.safe_dump(secret_manifest("app", data={"token": CANARY})), ["-f", "given"]),
    "base64 of another alphabet": (
        yaml.safe_dump(secret_manifest("app", data={"token": f"{BASE64}-_"})),
        ["-f", "given"],
    ),
    "a mapping": (yaml.safe_dump(secret_manifest("app", stringData={"token": {CORE: CANARY}})), ["-f", "given"]),
    "a list": (yaml.safe_dump(secret_manifest("app", data={"token": [CANARY]})), ["-f", "given"]),
    "twice": (yaml.safe_dump_all([secret_manifest("app", stringData={"token": CANARY})] * 2), ["-f", "given"]),
    "a text": (yaml.safe_dump(CANARY), ["-f", "given"]),
    "a list of texts": (yaml.safe_dump({"kind": "List", "items": [CANARY]}), ["-f", "given"]),
    "a quote that does not end": (f'kind: Secret\nstringData: {{token: "{CORE}', ["-f", "given"]),
    "a tab": (f"kind: Secret\nstringData:\n\ttoken: {CORE}\n", ["-f", "given"]),
    "an unknown alias": (f"kind: Secret\nstringData: {{token: *{CORE}}}\n", ["-f", "given"]),
    "an alias": (f"kind: Secret\nstringData: {{a: &{CORE} {CORE}, token: *{CORE}}}\n", ["-f", "given"]),
    "an unknown tag": (f"kind: Secret\nstringData: {{token: !{CORE} {CORE}}}\n", ["-f", "given"]),
    "a tag of Python": (f"kind: Secret\nstringData: {{token: !!python/name:{CORE} x}}\n", ["-f", "given"]),
    "a date that there is not": (f"kind: Secret\nstringData: {{b: {CORE}, token: 2026-13-45}}\n", ["-f", "given"]),
    "a control character": (f"kind: Secret\nstringData: {{token: {CORE}\x01}}\n", ["-f", "given"]),
    "no UTF-8": (f"kind: Secret\nstringData: {{token: {CORE}".encode() + b"\xff}\n", ["-f", "given"]),
    "JSON that ends too soon": (json.dumps(secret_manifest("app", data={"token": CANARY}))[:-2], ["-f", "given"]),
    "two values on standard input": (CANARY, ["app", "--from-stdin"]),
    "a value in the place of a Secret": (CANARY, ["-f", "-"]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_an_error_shows_nothing_of_a_malformed_input(tmp_path: Path, name: str) -> None:
    """It says where and what was expected; exit code 2, or 3 for what a source lacks."""
    content, options = MALFORMED[name]
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.give("given", content)
    done = project.ksecret("seal", "prod", *options, stdin=content)
    assert done.code == (3 if name == "another name" else 2)
    assert done.err.splitlines()[-1].startswith(("error: ", "hint: ", "Error: "))
    assert not project.manifest("app").exists()
    project.assert_nothing_leaked(done.out, done.err)


JSON_VALUES = {
    "ends too soon": f'{{"a": "{CORE}',
    "no text": f'{{"a": ["{CORE}"]}}',
    "another member": f'{{"{CORE}": "{CORE}"}}',
    "half a character": f'{{"a": "{CORE}\\ud800"}}',
    "deeply nested": "[" * 9999 + f'"{CORE}"' + "]" * 9999,
    "a long number": '{"a": ' + "7" * 5001 + f', "b": "{CORE}"}}',
    "no base64": f'{{"a": "{CORE}%"}}',
}


@pytest.mark.parametrize("name", JSON_VALUES)
def test_an_error_shows_nothing_of_a_json_value(tmp_path: Path, name: str) -> None:
    """Whatever is wrong with it."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {"property": "a", "encoding": "base64"}})
    project.sealed_overlay()
    project.give(".env", f"TOKEN={JSON_VALUES[name]}\n")
    done = project.ksecret("seal", "prod")
    assert done.code == 2
    project.assert_nothing_leaked(done.out, done.err)


SEAL, CHECK = ["seal", "prod"], ["check", "--with-values"]
ROTATE = ["rotate", "prod", "app/token", "--from-stdin", "--yes"]
FAULTS: dict[str, tuple[list[str], Fault, str]] = {
    "a value that is half a JSON text": (SEAL, garbled(), "GET /secrets/token"),
    "a value that is cut off": (SEAL, cut("within"), "GET /secrets/token"),
    "a value that is checked": (CHECK, garbled(), "GET /secrets/token"),
    "a new version that is half a JSON text": (ROTATE, garbled(), "PUT /secrets/token"),
    "a new version that is cut off": (ROTATE, cut("within"), "PUT /secrets/token"),
    "a token that is half a JSON text": (SEAL, garbled(), "POST /adfs/**"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_error_shows_nothing_of_what_a_vault_answered(tmp_path: Path, name: str) -> None:
    """Azure's own messages quote what is no JSON, and so a value; a new version's answer holds it as well."""
    command, fault, requests = FAULTS[name]
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    with key_vault(project) as vault:
        met = vault.faults.add(fault, requests)
        done = project.ksecret(*command, stdin=CANARY, **vault.environment)
        assert met.count > 0
        assert [text for text in (vault.environment["AZURE_CLIENT_SECRET"], "access_") if text in done.err] == []
    project.assert_nothing_leaked(done.out, done.err)
    journal = b"".join(path.read_bytes() for path in (project.root / ".git").rglob("*") if path.is_file())
    assert traces(journal, STORED) == []


PROGRAMS = {
    "fails": "exit 1",
    "is killed": "kill -9 $$",
    "takes too long": "exec sleep 60",
    "prints what breaks a rule": "exit 0",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_error_shows_nothing_of_what_a_command_printed(tmp_path: Path, name: str) -> None:
    """A command that prints the value and then fails; its standard output is not shown."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {"rules": {"maxLength": 3}}})
    program = project.give("vault", f"echo '{CORE}'\n{PROGRAMS[name]}\n")
    command = {"arguments": ["sh", program, "{name}"], "timeLimit": "500ms"}
    project.sealed_overlay(source={"command": command})
    done = project.ksecret("seal", "prod")
    assert done.code == (2 if "rule" in name else 3)
    project.assert_nothing_leaked(done.out, done.err)


@pytest.mark.parametrize("options", [[], ["--source", "dotenv=.env"]])
def test_an_error_shows_nothing_of_a_file_that_git_tracks(tmp_path: Path, options: list[str]) -> None:
    """The name is enough."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.give(".env", IN_DOTENV)
    project.git("add", "--force", ".env")
    done = project.ksecret("seal", "prod", *options)
    assert done.code == 2
    project.assert_nothing_leaked(done.out, done.err)


def pem(kind: str) -> bytes:
    return f"-----BEGIN {kind}-----\n{b64encode(CANARY.encode()).decode()}\n-----END {kind}-----\n".encode()


KEY_FILES: dict[str, str | bytes] = {
    "another key": sealing(2).private_key,
    "text": CANARY,
    "PEM of something else": pem("PRIVATE KEY"),
    "an encrypted one": pem("ENCRYPTED PRIVATE KEY"),
    "a Secret": yaml.safe_dump(secret_manifest("key", data={"tls.key": BASE64})),
    "a Secret without base64": yaml.safe_dump(secret_manifest("key", data={"tls.key": CANARY})),
    "broken YAML": f'"{CORE}',
}


@pytest.mark.parametrize("name", KEY_FILES)
def test_an_error_shows_nothing_of_a_private_key(tmp_path: Path, name: str) -> None:
    """Nor of the value that it does not open."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.give(".env", IN_DOTENV)
    project.done("seal")
    project.give("key", KEY_FILES[name])
    done = project.ksecret("unseal", str(project.manifest("app")), "--private-key", "key")
    assert (done.code, done.out) == (3 if name == "another key" else 2, "")
    project.assert_nothing_leaked(done.err)


@pytest.mark.parametrize("kind", ["CERTIFICATE", "PRIVATE KEY", "nothing"])
def test_an_error_shows_nothing_of_a_file_in_place_of_a_certificate(tmp_path: Path, kind: str) -> None:
    """Of seal, and of init."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.give("overlays/prod/secrets/sealing.pem", CANARY if kind == "nothing" else pem(kind))
    done = project.ksecret("seal", "prod", "app/token", "--from-stdin", stdin=CANARY)
    assert done.code == 2
    project.assert_nothing_leaked(done.out, done.err)
    arguments = ["--backend", "sealedSecret", "--namespace", "a", "--certificate", "overlays/prod/secrets/sealing.pem"]
    done = project.ksecret("init", "overlays/new", *arguments)
    assert done.code == 2
    project.assert_nothing_leaked(done.out, done.err)


TAMPERING = {
    "a value": (r"token: ENC\[AES256_GCM,data:....", "token: ENC[AES256_GCM,data:AAAA"),
    "the MAC": (r"mac: ENC\[AES256_GCM,data:....", "mac: ENC[AES256_GCM,data:AAAA"),
    "the data key": (r"-----BEGIN AGE ENCRYPTED FILE-----\n *....", "-----BEGIN AGE ENCRYPTED FILE-----\n        AAAA"),
    "the type": (r"(token: .*)type:str", r"\1type:int"),
    "the recipient's name": (r"recipient: age1....", "recipient: age1qqqq"),
}


@pytest.mark.parametrize("fault", TAMPERING)
def test_an_error_shows_nothing_of_a_sops_file_that_was_tampered_with(tmp_path: Path, fault: str) -> None:
    """Of the part that can be decrypted, and of the new value that would stand beside it."""
    project = Watched(tmp_path)
    project.declare(
        "app", {"token": {"remoteName": "token"}, "other": {"remoteName": "token"}, "third": {"remoteName": "token"}}
    )
    project.sops_overlay("bob")
    project.give(".env", IN_DOTENV)
    project.done("seal")
    text = project.manifest("app").read_text()
    changed = re.sub(*TAMPERING[fault], text, count=1)
    assert changed != text
    project.manifest("app").write_text(changed)
    for arguments in (["render", "--decrypt"], ["seal", "prod", "app/other", "--from-stdin"]):
        done = project.ksecret(*arguments, stdin=CANARY, SOPS_AGE_KEY=age("bob").identity)
        if fault != "the recipient's name":  # it is nobody's key any more, and the file opens by what it was made for
            assert (arguments, done.out, done.code in (2, 3)) == (arguments, "", True)
            project.assert_nothing_leaked(done.out)
        project.assert_nothing_leaked(done.err)


@pytest.mark.parametrize("form", ["data", "stringData", "half"])
def test_an_error_shows_nothing_of_a_secret_that_was_committed_in_plain_text(tmp_path: Path, form: str) -> None:
    """Where SOPS should have encrypted it: every command that reads it refuses it, and seal mends it."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sops_overlay("bob")
    plain = secret_manifest("app", **{"stringData" if form == "stringData" else "data": {"token": BASE64}})
    plain["metadata"]["namespace"] = "shop-prod"
    if form == "half":
        plain["sops"] = {"age": [{"recipient": age("bob").recipient, "enc": CANARY}], "mac": CANARY}
    project.give("overlays/prod/secrets/manifests/app.yaml", yaml.safe_dump(plain))
    for arguments in (["render"], ["render", "--decrypt"]):
        done = project.ksecret(*arguments, SOPS_AGE_KEY=age("bob").identity)
        assert (arguments, done.code) == (arguments, 1)
        project.assert_nothing_leaked(done.out, done.err)
    accepting = ["--accept", age("bob").recipient] if form == "half" else []
    done = project.ksecret("seal", "prod", "app/token", "--from-stdin", *accepting, stdin=CANARY)
    assert done.code == 0
    project.given.clear()
    project.assert_nothing_leaked(done.out, done.err)


PASTED: dict[str, dict[str, Any]] = {
    "as the key": {"token": CANARY},
    "as a field": {"token": {"value": CANARY}},
    "as a length": {"token": {"rules": {"minLength": CANARY}}},
    "as a format": {"token": {"rules": {"format": CANARY}}},
    "as an encoding": {"token": {"encoding": CANARY}},
    "as generation": {"token": {"generate": CANARY}},
    "as a property": {"token": {"property": CANARY}},
    "as an address": {"token": {"from": CANARY}},
    "as a list": {"token": [CANARY]},
    "as all keys": {"token": {}, "keys": CANARY},
}


@pytest.mark.parametrize("where", PASTED)
def test_an_error_shows_nothing_of_a_value_pasted_into_a_declaration(tmp_path: Path, where: str) -> None:
    """A declaration holds no value, but somebody will try; field and place are named."""
    project = Watched(tmp_path)
    project.sealed_overlay()
    keys = PASTED[where]
    project.declare("app", keys.get("keys", keys))
    project.given.add("generators/app.yaml")
    for arguments in (
        ["list"],
        ["render", "--write"],
        ["render", "--check"],
        ["render", "--decrypt"],
        ["seal", "prod"],
    ):
        done = project.ksecret(*arguments)
        assert (done.code, done.err.startswith("error: generators/app.yaml:")) == (2, True)
        project.assert_nothing_leaked(done.out, done.err)


def test_an_age_identity_in_place_of_a_recipient_is_not_shown(tmp_path: Path) -> None:
    """In the overlay, in .sops.yaml, and on the command line of init and seal."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.write(".env", "TOKEN=x\n")
    project.overlay("prod", {"sops": {"age": [IDENTITY]}}, **DOTENV)
    project.given.add("overlays/prod/secrets/ksecret.yaml")
    shown = [project.ksecret("seal", "prod"), project.ksecret("render", "prod")]
    project.overlay("prod", {"sops": {}}, **DOTENV)
    project.given.clear()
    project.give(".sops.yaml", yaml.safe_dump({"creation_rules": [{"age": IDENTITY}]}))
    shown.append(project.ksecret("seal", "prod"))
    shown.append(project.ksecret("init", "overlays/a", "--backend", "sops", "--namespace", "a", "--age", IDENTITY))
    (project.root / ".sops.yaml").unlink()
    project.given.clear()
    project.sops_overlay("bob")
    project.done("seal", "prod")
    project.sops_overlay("carol")
    shown.append(project.untrusting("seal", "prod", "--accept", IDENTITY))
    assert [done.code for done in shown] == [2] * len(shown)
    project.assert_nothing_leaked(*(done.out + done.err for done in shown))


IDENTITIES: dict[str, tuple[dict[str, str], int]] = {
    "text": ({"SOPS_AGE_KEY": CANARY}, 3),
    "another one": ({"SOPS_AGE_KEY": IDENTITY}, 3),
    "a file of text": ({"SOPS_AGE_KEY_FILE": "keys.txt"}, 3),
    "no file": ({"SOPS_AGE_KEY_FILE": "no-file"}, 2),
    "a command that fails": ({"SOPS_AGE_KEY_CMD": "sh fail.sh"}, 3),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_an_error_shows_nothing_of_an_age_identity(tmp_path: Path, name: str) -> None:
    """One that opens nothing, is none, or was printed by a command that failed."""
    environment, code = IDENTITIES[name]
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sops_overlay("bob")
    project.give(".env", IN_DOTENV)
    project.done("seal")
    project.give("keys.txt", f"# {CANARY}\n{CANARY}\n{IDENTITY}x\n")
    project.give("fail.sh", f"echo {IDENTITY}; exit 1")
    done = project.ksecret("render", "prod", "--decrypt", **environment)
    assert (done.code, done.out) == (code, "")
    project.assert_nothing_leaked(done.err)


def test_the_watch_sees_what_a_command_writes_and_runs(tmp_path: Path) -> None:
    """Else an empty log would show nothing: git is run for the dotenv file, and the manifest is written."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.give(".env", IN_DOTENV)
    project.done("seal")
    log = project.log.read_text()
    assert re.search(r"^run \('git', \['git', .*'ls-files'", log, re.MULTILINE)
    assert f"write {project.manifest('app').parent}/.app.yaml.ksecret-tmp\n" in log


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        BASE64,
        b64encode(f"a{CANARY}".encode()).decode(),
        b64encode(f"ab{CANARY}".encode()).decode(),
        b64encode(BASE64.encode()).decode(),
        urlsafe_b64encode(CANARY.encode()).decode(),
        quote(CANARY),
        json.dumps(CANARY),
        CANARY.encode().hex().upper(),
        CORE[3:9].upper(),
        IDENTITY.lower()[20:40],
        f"in the middle of {IDENTITY} a line",
    ],
    ids=range(12),
)
def test_the_search_for_traces_finds_a_value_in_every_encoding(text: str) -> None:
    """Else the tests above would show nothing."""
    assert traces(f"some text {text}".encode(), SHOWN) != []


FUNCTION = str(Path(COMMAND).with_name("ksecret-fn"))
OBJECT = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "app"}}
BROKEN_YAML = f'a: "{CORE}'
MANIFESTS: dict[str, str] = {
    # what is committed in place of a SealedSecret
    "in place of ciphertext": yaml.safe_dump({**OBJECT, "spec": {"encryptedData": {"token": CANARY}}}),
    "as data of the template": yaml.safe_dump(
        {**OBJECT, "spec": {"template": {"data": {"token": CANARY}}, "encryptedData": {"token": "AAAA"}}}
    ),
    "in a field of somebody": yaml.safe_dump({**OBJECT, "value": CANARY, "spec": {"encryptedData": [CANARY]}}),
    "as its namespace": yaml.safe_dump({**OBJECT, "metadata": {"name": "app", "namespace": CANARY}}),
    "as its kind": yaml.safe_dump({**OBJECT, "kind": CANARY}),
    "twice": yaml.safe_dump({**OBJECT, "spec": {"encryptedData": {"token": CANARY}}}) + f"spec: {CORE}\n",
    "as a plain Secret": yaml.safe_dump(secret_manifest("app", data={"token": BASE64})),
    "in broken YAML": BROKEN_YAML,
    "alone": CANARY,
}


@pytest.mark.parametrize("where", MANIFESTS)
def test_no_command_says_anything_of_a_value_in_a_committed_manifest(tmp_path: Path, where: str) -> None:
    """Somebody pasted it there: what is committed is rendered as it is, and reported without a word of it."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.write("key.pem", sealing(1).private_key)
    manifest = project.give("overlays/prod/secrets/manifests/app.yaml", MANIFESTS[where])
    for arguments in (["render"], ["render", "--check"], ["render", "--write"], ["seal", "prod", "--reseal"]):
        done = (
            project.ksecret(*arguments, "--source", "environment")
            if "seal" in arguments
            else project.ksecret(*arguments)
        )
        project.assert_nothing_leaked(done.err, *([] if arguments == ["render"] else [done.out]))
    done = project.ksecret("unseal", manifest, "--private-key", "key.pem")
    assert (done.code in (2, 3), done.out) == (True, "")
    project.assert_nothing_leaked(done.err)


def function(project: Watched, given: str | bytes) -> subprocess.CompletedProcess[bytes]:
    """Run ksecret-fn beside the overlay `prod`."""
    folder = project.root / "overlays/prod/secrets"
    content = given.encode() if isinstance(given, str) else given
    command = [FUNCTION]
    return subprocess.run(command, cwd=folder, env=project.environment, input=content, capture_output=True, check=False)


def resource_list(overlay: object) -> str:
    return json.dumps({"kind": "ResourceList", "items": [], "functionConfig": overlay})


INPUTS_OF_THE_FUNCTION: dict[str, str | bytes] = {
    "alone": CANARY,
    "in broken YAML": BROKEN_YAML,
    "in broken JSON": f'{{"functionConfig": {{"spec": "{CORE}',
    "beside what is not UTF-8": CORE.encode() + b"\xff",
    "as the functionConfig": resource_list(CANARY),
    "in another object": resource_list({"kind": CANARY, "spec": {"a": CANARY}}),
    "in an alias": f"functionConfig: &{CORE} {{kind: SecretOverlay, spec: *{CORE}}}\n",
    "among other resources": json.dumps({"items": [{"kind": "Secret", "data": {"a": BASE64}}], "functionConfig": {}}),
}


@pytest.mark.parametrize("where", INPUTS_OF_THE_FUNCTION)
def test_the_function_says_nothing_of_a_value_on_its_standard_input(tmp_path: Path, where: str) -> None:
    """Nothing is rendered, and the error has no word of it."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    done = function(project, INPUTS_OF_THE_FUNCTION[where])
    assert (done.returncode, done.stdout) == (2, b"")
    project.assert_nothing_leaked(done.stderr.decode())


@pytest.mark.parametrize("where", MANIFESTS)
def test_the_function_says_nothing_of_a_value_in_a_committed_manifest(tmp_path: Path, where: str) -> None:
    """A build that fails shows its error in the log of a deployer."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.give("overlays/prod/secrets/manifests/app.yaml", MANIFESTS[where])
    overlay = yaml.safe_load((project.root / "overlays/prod/secrets/ksecret.yaml").read_text())
    done = function(project, resource_list(overlay))
    assert (done.returncode, done.stdout) == (2, b"")
    project.assert_nothing_leaked(done.stderr.decode())


VAULT_URL = {"azureKeyVault": {"vaultUrl": "https://v.vault.azure.net"}}
PASTED_INTO_OVERLAYS: dict[str, dict[str, Any]] = {
    # spec of the overlay
    "as a namespace": {"namespace": CANARY},
    "as a field": {"value": CANARY},
    "as all of the source": {"source": CANARY},
    "as a pattern": {"source": {"names": f"{{{CORE}", **VAULT_URL}},
    "as a pattern of names": {"source": {"names": CANARY, **VAULT_URL}},
    "as a URL": {"source": {"azureKeyVault": {"vaultUrl": CANARY}}},
    "as a count": {"source": {"azureKeyVault": {**VAULT_URL["azureKeyVault"], "parallelism": CANARY}}},
    "as a command": {"source": {"command": {"arguments": CANARY}}},
    "as an argument": {"source": {"command": {"arguments": ["echo", CANARY]}}},
    "as the backend": {"backend": CANARY},
    "as a version of Key Vault": {
        "source": VAULT_URL,
        "overrides": {"app": {"keys": {"token": {"version": CANARY}}}},
    },
    "as an address of Vault": {"source": {"vault": {"address": CANARY, "mount": "kv"}}},
    "as a mount": {"source": {"vault": {"address": "https://v.example", "mount": CANARY}}},
    "as a name in Vault": {
        "source": {"vault": {"address": "https://v.example", "mount": "kv"}},
        "overrides": {"app": {"keys": {"token": {"remoteName": f"/{CANARY}"}}}},
    },
    "as a region": {"source": {"alibabaKms": {"region": CANARY}}},
    "as a host of KMS": {"source": {"alibabaKms": {"region": "cn-hangzhou", "endpoint": CANARY}}},
    "as a name in KMS": {
        "source": {"alibabaKms": {"region": "cn-hangzhou"}},
        "overrides": {"app": {"keys": {"token": {"remoteName": CANARY}}}},
    },
    "as a ServiceAccount": {
        "source": {"vault": {"address": "https://v.example", "mount": "kv"}},
        "backend": {"vaultSecretsOperator": {"auth": {"kubernetes": {"role": "shop", "serviceAccountName": CANARY}}}},
    },
    "as the Secret of an access key": {
        "source": {"alibabaKms": {"region": "cn-hangzhou"}},
        "backend": {"ackSecretManager": {"store": {"name": "kms", "auth": {"accessKey": {"secretName": CANARY}}}}},
    },
    "as a scope": {"backend": {"sealedSecret": {"certificate": "sealing.pem", "scope": CANARY}}},
    "as a certificate": {"backend": {"sealedSecret": {"certificate": f"{CANARY}\n"}}},
    "as a recipient": {"backend": {"sops": {"age": [CANARY]}}},
    "as an interval": {
        "source": VAULT_URL,
        "backend": {"externalSecret": {"refreshInterval": CANARY, "store": {"name": "v"}}},
    },
    "as a store": {"source": VAULT_URL, "backend": {"externalSecret": {"store": {"name": CANARY}}}},
    "as a label": {"backend": {"sealedSecret": {"certificate": "sealing.pem", "metadata": {"labels": {"a": CANARY}}}}},
    "as an override": {"overrides": {"app": {"keys": {"token": CANARY}}}},
    "as a remote name": {"source": VAULT_URL, "overrides": {"app": {"keys": {"token": {"remoteName": CANARY}}}}},
    "as a property": {"overrides": {"app": {"keys": {"token": {"property": CANARY}}}}},
    "as parameters": {"parameters": CANARY},
    "as a parameter": {"parameters": {"a": {"b": CANARY}}},
}


@pytest.mark.parametrize("where", PASTED_INTO_OVERLAYS)
def test_an_error_shows_nothing_of_a_value_pasted_into_an_overlay(tmp_path: Path, where: str) -> None:
    """By the command, and by the function in a build; field and place are named."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.write("overlays/prod/secrets/sealing.pem", sealing(1).certificate)
    project.overlay(
        "prod", **({"backend": {"sealedSecret": {"certificate": "sealing.pem"}}} | PASTED_INTO_OVERLAYS[where])
    )
    project.given.add("overlays/prod/secrets/ksecret.yaml")
    for arguments in (["render"], ["render", "--check"]):
        done = project.ksecret(*arguments)
        assert (done.code, done.err.startswith("error: overlays/prod/secrets/ksecret.yaml:")) == (2, True)
        project.assert_nothing_leaked(done.out, done.err)
    overlay = yaml.safe_load((project.root / "overlays/prod/secrets/ksecret.yaml").read_text())
    by_function = function(project, resource_list(overlay))
    assert (by_function.returncode, by_function.stdout) == (2, b"")
    project.assert_nothing_leaked(by_function.stderr.decode())


@contextmanager
def fetched_from(project: Watched, backend: str, request: pytest.FixtureRequest) -> Iterator[None]:
    """A source with the canary in it, and the overlay `prod`, for which the operator of a backend fetches it."""
    pattern: dict[str, Any] = {"names": "{remoteName}"}
    if backend == "externalSecret":
        with KeyVault() as vault:
            vault.set("token", CANARY)
            project.environment |= vault.environment
            stated = {"store": {"name": "vault", "auth": {"workloadIdentity": {"serviceAccountName": "shop"}}}}
            project.overlay("prod", {backend: stated}, source=pattern | {"azureKeyVault": {"vaultUrl": vault.url}})
            yield
    elif backend == "ackSecretManager":
        with Kms() as kms:
            kms.set("token", CANARY)
            project.environment |= kms.environment
            project.overlay("prod", {backend: {"store": {"name": "kms"}}}, source=pattern | kms.source)
            yield
    else:
        bao: OpenBao = request.getfixturevalue("bao")
        mount = bao.mount()
        bao.ask("POST", f"{mount}/data/app", {"data": {"token": CANARY}})
        project.environment |= bao.environment
        vault_source = {"vault": {"address": bao.url, "mount": mount}}
        auth = {"kubernetes": {"role": "shop", "serviceAccountName": "shop"}}
        project.overlay(
            "prod", {backend: {"auth": auth}}, source={"names": "{secret}", "property": "{key}", **vault_source}
        )
        yield


@pytest.mark.parametrize("backend", ["externalSecret", "vaultSecretsOperator", "ackSecretManager"])
def test_a_value_that_an_operator_fetches_leaves_no_trace(
    tmp_path: Path, backend: str, request: pytest.FixtureRequest
) -> None:
    """It stands in the source, and is read to be judged or rotated; nothing of it is in what is committed."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {"rules": {"maxLength": 9}}})
    with fetched_from(project, backend, request):
        for arguments, codes in (
            (["list", "-o", "json"], (0,)),
            (["pin-versions", "prod"], (0,)),
            (["render", "prod", "--write"], (0,)),
            (["render", "prod"], (0,)),
            (["status", "-o", "json"], (0,)),
            (["check", "--with-values"], (1,)),
            (["rotate", "prod", "app/token", "--from-stdin", "--yes"], (2,)),
        ):
            done = project.ksecret(*arguments, stdin=CANARY)
            assert done.code in codes, (arguments, done.err)
            project.assert_nothing_leaked(done.out, done.err)
        assert "maxLength" in done.err  # it was judged, by the same rule as the one in the source
        project.declare("app", {"token": {}})
        done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin=f"{CANARY}2")
        assert done.code == 0, done.err
        project.assert_nothing_leaked(done.out, done.err)


@pytest.mark.parametrize("where", PASTED)
def test_nor_does_the_function_of_one_pasted_into_a_declaration(tmp_path: Path, where: str) -> None:
    """As the commands."""
    project = Watched(tmp_path)
    project.sealed_overlay()
    keys = PASTED[where]
    project.declare("app", keys.get("keys", keys))
    project.given.add("generators/app.yaml")
    overlay = yaml.safe_load((project.root / "overlays/prod/secrets/ksecret.yaml").read_text())
    done = function(project, resource_list(overlay))
    assert (done.returncode, done.stdout) == (2, b"")
    project.assert_nothing_leaked(done.stderr.decode())


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("source", ["dotenv", "data"])
def test_a_value_leaves_no_trace_when_sops_encrypts_it(tmp_path: Path, source: str, key: str) -> None:
    """The values are the same; what is written, and by whom, is not."""
    project = Watched(tmp_path)
    inputs = {name: stated for name, stated in INPUTS.items() if name in KEYS[key].get("template", "")}
    project.declare("app", {"token": KEYS[key]}, inputs=inputs)
    project.sops_overlay("bob")
    if source == "dotenv":
        project.give(".env", IN_DOTENV)
        done = project.ksecret("seal", "prod")
    else:
        project.give("given.yaml", yaml.safe_dump(secret_manifest("app", data={"token": BASE64})))
        done = project.ksecret("seal", "prod", "-f", "given.yaml")
    assert project.manifest("app").exists() == (done.code == 0)
    project.assert_nothing_leaked(done.out, done.err)


KUSTOMIZATIONS = {
    "broken": BROKEN_YAML,
    "a text": CANARY,
    "a text as its list": f"resources: {json.dumps(CANARY)}\n",
    "an anchor": f"resources: &{CORE} [a]\n",
    "a namespace": f"namespace: {json.dumps(CANARY)}\nresources: {{a: {CORE}}}\n",
}


@pytest.mark.parametrize("fault", KUSTOMIZATIONS)
def test_an_error_shows_nothing_of_a_kustomization_or_creation_rules(tmp_path: Path, fault: str) -> None:
    """Broken files of other tools are reported by their place."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.overlay("eu", {"sops": {}}, **DOTENV)
    project.write(".env", "TOKEN=x\n")
    for name in ("kustomization.yaml", "manifests/kustomization.yaml"):
        given = project.give(f"overlays/prod/secrets/{name}", KUSTOMIZATIONS[fault])
        for arguments in (["render", "prod", "--write"], ["seal", "prod"]):
            done = project.ksecret(*arguments)
            assert done.code == 2 or fault == "an anchor"
            project.assert_nothing_leaked(done.out, done.err)
        (project.root / given).unlink()
    project.give(".sops.yaml", KUSTOMIZATIONS[fault].replace("resources", "creation_rules"))
    done = project.ksecret("seal", "eu")
    assert (done.code, done.out) == (2, "")
    project.assert_nothing_leaked(done.err)


@pytest.mark.parametrize("option", ["--vault-url", "--namespace", "--age", "DIR"])
def test_init_shows_nothing_of_a_value_in_the_wrong_place(tmp_path: Path, option: str) -> None:
    """As after a paste into the wrong terminal; nothing is made."""
    project = Watched(tmp_path)
    backend = "sops" if option == "--age" else "externalSecret"
    options = {"--backend": backend, "--namespace": "a", "--vault-url": "https://v.vault.azure.net"}
    folder = f"overlays/{CANARY.replace('/', '')}" if option == "DIR" else "overlays/a"
    if option != "DIR":
        options[option] = CANARY
    done = project.ksecret("init", folder, *(word for pair in options.items() for word in pair))
    assert (done.code, done.out, project.files()) == (2, "", {})
    assert traces(done.err.encode(), SHOWN) == []


def test_an_interrupted_seal_leaves_no_trace(tmp_path: Path) -> None:
    """Ctrl-C while one value is held and the next is waited for."""
    project = Watched(tmp_path)
    project.declare("app", {"a": {}, "b": {}})
    program = project.give("vault", f"test $1 = a && exec printf '%s' '{CORE}'; touch waiting; exec sleep 60\n")
    project.sealed_overlay(source={"command": {"arguments": ["sh", program, "{name}"]}})
    pipe = subprocess.PIPE
    environment = project.environment | project.accepting("seal", "prod")
    with subprocess.Popen(
        [COMMAND, "seal", "prod"],
        cwd=project.root,
        env=environment,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
    ) as process:
        while not (project.root / "waiting").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    project.assert_nothing_leaked(out.decode(), err.decode())


@pytest.mark.parametrize("backend", ["sealedSecret", "sops"])
@pytest.mark.parametrize("why", ["full", "read-only"])
def test_what_can_not_be_written_leaves_no_trace(tmp_path: Path, why: str, backend: str) -> None:
    """A disk that is full in the middle of a file, and a folder that may not be written; the values are held then."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {}})
    if backend == "sops":
        project.sops_overlay("bob")
    else:
        project.sealed_overlay()
    project.give(".env", f"TOKEN='{QUOTABLE * 200}'\n")
    folder = project.manifest("app").parent
    folder.mkdir()
    limit = (
        "import os, resource as r, sys; r.setrlimit(r.RLIMIT_FSIZE, (9999, 9999)); os.execv(sys.argv[1], sys.argv[1:])"
    )
    wrapper = [sys.executable, "-S", "-c", limit] if why == "full" else unprivileged()
    folder.chmod(0o555 if why == "read-only" else 0o755)
    environment = project.environment | project.accepting("seal", "prod")
    command = [*wrapper, COMMAND, "seal", "prod"]
    done = subprocess.run(command, cwd=project.root, env=environment, capture_output=True, check=False)
    folder.chmod(0o755)
    reason = "app.yaml: File too large" if why == "full" else "Permission denied"
    assert (done.returncode, reason in done.stderr.decode()) == (3, True)
    project.assert_nothing_leaked(done.stdout.decode(), done.stderr.decode())


def test_made_values_leave_no_trace(tmp_path: Path) -> None:
    """Those of rotate and of seal --generate-missing stand in the source and nowhere else, and in no later output."""
    project = Watched(tmp_path)
    project.declare("app", {"token": {"generate": {"length": 24}, "rules": {"minLength": 24}}})
    project.sealed_overlay()
    project.give(".env", "OTHER=x\n")
    made: set[str] = set()
    shown = ""
    for arguments in (
        ["seal", "prod", "--generate-missing", "--dry-run"],
        ["seal", "prod", "--generate-missing"],
        ["rotate", "prod", "app/token", "--yes"],
        ["status"],
        ["check", "--with-values"],
        ["list"],
    ):
        done = project.ksecret(*arguments)
        assert (arguments, done.code) == (arguments, 1 if arguments[0] == "check" else 0)  # nothing deploys it
        shown += done.out + done.err
        made |= set(re.findall(r"^TOKEN=(.*)$", (project.root / ".env").read_text(), re.MULTILINE))
    assert len(made) == 2
    files = {name: content for name, content in project.files().items() if name != ".env"}
    for value in made:
        assert traces(shown.encode() + project.log.read_bytes(), encodings(value, 6)) == []
        assert [name for name, content in files.items() if traces(content, encodings(value, 8))] == []
        journal = b"".join(path.read_bytes() for path in (project.root / ".git").rglob("*") if path.is_file())
        assert traces(journal, encodings(value, 8)) == []
    project.assert_nothing_leaked(shown)


@pytest.mark.parametrize("key", ["any value", "a longer one", "one of JSON", "one of base64", "one that is made"])
def test_rotate_status_and_check_show_nothing_of_a_value(tmp_path: Path, key: str) -> None:
    """Of a value that is given, and of the old one in the source; whether they are taken or refused."""
    project = Watched(tmp_path)
    inputs = {name: stated for name, stated in INPUTS.items() if name in KEYS[key].get("template", "")}
    project.declare("app", {"token": KEYS[key]}, inputs=inputs)
    project.sealed_overlay()
    project.give(".env", IN_DOTENV)
    for arguments in (["check", "--with-values"], ["status"], ROTATE, ["rotate", "prod", "app/part", *ROTATE[3:]]):
        done = project.ksecret(*arguments, stdin=CANARY)
        assert done.code in (0, 1, 2)
        project.assert_nothing_leaked(done.out, done.err)
