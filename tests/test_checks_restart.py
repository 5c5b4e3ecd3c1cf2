"""What restarts a workload when a Secret changes: Reloader, kustomize's hash, or its own nature."""

from pathlib import Path

import pytest

from kubectl_ksecret.checks.restart import RULES
from kubectl_ksecret.model.resolution import Environment

from .landscapes import environment, fetched, found
from .projects import Project

ENV = "containers: [{env: [{valueFrom: {secretKeyRef: {name: app, key: password}}}]}]"
FROM = "initContainers: [{envFrom: [{secretRef: {name: app}}]}]"
VOLUME = "volumes: [{secret: {secretName: app}}], imagePullSecrets: [{name: app}]"


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Project:
    """Declares a Secret `app` with a key `password`."""
    project = Project(tmp_path)
    project.declare("app", {"password": {}})
    return project


@pytest.fixture(name="shop")
def _shop(project: Project) -> Environment:
    """An overlay of it."""
    return environment(project)


def workload(pod: str, kind: str = "apps/v1 Deployment", own: str = "", of_pods: str = "") -> str:
    """A workload with annotations of its own and of its pods."""
    version, name = kind.split()
    template = f"{{metadata: {{annotations: {{{of_pods}}}}}, spec: {{{pod}}}}}"
    metadata = f"metadata:\n  name: reader\n  namespace: shop\n  annotations: {{{own}}}\n"
    return f"apiVersion: {version}\nkind: {name}\n{metadata}spec: {{template: {template}}}\n"


@pytest.mark.parametrize("pod", [ENV, FROM])
@pytest.mark.parametrize(
    "kind", ["apps/v1 Deployment", "apps/v1 StatefulSet", "apps/v1 DaemonSet", "argoproj.io/v1alpha1 Rollout"]
)
def test_what_runs_on_is_told(shop: Environment, kind: str, pod: str) -> None:
    """One note a workload, where its annotations are."""
    (finding,) = found(RULES, workload(pod, kind), shop)
    assert (finding.severity, finding.field) == ("note", "metadata.annotations")
    assert finding.message == f"nothing restarts {kind.split()[1]} reader when app changes"
    assert finding.place is not None and finding.place.line == 6


@pytest.mark.parametrize(
    "build",
    [
        workload(VOLUME),
        workload(ENV, "batch/v1 Job"),
        workload(ENV).replace("Deployment", "CronJob").replace("{template:", "{jobTemplate: {spec: {template:") + "}}",
        workload(ENV.replace("app", "gone")),
        "apiVersion: v1\nkind: Pod\nmetadata: {name: reader}\nspec: {" + ENV + "}",
    ],
)
def test_what_reads_anew_or_starts_anew_needs_nothing(shop: Environment, build: str) -> None:
    """Files change in the pod, and a job's pod is new each time; what is missing is another rule's."""
    assert found(RULES, build, shop) == []


RESTARTING = [
    'reloader.stakater.com/auto: "true"',
    'secret.reloader.stakater.com/auto: "true"',
    "secret.reloader.stakater.com/reload: app",
    'secret.reloader.stakater.com/reload: "other, app"',
    'secret.reloader.stakater.com/reload: "ap.*"',
]
USELESS = [
    'reloader.stakater.com/auto: "false"',
    "reloader.stakater.com/auto: true",
    'configmap.reloader.stakater.com/auto: "true"',
    "secret.reloader.stakater.com/reload: apps",
    "secret.reloader.stakater.com/reload: [app]",
]


@pytest.mark.parametrize("annotation", RESTARTING)
def test_reloaders_annotations_are_known(shop: Environment, annotation: str) -> None:
    """On the workload, and on its pods."""
    assert found(RULES, workload(ENV, own=annotation), shop) == []
    assert found(RULES, workload(ENV, of_pods=annotation), shop) == []


SEARCH = 'reloader.stakater.com/search: "true"'


def test_search_restarts_for_what_is_marked_alone(project: Project) -> None:
    """Reloader looks for the annotation `match` on the Secret itself."""
    shop = environment(project)
    (finding,) = found(RULES, workload(ENV, own=SEARCH), shop)
    assert "reloader.stakater.com/match" in finding.hint
    project.declare("app", {"password": {}}, annotations={"reloader.stakater.com/match": "true"})
    assert found(RULES, workload(ENV, own=SEARCH), environment(project)) == []
    secret = "---\n{apiVersion: v1, kind: Secret, metadata: {name: by-hand, namespace: shop, annotations: {MARK}}}\n"
    build = workload(ENV.replace("app", "by-hand"), own=SEARCH)
    assert found(RULES, build + secret.replace("MARK", 'reloader.stakater.com/match: "true"'), shop) == []
    assert len(found(RULES, build + secret.replace("MARK", "a: b"), shop)) == 1


def test_what_is_excluded_from_reloader_restarts_nothing(shop: Environment) -> None:
    """By the workload, or by the Secret that asks to be ignored."""
    auto = 'reloader.stakater.com/auto: "true", secrets.exclude.reloader.stakater.com/reload: "x, NAME"'
    assert len(found(RULES, workload(ENV, own=auto.replace("NAME", "app")), shop)) == 1
    assert found(RULES, workload(ENV, own=auto.replace("NAME", "apps")), shop) == []


@pytest.mark.parametrize("annotation", USELESS)
def test_what_reloader_does_not_follow_restarts_nothing(shop: Environment, annotation: str) -> None:
    """Another value, another kind, another Secret."""
    assert len(found(RULES, workload(ENV, own=annotation), shop)) == 1


def test_only_the_secrets_that_are_not_named_are_told(shop: Environment) -> None:
    """Reloader is told of one of two."""
    pod = ENV.replace("containers", "initContainers") + ", " + ENV.replace("app", "other")
    named = "secret.reloader.stakater.com/reload: app"
    (finding,) = found(RULES, workload(pod, own=named) + fetched("other", "password"), shop)
    assert finding.message == "nothing restarts Deployment reader when other changes"


@pytest.mark.parametrize(("name", "count"), [("app-5h2kd9ctb4", 0), ("app-deployment", 1)])
def test_kustomizes_hash_restarts(shop: Environment, name: str, count: int) -> None:
    """A generated Secret has a new name with each change; a word of ten letters is no hash."""
    secret = f"---\n{{apiVersion: v1, kind: Secret, metadata: {{name: {name}, namespace: shop}}}}\n"
    assert len(found(RULES, workload(ENV.replace("app", name)) + secret, shop)) == count


def test_the_annotations_of_a_rollout_count_for_the_workload_that_it_runs(shop: Environment) -> None:
    """workloadRef: the pods are the Rollout's."""
    rollout = """---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: runner, namespace: shop, annotations: {reloader.stakater.com/auto: "true"}}
spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: NAME}}
"""
    assert found(RULES, workload(ENV) + rollout.replace("NAME", "reader"), shop) == []
    assert len(found(RULES, workload(ENV) + rollout.replace("NAME", "another"), shop)) == 1
