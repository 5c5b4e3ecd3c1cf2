"""`doctor` names who can read a Secret beside its readers. A mock answers, with the Roles and bindings of a cluster."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import rights
from .mockapi import mock_api
from .projects import Project
from .rights import RBAC, Object, account, binding, role

NAMESPACE = "shop-test"
LISTS = {
    "Role": f"namespaces/{NAMESPACE}/roles",
    "RoleBinding": f"namespaces/{NAMESPACE}/rolebindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}
QUESTION = "nobody but its readers can read a Secret through the API"
SECRETS = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}]
STATUS = {"apiGroups": ["external-secrets.io"], "resources": ["externalsecrets/status"], "verbs": ["update"]}
BOOTSTRAPPED = {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
COLLECTOR = "system:controller:generic-garbage-collector"
# What every cluster with External Secrets Operator has.
USUAL = [
    role("ClusterRole", COLLECTOR, SECRETS),
    binding("ClusterRoleBinding", COLLECTOR, f"ClusterRole/{COLLECTOR}", account("collector", "kube-system"))
    | {"metadata": {"name": COLLECTOR, **BOOTSTRAPPED}},
    role("ClusterRole", "eso", [STATUS, *SECRETS]),
    binding("ClusterRoleBinding", "eso", "ClusterRole/eso", account("external-secrets", "external-secrets")),
]


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    with mock_api(tmp_path) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An overlay whose Secrets only sync makes, so that nothing is built."""
    project = Project(tmp_path)
    project.overlay("test", {"secret": {}}, source={"dotenv": {"file": "../../../.env"}})
    return project


def steps(
    project: Project, mock: tuple[Any, Path], *objects: Object, without: str = "", question: str = QUESTION
) -> list[dict[str, Any]]:
    """The steps of a question, with these objects in the cluster; the list of one kind may be refused."""
    handler, kubeconfig = mock
    handler[f"get /api/v1/namespaces/{NAMESPACE}/secrets"] << 200 << {"items": []}
    for kind, path in LISTS.items():
        items = [
            {name: value for name, value in document.items() if name not in ("apiVersion", "kind")}
            for document in objects
            if document["kind"] == kind
        ]
        refused = path == without
        answer = {"kind": "Status", "reason": "Forbidden"} if refused else {"items": items}
        handler[f"get /apis/{RBAC}/v1/{path}"] << (403 if refused else 200) << answer
    handler["get"] << 403 << {"kind": "Status", "reason": "Forbidden"}
    done = project.ksecret("doctor", "test", "--output=json", KUBECONFIG=str(kubeconfig))
    assert done.err == ""
    return [step for step in json.loads(done.out)["steps"] if step["question"] == question]


def test_a_secret_without_readers_is_not_looked_at(project: Project, mock: tuple[Any, Path]) -> None:
    project.declare("app", {"token": {}})
    [step] = steps(project, mock, *USUAL)
    assert (step["verdict"], step["cause"]) == ("not applicable", "no declaration says in spec.readers who they are")


def test_the_controllers_of_kubernetes_and_the_operator_are_counted_and_no_fault(
    project: Project, mock: tuple[Any, Path]
) -> None:
    project.declare("app", {"token": {}}, readers=[rights.READER])
    [step] = steps(project, mock, *USUAL)
    assert step["verdict"] == "passed"
    assert step["cause"] == (
        "besides, as it has to be: 1 of Kubernetes' own controllers; "
        "ServiceAccount external-secrets/external-secrets, which makes Secrets"
    )


def test_others_are_named_with_their_binding_and_role(project: Project, mock: tuple[Any, Path]) -> None:
    """The label alone makes nobody a controller of Kubernetes: its name and its namespace have to be theirs, too."""
    project.declare("app", {"token": {}}, readers=[rights.READER])
    project.declare("redis", {"password": {}}, readers=[])
    pretending = binding("ClusterRoleBinding", "mine", f"ClusterRole/{COLLECTOR}", account("mine", "kube-system"))
    answers = steps(
        project,
        mock,
        *USUAL,
        role("Role", "app", SECRETS, namespace=NAMESPACE),
        binding("RoleBinding", "app", "Role/app", account(rights.READER, NAMESPACE), namespace=NAMESPACE),
        pretending | {"metadata": {"name": "mine", **BOOTSTRAPPED}},
    )
    failed = {step["subject"]: step["cause"] for step in answers if step["verdict"] == "failed"}
    assert failed == {
        f"rolebinding.{RBAC}/app": f"ServiceAccount {NAMESPACE}/{rights.READER} can read redis: "
        "RoleBinding app gives it Role app, which allows get,list,watch secrets",
        f"clusterrolebinding.{RBAC}/mine": "ServiceAccount kube-system/mine can read app and redis: "
        f"ClusterRoleBinding mine gives it ClusterRole {COLLECTOR}, which allows get,list,watch secrets",
    }
    assert [step["cause"] for step in answers if step["verdict"] == "passed"] == [
        "these have to: 1 of Kubernetes' own controllers; "
        "ServiceAccount external-secrets/external-secrets, which makes Secrets"
    ]


def test_without_the_right_to_list_cluster_roles_the_rest_is_asked_and_the_verb_is_named(
    project: Project, mock: tuple[Any, Path]
) -> None:
    """Of the roles that every cluster has it is known what they allow."""
    project.declare("app", {"token": {}}, readers=[])
    edits = binding("RoleBinding", "ci", "ClusterRole/edit", account("ci", NAMESPACE), namespace=NAMESPACE)
    unknown, failed = steps(project, mock, edits, without="clusterroles")
    assert (unknown["verdict"], failed["verdict"]) == ("unknown", "failed")
    assert "the cluster refused to list clusterroles.rbac.authorization.k8s.io: 403" in unknown["cause"]
    assert failed["subject"] == f"rolebinding.{RBAC}/ci"


def test_without_all_roles_and_bindings_nobody_knows_that_nobody_else_can_read_it(
    project: Project, mock: tuple[Any, Path]
) -> None:
    project.declare("app", {"token": {}}, readers=[])
    [step] = steps(project, mock, without="clusterrolebindings")
    assert step["verdict"] == "unknown"


def test_what_the_overlay_accepts_is_no_fault_until_its_last_day(project: Project, mock: tuple[Any, Path]) -> None:
    """By the exceptions that check has; it can't know that the cluster has the binding, and calls none unused."""
    project.declare("app", {"token": {}}, readers=[])
    project.write("overlays/test/kustomization.yaml", "namespace: shop-test\nresources: [secrets]\n")
    objects = [
        binding("ClusterRoleBinding", name, "ClusterRole/cluster-admin", account(name, name))
        for name in ("argocd", "flux", "old")
    ]
    exceptions = [
        {"rule": "readable-by-others", "object": "ClusterRoleBinding/argocd", "reason": "It deploys all of it"},
        {
            "rule": "readable-by-others",
            "object": "ClusterRoleBinding/old",
            "reason": "Goes soon",
            "until": "2020-01-01",
        },
    ]
    source = {"dotenv": {"file": "../../../.env"}}
    project.overlay("test", {"secret": {}}, source=source, exceptions=exceptions)
    answers = steps(project, mock, *objects)
    names = [step["subject"].partition("/")[2] for step in answers if step["verdict"] == "failed"]
    assert names == ["flux", "old"]
    assert answers[-1]["cause"] == "these have to: ServiceAccount argocd/argocd, by an exception of the overlay"
    assert project.ksecret("render", "test", "--write").code == 0
    assert "exception-unused" not in project.ksecret("check", "test").out


def test_a_reader_without_a_role_gets_the_commands_that_let_it_ask_the_api(
    project: Project, mock: tuple[Any, Path]
) -> None:
    """What leads to it by a way round is no right to it, and who mounts it needs none."""
    project.declare("app", {"token": {}}, readers=[rights.READER, "other"])
    project.declare("redis", {"password": {}}, readers=[])
    pods = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}]
    [step] = steps(
        project,
        mock,
        role("Role", "app", SECRETS, namespace=NAMESPACE),
        binding("RoleBinding", "app", "Role/app", account(rights.READER, NAMESPACE), namespace=NAMESPACE),
        role("Role", "pods", pods, namespace=NAMESPACE),
        binding("RoleBinding", "pods", "Role/pods", account("other", NAMESPACE), namespace=NAMESPACE),
        question="each reader can read its Secret through the API",
    )
    assert (step["subject"], step["verdict"], step["cause"]) == (
        "secret/app",
        "not applicable",
        "ServiceAccount other: no Role lets it ask the API; to take keys through env or a volume it needs none",
    )
    name, flag = "app-readers", f"--namespace={NAMESPACE}"
    assert step["remedies"] == [
        f"kubectl create role {name} {flag} --verb=get --resource=secrets --resource-name=app && "
        f"kubectl create rolebinding {name} {flag} --role={name} --serviceaccount={NAMESPACE}:other, if they do ask it"
    ]
