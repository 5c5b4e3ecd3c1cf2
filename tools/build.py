"""Build the real peers that the tests compare with, and link them into this clone's `.tools/`.

Each tool is a Go module beside this file that pins one version. It is built once for all clones of a user, into
a cache folder named by what it is built from. Only tools named on the command line (all, if none is) are built,
but whatever the cache holds of the present pins is linked: programs in `.tools/bin/`, CRDs in `.tools/crds/`.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple


class Tool(NamedTuple):
    """A Go module beside this file, and what is made of it.

    `crds` is the file of CRDs in the pinned module, or a pattern of several, if the tests need them too. `names` maps
    the names that Go gives to programs, the last part of the package's path, to those that say more. `version` begins
    the names of the variables in which the linker has to set the version, for programs that print a useless one
    otherwise.
    """

    module: str
    crds: str = ""
    names: Mapping[str, str] = {}
    version: str = ""


TOOLS = {
    "age": Tool("filippo.io/age"),
    "gjson": Tool("github.com/tidwall/gjson"),
    "gitleaks": Tool("github.com/zricethezav/gitleaks/v8"),
    "kustomize": Tool("sigs.k8s.io/kustomize/kustomize/v5"),
    "kubeseal": Tool(
        "github.com/bitnami/sealed-secrets",
        crds="helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml",
        names={"controller": "sealed-secrets-controller"},
    ),
    "sops": Tool("github.com/getsops/sops/v3"),
    "external-secrets": Tool("github.com/external-secrets/external-secrets", crds="deploy/crds/bundle.yaml"),
    "etcd": Tool("go.etcd.io/etcd/server/v3", names={"server": "etcd"}),
    "kubernetes": Tool("k8s.io/kubernetes", version="k8s.io/component-base/version.git"),
    "kwok": Tool("sigs.k8s.io/kwok"),
    "vault-secrets-operator": Tool("github.com/hashicorp/vault-secrets-operator", crds="chart/crds/*.yaml"),
}
BUILD = ("build", "-buildvcs=false", "-trimpath")
LINK = "-s -w"
HERE = Path(__file__).resolve().parent
LINKS = HERE.parent / ".tools"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "kubectl-ksecret" / "tools"


def entry_of(name: str, platform: str) -> Path:
    """Where the cache keeps a tool: other pins, sources, flags or another Go release give another folder."""
    folder = HERE / name
    files = sorted([folder / "go.mod", folder / "go.sum", *folder.rglob("*.go")])
    content = [(file.relative_to(folder).as_posix(), file.read_bytes()) for file in files]
    digest = hashlib.sha256(repr((TOOLS[name], BUILD, LINK, platform, content)).encode()).hexdigest()
    return CACHE / f"{name}-{digest[:16]}"


def lock(folder: Path) -> None:
    """Make a folder and keep other runs of this script out of it until this one ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)


def go(folder: Path, *arguments: str) -> str:
    """Run go in a folder and return what it prints; when it fails, the exception has what it complained of."""
    env = {**os.environ, "CGO_ENABLED": "0"}
    return subprocess.run(("go", *arguments), cwd=folder, env=env, check=True, capture_output=True, text=True).stdout


def linker_flags(tool: Tool, version: str) -> str:
    """Return the flag that leaves out symbols, which halves a program, and sets the version where the linker must."""
    flags = f"-ldflags={LINK}"
    if tool.version:
        major, minor, _ = version.split(".")
        flags += f" -X {tool.version}Version=v{version} -X {tool.version}Major={major} -X {tool.version}Minor={minor}"
    return flags


def build(name: str, entry: Path) -> None:
    """Build a tool beside its entry in the cache and rename it there, so that an entry is always whole."""
    folder, tool, start = HERE / name, TOOLS[name], time.monotonic()
    version = re.findall(rf"{re.escape(tool.module)} v(\S+)", (folder / "go.mod").read_text())[0]
    print(f"building {name} {version} …", end="", file=sys.stderr, flush=True)
    with TemporaryDirectory(dir=CACHE, prefix=".") as temporary:
        fresh = Path(temporary, "entry")
        try:
            go(folder, *BUILD, linker_flags(tool, version), "-o", f"{fresh / 'bin'}/", "tool")
            source = Path(go(folder, "list", "-m", "-f", "{{.Dir}}", tool.module).strip())
        except subprocess.CalledProcessError as error:
            print(f", failed\n{error.stderr}", end="", file=sys.stderr)
            return
        for package, program in tool.names.items():
            (fresh / "bin" / package).rename(fresh / "bin" / program)
        if tool.crds:
            (fresh / "crds").mkdir()
            definitions = [path.read_text() for path in sorted(source.glob(tool.crds))]
            (fresh / "crds" / f"{Path(tool.module).name}.yaml").write_text("\n---\n".join(definitions))
        fresh.rename(entry)
    print(f", {time.monotonic() - start:.0f} s", file=sys.stderr)


def link(entries: dict[str, Path], kind: str) -> None:
    """Link the files of one kind out of the cache, and remove links into it that no present pin accounts for."""
    folder = LINKS / kind
    lock(folder)
    files = {folder / file.name: file for entry in entries.values() for file in (entry / kind).glob("*")}
    links = {path: path.readlink() for path in folder.iterdir() if path.is_symlink()}
    for path in links.keys() - files.keys():
        if CACHE in links[path].parents:
            path.unlink()
    for path, file in files.items():
        if links.get(path) != file:
            (folder / ".new").symlink_to(file)
            (folder / ".new").replace(path)


def main() -> int:
    """Build what is missing and link it; without Go there is nothing to do, which only CI calls a failure."""
    names = sys.argv[1:] or list(TOOLS)
    if unknown := sorted(set(names) - TOOLS.keys()):
        print(f"no such tool: {', '.join(unknown)}; there are {', '.join(TOOLS)}", file=sys.stderr)
        return 2
    if shutil.which("go") is None:
        print(f"no go on PATH, skipped: {', '.join(names)}", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    version, *target = go(HERE, "env", "GOVERSION", "GOOS", "GOARCH").splitlines()
    platform = " ".join((re.sub(r"^(go\d+\.\d+).*", r"\1", version), *target))
    entries = {name: entry_of(name, platform) for name in TOOLS}
    if any(not entries[name].exists() for name in names):
        lock(CACHE)
        for leftover in CACHE.glob(".*"):  # of a run that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        for name in names:
            if not entries[name].exists():  # the run that had the lock before may have built it
                build(name, entries[name])
    link(entries, "bin")
    link(entries, "crds")
    return 0 if all(entries[name].exists() for name in names) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
