"""A small project that is deployed, for tests of what `check` finds in the objects beside its Secrets."""

import json
from pathlib import Path
from typing import Any

import yaml

from .projects import Project

NAMESPACE = "shop-test"
OVERLAY = "overlays/test"


def deployed(folder: Path, *resources: str, vault: str = "https://shop-kv.vault.azure.net", **store: Any) -> Project:
    """A Secret `app` from Azure Key Vault; `resources` of the overlay's kustomization are still to be written."""
    project = Project(folder)
    project.declare("app", {"token": {}})
    backend = {"externalSecret": {"store": {"name": "azure", **store}}}
    project.overlay("test", backend, source={"azureKeyVault": {"vaultUrl": vault}})
    kustomize(project, resources=["secrets", *resources])
    project.done("render", "--write")
    return project


def kustomize(project: Project, **fields: Any) -> None:
    """The overlay's kustomization, with other fields."""
    path = project.root / OVERLAY / "kustomization.yaml"
    kustomization = yaml.safe_load(path.read_text()) if path.exists() else {"namespace": NAMESPACE}
    project.write(f"{OVERLAY}/kustomization.yaml", yaml.safe_dump({**kustomization, **fields}, sort_keys=False))


def line(project: Project, file: str, text: str) -> str:
    """`file:line` of the only line with a text."""
    lines = (project.root / file).read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if text in line]
    return f"{file}:{number}"


def found(project: Project, *rules: str, arguments: tuple[str, ...] = (), stdin: str = "") -> list[str]:
    """The places of what these rules find: `file:line`, or the file alone; nobody's traceback."""
    done = project.ksecret("check", "-o", "json", *arguments, stdin=stdin)
    assert done.err == "", done.err
    items = [item for item in json.loads(done.out)["items"] if item["rule"] in rules]
    places = sorted((item["file"], item["line"] or 0) for item in items)
    return [f"{file}:{number}" if number else file for file, number in places]
