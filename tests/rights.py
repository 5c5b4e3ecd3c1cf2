"""Roles and bindings, each with what it gives its ServiceAccount: the Secret `app` itself, a way round, or neither."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

RBAC = "rbac.authorization.k8s.io"
READER = "backend-sa"
Object = dict[str, Any]
Expected = Literal["error", "warning", ""]


class Case(NamedTuple):
    """A rule in a Role of the namespace, bound to a ServiceAccount of the case's name."""

    rule: tuple[str, str, str]  # verbs, the group and resources; "core" is the group without a name
    expected: Expected
    names: str = ""


CASES: Mapping[str, Case] = {
    "get": Case(("get", "core", "secrets"), "error"),
    "watch-of-the-name": Case(("watch", "core", "secrets"), "error", names="app"),
    "list-of-the-name": Case(("list", "core", "configmaps secrets"), "error", names="other app"),
    "get-of-another-name": Case(("get list watch", "core", "secrets"), "", names="other"),
    "every-verb": Case(("*", "core", "secrets"), "error"),
    "every-resource": Case(("get", "core", "*"), "error"),
    "every-group": Case(("get", "*", "secrets"), "error"),
    "patch": Case(("patch", "core", "secrets"), "error"),
    "deletecollection": Case(("deletecollection", "core", "secrets"), "error"),
    "deletecollection-of-the-name": Case(("deletecollection", "core", "secrets"), "", names="app"),
    "writes": Case(("create update delete", "core", "secrets"), ""),
    "another-group": Case(("get", "example.org", "secrets"), ""),
    "subresources": Case(("get", "core", "*/status secrets/status"), ""),
    "pods": Case(("create", "core", "pods"), "warning"),
    "pods-of-a-name": Case(("create", "core", "pods"), "", names="app"),
    "pods-read": Case(("get list watch delete", "core", "pods pods/log"), ""),
    "deployments": Case(("patch", "apps", "deployments"), "warning", names="backend"),
    "deployments-of-another-group": Case(("create", "core", "deployments"), ""),
    "cron-jobs": Case(("create", "batch", "*"), "warning"),
    "exec": Case(("get", "core", "pods/exec"), "warning"),
    "every-exec": Case(("create", "core", "*/exec"), "warning"),
    "ephemeral": Case(("patch", "core", "pods/ephemeralcontainers"), "warning"),
    "nodes": Case(("create", "core", "nodes/proxy"), ""),
    "token": Case(("create", "core", "serviceaccounts/token"), "warning"),
    "token-of-a-reader": Case(("create", "core", "serviceaccounts/token"), "warning", names=READER),
    "token-of-one-who-can": Case(("create", "core", "serviceaccounts/token"), "warning", names="token-of-a-reader"),
    "token-of-one-who-can-not": Case(("create", "core", "serviceaccounts/token"), "", names="writes"),
    "impersonates": Case(("impersonate", "core", "serviceaccounts"), "warning"),
    "impersonates-users": Case(("impersonate", "core", "users groups"), ""),
    "binds": Case(("bind", RBAC, "clusterroles"), "warning", names="edit"),
    "binds-the-viewer": Case(("bind", RBAC, "clusterroles"), "", names="view"),
    "escalates": Case(("escalate", RBAC, "roles"), "warning"),
}


def objects(namespace: str) -> Iterator[Object]:
    """The Roles and bindings of all cases in a namespace."""
    for name, case in CASES.items():
        verbs, group_name, resources = case.rule
        rule: Object = {
            "apiGroups": ["" if group_name == "core" else group_name],
            "resources": resources.split(),
            "verbs": verbs.split(),
        }
        if case.names:
            rule["resourceNames"] = case.names.split()
        yield role("Role", name, [rule], namespace=namespace)
        yield binding("RoleBinding", name, f"Role/{name}", account(name, namespace), namespace=namespace)


def role(kind: str, name: str, rules: list[Object], *, namespace: str = "", **fields: Any) -> Object:
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": _metadata(name, namespace, fields), "rules": rules}


def binding(kind: str, name: str, role_name: str, *subjects: Object, namespace: str = "") -> Object:
    role_kind, _, name_of_role = role_name.partition("/")
    reference = {"apiGroup": RBAC, "kind": role_kind, "name": name_of_role}
    metadata = _metadata(name, namespace, {})
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": reference,
        "subjects": list(subjects),
    }


def account(name: str, namespace: str) -> Object:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def group(name: str) -> Object:
    return {"kind": "Group", "name": name, "apiGroup": RBAC}


def _metadata(name: str, namespace: str, fields: Object) -> Object:
    return {"name": name, **({"namespace": namespace} if namespace else {}), **fields}
