"""A word of help, a rendering and a list import only what they need; test_function.py holds the same of a build."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kubectl_ksecret.cli.commands import COMMANDS

from .peers import ROOT
from .projects import shop


def imported(code: str) -> set[str]:
    """The top modules that a fresh interpreter has after running code in the sample."""
    program = f"{code}\nimport sys\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("arguments", [["--help"], ["render", "test"], ["render", "prod"], ["list"]])
def test_help_render_and_list_import_no_azure_and_no_cryptography(arguments: list[str]) -> None:
    """Only what reads or seals values loads what that takes."""
    code = f"from kubectl_ksecret.cli.commands import group\ngroup({arguments!r}, standalone_mode=False)"
    assert imported(code) & {"azure", "cryptography", "kubernetes", "pyrage", "requests"} == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_commands_help_imports_azure(command: str) -> None:
    """Not even of those that read the vault: it is loaded when a vault is opened."""
    code = f"from kubectl_ksecret.cli.commands import group\ngroup([{command!r}, '--help'], standalone_mode=False)"
    assert imported(code) & {"azure", "msal", "requests"} == set()


CLUSTER = {"kubernetes", "urllib3"}


@pytest.mark.parametrize("arguments", [["render", "test"], ["list"], ["status", "prod", "--offline"], ["check"]])
def test_what_asks_no_cluster_imports_no_client_of_one(arguments: list[str]) -> None:
    """The extra costs nothing elsewhere: neither the client nor our own side of it is loaded."""
    code = f"""
from kubectl_ksecret.cli.commands import group
try:
    group({arguments!r}, standalone_mode=False)
except SystemExit:
    pass
import sys
assert [name for name in sys.modules if name.startswith("kubectl_ksecret.cluster.api")] == []"""
    assert imported(code) & CLUSTER == set()


@pytest.mark.parametrize("overlay", ["test", "prod"])
def test_a_build_imports_no_client_of_a_cluster(overlay: str) -> None:
    """What ksecret-fn does with the ResourceList that kustomize hands to it, from its beginning to its end."""
    folder = ROOT / "overlays" / overlay / "secrets"
    config = yaml.safe_load((folder / "ksecret.yaml").read_text())
    head = {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList"}
    given = json.dumps({**head, "items": [config], "functionConfig": config}).encode()
    code = f"""
from kubectl_ksecret.krm.generator import generate
assert generate({given!r}, {str(folder)!r}).text
import sys
assert [name for name in sys.modules if name.startswith("kubectl_ksecret.cluster")] == []"""
    assert imported(code) & CLUSTER == set()


def test_the_function_and_another_source_import_no_azure(tmp_path: Path) -> None:
    """ksecret-fn when it is loaded, and a seal out of a dotenv file from its beginning to its end."""
    assert "azure" not in imported("from kubectl_ksecret import krm")
    project = shop(tmp_path)
    (tmp_path / "azure").mkdir()
    (tmp_path / "azure" / "__init__.py").write_text("raise SystemExit('imported')\n")
    project.done("seal", "prod", PYTHONPATH=str(tmp_path))
    project.done("render", "prod", PYTHONPATH=str(tmp_path))
