"""`doctor` of SealedSecrets without a cluster: doubles answer as the controller does.

tests/cluster/test_doctor_sealed.py has the real one, and what is mended by the printed commands.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kubectl_ksecret.cluster.api import Refused, connect
from kubectl_ksecret.cluster.certificates import Reached
from kubectl_ksecret.cluster.kubeconfig import KubectlFlags
from kubectl_ksecret.cluster.verification import Verifier
from kubectl_ksecret.sealing import certificate, sealedsecret
from kubectl_ksecret.sensitive import Sensitive

from .mockapi import OVERLOADED, kubeconfig, mock_api
from .projects import DOTENV, Project, sealing
from .projects import certificate as sealed_certificate
from .sealingcontroller import Server, sealing_controller

PEM = "overlays/prod/secrets/sealing.pem"
VERIFY = "/api/v1/namespaces/kube-system/services/http:sealed-secrets:http/proxy/v1/verify"


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    with mock_api(tmp_path) as running:
        yield running


@pytest.fixture
def verifier(mock: tuple[Any, Path]) -> Verifier:
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
    mock[0][f"post {VERIFY}"][:2] << OVERLOADED
    mock[0][f"post {VERIFY}"] << 200
    assert verifier.ask({"kind": "SealedSecret"}) == "opened"
    assert len(list(mock[0])) == 3


def test_an_error_of_the_server_between_is_none_of_the_controllers(mock: tuple[Any, Path], verifier: Verifier) -> None:
    mock[0][f"post {VERIFY}"] << 500 << status(500, "InternalError")
    with pytest.raises(Refused):
        verifier.ask({"kind": "SealedSecret"})


def test_a_cluster_that_does_not_serve_sealed_secrets_is_said_first(tmp_path: Path, mock: tuple[Any, Path]) -> None:
    handler, path = mock
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.sealed_overlay()
    project.write("overlays/prod/kustomization.yaml", "resources: [secrets]\n")
    project.write("overlays/prod/secrets/kustomization.yaml", "resources: [manifests]\n")
    project.write(".env", "TOKEN=canary-value\n")
    project.done("seal", "prod")
    handler["get /apis/bitnami.com/v1alpha1"] << 404 << status(404, "NotFound")
    handler["get"] << 403 << status(403, "Forbidden")
    done = project.ksecret("doctor", "prod", "-o", "json", KUBECONFIG=str(path))
    assert done.code == 1
    first, *_ = json.loads(done.out)["steps"]
    assert (first["verdict"], first["cause"]) == ("failed", "it does not serve bitnami.com/v1alpha1")
    assert first["subject"] == "customresourcedefinition.apiextensions.k8s.io/sealedsecrets.bitnami.com"
    assert "helm install sealed-secrets" in done.out


@pytest.fixture
def sealed(tmp_path: Path) -> Project:
    """An overlay of SealedSecrets with three Secrets, and one of another namespace."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}, "password": {}})
    project.declare("other", {"key": {}})
    project.sealed_overlay()
    project.overlay("stage", {"sealedSecret": {"certificate": "../../prod/secrets/sealing.pem"}}, **DOTENV)
    project.write("overlays/prod/kustomization.yaml", "resources: [secrets]\n")
    project.write("overlays/prod/secrets/kustomization.yaml", "resources: [manifests]\n")
    project.write(".env", "TOKEN=canary-value\nPASSWORD=p\nKEY=k\n")
    project.done("seal", "prod")
    return project


def examined(project: Project, server: Server) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """The steps by question and object."""
    path = kubeconfig(project.root.parent, server.url)
    done = project.ksecret("doctor", "prod", "--output=json", KUBECONFIG=str(path))
    assert "canary" not in done.out + done.err
    return {(step["question"], step["subject"]): step for step in json.loads(done.out)["steps"]}


def seal_as(project: Project, label: str, number: int = 1) -> None:
    """Put a value into app that is bound to something else, or sealed for another controller."""
    pem = certificate.read(sealing(number).certificate)
    manifest = project.object("app")
    ciphertext = b64encode(sealedsecret.seal(Sensitive(b"v"), pem, label)).decode()
    manifest["spec"]["encryptedData"]["token"] = ciphertext
    project.manifest("app").write_text(yaml.safe_dump(manifest))


@pytest.mark.parametrize(
    ("label", "number", "cause"),
    [
        ("shop-stage/app", 1, "token: sealed for the namespace shop-stage, and deployed to shop-prod"),
        ("shop-prod", 1, "token: sealed with the scope namespace-wide, and deployed as strict"),
        ("shop-stage", 1, "token: sealed with the scope namespace-wide, and deployed as strict"),
        ("", 1, "token: sealed with the scope cluster-wide, and deployed as strict"),
        ("shop-prod/app", 2, "the controller has no key that opens token, under whatever name, namespace or scope"),
    ],
)
def test_what_keeps_a_value_closed_is_found_out(sealed: Project, label: str, number: int, cause: str) -> None:
    seal_as(sealed, label, number)
    with sealing_controller(sealing(1)) as server:
        steps = examined(sealed, server)
    step = steps["the controller can open each SealedSecret", "sealedsecret.bitnami.com/app"]
    assert (step["verdict"], step["cause"]) == ("failed", cause)
    assert step["remedies"] == ["kubectl ksecret seal prod app --reseal"]
    other = steps["the controller can open each SealedSecret", "sealedsecret.bitnami.com/other"]
    assert other["verdict"] == "passed"


def test_of_many_secrets_whose_key_is_gone_each_is_asked_for_once_more_at_most(sealed: Project) -> None:
    for number in range(20):
        sealed.declare(f"more-{number:02}", {f"key-{number}": {}})
    sealed.write(".env", "TOKEN=t\nPASSWORD=p\nKEY=k\n" + "".join(f"KEY_{number}=v\n" for number in range(20)))
    sealed.done("seal", "prod")
    with sealing_controller(sealing(2)) as server:
        steps = examined(sealed, server)
    causes = [step["cause"] for (question, _), step in steps.items() if "can open" in question]
    assert len(causes) == 22 and all(cause.startswith("the controller has no key") for cause in causes)
    assert len(server.asked) < 22 + 15


@pytest.mark.parametrize(
    ("ends", "verdict", "cause"),
    [
        (-timedelta(hours=1), "failed", "the certificate ended on "),
        (timedelta(days=10), "passed", "; the certificate ends on "),
    ],
)
def test_the_end_of_the_certificate_is_said(sealed: Project, ends: timedelta, verdict: str, cause: str) -> None:
    key = load_pem_private_key(sealing(1).private_key, None)
    assert isinstance(key, RSAPrivateKey)
    pem = sealed_certificate(key, begins=-timedelta(days=2), ends=ends)
    sealed.write("overlays/prod/secrets/sealing.pem", pem)
    with sealing_controller(sealing(1)) as server:
        step = examined(sealed, server)["the certificate is one of the controller's", PEM]
    assert (step["verdict"], cause in step["cause"]) == (verdict, True)
    assert step["remedies"] == (["kubectl ksecret certificate prod --fetch"] if verdict == "failed" else [])


def test_a_certificate_of_another_cluster_is_told_from_an_older_one(sealed: Project) -> None:
    with sealing_controller(sealing(2)) as server:
        step = examined(sealed, server)["the certificate is one of the controller's", PEM]
        assert step["cause"].startswith("the controller has no key for SHA256:")
        server.hold(sealing(1))
        step = examined(sealed, server)["the certificate is one of the controller's", PEM]
    assert (step["verdict"], step["cause"].startswith("an older one, whose key")) == ("passed", True)
