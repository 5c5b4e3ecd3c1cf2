"""`doctor` of stores that External Secrets Operator can't use: each fault is put in, and mended by the printed steps.

The operator itself judges, too: what `doctor` says of a store's conditions is what the operator does.
"""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..keyvault import KeyVault
from ..keyvault.faults import no_role
from .azure import account, applied, azure_overlay, cloud
from .controlplane import Cluster
from .examinations import Examination, Step, examine, follow
from .shops import STORE, Shop
from .standins import EXTERNAL_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
CANARY = "canary-value"
ALLOWED, CREDENTIALS = "may be used from the namespace", "credentials are there"
APP, VAULT = "externalsecret.external-secrets.io/app", "secretstore.external-secrets.io/vault"
SYNC = "kubectl ksecret sync test app, once the store lets the namespace in: see above"
# What a ClusterSecretStore lets in, and whether that is the namespace of the test.
CONDITIONS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "the name": ([{"namespaces": ["other", "NAMESPACE"]}], True),
    "another name": ([{"namespaces": ["other"]}], False),
    "a pattern": ([{"namespaceRegexes": ["^x$", "NAME.+"]}], True),
    "another pattern": ([{"namespaceRegexes": ["^shop-"]}], False),
    "a label": ([{"namespaceSelector": {"matchLabels": {"team": "shop"}}}], True),
    "another label": ([{"namespaceSelector": {"matchLabels": {"team": "payments"}}}], False),
    "an expression": (
        [{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["payments"]}]}}],
        True,
    ),
    "another expression": (
        [{"namespaceSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}}],
        False,
    ),
    "one of two": ([{"namespaces": ["other"]}, {"namespaceSelector": {}}], True),
}
WORDED = {
    "another name": "other",
    "another pattern": "those that match ^shop-",
    "another label": "those with team=payments",
    "another expression": "those with tier",
}


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture(scope="module")
def vault(cluster: Cluster) -> Iterator[KeyVault]:
    """The double of Key Vault, which External Secrets Operator trusts."""
    with KeyVault() as double:
        double.set("token", CANARY)
        double.set("password", "p")
        # The operator reads whom it trusts when it starts.
        shutil.copyfile(double.environment["REQUESTS_CA_BUNDLE"], cluster.vault_authorities)
        with cluster.without(EXTERNAL_SECRETS.name):
            pass
        yield double


@pytest.fixture
def principal(shop: Shop, vault: KeyVault) -> Shop:
    """An overlay whose store signs in with the client secret of the double's application; nothing is applied yet."""
    auth = {
        "servicePrincipal": {
            "tenantId": "adfs",
            "secretName": "principal",
            "clientIdKey": "id",
            "clientSecretKey": "secret",
        }
    }
    azure_overlay(shop, vault.url, auth, **cloud(vault))
    account(shop, {})
    shop.project.write("id", vault.client_id)
    shop.project.write("secret", vault.environment["AZURE_CLIENT_SECRET"])
    return shop


def examined(shop: Shop, *arguments: str, **variables: str) -> Examination:
    """What doctor says; no value may show."""
    examination = examine(shop, "test", *arguments, **variables)
    assert CANARY not in examination.done.out + examination.done.err
    return examination


def eventually(shop: Shop, subject: str, cause: str, question: str = "") -> Step:
    """The step about an object, once its cause holds a text: the operator takes its time to fail."""
    end = time.monotonic() + 45
    while True:
        step = examined(shop).of(subject, question)
        if step.verdict == "failed" and cause in step.cause:
            return step
        assert time.monotonic() < end, step
        time.sleep(0.5)


def with_file(step: Step, name: str) -> Step:
    """The step, with the name of a file where the person who types the command puts it."""
    return step._replace(remedies=[remedy.replace("=FILE ", f"={name} ") for remedy in step.remedies])


@pytest.mark.parametrize("case", CONDITIONS)
def test_a_namespace_that_the_conditions_leave_out_is_named_and_let_in_by_the_next_step(shop: Shop, case: str) -> None:
    conditions, lets_in = CONDITIONS[case]
    store, name = f"fake-{shop.namespace}"[:60].rstrip("-"), shop.namespace
    text = json.dumps(conditions).replace("NAMESPACE", name).replace("NAME", name[:5])
    provider = {"fake": {"data": [{"key": "token", "value": CANARY}, {"key": "password", "value": "p"}]}}
    shop.cluster.apply(
        {
            "apiVersion": STORE,
            "kind": "ClusterSecretStore",
            "metadata": {"name": store},
            "spec": {"provider": provider, "conditions": json.loads(text)},
        }
    )
    shop.cluster.kubectl("label", "namespace", name, "team=shop")
    try:
        shop.external_overlay(store={"name": store, "kind": "ClusterSecretStore"})
        assert (shop.ksecret("sync", "test", "--timeout=20s").code == 0) == lets_in
        step = examined(shop).of(f"clustersecretstore.external-secrets.io/{store}", ALLOWED)
        assert (step.verdict == "passed") == lets_in
        if not lets_in:
            assert step.cause == f"its conditions leave out {name}: they let in {WORDED[case]}"
            failed = examined(shop).of(APP)
            assert failed.cause.endswith("denied by spec.condition")
            assert failed.remedies == [SYNC]
            follow(shop, step)
            follow(shop, failed)
        assert examined(shop).failed == []
    finally:
        shop.cluster.kubectl("delete", "clustersecretstore", store)
        # Else the operator would be busy with it for the next tests.
        shop.kubectl("delete", "externalsecrets", "--all", "--wait=false")


def test_without_the_right_to_read_the_namespace_only_its_labels_are_not_known(shop: Shop) -> None:
    store = f"fake-{shop.namespace}"[:60].rstrip("-")
    conditions = [{"namespaceSelector": {"matchLabels": {"team": "payments"}}}]
    spec = {"provider": {"fake": {"data": []}}, "conditions": conditions}
    metadata = {"name": store}
    shop.cluster.apply({"apiVersion": STORE, "kind": "ClusterSecretStore", "metadata": metadata, "spec": spec})
    shop.cluster.kubectl("create", "clusterrole", store, "--verb=get", "--resource=clustersecretstores")
    kubeconfig = str(shop.cluster.user(shop.namespace, "viewer"))
    viewer = f"--serviceaccount={shop.namespace}:viewer"
    shop.cluster.kubectl("create", "clusterrolebinding", store, f"--clusterrole={store}", viewer)
    try:
        shop.external_overlay(store={"name": store, "kind": "ClusterSecretStore"})
        [step] = examined(shop, KUBECONFIG=kubeconfig).all(ALLOWED)
        assert step.verdict == "unknown"
        follow(shop, step)
        [step] = examined(shop, KUBECONFIG=kubeconfig).all(ALLOWED)
        assert step.verdict == "failed"
    finally:
        for kind in ("clustersecretstore", "clusterrole", "clusterrolebinding"):
            shop.cluster.kubectl("delete", kind, store)


def test_a_store_of_a_class_that_no_controller_serves_is_named_and_served_after_the_next_step(shop: Shop) -> None:
    """Whether it was so from the beginning, or became so after it was ready: then its condition is an old one."""
    shop.external_overlay()
    shop.store(token=CANARY, password="p")
    assert shop.ksecret("sync", "test", "--restart=never").code == 0
    for _ in range(2):
        shop.kubectl("patch", "secretstore", "fake", "--type=merge", '--patch={"spec": {"controller": "mine"}}')
        examination = examined(shop)
        step = examination.of("secretstore.external-secrets.io/fake", "there and ready")
        served = "spec.controller is mine, and the controller that runs serves default"
        assert step.cause == f"no controller looks at it: {served}"
        assert examination.of(APP).cause.endswith("see above: the store is there and ready")
        follow(shop, step)
        assert examined(shop).failed == []
        shop.kubectl("delete", "secretstore", "fake")
        shop.store(token=CANARY, password="p")
        shop.kubectl("wait", "--for=condition=Ready", "secretstore/fake", "--timeout=30s")


def test_a_service_principal_gets_its_secret_key_by_key_and_the_operator_signs_in(
    principal: Shop, vault: KeyVault
) -> None:
    """The Secret is missing, then a key of it; and there is no workload whose sign-in could be tried."""
    applied(principal)
    steps = examined(principal).all(CREDENTIALS)
    cause = f"there is no such Secret in {principal.namespace}, with which {VAULT} signs in"
    assert [(step.subject, step.cause) for step in steps] == [("secret/principal", cause)] * 2
    follow(principal, with_file(steps[0], "id"))
    passed, failed = examined(principal).all(CREDENTIALS)
    assert (passed.cause, failed.cause) == ("it has id", f"it lacks secret, with which {VAULT} signs in")
    follow(principal, with_file(failed, "secret"))
    done = principal.ksecret("sync", "test", "--timeout=40s", "--restart=never")
    assert (done.code, done.err) == (0, "")
    assert principal.secret() == {"token": CANARY, "password": "p"}
    examination = examined(principal, "--as-workload", **vault.network)
    assert examination.failed == []
    step = examination.of(VAULT, "federated credential")
    assert step.verdict == "not applicable"
    assert step.cause == "it signs in as a service principal, and not as a ServiceAccount of its own"


def test_a_client_secret_that_entra_refuses_is_named_by_its_code(principal: Shop) -> None:
    """Renewing it is a matter of Azure; the new one gets into the cluster as the first one did."""
    literals = (f"--from-file=id={principal.project.root / 'id'}", "--from-literal=secret=outdated")
    principal.kubectl("create", "secret", "generic", "principal", *literals)
    applied(principal)
    step = eventually(principal, APP, "AADSTS7000215")
    assert step.cause.endswith("the client secret is wrong (AADSTS7000215)")
    assert step.remedies == ["renew it: az ad app credential reset --id CLIENT_ID"]


def test_an_address_where_no_vault_answers_is_named_with_the_field_and_mended_by_the_next_steps(
    principal: Shop, vault: KeyVault
) -> None:
    """A store of Key Vault is ready all the same; its ExternalSecrets fail."""
    sources = [f"--from-file={name}={principal.project.root / name}" for name in ("id", "secret")]
    principal.kubectl("create", "secret", "generic", "principal", *sources)
    azure = yaml.safe_load((principal.project.root / "overlays/test/secrets/ksecret.yaml").read_text())
    _write_url(principal, azure, "https://127.0.0.1:1")
    assert principal.ksecret("render", "test", "--write").code == 0
    applied(principal)
    step = eventually(principal, APP, "connection refused")
    assert step.remedies == [
        "correct spec.source.azureKeyVault.vaultUrl in overlays/test/secrets/ksecret.yaml, of which the store has "
        "vaultUrl (https://127.0.0.1:1); then",
        "kubectl ksecret render test --write",
        "kubectl ksecret sync test",
    ]
    _write_url(principal, azure, vault.url)
    follow(principal, step)
    assert examined(principal).failed == []


def _write_url(shop: Shop, overlay: dict[str, Any], url: str) -> None:
    overlay["spec"]["source"]["azureKeyVault"]["vaultUrl"] = url
    shop.project.write("overlays/test/secrets/ksecret.yaml", yaml.safe_dump(overlay))


def test_a_secret_of_another_namespace_is_not_what_a_store_of_one_namespace_signs_in_with(principal: Shop) -> None:
    """The operator looks beside the store, whatever namespace its reference states."""
    applied(principal)
    operation = {"op": "add", "path": "/spec/provider/azurekv/authSecretRef/clientId/namespace", "value": "kube-system"}
    principal.kubectl("patch", "secretstore", "vault", "--type=json", f"--patch={json.dumps([operation])}")
    step = examined(principal).all(CREDENTIALS)[0]
    assert step.cause == (
        f"there is no such Secret in {principal.namespace}, where a SecretStore looks, though it names kube-system, "
        f"with which {VAULT} signs in"
    )


def test_a_property_that_a_value_lacks_is_named_and_arrives_by_the_next_step(principal: Shop, vault: KeyVault) -> None:
    principal.project.declare("app", {"token": {"remoteName": "document", "property": "sub"}, "password": {}})
    vault.set("document", '{"sup": "x"}')
    _signed_in(principal)
    step = eventually(principal, APP, "property sub does not exist in key document")
    assert step.remedies == ["kubectl ksecret sync test app, once the store has it"]
    vault.set("document", json.dumps({"sub": CANARY}))
    follow(principal, step)
    assert principal.secret()["token"] == CANARY


def test_an_identity_that_may_not_read_the_vault_gets_the_role_by_the_next_step(
    principal: Shop, vault: KeyVault
) -> None:
    """Azure alone can give it; the double refuses as Key Vault does."""
    vault.faults.add(no_role(), "GET /secrets/**")
    try:
        _signed_in(principal)
        step = eventually(principal, APP, "403")
    finally:
        vault.faults.clear()
    assert step.remedies[0].startswith(
        'az role assignment create --role "Key Vault Secrets User" --assignee CLIENT_ID '
    )
    follow(principal, step._replace(remedies=["kubectl ksecret sync test app"]))


def _signed_in(shop: Shop) -> None:
    """Deploy the overlay with the right credentials."""
    sources = [f"--from-file={name}={shop.project.root / name}" for name in ("id", "secret")]
    shop.kubectl("create", "secret", "generic", "principal", *sources)
    assert shop.ksecret("render", "test", "--write").code == 0
    applied(shop)
