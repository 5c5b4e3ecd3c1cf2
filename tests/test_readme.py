"""What the README and the documents print is run as printed, in order, in a fresh folder (walkthrough.py)."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kubectl_ksecret.sealing import certificate

from . import golden, hints
from .adoption import TREE
from .forkserver import COMMAND
from .keyvault import KeyVault
from .peers import ROOT, peer
from .projects import sealing
from .walkthrough import PATH, Block, Walk, blocks, sections, updated

VAULT = "https://shop-kv.vault.azure.net"
# The fingerprint of the certificate that the README shows, and that of the one that this run has made.
SHOWN = "yEDgqMm64SYCO8Sat6y4yqrVpMihe9htWh1vcLHq96k"
FINGERPRINT = certificate.load(sealing(1).certificate, datetime.now(UTC)).fingerprint.removeprefix("SHA256:")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
# The blocks that are not run, by a part of their text, with the reason.
NOT_RUN = {
    "make demo": "continuous integration runs both commands",
    "pip install": "needs a network",
    "make lint": "continuous integration runs it",
    "kubectl ksecret sync": "needs a cluster; tests/cluster runs these commands against a real one",
    "sealed-secrets-key --output=yaml": "needs a cluster; tests/cluster/test_recovery.py runs it against a real one",
    "import prod --from-cluster": "needs a cluster; tests/cluster/test_import.py runs it against a real one",
    "kubectl ksecret doctor": "needs a cluster; tests/cluster/test_doctor_external.py prints the same",
    "kind: Role": "needs a cluster; tests/cluster/test_rights.py applies each of them",
    "kind: ClusterRole": "needs a cluster; tests/cluster/test_rights.py applies each of them",
    "kubectl create rolebinding": "needs a cluster; tests/cluster/test_rights.py binds the Roles",
    "readers: [backend-sa]": "an excerpt of a declaration; the golden case access-of-readers renders one",
    "https://vault.example:8200": "needs a server; test_sources_vault.py runs such an overlay against OpenBao",
    "appRole: {path": "an excerpt of an overlay; golden cases render such stores",
    "vaultSecretsOperator:": "an excerpt of an overlay; tests/cluster/test_vault_secrets_operator.py runs such a one",
    "backend ackSecretManager --source": "needs Alibaba Cloud; test_init.py runs the commands that make overlays",
    "migrate prod --to secret --dry-run": "needs an overlay; tests/cluster/test_migrate.py moves one through all",
    "alibabaKms:": "an excerpt of an overlay; test_ack_secret_manager.py and test_sources_kms.py run such ones",
    "kms:GetSecretValue": "a RAM policy; the double of KMS asks for the same actions",
    "capabilities = [": "test_sources_vault.py gives OpenBao these policies",
    "vault write auth": "needs a server; tests/cluster/test_vault.py makes such a role in OpenBao",
    "-m pytest": "a test that runs the tests would not end",
    "Usage: kubectl ksecret": "the help; make lint compares it with the commands",
    "cli | krm": "a drawing; import-linter holds what it shows",
    "repos:": "an example for pre-commit; test_integrations.py runs the hooks",
    "permissions:": "an example of a workflow; test_integrations.py holds the action",
    "secretKeyRef:": "one line of a manifest; test_checks_exceptions.py holds such comments",
    "kind: ExternalSecret": "an excerpt of what is rendered; test_sample.py builds it",
    "kind: SealedSecret": "an excerpt of what is sealed; test_sample.py builds it",
    "name: redis-auth": "an excerpt of the sample's declaration",
}
# az keyvault secret set --vault-name NAME --name NAME --value VALUE
SET_SECRET = """
import sys
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
client = SecretClient(sys.argv[1], DefaultAzureCredential(), verify_challenge_resource=False)
client.set_secret(sys.argv[8], sys.argv[10])
"""


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """The vault of the README, with values of both environments."""
    with KeyVault() as double:
        now = datetime.now(UTC)
        for environment, days in (("prod", 1), ("test", 40)):
            for name in ("api-key", "database-password"):
                value = f"a made-up {name} of {environment}"
                double.set(f"{name}-{environment}", value, created_on=now - timedelta(days=days))
        double.set("session-key-test", "a made-up key of enough characters", created_on=now - timedelta(days=120))
        yield double


def doubles(folder: Path, url: str) -> Path:
    """Stand-ins for what needs a cluster: kubectl hands our command and builds on, and kubeseal has a certificate."""
    programs = folder / "bin"
    programs.mkdir()
    (folder / "sealing.pem").write_bytes(sealing(1).certificate)
    (folder / "keys.yaml").write_bytes(sealing(1).private_key)
    (folder / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: app-secrets}\nstringData: {api-key: the key of the cluster}\n"
    )
    scripts = {
        "kubectl": f"""
            case "$1 $2" in
            "ksecret "*) shift; exec '{COMMAND}' "$@";;
            "kustomize "*) shift; exec '{peer("kustomize")}' build "$@";;
            "get secret") exec cat '{folder}/secret.yaml';;
            "apply -k") exec '{peer("kustomize")}' build "$3" >/dev/null;;
            "apply --server-side") grep -q '^kind: Secret$';;
            *) echo "no double of kubectl $*" >&2; exit 9;;
            esac""",
        "kubeseal": f"exec cat '{folder}/sealing.pem'",
        "az": f"exec '{sys.executable}' -c '{SET_SECRET}' '{url}' \"$@\"",
    }
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    return programs


def walk(folder: Path, vault: KeyVault) -> Walk:
    """A reader in a fresh Git work tree, with the vault at the address that the README has."""
    project, home = folder / "project", folder / "home"
    project.mkdir()
    home.mkdir()
    programs = (str(doubles(folder, vault.url)), str(Path(sys.executable).parent), str(ROOT / ".tools" / "bin"))
    environment = {
        "PATH": ":".join((*programs, os.environ["PATH"])),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "REPOSITORY": str(ROOT),
        "GIT_CONFIG_NOSYSTEM": "1",
        **vault.environment,
    }

    def meant(command: str) -> str:
        return command.replace(VAULT, vault.url)

    def shown(text: str) -> str:
        text = text.replace(vault.url, VAULT).replace(FINGERPRINT, SHOWN).replace(FINGERPRINT[:8], SHOWN[:8])
        text = re.sub(r"\b\d{4}-\d\d-\d\d\b", "2026-11-24", text)
        return re.sub(r"\b[0-9a-f]{8}\b", "cf56cf61", text)

    reader = Walk(project, environment, shown, meant)
    reader.take(Block("step", "git init --quiet", 0))
    return reader


GUIDE = "Guide: from zero to both environments"
CHAPTERS: Mapping[str, tuple[str, ...]] = {
    "vault": (GUIDE, "Values that live in Azure Key Vault", "Check in CI"),
    "fields": (
        GUIDE,
        "What a value must be, and how a new one is made",
        "Where environments differ",
        "SOPS instead of Sealed Secrets",
        "Another backend, or another source",
        "A lost cluster",
        "A Key Vault certificate as a TLS Secret",
    ),
    "import": ("From what you have",),
}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_readme_does_what_it_prints(
    chapter: str, tmp_path: Path, vault: KeyVault, pytestconfig: pytest.Config
) -> None:
    """A reader who types every command gets what the README shows; `--update-golden` writes it there."""
    path = ROOT / "README.md"
    markdown = path.read_text()
    reader, text = walk(tmp_path, vault), sections(markdown)
    if chapter == "import":
        golden.write(golden.parse(TREE).files, reader.folder)
    for section in CHAPTERS[chapter]:
        for block in blocks(text[section]):
            reader.take(block)
        reader.take(Block("step", "kubectl ksecret list", 0))  # all that was written can be loaded
    if pytestconfig.getoption("--update-golden"):
        path.write_text(updated(markdown, reader.differing))
    shown = {f"{step.line}: {step.command}": list(step.expected) for step, _ in reader.differing}
    assert {f"{step.line}: {step.command}": list(printed) for step, printed in reader.differing} == shown


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_is_run_or_listed_with_its_reason(path: Path) -> None:
    """A new block either stands in a chapter that is walked through, or says why not."""
    walked = {heading for headings in CHAPTERS.values() for heading in headings} if path.name == "README.md" else set()
    for heading, text in sections(path.read_text()).items():
        for block in blocks(text):
            runs = heading in walked and (block.language in ("console", "step") or PATH.match(block.text))
            listed = any(part in block.text for part in NOT_RUN)
            assert runs or listed, f"{path.name}:{block.line}: {block.text}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_a_document_names_exists_with_its_options(path: Path) -> None:
    """In a sentence, in a block, and in a block that is not run."""
    assert list(hints.wrong_commands(path.read_text())) == []
