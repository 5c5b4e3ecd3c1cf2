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
from .examinations import Examination, Step, examine, typed
from .shops import STORE, Shop
from .standins import SEALED_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
NAMESPACE = "doctor-rights"
EXTERNAL, SEALED, READY = "test", "prod", "there and ready"


class Right(NamedTuple):
    """A verb on a resource, or a path, in one of the roles of docs/rbac.md."""

    role: str
    verb: str
    resource: str

    @property
    def account(self) -> str:
        """The name of a ServiceAccount that has all rights but this one."""
        return "without-" + re.sub("[^a-z0-9]+", "-", "-".join(self).lower()).strip("-")


ROLE, CLUSTER_ROLE, AT_THE_CONTROLLER = (
    "Role/ksecret-doctor",
    "ClusterRole/ksecret-doctor",
    "Role/ksecret-doctor-sealed",
)
# By the overlay for which each is asked in this shop.
ASKED = {
    EXTERNAL: [
        *(Right(ROLE, "list", name) for name in ("secrets", "pods")),
        *(Right(ROLE, "get", name) for name in ("secrets", "serviceaccounts", "namespaces")),
        *(Right(ROLE, "list", f"{name}.apps") for name in ("deployments", "statefulsets", "daemonsets")),
        Right(ROLE, "list", "cronjobs.batch"),
        Right(ROLE, "list", "externalsecrets.external-secrets.io"),
        Right(ROLE, "get", "secretstores.external-secrets.io"),
        *(Right(ROLE, "list", f"{name}.{RBAC}") for name in ("roles", "rolebindings")),
        Right(CLUSTER_ROLE, "list", "pods"),
        Right(CLUSTER_ROLE, "get", "clustersecretstores.external-secrets.io"),
        *(Right(CLUSTER_ROLE, "list", f"{name}.{RBAC}") for name in ("clusterroles", "clusterrolebindings")),
        Right(ROLE, "create", "serviceaccounts/token"),
    ],
    SEALED: [
        Right(ROLE, "list", "sealedsecrets.bitnami.com"),
        Right(AT_THE_CONTROLLER, "get", "services/proxy"),
        Right(AT_THE_CONTROLLER, "create", "services/proxy"),
    ],
}
SILENT = Right(AT_THE_CONTROLLER, "list", "services")
# Either tells why something fails.
WHY = [Right(ROLE, "list", "events"), Right(CLUSTER_ROLE, "get", "pods/log")]
ALL = [*(right for rights in ASKED.values() for right in rights), SILENT, *WHY]
NOT_ASKED = {
    "get /.well-known/openid-configuration": "every ServiceAccount has it; a person may not",
    "list pods": "at a controller: the ClusterRole has it, too",
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


def without(account: str, *missing: Right) -> Iterator[dict[str, Any]]:
    """The roles of doctor but for some rights, and the bindings that give them to an account.

    What the ClusterRole allows as well is taken out there, too.
    """
    subject = {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}
    for role in documented():
        kind, namespace = role["kind"], role["metadata"].get("namespace", "")
        taken = {*missing, *(right._replace(role=CLUSTER_ROLE) for right in missing)}
        rules = [rule for given, rule in single(role) if given not in taken]
        name = f"{NAMESPACE}-{role['metadata']['name']}-{account}"
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        yield {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}
        yield binding(f"{kind}Binding", name, f"{kind}/{name}", subject, namespace=namespace)


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
    shop.project.overlay(
        EXTERNAL, {"externalSecret": {"store": {"name": "vault"}}}, namespace=NAMESPACE, overrides=overrides
    )
    shop.kustomization(EXTERNAL)
    assert shop.ksecret("render", EXTERNAL, "--write").code == 0
    _stores(shop)
    shop.deploy(EXTERNAL)
    foreign = {"name": "FOREIGN", "valueFrom": {"secretKeyRef": {"name": "foreign", "key": "x", "optional": True}}}
    patch = [{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": foreign}]
    shop.kubectl("patch", "deployment", "reader", "--type=json", f"--patch={yaml.safe_dump(patch)}")
    cluster.apply(*(role for right in ALL for role in without(right.account, right)))
    cluster.apply(*without("without-why", *WHY))
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


def examined(shop: Shop, overlay: str, account: str, *arguments: str) -> Examination:
    """What doctor says to an account."""
    return examine(shop, overlay, f"--as=system:serviceaccount:{NAMESPACE}:{account}", *arguments)


def hints(examination: Examination, *rights: Right) -> dict[str, str]:
    """The hints that give rights, each with the question where it stands first."""
    given = [rf" --verb={right.verb} --resource={re.escape(right.resource)}(?: |$)" for right in rights]
    command = re.compile(f"create (?:cluster)?role [^&]*(?:{'|'.join(given)})")
    found: dict[str, str] = {}
    for step in examination.steps:
        for remedy in step.remedies:
            prefix, allows, hint = remedy.partition("a role that allows it: ")
            if allows and not prefix and command.search(hint):
                found.setdefault(hint, step.question)
    return found


def open_questions(examination: Examination) -> list[Step]:
    return [step for step in examination.steps if step.verdict == "unknown"]


def test_every_right_of_the_documented_roles_is_looked_at() -> None:
    every = {right for role in documented() for right, _ in single(role)}
    assert {*ALL} <= every
    left = {f"{right.verb} {right.resource}" for right in every - {*ALL}}
    assert left == {*NOT_ASKED}


@pytest.mark.parametrize(
    ("overlay", "right"),
    [(overlay, right) for overlay, rights in ASKED.items() for right in rights],
    ids=lambda value: value if isinstance(value, str) else value.account,
)
def test_a_right_that_is_missing_is_named_and_given_by_the_next_step(shop: Shop, overlay: str, right: Right) -> None:
    """Nothing else is left open for the lack of it, and with it nothing is."""
    arguments = ["--as-workload"] if right.resource == "serviceaccounts/token" else []
    examination = examined(shop, overlay, right.account, *arguments)
    commands = hints(examination, right)
    assert commands, examination.done.out
    titles = {step.question for step in open_questions(examination)}
    assert titles == {
        step.question
        for step in open_questions(examination)
        if any(command in remedy for remedy in step.remedies for command in commands)
    }
    for command in commands:
        typed(shop, command)
    examination = examined(shop, overlay, right.account, *arguments)
    assert (hints(examination, right), open_questions(examination)) == ({}, [])


def test_an_event_or_the_log_is_enough_to_know_why_and_without_either_both_rights_are_named(shop: Shop) -> None:
    store = "secretstore.external-secrets.io/vault"
    cause = "multiple clientID found. Check secretRef and serviceAccountRef"
    for right in WHY:
        step = examined(shop, EXTERNAL, right.account).of(store, READY)
        assert (cause in step.cause, hints(examined(shop, EXTERNAL, right.account), right)) == (True, {})
    examination = examined(shop, EXTERNAL, "without-why")
    assert cause not in examination.of(store, READY).cause
    commands = hints(examination, *WHY)
    assert len(commands) == 2
    for command in commands:
        typed(shop, command)
    assert cause in examined(shop, EXTERNAL, "without-why").of(store, READY).cause


def test_while_the_controller_is_silent_it_names_the_right_to_find_out_why(shop: Shop) -> None:
    with shop.cluster.without(SEALED_SECRETS.name):
        [(command, question)] = hints(examined(shop, SEALED, SILENT.account), SILENT).items()
        assert question == "the Sealed Secrets controller answers"
        typed(shop, command)
        assert hints(examined(shop, SEALED, SILENT.account), SILENT) == {}
