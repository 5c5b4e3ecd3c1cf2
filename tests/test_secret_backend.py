"""The backend `secret`: nothing of a Secret is committed, and everything that needs no cluster works all the same."""

import json
from pathlib import Path

import pytest
import yaml

from .peers import run
from .projects import Project

ENVIRONMENT = [
    {"name": key.upper(), "valueFrom": {"secretKeyRef": {"name": "app", "key": key}}} for key in ("token", "url")
]
READER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "reader"},
    "spec": {"containers": [{"name": "main", "image": "main", "env": ENVIRONMENT}]},
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A Secret of two keys whose values are in .env, and a Pod that reads one of them."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}, "url": {"template": "https://app:{{ token }}@api"}}, labels={"team": "a"})
    project.overlay("prod", {"secret": {}}, source={"dotenv": {"file": "../../../.env"}})
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets, pod.yaml]\n")
    project.write("overlays/prod/pod.yaml", json.dumps(READER))
    project.write(".gitignore", ".env\n")
    project.write(".env", "TOKEN=canary-value\n")
    project.done("render", "prod", "--write")
    return project


def test_the_committed_folder_holds_no_secret_and_builds(project: Project) -> None:
    folder = project.root / "overlays/prod/secrets/manifests"
    assert sorted(path.name for path in folder.iterdir()) == ["_references.yaml", "kustomization.yaml"]
    built = run("kubectl", "kustomize", project.root / "overlays/prod")
    assert [document["kind"] for document in yaml.safe_load_all(built)] == ["Pod"]


def test_render_shows_nothing_but_the_plain_secret_when_it_is_asked_to(project: Project) -> None:
    assert project.done("render", "prod") == ""
    assert yaml.safe_load(project.done("render", "prod", "--decrypt")) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "app", "namespace": "shop-prod", "labels": {"team": "a"}},
        "type": "Opaque",
        "data": {"token": "Y2FuYXJ5LXZhbHVl", "url": "aHR0cHM6Ly9hcHA6Y2FuYXJ5LXZhbHVlQGFwaQ=="},
    }


def test_render_runs_no_command_that_the_repository_names(project: Project) -> None:
    project.overlay("prod", {"secret": {}}, source={"command": {"arguments": ["touch", "ran", "{name}"]}})
    done = project.ksecret("render", "prod", "--decrypt")
    assert (done.code, done.out) == (2, "")
    assert "kubectl ksecret sync prod asks before it runs" in done.err
    assert not (project.root / "ran").exists()


def test_for_check_the_declared_keys_exist_and_others_do_not(project: Project) -> None:
    assert project.ksecret("check", "prod").code == 0
    project.write("overlays/prod/pod.yaml", json.dumps(READER).replace('"token"', '"tokn"'))
    done = project.ksecret("check", "prod")
    assert (done.code, "tokn" in done.out + done.err) == (1, True)


def test_under_a_prefix_check_says_that_the_secret_keeps_its_name(project: Project) -> None:
    text = "namespace: shop-prod\nnamePrefix: eu-\nresources: [secrets, pod.yaml]\n"
    project.write("overlays/prod/kustomization.yaml", text)
    done = project.ksecret("check", "prod")
    assert done.code == 0
    assert "the Secrets of prod do not get the name eu-NAME: sync makes them" in done.out + done.err


def test_seal_names_the_command_that_delivers(project: Project) -> None:
    done = project.ksecret("seal", "prod")
    assert done.code == 2
    assert "kubectl ksecret sync prod takes its values from the source" in done.err


def test_a_source_is_needed_and_metadata_of_manifests_is_not(project: Project) -> None:
    project.overlay("prod", {"secret": {}})
    assert "secret needs a source, since nothing is committed" in project.ksecret("list").err
    source = {"dotenv": {"file": "../../../.env"}}
    project.overlay("prod", {"secret": {"metadata": {"labels": {"a": "b"}}}}, source=source)
    assert "there are no manifests" in project.ksecret("list").err


def test_init_makes_such_an_overlay_that_works(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.done("init", "overlays/manual", "--backend", "secret", "--namespace", "shop")
    assert "app-secrets" in project.done("render", "manual", "--decrypt", API_KEY="a-value-of-its-own")


def test_a_rotation_names_the_command_that_delivers(project: Project) -> None:
    project.declare("app", {"token": {"generate": {"length": 24}}})
    project.overlay("prod", {"secret": {}}, source={"dotenv": {"file": "../../../.env"}})
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    assert (done.code, "next: kubectl ksecret sync prod app" in done.out) == (0, True), done.err
