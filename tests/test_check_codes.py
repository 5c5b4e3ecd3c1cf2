"""How `check` ends, in every output format; and that what several overlays share is reported once."""

import json
import shutil
from pathlib import Path

import pytest

from kubectl_ksecret.cli.formats.check import FORMATS

from .projects import Project, shop

READER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: web
        env:
        - name: TOKEN
          valueFrom: {secretKeyRef: {name: app, key: token}}
        - name: USER
          valueFrom: {secretKeyRef: {name: app, key: user}}
        - name: PASSWORD
          valueFrom: {secretKeyRef: {name: app, key: password}}
"""


def clean(folder: Path) -> Project:
    """A project that is in order."""
    project = shop(folder)
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
    project.done("seal", "prod")
    return project


def in_order(project: Project) -> None:
    """Nothing to break."""


def with_a_finding(project: Project) -> None:
    """A key that is not sealed."""
    project.declare("app", {"token": {}, "password": {}, "more": {}})


def with_a_broken_overlay(project: Project) -> None:
    """An overlay that is no YAML."""
    project.write("overlays/prod/secrets/ksecret.yaml", "spec: [")


def without_anything(project: Project) -> None:
    """Neither an overlay nor a kustomization."""
    shutil.rmtree(project.root / "overlays")


def with_a_note(project: Project) -> None:
    """A workload that nothing restarts."""
    project.write("overlays/prod/web.yaml", READER.replace("key: user", "key: token"))
    kustomization = "namespace: shop-prod\nresources: [secrets, web.yaml]\n"
    project.write("overlays/prod/kustomization.yaml", kustomization)


def with_a_root_that_does_not_build(project: Project) -> None:
    """A resource that is not there."""
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets, nowhere.yaml]\n")


STATES = {
    in_order: 0,
    with_a_finding: 1,
    with_a_broken_overlay: 2,
    without_anything: 2,
    with_a_note: 0,
    with_a_root_that_does_not_build: 1,
}


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_the_exit_code_says_what_became_of_it(tmp_path: Path, state: object, output: str) -> None:
    """Where nothing could be checked there is an error, and nothing that a program would take for a clean result."""
    project = clean(tmp_path)
    assert callable(state)
    state(project)
    done = project.ksecret("check", "-o", output)
    assert done.code == STATES[state]
    if done.code > 1:
        assert (done.out, done.err[:7]) == ("", "error: ")
    else:
        assert done.err == ""


def test_a_note_fails_where_notes_are_asked_for(tmp_path: Path) -> None:
    """The default is the same severity, but nobody typed it."""
    project = clean(tmp_path)
    with_a_note(project)
    done = project.ksecret("check")
    assert (done.code, done.out.count("[no-restart]")) == (0, 1)
    assert project.ksecret("check", "--min-severity", "note").code == 1
    assert project.ksecret("check", "--min-severity", "warning").code == 0


def two_of_one_base(folder: Path) -> Project:
    """`eu` and `prod` deploy one workload, which nothing restarts and which reads a key that is not declared."""
    project = shop(folder)
    project.write("overlays/base/kustomization.yaml", "resources: [web.yaml]\n")
    project.write("overlays/base/web.yaml", READER)
    for name in ("eu", "prod"):
        project.sealed_overlay(name)
        head = f"namespace: shop-{name}\nresources: [../base, secrets]\n"
        project.write(f"overlays/{name}/kustomization.yaml", head)
        project.done("seal", name)
    return project


def test_what_overlays_share_is_told_once(tmp_path: Path) -> None:
    """With the first of them, in every rule; one alone reports the same."""
    project = two_of_one_base(tmp_path)
    done = project.ksecret("check", "-o", "json")
    findings = [(item["rule"], item["line"], item["overlay"]) for item in json.loads(done.out)["items"]]
    assert (done.code, findings) == (1, [("missing-key", 13, "eu"), ("no-restart", 3, "eu")])
    assert json.loads(project.ksecret("check", "prod", "-o", "json").out)["items"][0]["overlay"] == "prod"


def test_what_is_told_once_is_accepted_by_each_overlay(tmp_path: Path) -> None:
    """One that accepts it does not speak for the other; --write-exceptions writes an entry into each."""
    project = two_of_one_base(tmp_path)
    project.sealed_overlay("eu", exceptions=[{"rule": "no-restart", "object": "Deployment/web", "reason": "eu"}])
    items = json.loads(project.ksecret("check", "-o", "json").out)["items"]
    assert [(item["rule"], item["overlay"]) for item in items] == [("missing-key", "eu"), ("no-restart", "prod")]
    project.ksecret("check", "--write-exceptions", "--reason", "until the move")
    done = project.ksecret("check")
    assert (done.code, done.out) == (0, "")


def test_what_differs_between_overlays_is_told_of_each(tmp_path: Path) -> None:
    """Each hint names the command for its own overlay."""
    project = two_of_one_base(tmp_path)
    project.declare("app", {"token": {}, "password": {}, "user": {}})
    out = project.ksecret("check", "--min-severity", "error").out
    assert ("seal eu\n" in out, "seal prod\n" in out) == (True, True)
