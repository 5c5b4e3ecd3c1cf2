"""The programs that are run: ours as a user has them, the real peers, and stand-ins for ksecret-fn."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "kubectl-ksecret" / "bench"
_PEERS = ROOT / ".tools" / "bin"
_SOURCES = ("kubectl_ksecret", "docs", "setup.cfg", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")
_EMPTY_FUNCTION = Path(__file__).parent / "empty_function"


class MissingPeer(Exception):
    """A real tool is not at hand."""


def peer(name: str) -> Path:
    """A real tool: built by `make tools`, else from PATH. Raises MissingPeer."""
    built = _PEERS / name
    path = built if built.exists() else shutil.which(name)
    if path is None:
        raise MissingPeer(f"{name} is missing; make tools builds it where Go is at hand")
    return Path(path)


def install() -> Path:
    """The folder of the programs of a regular, compiled install of this checkout; older installs are removed.

    An editable install would double Python's start. Another run waits here: two at once would measure each other.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    fcntl.flock(os.open(CACHE, os.O_RDONLY), fcntl.LOCK_EX)
    entry = CACHE / _digest()
    for other in CACHE.iterdir():
        if other != entry or not (entry / "complete").exists():
            shutil.rmtree(other)
    if not entry.exists():
        venv.create(entry)
        _pip_install(entry / "bin" / "python")
        (entry / "complete").touch()
    return entry / "bin"


def _digest() -> str:
    paths = [*(ROOT / name for name in _SOURCES), _EMPTY_FUNCTION]
    files = sorted(file for path in paths for file in (path, *path.rglob("*")) if file.is_file())
    content = [(str(file.relative_to(ROOT)), file.read_bytes()) for file in files if file.suffix != ".pyc"]
    return hashlib.sha256(repr((sys.version, content)).encode()).hexdigest()[:16]


def _pip_install(python: Path) -> None:
    """Install out of a copy: setuptools leaves a build folder in what it builds, and takes what lies there."""
    with TemporaryDirectory(prefix="ksecret-bench-") as temporary:
        copies = [Path(temporary, "ksecret"), Path(temporary, "empty")]
        shutil.copytree(_EMPTY_FUNCTION, copies[1])
        copies[0].mkdir()
        for name in _SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copies[0] / name)
            else:
                shutil.copyfile(ROOT / name, copies[0] / name)
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", python, "install")
        subprocess.run(
            [*pip, "--compile", "-c", ROOT / "constraints.txt", f"{copies[0]}[azure,cluster,vault]", copies[1]],
            check=True,
        )


def path_with(folder: Path, function: Path) -> dict[str, str]:
    """An environment in whose PATH `ksecret-fn` is this program; the folder is made for it."""
    folder.mkdir()
    (folder / "ksecret-fn").symlink_to(function)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
