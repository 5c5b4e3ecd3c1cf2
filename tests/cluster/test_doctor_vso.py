"""`doctor` of Vault Secrets Operator: faults in Vault and in the cluster, against the real operator and OpenBao."""

import json
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ..openbao import OpenBao
from .controlplane import Cluster
from .examinations import Examination, Step, examine, follow
from .shops import Shop
from .test_vault import Vault

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("vault_secrets_operator"),
]
GROUP, OPERATOR = "secrets.hashicorp.com", "vault-secrets-operator-system"
LABEL = "app.kubernetes.io/name=vault-secrets-operator"
APP, AUTH, CONNECTION = (
    f"{kind}.{GROUP}/{name}"
    for kind, name in (("vaultstaticsecret", "app"), ("vaultauth", "vault"), ("vaultconnection", "vault"))
)
SIGN_IN, SYNCED, PRESENT = "sign in to Vault", "is synced", "has the present values"
VALUES = {"token": "one", "password": "p"}


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


class Ward:
    """An overlay of VaultStaticSecrets, its entry in Vault, and the policy that lets the operator read it."""

    def __init__(self, shop: Shop, bao: OpenBao) -> None:
        self.shop, self.bao, self.vault = shop, bao, Vault(bao, shop)
        self.auth = self.vault.kubernetes()
        self.role = f"auth/{self.auth['kubernetes']['mountPath']}/role/shop"
        self.environment = {"VAULT_ADDR": bao.url, "VAULT_TOKEN": bao.token}

    def write(self, refresh_after: str = "2s", address: str = "", **auth: str) -> None:
        """Write the overlay."""
        source = {
            "names": "shop/prod/{secret}",
            "property": "{remoteName}",
            "vault": {"address": address or self.bao.url, "mount": self.vault.mount},
        }
        stated = {"kubernetes": self.auth["kubernetes"] | auth}
        backend = {"vaultSecretsOperator": {"refreshAfter": refresh_after, "auth": stated}}
        self.shop.project.overlay("vso", backend, source=source, namespace=self.shop.namespace)
        self.shop.kustomization("vso")
        done = self.shop.ksecret("render", "vso", "--write")
        assert (done.code, done.err) == (0, "")

    def deploy(self, **fields: str) -> None:
        """Write the overlay and apply it."""
        self.write(**fields)
        self.shop.deploy("vso")

    def synced(self) -> None:
        """Deploy the overlay, and wait until the Secret is there."""
        self.deploy()
        done = self.shop.ksecret("sync", "vso", "--restart=never")
        assert (done.code, done.err) == (0, "")

    def store(self, **values: str) -> None:
        """Write the entry."""
        self.bao.ask("POST", f"{self.vault.mount}/data/shop/prod/app", {"data": values})

    def examined(self) -> Examination:
        """What doctor says; no value may show."""
        examination = examine(self.shop, "vso")
        assert '"one"' not in examination.done.out
        return examination

    def eventually(self, subject: str, cause: str, question: str = "") -> Step:
        """The step about an object, once it fails with a cause."""
        end = time.monotonic() + 45
        while True:
            step = self.examined().of(subject, question)
            if step.verdict == "failed" and cause in step.cause:
                return step
            assert time.monotonic() < end, step
            time.sleep(0.3)

    def healthy(self, **values: str) -> None:
        """Nothing fails any more, within a moment, but that pods have older values; a restart mends that."""
        end = time.monotonic() + 45
        while [step for step in self.examined().failed if PRESENT not in step.question]:
            assert time.monotonic() < end, self.examined().failed
            time.sleep(0.5)
        for step in self.examined().failed:
            follow(self.shop, step)
        assert self.examined().failed == []
        assert self.shop.secret() == VALUES | values


@pytest.fixture
def ward(shop: Shop, bao: OpenBao) -> Ward:
    return Ward(shop, bao)


def test_where_all_is_well_each_step_says_what_was_seen(ward: Ward) -> None:
    ward.synced()
    causes = {(step.subject, step.verdict): step.cause for step in ward.examined().steps}
    assert causes["apiservice/v1beta1.secrets.hashicorp.com", "passed"] == f"it serves {GROUP}/v1beta1"
    assert causes[CONNECTION, "passed"] == ward.bao.url
    assert causes[AUTH, "passed"] == f"role shop at {ward.auth['kubernetes']['mountPath']}"
    assert causes["serviceaccount/shop-sa", "passed"] == "it is there"
    assert causes[APP, "passed"] == ""
    assert causes["secret/app", "passed"] == "2 keys, made by VaultStaticSecret app"


def test_an_operator_that_is_scaled_away_is_named_and_runs_again_after_the_next_step(ward: Ward) -> None:
    """A Deployment stands for the operator, which runs outside of the cluster."""
    ward.write()
    name, kubectl = "vault-secrets-operator-controller-manager", ward.shop.cluster.kubectl
    kubectl("scale", f"deployment/{name}", f"--namespace={OPERATOR}", "--replicas=0")
    kubectl("wait", "--for=delete", "pod", f"--selector={LABEL}", f"--namespace={OPERATOR}", "--timeout=30s")
    step = ward.examined().of(f"deployment.apps/{name}")
    assert step.cause == f"in namespace {OPERATOR}, it is scaled to 0"
    follow(ward.shop, step)
    kubectl("rollout", "status", f"deployment/{name}", f"--namespace={OPERATOR}", "--timeout=30s")
    [step] = ward.examined().all("controller runs")
    assert (step.verdict, step.cause) == ("passed", f"in namespace {OPERATOR}")


@pytest.mark.parametrize(("kind", "subject"), [("VaultAuth", AUTH), ("VaultConnection", CONNECTION)])
def test_what_the_build_has_and_the_cluster_lacks_is_there_after_the_next_step(
    ward: Ward, kind: str, subject: str
) -> None:
    ward.synced()
    ward.shop.kubectl("delete", kind, "vault")
    step = ward.examined().of(subject, SIGN_IN)
    assert (step.verdict, step.cause) == ("failed", f"there is no such {kind}, though the build has it")
    follow(ward.shop, step)
    # Of the same values the operator would not say that it reads them again: a failure in between would count on.
    ward.store(token="two", password="p")
    ward.healthy(token="two")


def test_a_vault_auth_that_names_another_connection_is_mended_by_the_next_step(ward: Ward) -> None:
    ward.synced()
    ward.shop.kubectl("patch", "vaultauth", "vault", "--type=merge", '--patch={"spec":{"vaultConnectionRef":"gone"}}')
    steps = [step for step in ward.examined().all(SIGN_IN) if "VaultConnection gone" in step.cause]
    assert [step.cause for step in steps] == [
        "it names the VaultConnection gone, which is not there, and in the build vault"
    ]
    follow(ward.shop, steps[0])
    ward.healthy()


def test_an_address_where_no_vault_answers_is_named_and_mended_by_the_next_steps(ward: Ward) -> None:
    ward.deploy(address="http://127.0.0.1:1")
    step = ward.eventually(CONNECTION, "connection refused", SIGN_IN)
    assert step.cause.startswith("http://127.0.0.1:1: ")
    file = "overlays/vso/secrets/ksecret.yaml"
    assert step.remedies[0] == f"correct spec.source.vault.address in {file}, if it is wrong; then"
    path = ward.shop.project.root / file
    path.write_text(path.read_text().replace("http://127.0.0.1:1", ward.bao.url))
    follow(ward.shop, step)
    ward.healthy()


def test_a_service_account_that_the_role_is_not_bound_to_is_bound_by_the_next_step(ward: Ward) -> None:
    ward.bao.ask("POST", ward.role, {"bound_service_account_names": "other"})
    ward.deploy()
    step = ward.eventually(APP, "not authorized", SYNCED)
    assert step.remedies[0].startswith(f"vault write {ward.role} bound_service_account_names=shop-sa ")
    follow(ward.shop, step, **ward.environment)
    ward.healthy()


def test_a_service_account_that_is_missing_is_made_by_the_next_step(ward: Ward) -> None:
    ward.shop.kubectl("delete", "serviceaccount", "shop-sa")
    ward.deploy()
    step = ward.examined().of("serviceaccount/shop-sa", SIGN_IN)
    assert step.cause == f"{AUTH} signs in with it, and there is no such ServiceAccount in {ward.shop.namespace}"
    follow(ward.shop, step)
    ward.healthy()


def test_an_entry_that_vault_lacks_is_waited_for_by_the_next_step(ward: Ward) -> None:
    ward.bao.ask("DELETE", f"{ward.vault.mount}/metadata/shop/prod/app")
    ward.deploy()
    step = ward.eventually(APP, "empty response from Vault", SYNCED)
    assert step.remedies == [
        f"kubectl ksecret doctor vso --wait, once Vault has it in {ward.vault.mount} shop/prod/app"
    ]
    assert ward.examined().of("secret/app", "exists").cause.endswith("see above: the VaultStaticSecret is synced")
    ward.store(**VALUES)
    ward.healthy()


def test_a_member_that_the_entry_lacks_is_named_while_the_secret_stays(ward: Ward) -> None:
    ward.synced()
    ward.store(password="p")
    step = ward.eventually(APP, "the entry has no token", SYNCED)
    assert step.remedies[0].startswith("kubectl ksecret doctor vso --wait, once Vault has it in ")
    assert ward.shop.secret() == VALUES
    ward.store(token="two", password="p")
    ward.healthy(token="two")


def test_a_failure_of_long_ago_is_none_any_more(ward: Ward) -> None:
    """The operator says nothing when it reads the values that the Secret has; a failure that lasts is repeated."""
    ward.synced()
    ward.store(password="p")
    ward.eventually(APP, "the entry has no token", SYNCED)
    ward.store(**VALUES)
    time.sleep(8)  # the operator tries again after 5 s
    assert "the entry has no token" in ward.examined().of(APP, SYNCED).cause
    events = json.loads(ward.shop.kubectl("get", "events", "--output=json"))["items"]
    for event in events:
        if event["reason"] == "SecretDataBuilderError":
            moment = datetime.fromisoformat(event["lastTimestamp"]) - timedelta(minutes=3)
            patch = json.dumps({"lastTimestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}"})
            ward.shop.kubectl("patch", "event", event["metadata"]["name"], "--type=merge", f"--patch={patch}")
    ward.healthy()


def test_a_secret_that_somebody_wrote_is_named_until_the_operator_has_undone_it(ward: Ward) -> None:
    """By the HMAC of the data the operator notices, when it reads Vault next."""
    ward.deploy(refresh_after="25s")
    assert ward.shop.ksecret("sync", "vso", "--restart=always").code == 0
    time.sleep(1.1)  # managedFields has whole seconds
    ward.shop.kubectl("patch", "secret", "app", "--patch", json.dumps({"stringData": {"token": "by hand"}}))
    step = ward.examined().of(APP, SYNCED)
    assert step.cause == (
        "somebody wrote token into the Secret with kubectl after it was synced; the operator undoes it when it reads "
        "Vault next, within 25s"
    )
    assert step.remedies == ["kubectl ksecret doctor vso --wait --timeout=0"]
    follow(ward.shop, step)
    ward.healthy()


def test_a_secret_that_was_there_before_is_taken_over_by_the_next_step(ward: Ward) -> None:
    ward.shop.kubectl("create", "secret", "generic", "app", "--from-literal=token=mine", "--from-literal=password=mine")
    ward.deploy()
    step = ward.eventually(APP, "not the owner of the destination Secret", SYNCED)
    assert step.remedies == ["kubectl ksecret sync vso app --adopt"]
    follow(ward.shop, step)
    ward.healthy()


def test_a_static_secret_that_is_not_there_comes_to_be_by_the_next_step(ward: Ward) -> None:
    ward.synced()
    ward.shop.kubectl("delete", "vaultstaticsecret", "app")
    ward.shop.kubectl("wait", "--for=delete", "secret/app", "--timeout=30s")
    step = ward.examined().of(APP, SYNCED)
    assert step.cause == "there is no such VaultStaticSecret"
    follow(ward.shop, step)
    ward.healthy()


def test_without_rights_each_question_names_the_missing_verb(ward: Ward) -> None:
    ward.synced()
    kubeconfig = str(ward.shop.cluster.user(ward.shop.namespace, "nobody"))
    steps = examine(ward.shop, "vso", KUBECONFIG=kubeconfig).steps
    unknown = {step.question: step.remedies[0] for step in steps if step.verdict == "unknown"}
    assert f"--verb=get --resource=vaultauths.{GROUP}" in unknown["the operator can sign in to Vault"]
    assert f"--verb=list --resource=vaultstaticsecrets.{GROUP}" in unknown["the VaultStaticSecret is synced"]
