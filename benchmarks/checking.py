"""check of a whole repository: three overlays of one base and 500 workloads, beside building the three."""

from collections.abc import Iterator
from pathlib import Path

from . import tools
from .measure import Bound, Job, Line, compare, run
from .projects import KEYS, Project

OVERLAYS = ("one", "two", "three")
WORKLOADS = 500
NO_SLOWER = Bound(1)
LINEAR = Bound(5)  # four times the Secrets and workloads, and what is fixed beside it
_OVERLAY = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretOverlay
metadata:
  name: NAME
spec:
  declarations: [../../../generators]
  namespace: NAME
  source: {names: "{remoteName}-NAME", azureKeyVault: {vaultUrl: https://bench.vault.azure.net}}
  backend: {externalSecret: {store: {name: vault}}}
"""
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: workload-NUMBER
  annotations: {reloader.stakater.com/auto: "true"}
spec:
  selector: {matchLabels: {app: workload-NUMBER}}
  template:
    metadata: {labels: {app: workload-NUMBER}}
    spec:
      containers:
      - name: main
        image: registry.example/main:1
        envFrom:
"""


def lines(programs: Path, folder: Path) -> Iterator[Line]:
    """A thousand Secrets beside kubectl, and beside a quarter of them."""
    large = _repository(programs, folder / "large", 1000, WORKLOADS)
    small = _repository(programs, folder / "small", 250, WORKLOADS // 4)
    subject = f"check 3 × 1,000 Secrets of {KEYS} keys, {WORKLOADS} workloads, beside kubectl kustomize"
    yield compare(subject, _check(programs, large), _build(large), NO_SLOWER)
    yield compare("  beside a quarter of them", _check(programs, large), _check(programs, small), LINEAR)


def _repository(programs: Path, root: Path, secrets: int, workloads: int) -> Path:
    """Every Secret is read by a workload; nothing is to be found."""
    project = Project(root, secrets, "externalSecret")
    (root / "overlays" / "bench").rename(root.parent / f"{root.name}-unused")
    share = -(-secrets // workloads)
    for number in range(workloads):
        read = project.names[number * share : (number + 1) * share]
        references = "".join(f"        - secretRef: {{name: {name}}}\n" for name in read)
        _write(root / "base" / f"{number}.yaml", _DEPLOYMENT.replace("NUMBER", str(number)) + references)
    _write(root / "base" / "kustomization.yaml", _listing(f"{number}.yaml" for number in range(workloads)))
    for name in OVERLAYS:
        overlay = root / "overlays" / name
        _write(overlay / "secrets" / "ksecret.yaml", _OVERLAY.replace("NAME", name))
        _write(overlay / "kustomization.yaml", f"namespace: {name}\n" + _listing(["../../base", "secrets"]))
    run(programs / "kubectl-ksecret", "render", "--write", folder=root)
    return root


def _listing(names: Iterator[str] | list[str]) -> str:
    return "resources:\n" + "".join(f"- {name}\n" for name in names)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _check(programs: Path, root: Path) -> Job:
    return lambda: run(programs / "kubectl-ksecret", "check", folder=root)


def _build(root: Path) -> Job:
    kubectl = tools.peer("kubectl")
    builds = " && ".join(f"{kubectl} kustomize overlays/{name}" for name in OVERLAYS)
    return lambda: run("/bin/sh", "-c", builds, folder=root)
