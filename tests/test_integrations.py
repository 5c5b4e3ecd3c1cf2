"""The hooks for pre-commit and the GitHub action: the files are what these programs take, the commands in them run."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from sarif_kit.validate import validation_errors

from .forkserver import COMMAND
from .peers import ROOT, run
from .projects import Done, Project, shop

BIN = Path(sys.executable).parent
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


def shop_of_one_overlay(folder: Path) -> Project:
    """A project without a finding."""
    project = shop(folder)
    project.write("overlays/prod/kustomization.yaml", "resources: [secrets]\nnamespace: shop-prod\n")
    project.done("seal", "prod")
    return project


def test_pre_commit_takes_the_hooks_and_this_repositorys_configuration() -> None:
    """As the real pre-commit validates them."""
    run(BIN / "pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml")
    run(BIN / "pre-commit", "validate-config", ROOT / ".pre-commit-config.yaml")


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_passes_what_is_in_order_and_fails_what_is_not(tmp_path: Path, hook: dict[str, Any]) -> None:
    """The entry is run as pre-commit runs it, without file names."""
    project = shop_of_one_overlay(tmp_path)
    command, *arguments = shlex.split(hook["entry"])
    assert Path(COMMAND).name == command and not hook["pass_filenames"]
    assert project.ksecret(*arguments).code == 0
    manifest = project.manifest("app")
    manifest.write_text(manifest.read_text().replace("type: Opaque", "type: another"))
    assert project.ksecret(*arguments).code == 1


def test_github_takes_the_action() -> None:
    """By the schema of its metadata; no input is put into a script, where it would be run."""
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", ROOT / "action.yml")
    assert [step["name"] for step in ACTION["runs"]["steps"] if "${{" in step["run"]] == []


def step(project: Project, name: str, **inputs: str) -> Done:
    """Run a step of the action as GitHub's runner does; what it needs is installed already."""
    [named] = [step for step in ACTION["runs"]["steps"] if step["name"] == name]
    given = {key: str(declared["default"]) for key, declared in ACTION["inputs"].items()} | inputs
    environment = {
        key: given[expression.split()[1].removeprefix("inputs.")] for key, expression in named["env"].items()
    }
    installed = project.root.parent / "kubectl-ksecret" / "bin"
    installed.mkdir(parents=True, exist_ok=True)
    (installed / "kubectl-ksecret").unlink(missing_ok=True)
    (installed / "kubectl-ksecret").symlink_to(COMMAND)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", named["run"]],
        cwd=project.root,
        env=project.environment | environment | {"RUNNER_TEMP": str(project.root.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_the_action_says_what_it_finds_and_fails(tmp_path: Path) -> None:
    """With SARIF too where it is asked for; what can't be checked fails before anything is uploaded."""
    project = shop_of_one_overlay(tmp_path)
    assert step(project, "Check") == (0, "no findings\n", "")
    project.declare("app", {"token": {}, "password": {}, "more": {}})
    done = step(project, "Check", overlays="prod  overlays/prod", sarif="ksecret.sarif")
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("::error file=generators/app.yaml,line=9,col=5,title=not-sealed::app/more ")
    assert done.out.endswith("\n1 error\n")
    log = json.loads((project.root / "ksecret.sarif").read_text())
    assert (validation_errors(log), len(log["runs"][0]["results"])) == ([], 1)
    for sarif in ("", "ksecret.sarif"):
        done = step(project, "Check", overlays="nobody; echo", sarif=sarif)
        assert (done.code, done.out) == (2, "")
    assert not (project.root / "ksecret.sarif").exists()


def test_the_action_installs_what_it_stands_beside() -> None:
    """At the version at which it is used, with the pinned dependencies."""
    install = ACTION["runs"]["steps"][0]["run"]
    assert '-c "$GITHUB_ACTION_PATH/constraints.txt" "$GITHUB_ACTION_PATH"' in install
    assert os.path.exists(ROOT / "constraints.txt")
