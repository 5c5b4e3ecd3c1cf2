"""How `check` builds: each kustomization by itself, nothing fetched or run, and with or without overlays."""

import json
from pathlib import Path

import pytest
import yaml

from .projects import Done, Project, shop

JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: migrate
        image: migrate:1
        envFrom: [{secretRef: {name: gone}}]
"""


def rules_of(done: Done) -> list[tuple[str, str]]:
    """Return the rules and files of what was found, as JSON."""
    return [(item["rule"], item["file"]) for item in json.loads(done.out)["items"]]


def root(project: Project, name: str, **fields: object) -> None:
    """Write a kustomization, with a Job that reads a Secret that nobody has."""
    project.write(f"deploy/{name}/job.yaml", JOB)
    kustomization = {"namespace": name, "resources": ["job.yaml"], **fields}
    project.write(f"deploy/{name}/kustomization.yaml", yaml.safe_dump(kustomization))


def test_what_cannot_be_built_hides_nothing_of_the_others(tmp_path: Path) -> None:
    """Kustomize quotes the whole Secret when two have one name, so its own words are shown to nobody."""
    project, value = Project(tmp_path), f"canary-{tmp_path.name}"
    root(project, "whole")
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: twice}}\nstringData: {{token: {value}}}\n"
    for name in ("a.yaml", "b.yaml"):
        project.write(f"deploy/twice/{name}", secret)
    root(project, "twice", resources=["a.yaml", "b.yaml"])
    done = project.ksecret("check", "-o", "json")
    assert value not in done.out + done.err
    assert ("missing-secret", "deploy/whole/job.yaml") in rules_of(done)
    (finding,) = [item for item in json.loads(done.out)["items"] if item["rule"] == "not-buildable"]
    assert (finding["severity"], finding["file"]) == ("warning", "deploy/twice/kustomization.yaml")
    assert finding["message"] == "deploy/twice can't be built: it holds one object twice"


REMOTE = {
    "a folder": {"resources": ["https://github.com/example/base?ref=v1"]},
    "a folder by its short form": {"resources": ["github.com/example/base//deploy"]},
    "a folder over ssh": {"components": ["git@github.com:example/base.git"]},
    "a file": {"resources": ["https://example.org/objects.yaml"]},
    "a patch": {"patches": [{"path": "https://example.org/patch.yaml"}]},
    "an old patch": {"patchesStrategicMerge": ["https://example.org/patch.yaml"]},
    "a file of a ConfigMap": {"configMapGenerator": [{"name": "a", "files": ["a=https://example.org/a.txt"]}]},
    "variables of a Secret": {"secretGenerator": [{"name": "a", "envs": ["https://example.org/a.env"]}]},
    "a configuration": {"configurations": ["https://example.org/names.yaml"]},
    "a definition": {"crds": ["https://example.org/crd.json"]},
    "a schema": {"openapi": {"path": "https://example.org/schema.json"}},
    "a replacement": {"replacements": [{"path": "https://example.org/replacement.yaml"}]},
    "a transformer": {"transformers": ["https://example.org/transformer.yaml"]},
    "in other letters": {"Resources": ["https://example.org/objects.yaml"]},
}


@pytest.mark.parametrize("name", REMOTE)
def test_nothing_is_fetched(tmp_path: Path, name: str) -> None:
    """Whatever field names an address, in a kustomization that another one lists too."""
    project = Project(tmp_path)
    project.write("deploy/base/kustomization.yaml", yaml.safe_dump(REMOTE[name]))
    root(project, "test", resources=["../base", "job.yaml"])
    done = project.ksecret("check", "-o", "json")
    (finding,) = json.loads(done.out)["items"]
    assert finding["message"] == "a remote file or folder is not fetched"
    assert finding["file"] == "deploy/base/kustomization.yaml"
    assert "--allow-remote" in finding["hint"]


def test_nothing_is_fetched_for_a_transformer(tmp_path: Path) -> None:
    """Its configuration is a file of its own, and names what it reads."""
    project = Project(tmp_path)
    patch = {"apiVersion": "builtin", "kind": "PatchTransformer", "metadata": {"name": "a"}}
    project.write("deploy/test/patch.yaml", yaml.safe_dump({**patch, "path": "https://example.org/patch.yaml"}))
    root(project, "test", transformers=["patch.yaml"])
    (finding,) = json.loads(project.ksecret("check", "-o", "json").out)["items"]
    assert finding["message"] == "a remote file or folder is not fetched"


def test_a_local_name_that_looks_like_an_address_is_built(tmp_path: Path) -> None:
    """What lies in the tree goes first, for kustomize too."""
    project = Project(tmp_path)
    project.write("deploy/test/github.com/base/kustomization.yaml", "resources: []\n")
    root(project, "test", resources=["job.yaml", "github.com/base"])
    assert rules_of(project.ksecret("check", "-o", "json")) == [("missing-secret", "deploy/test/job.yaml")]


def test_a_build_has_a_time_limit(tmp_path: Path) -> None:
    """What kustomize has started ends with it."""
    project = Project(tmp_path)
    root(project, "slow")
    slow = project.write("bin/kubectl", "#!/bin/sh\nsleep 60 & wait\n")
    slow.chmod(0o755)
    project.environment["PATH"] = f"{slow.parent}:{project.environment['PATH']}"
    done = project.ksecret("check", "--timeout", "1s")
    assert (done.code, "it takes longer than 1 seconds; --timeout allows more" in done.out) == (1, True)
    assert project.ksecret("check", "--timeout", "soon").code == 2


@pytest.mark.parametrize(("path", "is_built"), [("../above.txt", True), ("../../../outside.txt", False)])
def test_a_file_from_elsewhere_is_read_within_the_project_alone(tmp_path: Path, path: str, is_built: bool) -> None:
    """Kustomize's restriction is lifted only where every file lies in the project, and that is noted."""
    project = Project(tmp_path)
    (tmp_path / "outside.txt").write_text("a\n")
    project.write("deploy/above.txt", "a\n")
    root(project, "test", configMapGenerator=[{"name": "a", "files": [path]}])
    rules = {rule for rule, _ in rules_of(project.ksecret("check", "-o", "json"))}
    assert rules == ({"needs-no-restriction", "missing-secret"} if is_built else {"not-buildable"})


def test_a_file_that_is_listed_from_elsewhere_is_looked_at(tmp_path: Path) -> None:
    """It lies in no folder that the build reaches."""
    project = Project(tmp_path)
    project.write("shared/secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: gone}\nstringData: {a: b}\n")
    root(project, "test", resources=["job.yaml", "../../shared/secret.yaml"])
    found = rules_of(project.ksecret("check", "-o", "json"))
    assert found == [
        ("needs-no-restriction", "deploy/test/kustomization.yaml"),
        ("plaintext-secret", "shared/secret.yaml"),
    ]


def test_an_overlay_that_is_not_sealed_yet_is_no_broken_build(tmp_path: Path) -> None:
    """Its folder of manifests is not there: what has to be done is to seal."""
    project = shop(tmp_path)
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
    project.write("overlays/prod/secrets/kustomization.yaml", "resources: [manifests]\n")
    rules = {rule for rule, _ in rules_of(project.ksecret("check", "-o", "json"))}
    assert "not-sealed" in rules and rules <= {"not-sealed", "manifests-out-of-date"}


def test_a_tree_without_overlays_is_checked_by_its_roots(tmp_path: Path) -> None:
    """What another one lists is none, nor is what lies below testdata; hidden folders are part of the tree."""
    project = Project(tmp_path)
    project.write("deploy/base/kustomization.yaml", "resources: [job.yaml]\n")
    project.write("deploy/base/job.yaml", JOB)
    root(project, "prod", resources=["../base"])
    root(project, "test", resources=["../base"])
    root(project, "testdata/case")
    project.write(".hidden/kustomization.yaml", "resources: [job.yaml]\n")
    project.write(".hidden/job.yaml", JOB)
    done = project.ksecret("check", "-o", "json")
    assert rules_of(done) == [("missing-secret", ".hidden/job.yaml"), ("missing-secret", "deploy/base/job.yaml")]
    first, last = done.err.splitlines()
    assert first == "checked 3 kustomizations without an overlay, by the rules that need no declaration"
    assert last == "to declare what they hold: kubectl ksecret import .hidden=.hidden prod=deploy/prod"
    assert {item["severity"] for item in json.loads(done.out)["items"]} == {"warning"}


def test_a_folder_without_overlays_is_checked_among_others_that_have_some(tmp_path: Path) -> None:
    """The folder that is named says what is looked at."""
    project = shop(tmp_path)
    root(project, "tools")
    found = rules_of(project.ksecret("check", "deploy", "-o", "json"))
    assert found == [("missing-secret", "deploy/tools/job.yaml")]


def test_without_an_overlay_exceptions_are_comments(tmp_path: Path) -> None:
    """There is no file that --write-exceptions could write to; a comment does it."""
    project = Project(tmp_path)
    root(project, "test")
    done = project.ksecret("check", "--write-exceptions", "--reason", "soon")
    assert (done.code, done.out) == (2, "")
    assert "# ksecret: ignore[RULE] REASON" in done.err
    project.write("deploy/test/job.yaml", JOB.rstrip() + " # ksecret: ignore[missing-secret] made by hand\n")
    done = project.ksecret("check")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("1 finding is silenced by an exception\n")


def test_where_two_files_may_be_meant_kustomize_is_asked(tmp_path: Path) -> None:
    """Two Jobs of one name, in two namespaces that the kustomizations give them."""
    project = Project(tmp_path)
    for name in ("one", "two"):
        root(project, name)
    project.write("deploy/two/job.yaml", f"# the second\n{JOB}")
    project.write("deploy/kustomization.yaml", "resources: [one, two]\n")
    items = json.loads(project.ksecret("check", "-o", "json").out)["items"]
    assert [(item["file"], item["line"]) for item in items] == [
        ("deploy/one/job.yaml", 11),
        ("deploy/two/job.yaml", 12),
    ]
