"""From a tree without any declaration to overlays that build the same objects: `check`, `import --wire`, `check`."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from kubectl_ksecret.importing.normalising import normalised

from . import golden
from .adoption import FOLDERS, SAME, TREE
from .builds import objects, optional
from .peers import run
from .projects import Project


def built(project: Project, folder: str) -> dict[tuple[str, str], Any]:
    """What kubectl builds, without its restriction on files, in the form in which a rendering changes nothing."""
    command = (optional("kubectl"), "kustomize", "--load-restrictor", "LoadRestrictionsNone", project.root / folder)
    return {(each["kind"], each["metadata"]["name"]): normalised(each) for each in objects(run(*command))}


# What check names before anything is declared, by rule; the hints are those of the rules' own tests.
FAULTS = {
    "foreign-remote-name": ["prod/backend-secrets.yaml"],
    "parity-missing": ["prod/backend-secrets.yaml", "test/backend-secrets.yaml"],
    "parity-name": ["test/backend-secrets.yaml"],
    "placeholder": ["base/account.yaml"],
    "missing-secret": ["base/backend.yaml"],
    "missing-key": ["base/report.yaml"],
    "plaintext-secret": ["base/smtp.yaml"],
    "old-api-version": ["test/backend-secrets.yaml", "test/backend-secrets.yaml", "test/store.yaml"],
    "needs-no-restriction": ["prod/kustomization.yaml"],
}


def test_a_tree_goes_from_check_over_import_to_the_same_objects(tmp_path: Path) -> None:
    """Every fault that needs no declaration is named, and both environments build what they built before."""
    project = Project(tmp_path)
    golden.write(golden.parse(TREE).files, project.root)
    before = [built(project, folder) for folder in FOLDERS]
    done = project.ksecret("check")
    assert done.code == 1
    found = re.findall(r"^\w+: \.deploy/k8s/(?:overlays/)?(\S+?):\S+ .* \[([a-z-]+)\]$", done.out, re.M)
    for rule, files in FAULTS.items():
        assert Counter(file for file, name in found if name == rule) == Counter(files), rule
    assert "kubectl ksecret import prod=.deploy/k8s/overlays/prod test=.deploy/k8s/overlays/test" in done.err
    done = project.ksecret("import", *FOLDERS, "--wire")
    assert done.code == 0, done.err
    assert [built(project, folder) for folder in FOLDERS] == before
    for name in ("test", "prod"):
        assert project.done("render", name, "--check") == ""


def test_two_names_of_one_secret_and_of_one_key_become_one(tmp_path: Path) -> None:
    """With --same both environments have the names of production, and nothing else is another object."""
    project = Project(tmp_path)
    golden.write(golden.parse(TREE).files, project.root)
    before = [built(project, folder) for folder in FOLDERS]
    same = [f"--same={pair}" for pair in SAME]
    done = project.ksecret("import", *FOLDERS, *same, "--wire")
    assert done.code == 0, done.err
    test, prod = (built(project, folder) for folder in FOLDERS)
    assert prod == before[1]
    assert test.keys() - before[0].keys() == {("ExternalSecret", "redis-secrets")}
    assert before[0].keys() - test.keys() == {("ExternalSecret", "redis-auth")}
    changed = {address for address in test if address in before[0] and test[address] != before[0][address]}
    assert changed == {("ExternalSecret", "backend-secrets")}
    keys = test["ExternalSecret", "backend-secrets"]["spec"]["data"]
    assert {key: entry["remoteRef"]["key"] for key, entry in keys.items()} == {
        "api-token": "api-key-test",
        "jwt-secret": "jwt-secret-test",
    }
    for name in ("backend-secrets", "redis-secrets"):
        declared = yaml.safe_load((project.root / f"generators/{name}.yaml").read_text())
        assert "test" not in str(declared)
