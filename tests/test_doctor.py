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


def store(**azure: Any) -> tuple[int, Mapping[str, Any]]:
    """A store of Azure Key Vault that is ready, which proves nothing."""
    provider = {"azurekv": {"vaultUrl": "https://shop.vault.azure.net", "authType": "WorkloadIdentity", **azure}}
    status = {"conditions": [{"type": "Ready", "status": "True", "reason": "Valid"}]}
    metadata = {"name": "vault", "namespace": "shop-test", "uid": "1"}
    return 200, {"metadata": metadata, "spec": {"provider": provider}, "status": status}


def answer(handler: Any, **answers: Any) -> None:
    """Let the cluster answer some requests, and refuse the others for lack of rights."""
    paths = {
        "served": GROUP,
        "pods": PODS,
        "store": "/apis/external-secrets.io/v1/namespaces/shop-test/secretstores/vault",
        "external_secrets": "/apis/external-secrets.io/v1/namespaces/shop-test/externalsecrets",
        "secrets": "/api/v1/namespaces/shop-test/secrets",
        "secret": "/api/v1/namespaces/shop-test/secrets/app",
        "account": "/api/v1/namespaces/shop-test/serviceaccounts/shop",
        "issuer": "/.well-known/openid-configuration",
        "deployments": "/apis/apps/v1/deployments",
        "stateful_sets": "/apis/apps/v1/statefulsets",
    }
    for name, path in paths.items():
        status, body = answers.get(name, (403, {"kind": "Status", "reason": "Forbidden"}))
        handler[f"get {path}"] << status << body
    handler["get"] << 403 << {"kind": "Status", "reason": "Forbidden"}


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


def test_a_pod_of_the_controller_that_was_evicted_is_no_fault(project: Project, mock: tuple[Any, Path]) -> None:
    """It stays as long as nobody deletes it, beside the pod that took its place."""
    handler, kubeconfig = mock
    old, new = (
        {
            "metadata": {"name": name, "namespace": "operators"},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
        }
        for name, phase, ready in (("old", "Failed", "False"), ("new", "Running", "True"))
    )
    answer(handler, served=(200, {"versions": [{"version": "v1"}]}), pods=(200, {"items": [old, new]}))
    done = project.ksecret("doctor", "test", "--output=json", KUBECONFIG=str(kubeconfig))
    answers = {step["subject"]: step["verdict"] for step in json.loads(done.out)["steps"]}
    assert {subject: verdict for subject, verdict in answers.items() if subject.startswith("pod/")} == {
        "pod/new": "passed"
    }


def test_wait_asks_a_server_again_that_is_away_for_a_while(project: Project, mock: tuple[Any, Path]) -> None:
    """The API server answers 503 while it starts."""
    handler, kubeconfig = mock
    handler[f"get {GROUP}"][:1] << 503 << {"kind": "Status", "reason": "ServiceUnavailable"}
    answer(handler, served=(200, {"versions": [{"version": "v1"}]}))
    done = project.ksecret("doctor", "test", "--wait", "--timeout=30s", KUBECONFIG=str(kubeconfig))
    assert (done.code, done.err) == (1, "")
    assert "it serves external-secrets.io/v1" in done.out


def test_a_store_that_signs_in_as_the_operator_needs_the_label_on_its_pod(
    project: Project, mock: tuple[Any, Path]
) -> None:
    handler, kubeconfig = mock
    pod = {"metadata": {"name": "external-secrets-1", "namespace": "operators", "labels": {}}}
    answer(handler, pods=(200, {"items": [pod]}), store=store())
    identity = steps(project, kubeconfig)["the ServiceAccount has a workload identity"]
    assert (identity["subject"], identity["verdict"]) == ("pod/external-secrets-1", "failed")
    assert identity["cause"].endswith("whose pod lacks the label azure.workload.identity/use")


def test_the_audience_is_that_of_the_stores_cloud(project: Project, mock: tuple[Any, Path]) -> None:
    """Azure China has an audience of its own; and the issuer has to be exactly the cluster's, slash and all."""
    handler, kubeconfig = mock
    audience, issuer = "api://AzureADTokenExchangeChina", "https://issuer.example/shop/"
    annotations = {f"azure.workload.identity/{name}-id": f"the-{name}" for name in ("client", "tenant")}
    account = {"metadata": {"name": "shop", "namespace": "shop-test", "annotations": annotations}}
    named = store(environmentType="ChinaCloud", serviceAccountRef={"name": "shop", "audiences": [audience]})
    answer(handler, store=named, account=(200, account), issuer=(200, {"issuer": issuer}))
    credential = steps(project, kubeconfig)["a federated credential lets the ServiceAccount sign in"]
    subject = "system:serviceaccount:shop-test:shop"
    assert credential["cause"] == (
        f"it must have exactly issuer {issuer}, subject {subject}, audience {audience}; Azure knows whether it has"
    )
    assert credential["remedies"] == [
        "kubectl ksecret doctor test --as-workload",
        "az ad app federated-credential list --id the-client",
        "az identity federated-credential list "
        '--identity-name "$(az identity list --query "[?clientId==\'the-client\'].name" --output tsv)" '
        '--resource-group "$(az identity list --query "[?clientId==\'the-client\'].resourceGroup" --output tsv)"',
    ]


def test_an_issuer_that_azure_can_not_reach_is_a_failure(project: Project, mock: tuple[Any, Path]) -> None:
    handler, kubeconfig = mock
    annotations = {f"azure.workload.identity/{name}-id": f"the-{name}" for name in ("client", "tenant")}
    account = {"metadata": {"name": "shop", "namespace": "shop-test", "annotations": annotations}}
    issuer = "https://kubernetes.default.svc.cluster.local"
    answer(
        handler,
        store=store(serviceAccountRef={"name": "shop"}),
        account=(200, account),
        issuer=(200, {"issuer": issuer}),
    )
    credential = steps(project, kubeconfig)["a federated credential lets the ServiceAccount sign in"]
    assert (credential["verdict"], credential["cause"]) == (
        "failed",
        f"the cluster's tokens have the issuer {issuer}, whose keys Entra can't read",
    )


def test_what_an_object_holds_is_one_word_of_a_printed_command(project: Project, mock: tuple[Any, Path]) -> None:
    """Whoever may write a ServiceAccount or a store writes no part of what an administrator types."""
    handler, kubeconfig = mock
    annotations = {f"azure.workload.identity/{name}-id": f"the-{name}$(reboot)" for name in ("client", "tenant")}
    account = {"metadata": {"name": "shop", "namespace": "shop-test", "annotations": annotations}}
    credentials = {"clientId": {"name": "principal", "key": "id;reboot"}}
    named = store(serviceAccountRef={"name": "shop"}, authSecretRef=credentials, useAzureSDK=True)
    handler["get /api/v1/namespaces/shop-test/secrets/principal"] << 404 << {}
    answer(handler, store=named, account=(200, account), issuer=(200, {"issuer": "https://issuer.example"}))
    answers = steps(project, kubeconfig)
    listing = answers["a federated credential lets the ServiceAccount sign in"]["remedies"]
    assert listing[1] == "az ad app federated-credential list --id CLIENT_ID" and "reboot" not in str(listing)
    [making] = answers["the store's credentials are there"]["remedies"]
    assert "--from-file='id;reboot'=FILE " in making


def test_a_store_that_signs_in_as_its_node_is_azures_to_answer(project: Project, mock: tuple[Any, Path]) -> None:
    """Unless nobody has filled in whose identity it is."""
    handler, kubeconfig = mock
    answer(handler, store=store(authType="ManagedIdentity", identityId="the-client"))
    identity = steps(project, kubeconfig)["the store says as whom it signs in"]
    assert (identity["verdict"], identity["remedies"]) == (
        "not applicable",
        ["az role assignment list --all --assignee the-client --output table"],
    )


def test_a_managed_identity_that_nobody_has_filled_in_is_named(project: Project, mock: tuple[Any, Path]) -> None:
    handler, kubeconfig = mock
    answer(handler, store=store(authType="ManagedIdentity", identityId="<client-id>"))
    identity = steps(project, kubeconfig)["the store says as whom it signs in"]
    assert (identity["verdict"], identity["cause"]) == ("failed", "identityId is a placeholder (<…>)")


def test_an_operator_of_another_namespace_is_named(project: Project, mock: tuple[Any, Path]) -> None:
    handler, kubeconfig = mock
    pod = {
        "metadata": {"name": "external-secrets-1", "namespace": "team-a"},
        "spec": {"containers": [{"name": "main", "args": ["--namespace=team-a"]}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    answer(handler, served=(200, {"versions": [{"version": "v1"}]}), pods=(200, {"items": [pod]}))
    controller = steps(project, kubeconfig)["its controller runs"]
    assert (controller["verdict"], controller["cause"]) == (
        "failed",
        "in namespace team-a, it looks at the namespace team-a alone (--namespace), and not at shop-test",
    )
