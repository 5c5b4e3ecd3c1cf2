"""`doctor` where a real cluster can't be brought to: kinds that are not served, and a controller that throttles."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubectl_ksecret.cluster import verification
from kubectl_ksecret.cluster.api import Refused, connect
from kubectl_ksecret.cluster.certificates import Reached
from kubectl_ksecret.cluster.kubeconfig import KubectlFlags
from kubectl_ksecret.cluster.verification import Verifier

from .mockapi import mock_api
from .projects import Project

VERIFY = "/api/v1/namespaces/kube-system/services/http:sealed-secrets:http/proxy/v1/verify"


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    with mock_api(tmp_path) as running:
        yield running


@pytest.fixture
def verifier(mock: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch) -> Verifier:
    monkeypatch.setattr(verification, "_RETRY_AFTER_SECONDS", 0.01)
    api = connect(KubectlFlags(kubeconfig=str(mock[1])), {})
    return Verifier(api, Reached(namespace="kube-system", service="sealed-secrets", port="http", certificate=b""))


def status(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}


@pytest.mark.parametrize(("code", "opening"), [(200, "opened"), (409, "closed"), (500, "unreadable")])
def test_what_the_controller_answers(mock: tuple[Any, Path], verifier: Verifier, code: int, opening: str) -> None:
    mock[0][f"post {VERIFY}"] << code << b""
    assert verifier.ask({"kind": "SealedSecret"}) == opening


def test_a_controller_that_throttles_is_asked_again(mock: tuple[Any, Path], verifier: Verifier) -> None:
    """It takes two questions a second, and answers 429 to more."""
    mock[0][f"post {VERIFY}"][:2] << 429
    mock[0][f"post {VERIFY}"] << 200
    assert verifier.ask({"kind": "SealedSecret"}) == "opened"
    assert len(list(mock[0])) == 3


def test_an_error_of_the_server_between_is_none_of_the_controllers(mock: tuple[Any, Path], verifier: Verifier) -> None:
    mock[0][f"post {VERIFY}"] << 500 << status(500, "InternalError")
    with pytest.raises(Refused):
        verifier.ask({"kind": "SealedSecret"})


def test_a_cluster_that_does_not_serve_sealed_secrets_is_said_first(tmp_path: Path, mock: tuple[Any, Path]) -> None:
    handler, kubeconfig = mock
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.write("overlays/prod/kustomization.yaml", "resources: [secrets]\n")
    project.write("overlays/prod/secrets/kustomization.yaml", "resources: [manifests]\n")
    project.write(".env", "TOKEN=canary-value\n")
    project.done("seal", "prod")
    handler["get /apis/bitnami.com/v1alpha1"] << 404 << status(404, "NotFound")
    handler["get"] << 403 << status(403, "Forbidden")
    done = project.ksecret("doctor", "prod", "-o", "json", KUBECONFIG=str(kubeconfig))
    assert done.code == 1
    first, *_ = json.loads(done.out)["steps"]
    assert (first["verdict"], first["cause"]) == ("failed", "it does not serve bitnami.com/v1alpha1")
    assert first["subject"] == "customresourcedefinition.apiextensions.k8s.io/sealedsecrets.bitnami.com"
    assert "helm install sealed-secrets" in done.out
