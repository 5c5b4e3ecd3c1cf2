"""What `check` finds in Roles and bindings: who else than its readers can read a Secret through the API."""

import json
from pathlib import Path
from typing import Any

from . import rights
from .deployed import NAMESPACE, OVERLAY, deployed, kustomize
from .projects import Project
from .rights import RBAC, account, binding, group, role

READS = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]


def project(folder: Path, *objects: rights.Object, readers: list[str] | None = None, **fields: Any) -> Project:
    """A Secret `app` with a reader, and these objects in its build."""
    project = deployed(folder, "rbac.json")
    project.declare("app", {"token": {}}, readers=[rights.READER] if readers is None else readers)
    project.write(f"{OVERLAY}/rbac.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    if fields:
        kustomize(project, **fields)
    return project


def found(project: Project) -> dict[str, str]:
    """The bindings that are named, with the severity, and the holder for a group."""
    done = project.ksecret("check", "-o", "json")
    assert done.err == "", done.err
    items = [item for item in json.loads(done.out)["items"] if item["rule"] == "readable-by-others"]
    return {item["object"]["name"]: item["severity"] for item in items}


def test_each_right_that_leads_to_the_secret_is_named_and_no_other(tmp_path: Path) -> None:
    """All cases of the table at once: 33 ServiceAccounts with a Role each."""
    expected = {name: case.expected for name, case in rights.CASES.items() if case.expected}
    assert found(project(tmp_path, *rights.objects(NAMESPACE))) == expected


def test_bindings_reach_the_namespace_that_they_are_in_or_all(tmp_path: Path) -> None:
    """A RoleBinding in another namespace gives nothing here; a ClusterRole may be bound in one namespace or in all."""
    here, other = account("ci", NAMESPACE), account("ci", "tools")
    everything = binding("ClusterRoleBinding", "everywhere", "ClusterRole/reads", other)
    objects = [
        role("ClusterRole", "reads", READS),
        role("Role", "reads", READS, namespace="tools"),
        binding("RoleBinding", "elsewhere", "ClusterRole/reads", here, namespace="tools"),
        binding("RoleBinding", "here", "ClusterRole/reads", other, namespace=NAMESPACE),
        binding("RoleBinding", "another-role", "Role/reads", here, namespace=NAMESPACE),
        everything,
    ]
    # Its kustomization sets no namespace, which would move all of them into one.
    assert found(project(tmp_path, *objects, namespace=None)) == {"here": "error", "everywhere": "error"}


def test_groups_users_and_aggregated_roles_count(tmp_path: Path) -> None:
    """A ServiceAccount is a user and in three groups; a role that is aggregated has the rules of others."""
    name = f"system:serviceaccount:{NAMESPACE}"
    selector = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["data"]}]}
    aggregated = role("ClusterRole", "aggregated", []) | {"aggregationRule": {"clusterRoleSelectors": [selector]}}
    objects = [
        role("ClusterRole", "reads", READS, labels={"tier": "data", f"{RBAC}/aggregate-to-view": "true"}),
        aggregated,
        binding("ClusterRoleBinding", "all", "ClusterRole/reads", group("system:serviceaccounts")),
        binding("ClusterRoleBinding", "signed-in", "ClusterRole/reads", group("system:authenticated")),
        binding("ClusterRoleBinding", "of-here", "ClusterRole/reads", group(f"system:serviceaccounts:{NAMESPACE}")),
        binding("ClusterRoleBinding", "by-name", "ClusterRole/aggregated", {"kind": "User", "name": f"{name}:ci"}),
        binding("ClusterRoleBinding", "viewers", "ClusterRole/view", account("ci", "tools")),
        binding(
            "ClusterRoleBinding", "reader", "ClusterRole/reads", {"kind": "User", "name": f"{name}:{rights.READER}"}
        ),
        binding("ClusterRoleBinding", "people", "ClusterRole/cluster-admin", {"kind": "User", "name": "anna"}),
    ]
    assert found(project(tmp_path, *objects)) == dict.fromkeys(
        ("all", "signed-in", "of-here", "by-name", "viewers"), "error"
    )


def test_readers_under_a_prefix_are_the_renamed_ones(tmp_path: Path) -> None:
    """The Role that the overlay asks for names the renamed reader, who is still a reader; another one is none."""
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": rights.READER}},
        binding("RoleBinding", "more", "Role/app-readers", account("other", NAMESPACE), namespace=NAMESPACE),
    ]
    shop = project(tmp_path, *objects, namePrefix="eu-")
    backend = {"externalSecret": {"store": {"name": "azure"}}}
    source = {"azureKeyVault": {"vaultUrl": "https://shop-kv.vault.azure.net"}}
    shop.overlay("test", backend, source=source, access={"create": True})
    assert shop.ksecret("render", "test", "--write").code == 0
    assert found(shop) == {"eu-more": "error"}


def test_of_a_secret_without_readers_nothing_is_reported_and_with_none_nobody_may(tmp_path: Path) -> None:
    objects = [role("Role", "reads", READS), binding("RoleBinding", "ci", "Role/reads", account("ci", NAMESPACE))]
    shop = project(tmp_path, *objects, readers=[])
    assert found(shop) == {"ci": "error"}
    shop.declare("app", {"token": {}})
    assert found(shop) == {}
