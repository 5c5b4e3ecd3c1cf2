"""`doctor` with exactly one right fewer than docs/rbac.md gives it: it names that right, and goes on without it.

The hint that it prints gives the right, so that the next run asks what this one could not.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest
import yaml

from ..peers import ROOT
from ..rights import RBAC, binding
from .controlplane import Cluster
from .examinations import Examination, Step, examine, follow
from .shops import STORE, Shop
from .standins import SEALED_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
NAMESPACE = "doctor-rights"
EXTERNAL, SEALED = "test", "prod"


class Right(NamedTuple):
    """A verb on a resource, or a path, in one of the roles of docs/rbac.md."""

    role: str
    verb: str
    resource: str

    @property
    def account(self) -> str:
        """The name of a ServiceAccount that has all rights but this one."""
        return "without-" + re.sub("[^a-z0-9]+", "-", "-".join(self)).strip("-")


ROLE, CLUSTER_ROLE, AT_THE_CONTROLLER = (
    "Role/ksecret-doctor",
    "ClusterRole/ksecret-doctor",
    "Role/ksecret-doctor-sealed",
)
# By the overlay for which each is asked in this shop.
ASKED = {
    EXTERNAL: [
        *(Right(ROLE, "list", name) for name in ("secrets", "events", "pods")),
        *(Right(ROLE, "get", name) for name in ("secrets", "serviceaccounts", "namespaces")),
        *(Right(ROLE, "list", f"{name}.apps") for name in ("deployments", "statefulsets", "daemonsets")),
        Right(ROLE, "list", "cronjobs.batch"),
        Right(ROLE, "list", "externalsecrets.external-secrets.io"),
        Right(ROLE, "get", "secretstores.external-secrets.io"),
        *(Right(ROLE, "list", f"{name}.{RBAC}") for name in ("roles", "rolebindings")),
        Right(CLUSTER_ROLE, "list", "pods"),
        Right(CLUSTER_ROLE, "get", "pods/log"),
        Right(CLUSTER_ROLE, "get", "clustersecretstores.external-secrets.io"),
        *(Right(CLUSTER_ROLE, "list", f"{name}.{RBAC}") for name in ("clusterroles", "clusterrolebindings")),
        Right(CLUSTER_ROLE, "get", "/.well-known/openid-configuration"),
        Right(ROLE, "create", "serviceaccounts/token"),
    ],
    SEALED: [
        Right(ROLE, "list", "sealedsecrets.bitnami.com"),
        Right(AT_THE_CONTROLLER, "get", "services/proxy"),
        Right(AT_THE_CONTROLLER, "create", "services/proxy"),
    ],
}
ALL = [right for rights in ASKED.values() for right in rights]
# While the controller is silent.
SILENT = [Right(AT_THE_CONTROLLER, "list", "services"), Right(AT_THE_CONTROLLER, "list", "pods")]
NOT_ASKED = {
    "list rollouts.argoproj.io": "the cluster serves no Rollouts",
    "list secretstores.external-secrets.io": "only for a name that is near, where a store is missing",
    "list clustersecretstores.external-secrets.io": "the same",
    "list vaultstaticsecrets.secrets.hashicorp.com": "test_doctor_vso.py",
    "get vaultauths.secrets.hashicorp.com": "test_doctor_vso.py",
    "get vaultconnections.secrets.hashicorp.com": "test_doctor_vso.py",
    "list externalsecrets.alibabacloud.com": "the cluster does not serve it",
    "get secretstores.alibabacloud.com": "the cluster does not serve it",
    "get services": "without it, both names of the port are tried",
    "list deployments.apps": "at a controller: only where it has no pod",
    "list statefulsets.apps": "the same",
}


def documented() -> Iterator[dict[str, Any]]:
    """The roles of doctor, as they stand in docs/rbac.md, in the namespace of the shop."""
    text = (ROOT / "docs" / "rbac.md").read_text()
    for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        role = yaml.safe_load(block)
        if role["metadata"]["name"].startswith("ksecret-doctor"):
            if role["metadata"].get("namespace") == "shop-prod":
                role["metadata"]["namespace"] = NAMESPACE
            yield role


def single(role: dict[str, Any]) -> Iterator[tuple[Right, dict[str, Any]]]:
    """The rights of a role one by one, each with a rule that gives just that."""
    name = f"{role['kind']}/{role['metadata']['name']}"
    for rule in role["rules"]:
        [field] = rule.keys() & {"resources", "nonResourceURLs"}
        for resource, verb in product(rule[field], rule["verbs"]):
            base, slash, subresource = resource.partition("/") if field == "resources" else (resource, "", "")
            group = "".join(f".{group}" for group in rule.get("apiGroups", ()) if group)
            yield Right(name, verb, f"{base}{group}{slash}{subresource}"), rule | {field: [resource], "verbs": [verb]}


def without(right: Right) -> Iterator[dict[str, Any]]:
    """The roles of doctor but for one right, and the bindings that give them to an account."""
    account = {"kind": "ServiceAccount", "name": right.account, "namespace": NAMESPACE}
    for role in documented():
        kind, namespace = role["kind"], role["metadata"].get("namespace", "")
        rules = [rule for given, rule in single(role) if given != right]
        name = f"{NAMESPACE}-{role['metadata']['name']}-{right.account}"
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        yield {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}
        yield binding(f"{kind}Binding", name, f"{kind}/{name}", account, namespace=namespace)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Shop]:
    """Two overlays, two stores that can't be used, a workload that reads another one's Secret, and all accounts."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    shop = Shop(tmp_path_factory.mktemp("rights"), cluster, NAMESPACE)
    shop.project.declare("app", {"token": {}, "password": {}}, readers=["nobody"])
    shop.project.declare("wide", {"wide-key": {}})
    shop.sealed_overlay()
    shop.seal(token="one", password="p", wide_key="w")
    overrides = {"wide": {"externalSecret": {"store": {"name": NAMESPACE, "kind": "ClusterSecretStore"}}}}
    shop.external_overlay(store={"name": "vault"}, overlay={"overrides": overrides})
    _stores(shop)
    shop.deploy(EXTERNAL)
    foreign = {"name": "FOREIGN", "valueFrom": {"secretKeyRef": {"name": "foreign", "key": "x", "optional": True}}}
    patch = [{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": foreign}]
    shop.kubectl("patch", "deployment", "reader", "--type=json", f"--patch={yaml.safe_dump(patch)}")
    cluster.apply(*(role for right in (*ALL, *SILENT) for role in without(right)))
    yield shop
    shop.kubectl("delete", "externalsecrets", "--all", "--wait=false")
    cluster.kubectl("delete", "clustersecretstore", NAMESPACE)


def _stores(shop: Shop) -> None:
    """A store of Key Vault whose client id stands in two places, and one whose conditions ask for a label."""
    azure = {
        "vaultUrl": "https://shop.vault.example",
        "authType": "WorkloadIdentity",
        "tenantId": "shop.example",
        "serviceAccountRef": {"name": "shop"},
        "authSecretRef": {"clientId": {"name": "principal", "key": "id"}},
    }
    annotations = {"azure.workload.identity/client-id": "shop-client"}
    conditions = [{"namespaceSelector": {"matchLabels": {"team": "payments"}}}]
    specs = {
        "SecretStore": {"provider": {"azurekv": azure}},
        "ClusterSecretStore": {"provider": {"fake": {"data": []}}, "conditions": conditions},
    }
    names = {"SecretStore": {"name": "vault", "namespace": NAMESPACE}, "ClusterSecretStore": {"name": NAMESPACE}}
    account = {"name": "shop", "namespace": NAMESPACE, "annotations": annotations}
    shop.cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        *({"apiVersion": STORE, "kind": kind, "metadata": names[kind], "spec": spec} for kind, spec in specs.items()),
    )
    shop.kubectl("create", "secret", "generic", "principal", "--from-literal=id=one")
    shop.kubectl("wait", "--for=condition=Ready=False", "secretstore/vault", "--timeout=30s")


def examined(shop: Shop, overlay: str, right: Right) -> Examination:
    """What doctor says to the account that lacks a right."""
    user = f"--as=system:serviceaccount:{NAMESPACE}:{right.account}"
    workload = ["--as-workload"] if right.resource == "serviceaccounts/token" else []
    return examine(shop, overlay, user, *workload)


def naming(examination: Examination, right: Right) -> list[Step]:
    """The steps whose next step gives a right."""
    kind = "clusterrole" if right.role == CLUSTER_ROLE else "role"
    field = "non-resource-url" if right.resource.startswith("/") else "resource"
    command = re.compile(
        rf"create {kind} \S+ (--namespace=\S+ )?--verb={right.verb} --{field}={re.escape(right.resource)}( |$)"
    )
    return [step for step in examination.steps if any(command.search(remedy) for remedy in step.remedies)]


def test_every_right_of_the_documented_roles_is_looked_at() -> None:
    every = {right for role in documented() for right, _ in single(role)}
    looked_at = {*ALL, *SILENT}
    assert looked_at <= every
    left = {f"{right.verb} {right.resource}" for right in every - looked_at}
    assert left == set(NOT_ASKED)


@pytest.mark.parametrize(
    ("overlay", "right"),
    [(overlay, right) for overlay, rights in ASKED.items() for right in rights],
    ids=lambda value: value if isinstance(value, str) else value.account,
)
def test_a_right_that_is_missing_is_named_and_given_by_the_next_step(shop: Shop, overlay: str, right: Right) -> None:
    """Nothing else is left open for the lack of it, and with it nothing is."""
    examination = examined(shop, overlay, right)
    steps = naming(examination, right)
    assert steps, examination.done.out
    assert [step for step in examination.steps if step.verdict == "unknown" and step not in steps] == []
    roles = [remedy for remedy in steps[0].remedies if remedy.startswith("a role that allows it: ")]
    follow(shop, steps[0]._replace(remedies=roles))
    examination = examined(shop, overlay, right)
    assert naming(examination, right) == []
    assert [step for step in examination.steps if step.verdict == "unknown"] == []


def test_while_the_controller_is_silent_it_names_the_rights_to_find_out_why(shop: Shop) -> None:
    with shop.cluster.without(SEALED_SECRETS.name):
        for right in SILENT:
            steps = naming(examined(shop, SEALED, right), right)
            assert [step.question for step in steps] == ["the Sealed Secrets controller answers"], right
            follow(shop, steps[0])
            assert naming(examined(shop, SEALED, right), right) == []
