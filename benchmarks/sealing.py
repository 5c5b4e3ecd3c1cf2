"""Sealing a hundred Secrets: one process of ours beside a loop over the real kubeseal, or sops."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import tools
from .measure import Bound, Line, Usage, compare, run
from .projects import KEYS, Project

SECRETS = 100
FIVE_TIMES = Bound(5, faster=True)


def lines(programs: Path, folder: Path) -> Iterator[Line]:
    """SealedSecrets, then SOPS."""
    project = Project(folder / "sealed", SECRETS, "sealedSecret")
    kubeseal = (tools.peer("kubeseal"), "--cert", project.certificate, "--format", "yaml", "-f")
    yield _beside(programs, project, "kubeseal", *kubeseal)

    recipient = _recipient(folder / "identity.txt")
    project = Project(folder / "sops", SECRETS, "sops", recipient)
    sops = (tools.peer("sops"), "encrypt", "--age", recipient, "--encrypted-regex", "^(data|stringData)$")
    yield _beside(programs, project, "sops encrypt", *sops)


def _recipient(identity: Path) -> str:
    subprocess.run([tools.peer("age-keygen"), "-o", identity], check=True, capture_output=True)
    return identity.read_text().partition("public key: ")[2].split()[0]


def _beside(programs: Path, project: Project, name: str, *command: str | Path) -> Line:
    """Ours beside a loop over a command that takes the file of one Secret and prints it sealed."""

    def ours() -> Usage:
        shutil.rmtree(project.manifests, ignore_errors=True)
        return run(programs / "kubectl-ksecret", "seal", "bench", *project.accept, folder=project.root)

    files = list(project.plain_secrets())

    def peer() -> Usage:
        usages = [run(*command, file, folder=project.root, output=file.with_suffix(".sealed")) for file in files]
        return Usage(sum(usage.seconds for usage in usages), max(usage.mebibytes for usage in usages))

    return compare(f"seal {SECRETS} Secrets of {KEYS} keys, beside a loop over {name}", ours, peer, FIVE_TIMES)
