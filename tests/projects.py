"""Small projects for tests: made in a folder, worked on by the real command as a process. Every key is made here."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Timer
from typing import Any, NamedTuple

import pyrage
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from . import forkserver, hints
from .forkserver import COMMAND
from .peers import peer, run

LEFTOVER = ".ksecret-tmp"
RECORD = "ksecret.dev/sealed-keys"
OLD = "2020-01-01T00:00:00Z"
DAY = timedelta(days=1)


class Sealing(NamedTuple):
    """What the Sealed Secrets controller has: a private key and its certificate, both PEM."""

    private_key: bytes
    certificate: bytes


def certificate(key: CertificateIssuerPrivateKeyTypes, begins: timedelta = -DAY, ends: timedelta = DAY) -> bytes:
    """A self-signed certificate as PEM; both times from now."""
    nobody, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(nobody, nobody, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now + begins).not_valid_after(now + ends).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM)


@cache
def sealing(number: int) -> Sealing:
    """The key of a controller, the same for the same number as long as the tests run."""
    key = rsa.generate_private_key(65537, 2048)
    return Sealing(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), certificate(key, ends=365 * DAY)
    )


class Age(NamedTuple):
    """A pair of age keys."""

    identity: str
    recipient: str


@cache
def age(name: str) -> Age:
    """The keys of a person, the same for the same name as long as the tests run."""
    identity = pyrage.x25519.Identity.generate()
    return Age(str(identity), str(identity.to_public()))


class Done(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


class Project:
    """A Git work tree; paths and the command's working directory start at its root."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        home = folder / "home"
        home.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "nobody",
            "GIT_AUTHOR_EMAIL": "nobody@example.org",
            "GIT_COMMITTER_NAME": "nobody",
            "GIT_COMMITTER_EMAIL": "nobody@example.org",
        }
        self.git("init", "--quiet", "--initial-branch=main")
        exclude = self.root / ".git" / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text(".env*\n")  # as a .gitignore, which would be one file more

    def write(self, name: str, content: str | bytes) -> Path:
        """A file, with the folders above it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def declare(
        self, secret: str, keys: Mapping[str, Mapping[str, Any]], folder: str = "generators", **spec: Any
    ) -> None:
        """A SecretDeclaration in generators/, or another folder."""
        self.write(f"{folder}/{secret}.yaml", _object("SecretDeclaration", secret, {"keys": keys, **spec}))

    def overlay(self, name: str, backend: Mapping[str, Any], **spec: Any) -> None:
        """A SecretOverlay in overlays/NAME/secrets; its namespace is shop-NAME unless `spec` has another."""
        stated = {"declarations": ["../../../generators"], "namespace": f"shop-{name}", "backend": backend, **spec}
        self.write(f"overlays/{name}/secrets/ksecret.yaml", _object("SecretOverlay", name, stated))

    def sealed_overlay(self, name: str = "prod", scope: str = "strict", number: int = 1, **spec: Any) -> None:
        """An overlay of SealedSecrets; its source is .env at the root unless `spec` has another."""
        self.write(f"overlays/{name}/secrets/sealing.pem", sealing(number).certificate)
        self.overlay(name, {"sealedSecret": {"certificate": "sealing.pem", "scope": scope}}, **DOTENV | spec)

    def sops_overlay(self, *people: str, name: str = "prod", **spec: Any) -> None:
        """An overlay of Secrets encrypted for these people; its source is .env unless `spec` has another."""
        self.overlay(name, {"sops": {"age": [age(person).recipient for person in people]}}, **DOTENV | spec)

    def manifest(self, secret: str, overlay: str = "prod") -> Path:
        """The committed file of a Secret."""
        return self.root / "overlays" / overlay / "secrets" / "manifests" / f"{secret}.yaml"

    def object(self, secret: str, overlay: str = "prod") -> dict[str, Any]:
        """The committed object of a Secret."""
        document: dict[str, Any] = yaml.load(self.manifest(secret, overlay).read_text(), yaml.CSafeLoader)
        return document

    def files(self) -> dict[str, bytes]:
        """All files outside of .git."""
        paths = (path for path in self.root.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {str(path.relative_to(self.root)): path.read_bytes() for path in paths}

    def changed_since(self, before: Mapping[str, bytes]) -> set[str]:
        """The files that are not what they were."""
        after = self.files()
        return {name for name in {*before, *after} if before.get(name) != after.get(name)}

    def ksecret(self, *arguments: str, stdin: str | bytes = b"", **environment: str) -> Done:
        """Run `kubectl-ksecret` as a user does who says yes to what it would seal for.

        Its environment is this project's, and what is given.
        """
        done = self.untrusting(*arguments, stdin=stdin, **environment)
        if not (accepting := _accepting(done)):
            return done
        return self.untrusting(*arguments, stdin=stdin, **environment | accepting)

    def accepting(self, *arguments: str) -> dict[str, str]:
        """Return the variable that says yes to what a command would seal for; the command itself is refused."""
        return _accepting(self.untrusting(*arguments))

    def untrusting(self, *arguments: str, stdin: str | bytes = b"", **environment: str) -> Done:
        """Run `kubectl-ksecret` where nobody says yes: in a session of its own, so that it can't ask on a terminal."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        code, out, err = forkserver.run(arguments, self.root, self.environment | environment, given)
        assert list(hints.wrong(arguments, out.decode() + err.decode())) == []
        return Done(code, out.decode(), err.decode())

    def done(self, *arguments: str, stdin: str | bytes = b"", **environment: str) -> str:
        """The standard output of a run that must end well, and without a word on standard error."""
        done = self.ksecret(*arguments, stdin=stdin, **environment)
        assert (done.code, done.err) == (0, "")
        return done.out

    def on_terminal(self, *arguments: str, typed: bytes = b"", piped: str | None = None, **environment: str) -> Done:
        """Run `kubectl-ksecret` on a terminal of its own; `out` is what stands on the screen.

        `typed` answers every question; `piped` is what its standard input holds, where that is not the terminal.
        """
        ours, theirs = pty.openpty()
        command = [COMMAND, *arguments]
        if piped is not None:
            command = ["sh", "-c", 'piped=$1; shift; printf %s "$piped" | "$@"', "sh", piped, *command]
        # The terminal must be the process's own: a prompt opens /dev/tty.
        enter = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"
        with subprocess.Popen(
            [sys.executable, "-c", enter, shutil.which(command[0]) or command[0], *command[1:]],
            cwd=self.root,
            env=self.environment | environment,
            stdin=theirs,
        ) as process:
            os.close(theirs)
            # A question that the test does not answer must end the test, not the run.
            deadline = Timer(60, process.kill)
            deadline.start()
            screen = b""
            try:
                while part := os.read(ours, 4096):
                    screen += part
                    if typed and screen.endswith(b": "):
                        os.write(ours, typed)
            except OSError:
                pass  # Linux's way to say that nobody has the terminal any more
            deadline.cancel()
        os.close(ours)
        return Done(process.returncode, screen.decode(), "")

    def git(self, *arguments: str) -> str:
        """What git prints; it must succeed."""
        return run("git", *arguments, folder=self.root, env=self.environment)

    def commit(self) -> None:
        """Commit everything but .env, which is ignored."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "all")


def _accepting(done: Done) -> dict[str, str]:
    tokens = re.findall(r"KSECRET_ACCEPT=(\S+)", done.err)
    return {"KSECRET_ACCEPT": " ".join(tokens)} if done.code and tokens else {}


DOTENV = {"source": {"dotenv": {"file": "../../../.env"}}}


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> str:
    return str(
        yaml.safe_dump(
            {"apiVersion": "ksecret.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec},
            sort_keys=False,
        )
    )


def shop(folder: Path, values: str = "TOKEN=the token\nPASSWORD=the password\n") -> Project:
    """A Secret `app` of two keys, an overlay `prod` of SealedSecrets, and the values in .env."""
    project = Project(folder)
    project.declare("app", {"token": {}, "password": {}})
    project.sealed_overlay()
    project.write(".env", values)
    return project


def sops_shop(folder: Path, *people: str) -> Project:
    """The same, encrypted with SOPS for these people."""
    project = shop(folder)
    project.sops_overlay(*people)
    return project


def ciphertext(project: Project, secret: str = "app") -> dict[str, str]:
    """What a committed file holds of each key."""
    document = project.object(secret)
    return dict(document["data"] if document["kind"] == "Secret" else document["spec"]["encryptedData"])


def record(project: Project, secret: str = "app") -> str:
    """What is known of the sealed values."""
    document = project.object(secret)
    metadata = document["metadata"] if document["kind"] == "Secret" else document["spec"]["template"]["metadata"]
    return str(metadata["annotations"][RECORD])


def let_time_pass(project: Project, secret: str = "app") -> None:
    """All keys of a Secret were sealed long ago."""
    path = project.manifest(secret)
    path.write_text(re.sub(r"time=\S+", f"time={OLD}", path.read_text()))


def secret_manifest(name: str, **fields: Any) -> dict[str, Any]:
    """A Secret as kubectl prints it."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", **fields}


def opened_by_kubeseal(manifest: Path, number: int = 1) -> dict[str, bytes]:
    """The values that the real kubeseal finds in a SealedSecret."""
    with NamedTemporaryFile() as key:
        key.write(sealing(number).private_key)
        key.flush()
        opening = (peer("kubeseal"), "--recovery-unseal", "--recovery-private-key", key.name)
        return _values(json.loads(run(*opening, input=manifest.read_text())))


def opened_by_sops(manifest: Path, person: str) -> dict[str, bytes]:
    """The values that the real sops finds in an encrypted Secret."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(manifest.parent), "SOPS_AGE_KEY": age(person).identity}
    return _values(yaml.safe_load(run(peer("sops"), "decrypt", manifest, env=environment)))


def _values(secret: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: b64decode(text or "") for key, text in (secret.get("data") or {}).items()}
