"""`doctor` where a real cluster would have to be broken: an old operator, a controller that crashes. A mock answers."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from .mockapi import mock_api
from .projects import Project

GROUP = "/apis/external-secrets.io/"
PODS = "/api/v1/pods"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An overlay of ExternalSecrets with a store that exists."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.overlay("test", {"externalSecret": {"store": {"name": "vault"}}})
    project.write("overlays/test/kustomization.yaml", "resources: [secrets]\n")
    project.write("overlays/test/secrets/kustomization.yaml", "resources: [manifests]\n")
    project.done("render", "test", "--write")
    return project


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    with mock_api(tmp_path) as running:
        yield running


def steps(project: Project, kubeconfig: Path) -> Mapping[str, Any]:
    """The first step of each question."""
    done = project.ksecret("doctor", "test", "--output=json", KUBECONFIG=str(kubeconfig))
    assert done.err == ""
    return {step["question"]: step for step in reversed(json.loads(done.out)["steps"])}


def answer(handler: Any, **answers: Any) -> None:
    """Let the cluster answer some requests, and refuse the others for lack of rights."""
    paths = {
        "served": GROUP,
        "pods": PODS,
        "store": "/apis/external-secrets.io/v1/namespaces/shop-test/secretstores/vault",
        "external_secrets": "/apis/external-secrets.io/v1/namespaces/shop-test/externalsecrets",
        "secrets": "/api/v1/namespaces/shop-test/secrets",
        "secret": "/api/v1/namespaces/shop-test/secrets/app",
        "deployments": "/apis/apps/v1/deployments",
        "stateful_sets": "/apis/apps/v1/statefulsets",
    }
    for name, path in paths.items():
        status, body = answers.get(name, (403, {"kind": "Status", "reason": "Forbidden"}))
        handler[f"get {path}"] << status << body


def test_an_operator_that_serves_older_versions_alone_has_to_be_upgraded(
    project: Project, mock: tuple[Any, Path]
) -> None:
    handler, kubeconfig = mock
    versions = [{"version": "v1beta1"}, {"version": "v1alpha1"}]
    answer(handler, served=(200, {"kind": "APIGroup", "versions": versions}), external_secrets=(404, {}))
    answers = steps(project, kubeconfig)
    served = answers["External Secrets Operator is installed"]
    assert (served["verdict"], served["cause"]) == (
        "failed",
        "it serves external-secrets.io/v1beta1, v1alpha1 alone; v1 came with External Secrets Operator 0.16",
    )
    assert answers["the ExternalSecret is synced"]["cause"] == "the cluster serves no such objects"


def test_a_cluster_without_the_operator_gets_the_command_that_installs_it(
    project: Project, mock: tuple[Any, Path]
) -> None:
    handler, kubeconfig = mock
    nothing: tuple[int, Mapping[str, Any]] = (200, {"items": []})
    answer(handler, served=(404, {}), pods=nothing, deployments=nothing, stateful_sets=nothing)
    answers = steps(project, kubeconfig)
    served = answers["External Secrets Operator is installed"]
    assert served["cause"] == "the cluster does not serve external-secrets.io"
    assert served["remedies"][0].startswith("helm upgrade --install external-secrets external-secrets --repo https://")
    assert answers["its controller runs"]["verdict"] == "unknown"


def test_a_controller_that_crashes_is_named_with_the_reason(project: Project, mock: tuple[Any, Path]) -> None:
    handler, kubeconfig = mock
    pod = {
        "metadata": {"name": "external-secrets-1", "namespace": "operators"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
        },
    }
    answer(handler, served=(200, {"versions": [{"version": "v1"}]}), pods=(200, {"items": [pod]}))
    controller = steps(project, kubeconfig)["its controller runs"]
    assert (controller["subject"], controller["verdict"], controller["cause"], controller["remedies"]) == (
        "pod/external-secrets-1",
        "failed",
        "in namespace operators, not ready: CrashLoopBackOff",
        ["kubectl describe pod external-secrets-1 --namespace=operators"],
    )
