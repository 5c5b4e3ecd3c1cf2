"""Show the main job on the sample: both clusters from one base, then a fresh production overlay, sealed and opened.

Needs what `make demo` has installed and Git; writes to a temporary folder only. Every value and key is made here.
"""

import os
import secrets
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kubectl_ksecret.sealing import certificate

ROOT = Path(__file__).resolve().parents[1]
COMMAND = Path(sys.executable).with_name("kubectl-ksecret")
VARIABLES = (
    "ALIBABA_DASHSCOPE_API_KEY_PROD",
    "ALPACA_API_KEY_PROD",
    "ALPACA_SECRET_KEY_PROD",
    "ALPHA_VANTAGE_API_KEY_PROD",
    "JWT_SECRET_KEY_PROD",
    "REDIS_PASSWORD_PROD",
)


def main() -> None:
    """Run the demonstration; it ends with an exception if any step fails."""
    with TemporaryDirectory(prefix="ksecret-demo-") as temporary:
        folder = Path(temporary)
        for name in ("generators", "overlays"):
            shutil.copytree(ROOT / name, folder / name)
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)

        say("One declaration: what the Secret is called, its keys, what each is for. No value.")
        show((folder / "generators" / "redis-auth.yaml").read_text())
        say("The test cluster reaches Key Vault: an ExternalSecret and its SecretStore.")
        run(folder, "render", "test")
        say("The production cluster does not: a SealedSecret, from the same declaration.")
        run(folder, "render", "prod")

        say("Now a production overlay with nothing sealed yet, a new certificate, and values in a dotenv file.")
        shutil.rmtree(folder / "overlays" / "prod" / "secrets" / "manifests")
        key = make_certificate(folder / "overlays" / "prod" / "secrets" / "sealing.pem", folder / "key.pem")
        (folder / ".env.prod").write_text(make_values())
        say("A clone asks before it first seals for a certificate: --accept says yes to the one that was made here.")
        pem = (folder / "overlays" / "prod" / "secrets" / "sealing.pem").read_bytes()
        accept = ("--accept", certificate.read(pem).fingerprint)
        run(folder, "seal", "prod", "--source", "dotenv=.env.prod", *accept)
        say("Sealing again changes no byte, and asks nothing.")
        run(folder, "seal", "prod", "--source", "dotenv=.env.prod")
        say("The private key opens it again (values hidden here).")
        opened = run(
            folder, "unseal", "overlays/prod/secrets/manifests/redis-auth.yaml", "--private-key", key, quiet=True
        )
        show("\n".join(line if ": " in line and "password" not in line else hide(line) for line in opened.splitlines()))
        say("Both environments, side by side.")
        print(run(folder, "list", quiet=True), end="")


def say(text: str) -> None:
    """A heading."""
    print(f"\n=== {text}")


def show(text: str) -> None:
    """Some output, long lines cut."""
    print("\n".join(line if len(line) <= 118 else line[:100] + " …" for line in text.rstrip().splitlines()))


def hide(line: str) -> str:
    """A line without its value."""
    name, colon, value = line.partition(": ")
    return f"{name}{colon}{'*' * 8 if value else ''}"


def run(folder: Path, *arguments: str, quiet: bool = False) -> str:
    """Run `kubectl ksecret` in the folder, and show it unless it is quiet; its standard output."""
    print(f"$ kubectl ksecret {' '.join(arguments)}")
    done = subprocess.run([COMMAND, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    if not quiet:
        show(done.stdout)
    return done.stdout


def make_values() -> str:
    """A dotenv file with random values."""
    lines = [f"{name}={secrets.token_urlsafe(36)}" for name in VARIABLES]
    password = secrets.token_urlsafe(24)
    lines.append(f"MONGODB_CONNECTION_STRING_PROD=mongodb://app:{password}@mongodb:27017/klinematrix")
    return "\n".join(lines) + "\n"


def make_certificate(file: Path, private_key: Path) -> str:
    """A certificate as the Sealed Secrets controller makes one; the name of the private key's file."""
    key = rsa.generate_private_key(65537, 4096)
    nobody = x509.Name([])
    now = datetime.now(UTC) - timedelta(minutes=1)
    made = (
        x509.CertificateBuilder(nobody, nobody, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    descriptor = os.open(private_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as opened:
        opened.write(pem)
    return private_key.name


if __name__ == "__main__":
    main()
