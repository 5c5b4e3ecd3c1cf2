"""Builds of kustomizations: from the committed manifests, through ksecret-fn, and by kubectl alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .peers import peer, run
from .projects import Project

Object = dict[str, Any]

_REPLACED_BY = "replace the two lines above by:"
# Where kustomize looks for ksecret-fn.
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def optional(name: str) -> str:
    """The path of a tool that `make tools` doesn't build; without it the test skips, in CI too."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not at hand")
    return str(program)


def from_manifests(folder: Path) -> str:
    """What kustomize builds with no plugin."""
    return run(peer("kustomize"), "build", folder)


def by_kubectl(folder: Path) -> str:
    """What kubectl builds."""
    return run(optional("kubectl"), "kustomize", folder)


def through_function(folder: Path) -> subprocess.CompletedProcess[str]:
    """A build that may run ksecret-fn."""
    command = [peer("kustomize"), "build", "--enable-alpha-plugins", "--enable-exec", str(folder)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def generated(folder: Path) -> str:
    """What such a build prints; it must succeed, without a word on standard error."""
    done = through_function(folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def switch_to_generator(secrets: Path) -> None:
    """Do what the comment in an overlay's kustomization.yaml says."""
    path = secrets / "kustomization.yaml"
    above, below = path.read_text().split(_REPLACED_BY)
    lines = [line for line in above.splitlines() if not line.startswith("#")][:-2]
    replacing = [line.removeprefix("# ") for line in below.splitlines()]
    path.write_text("\n".join([*lines, *replacing]) + "\n")


def objects(build: str) -> list[Object]:
    """The objects of a build."""
    return list(yaml.safe_load_all(build))


def of(api_version: str, kind: str, **fields: Any) -> Object:
    """An object with the name of its kind."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": kind.lower()}, **fields}


def write_kustomization(project: Project, folder: str, **fields: Any) -> Path:
    """A kustomization.yaml; the folder that it is in."""
    return project.write(f"{folder}/kustomization.yaml", yaml.safe_dump(fields)).parent
