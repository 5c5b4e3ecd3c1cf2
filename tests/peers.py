"""The real tools that the tests compare with: built by `make tools`, else from PATH."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_BUILT = ROOT / ".tools" / "bin"
CRDS = ROOT / ".tools" / "crds"
_SECONDS = 300  # no command of a test takes as long; one that hangs must not hold all others up


def path_of(name: str) -> str | None:
    """Return the path of a real tool, if it is at hand."""
    built = _BUILT / name
    return str(built) if built.exists() else shutil.which(name)


def peer(name: str) -> str:
    """The path of a real tool; without it the test skips, and fails in CI."""
    path = path_of(name)
    if path is None:
        missing(name)
    return str(path)


def crds(name: str) -> Path:
    """The file of a real project's own CustomResourceDefinitions."""
    path = CRDS / f"{name}.yaml"
    if not path.exists():
        missing(f"the CRDs of {name}")
    return path


def missing(tool: str) -> None:
    """Skip where a tool is not at hand; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{tool} is missing; make tools builds it")
    pytest.skip(f"{tool} is missing; make tools builds it where Go is at hand")


def unprivileged() -> list[str]:
    """A command that runs another one which file modes bind, also where the tests run as root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        missing("setpriv")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def run(*command: str | Path, folder: Path | None = None, **options: object) -> str:
    """The standard output of a command that must succeed, and end within some minutes."""
    options = {"timeout": _SECONDS, **options}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr}"
    return str(done.stdout)
