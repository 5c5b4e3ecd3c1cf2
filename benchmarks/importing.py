"""import of two environments, 100 ExternalSecrets each, beside building the two, and beside a quarter of them."""

from collections.abc import Iterator
from pathlib import Path

from . import tools
from .measure import Bound, Job, Line, compare, run
from .projects import KEYS

ENVIRONMENTS = ("test", "prod")
SECRETS = 100
A_FEW_BUILDS = Bound(6)  # it builds both, and composes, renders and compares each object
LINEAR = Bound(5)  # four times the Secrets, and what is fixed beside them
_STORE = """\
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: vault}
spec:
  provider:
    azurekv:
      authType: WorkloadIdentity
      vaultUrl: https://bench-NAME.vault.azure.net
      serviceAccountRef: {name: reader}
"""
_SECRET = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: secret-NUMBER}
spec:
  refreshInterval: 1h0m0s
  secretStoreRef: {name: vault, kind: SecretStore}
  target: {template: {metadata: {}}}
  data:
"""
_ENTRY = "  - {secretKey: key-KEY, remoteRef: {key: secret-NUMBER-key-KEY-NAME}}\n"


def lines(programs: Path, folder: Path) -> Iterator[Line]:
    """Nothing is written, so that each run does the same."""
    large, small = _tree(folder / "large", SECRETS), _tree(folder / "small", SECRETS // 4)
    subject = f"import 2 × {SECRETS} ExternalSecrets of {KEYS} keys, beside kubectl kustomize"
    yield compare(subject, _import(programs, large), _build(large), A_FEW_BUILDS)
    yield compare("  beside a quarter of them", _import(programs, large), _import(programs, small), LINEAR)


def _tree(root: Path, secrets: int) -> Path:
    for name in ENVIRONMENTS:
        folder = root / "overlays" / name
        folder.mkdir(parents=True)
        (folder / "store.yaml").write_text(_STORE.replace("NAME", name))
        files = ["store.yaml"]
        for number in range(secrets):
            entries = (_ENTRY.replace("KEY", str(key)) for key in range(KEYS))
            text = (_SECRET + "".join(entries)).replace("NUMBER", str(number)).replace("NAME", name)
            files.append(f"{number}.yaml")
            (folder / files[-1]).write_text(text)
        listing = "".join(f"- {file}\n" for file in files)
        (folder / "kustomization.yaml").write_text(f"namespace: bench-{name}\nresources:\n{listing}")
    return root


def _import(programs: Path, root: Path) -> Job:
    folders = [f"overlays/{name}" for name in ENVIRONMENTS]
    return lambda: run(programs / "kubectl-ksecret", "import", *folders, "--dry-run", folder=root)


def _build(root: Path) -> Job:
    kubectl = tools.peer("kubectl")
    builds = " && ".join(f"{kubectl} kustomize overlays/{name}" for name in ENVIRONMENTS)
    return lambda: run("/bin/sh", "-c", builds, folder=root)
