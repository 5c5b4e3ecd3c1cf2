"""`doctor` on ExternalSecrets: faults that are put into the real cluster are named, and the next step mends them.

docs/doctor.md lists what can't be run here: the commands of the Azure CLI.
"""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..keyvault import FederatedCredential, KeyVault
from ..peers import ROOT, peer, run
from ..projects import Done
from .azure import CLIENT, TENANT, account, applied, azure_overlay, cloud
from .controlplane import Cluster
from .shops import Shop
from .standins import EXTERNAL_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
CANARY, ENCODED = "canary-value", "Y2FuYXJ5LXZhbHVl"
APP = "externalsecret.external-secrets.io/app"
AUDIENCE = "api://AzureADTokenExchange"
PODS = f"--selector=app.kubernetes.io/name={EXTERNAL_SECRETS.name}"


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture
def external(shop: Shop) -> Shop:
    """An overlay of ExternalSecrets that is deployed and synced."""
    shop.external_overlay()
    shop.store(token=CANARY, password="p")
    assert shop.ksecret("sync", "test", "--restart=never").code == 0
    return shop


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """The double of Key Vault, with both names."""
    with KeyVault() as double:
        double.set("token", CANARY)
        double.set("password", "p")
        yield double


@pytest.fixture
def azure(shop: Shop, vault: KeyVault) -> Shop:
    """An overlay with a store of its own, which signs in to the double as the ServiceAccount `shop`."""
    azure_overlay(shop, vault.url, **cloud(vault))
    account(shop, {CLIENT: vault.client_id, TENANT: "adfs"})
    applied(shop)
    return shop


def _doctor(shop: Shop, *arguments: str, **variables: str) -> Done:
    """Run doctor; no value may show, whatever it says."""
    done = shop.ksecret("doctor", "test", *arguments, **variables)
    assert CANARY not in done.out + done.err and ENCODED not in done.out + done.err
    return done


def _steps(shop: Shop, *arguments: str, verdict: str = "failed", **variables: str) -> list[dict[str, Any]]:
    """The steps with a verdict."""
    document = json.loads(_doctor(shop, "--output=json", *arguments, **variables).out)
    assert (document["apiVersion"], document["kind"]) == ("ksecret.dev/v1alpha1", "Examination")
    return [step for step in document["steps"] if step["verdict"] == verdict]


def _documented(document: str) -> list[str]:
    """The lines that a document shows as what doctor prints, without those that it leaves out."""
    text = (ROOT / document).read_text()
    block = text.split("$ kubectl ksecret doctor test\n")[1].split("```")[0]
    return [line for line in block.splitlines() if line != "…"]


def _chain(printed: str) -> list[str]:
    """What was printed, without the question about readers, which no declaration here names."""
    lines = printed.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("► nobody but its readers"))
    return [*lines[:first], *lines[first + 2 :]]


def _until(condition: Callable[[], bool]) -> None:
    """Wait for what follows a pod within a moment."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def _causes(steps: list[dict[str, Any]]) -> dict[str, str]:
    return {step["subject"]: step["cause"] for step in steps}


def _run(shop: Shop, remedy: str) -> None:
    """Run a printed command, which must succeed, from where `doctor` ran; behind a comma stands when to run it."""
    words = shlex.split(remedy.partition(", ")[0])
    if words[:2] == ["kubectl", "ksecret"]:
        done = shop.ksecret(*words[2:])
        assert done.code == 0, done.err
    else:
        assert words[0] == "kubectl"
        run(peer("kubectl"), f"--kubeconfig={shop.cluster.kubeconfig}", *words[1:], folder=shop.project.root)


def test_where_all_is_well_each_step_says_what_was_seen(external: Shop) -> None:
    done = _doctor(external)
    assert (done.code, done.err) == (0, "")
    synced = external.object("externalsecret", "app")["status"]["refreshTime"]
    assert _chain(done.out) == [
        "► External Secrets Operator is installed",
        "✔ apiservice/v1.external-secrets.io: it serves external-secrets.io/v1",
        "► its controller runs",
        f"✔ pod/{EXTERNAL_SECRETS.pod}: in namespace {EXTERNAL_SECRETS.namespace}",
        "► the store is there and ready",
        "✔ secretstore.external-secrets.io/fake: provider fake",
        "► the ExternalSecret is synced",
        f"✔ {APP}: at {synced}",
        "► the Secret exists with its keys",
        "✔ secret/app: 2 keys, made by ExternalSecret app",
        "► no annotation holds a value",
        f"✔ namespace/{external.namespace}: 1 Secret looked at; on 1 of them External Secrets Operator keeps a digest "
        "of all its values, by which a short one can be guessed",
        "► each container gets its keys",
        "- deployment.apps/reader: it is built, and not in the cluster",
        "► each pod starts",
        f"✔ namespace/{external.namespace}: no pod waits for a Secret or a key",
        "7 passed, 0 failed",
    ]


def test_a_secret_that_the_store_lacks_is_named_and_arrives_by_the_next_step(external: Shop) -> None:
    """Also where Events are gone: then the controller's log has the cause."""
    external.store(password="p")
    assert external.ksecret("sync", "test", "--timeout=20s").code == 1
    external.kubectl("delete", "secret", "app")
    external.kubectl("annotate", "externalsecret", "app", "force-sync=1")
    printed = _doctor(external).out.replace(external.namespace, "shop-test")
    assert _chain(printed) == _documented("docs/doctor.md")
    failed = _steps(external)[0]
    cause = "error processing spec.data[1] (key: token): Secret does not exist"
    assert (failed["subject"], failed["cause"]) == (APP, cause)
    external.kubectl("delete", "events", "--all")
    assert _causes(_steps(external))[APP] == f"{cause} (from the controller's log)"
    assert failed["remedies"] == ["kubectl ksecret sync test app, once the store has it"]
    external.store(token="two", password="p")
    _run(external, failed["remedies"][0])
    assert _steps(external) == []
    assert external.secret()["token"] == "two"


def test_a_message_that_quotes_a_value_is_not_shown(external: Shop) -> None:
    template = {"engineVersion": "v2", "data": {"token": '{{ .token | mustToDate "2006-01-02" }}', "password": "x"}}
    patch = json.dumps({"spec": {"target": {"template": template}}})
    external.kubectl("patch", "externalsecret", "app", "--type=merge", f"--patch={patch}")
    external.kubectl("wait", "--for=condition=Ready=False", "externalsecret/app", "--timeout=30s")
    [failed] = _steps(external)
    assert failed["cause"] == (
        "unable to mutate secret app: could not apply template: could not execute template: "
        "unable to execute template at key token: …: error calling mustToDate"
    )
    external.kubectl("delete", "events", "--all")
    assert "mustToDate" in _doctor(external).out


def test_a_store_that_is_missing_is_named_with_those_that_there_are(external: Shop) -> None:
    patch = json.dumps({"spec": {"secretStoreRef": {"name": "fakes"}}})
    external.external_overlay(store={"name": "fakes"})
    external.kubectl("patch", "externalsecret", "app", "--type=merge", f"--patch={patch}")
    store = "secretstore.external-secrets.io/fakes"
    failed = next(step for step in _steps(external) if step["subject"] == store)
    assert failed["cause"] == "there is no such store; there is one named fake"
    _run(external, failed["remedies"][0])


def test_a_store_of_the_build_that_was_deleted_is_there_again_after_the_next_step(azure: Shop) -> None:
    azure.kubectl("delete", "secretstore", "vault")
    failed = next(step for step in _steps(azure) if step["subject"].startswith("secretstore"))
    assert failed["cause"] == "there is no such store, though the build has it"
    _run(azure, failed["remedies"][0])
    azure.kubectl("wait", "--for=condition=Ready", "secretstore/vault", "--timeout=30s")


def test_a_controller_that_is_scaled_away_is_named_and_runs_again_after_the_next_step(external: Shop) -> None:
    name, namespace = EXTERNAL_SECRETS.name, EXTERNAL_SECRETS.namespace
    kubectl, cluster = external.cluster.kubectl, external.cluster
    kubectl("scale", "statefulset", name, f"--namespace={namespace}", "--replicas=0")
    kubectl("wait", "--for=delete", f"pod/{EXTERNAL_SECRETS.pod}", f"--namespace={namespace}", "--timeout=30s")
    _until(lambda: not cluster.programs[name].running)
    try:
        [failed] = _steps(external)
        assert failed["subject"] == f"statefulset.apps/{name}"
        assert failed["cause"] == f"in namespace {namespace}, it is scaled to 0"
    finally:
        _run(external, f"kubectl scale statefulset/{name} --namespace={namespace} --replicas=1")
    assert failed["remedies"] == [f"kubectl scale statefulset/{name} --namespace={namespace} --replicas=1"]
    kubectl("wait", "--for=create", f"pod/{EXTERNAL_SECRETS.pod}", f"--namespace={namespace}", "--timeout=30s")
    kubectl("wait", "--for=condition=Ready", "pod", PODS, f"--namespace={namespace}", "--timeout=30s")
    assert _steps(external) == []
    _until(lambda: cluster.programs[name].running)
    cluster.wait(name)


@pytest.mark.parametrize(("field", "value"), [("refreshPolicy", "CreatedOnce"), ("refreshInterval", "0s")])
def test_a_policy_that_ignores_a_forced_refresh_is_named_with_the_way_out(shop: Shop, field: str, value: str) -> None:
    spec: dict[str, Any] = {field: value}
    shop.external_overlay(**spec)
    shop.store(token="one", password="p")
    assert shop.ksecret("sync", "test").code == 0
    shop.store(token="two", password="p")
    [step] = [step for step in _steps(shop, verdict="not applicable") if step["subject"] == APP]
    assert step["cause"] == f"{field} is {value.rstrip('s')}, so External Secrets Operator does not look again"
    assert _doctor(shop).code == 0
    _run(shop, step["remedies"][0])
    shop.kubectl("wait", "--for=jsonpath={.data.token}=dHdv", "secret/app", "--timeout=30s")


def test_an_external_secret_that_is_not_there_comes_to_be_by_the_next_step(shop: Shop) -> None:
    shop.external_overlay()
    shop.store(token="one", password="p")
    failed = {step["subject"]: step for step in _steps(shop)}
    assert failed[APP]["cause"] == "there is no such ExternalSecret"
    assert failed["secret/app"]["cause"] == "there is no such Secret; see above: the ExternalSecret is synced"
    _run(shop, failed[APP]["remedies"][0])
    assert _steps(shop) == []


def test_two_that_make_one_secret_are_named_and_one_takes_it_over(external: Shop) -> None:
    """The other ExternalSecret owns the Secret, so that this one is never synced until the other is gone."""
    other = external.object("externalsecret", "app")
    other["metadata"] = {"name": "old", "namespace": external.namespace}
    other["spec"]["target"]["name"] = "app"
    external.kubectl("delete", "externalsecret", "app")
    external.cluster.apply({name: other[name] for name in ("apiVersion", "kind", "metadata", "spec")})
    external.kubectl("wait", "--for=create", "secret/app", "--timeout=30s")
    assert external.ksecret("sync", "test", "--adopt", "--timeout=15s").code == 1
    failed = {step["subject"]: step for step in _steps(external)}
    assert "secret is owned by another ExternalSecret" in failed[APP]["cause"]
    assert failed["secret/app"]["cause"] == "ExternalSecret old makes it too"
    _run(external, failed["secret/app"]["remedies"][0])
    assert external.ksecret("sync", "test", "--adopt").code == 0
    assert _steps(external) == []


def test_faults_of_the_workload_identity_are_named_and_mended_by_the_next_steps(azure: Shop, vault: KeyVault) -> None:
    name = "serviceaccount/shop"
    azure.kubectl("annotate", "serviceaccount", "shop", f"{CLIENT}-", f"{TENANT}=<tenant-id>", "--overwrite")
    failed = [step for step in _steps(azure) if step["subject"] == name]
    assert [step["cause"] for step in failed] == [
        f"it has no annotation {CLIENT}",
        f"{TENANT} is a placeholder (<…>)",
    ]
    shown = _doctor(azure).out.replace(azure.namespace, "shop-test").replace("=adfs", "=shop.example").splitlines()
    assert set(_documented("README.md")) <= set(shown)
    for step in failed:
        _run(azure, step["remedies"][0])
    assert name not in _causes(_steps(azure))
    assert azure.object("serviceaccount", "shop")["metadata"]["annotations"] == {
        CLIENT: vault.client_id,
        TENANT: "adfs",
    }
    azure.kubectl("delete", "serviceaccount", "shop")
    failed = [step for step in _steps(azure) if step["subject"] == name]
    store = "secretstore.external-secrets.io/vault"
    cause = f"{store} signs in with it, and there is no such ServiceAccount in {azure.namespace}"
    assert [step["cause"] for step in failed] == [cause]
    _run(azure, failed[0]["remedies"][0])
    assert name not in _causes(_steps(azure))


def test_a_tenant_that_stands_in_two_places_is_removed_by_the_next_step(shop: Shop) -> None:
    """A client id is missing as well: else the operator would ask Azure itself."""
    azure_overlay(shop, "https://shop.vault.example", tenantId="shop.example")
    account(shop, {TENANT: "shop.example"})
    applied(shop)
    failed = [step for step in _steps(shop) if step["subject"] == "serviceaccount/shop"]
    assert [step["cause"] for step in failed] == [
        f"it has no annotation {CLIENT}",
        f"{TENANT} stands there, and tenantId in the store too",
    ]
    assert failed[0]["remedies"] == [
        f"kubectl annotate serviceaccount shop --namespace={shop.namespace} --overwrite {CLIENT}=CLIENT_ID",
        'az identity list --query "[].[name, clientId]" --output table shows what CLIENT_ID is',
    ]
    _run(shop, failed[1]["remedies"][0])
    shop.kubectl("wait", "--for=condition=Ready=False", "secretstore/vault", "--timeout=30s")
    causes = _causes(_steps(shop))
    assert causes["serviceaccount/shop"] == f"it has no annotation {CLIENT}"
    assert causes["secretstore.external-secrets.io/vault"] == (
        f"missing clientID: either serviceAccountRef or service account annotation '{CLIENT}' is missing"
    )


def test_as_workload_tries_the_whole_chain_and_reads_no_value(azure: Shop, vault: KeyVault) -> None:
    """Against the double, which looks at issuer, subject and audience of the ServiceAccount's real token."""
    issuer, subject = azure.cluster.url, f"system:serviceaccount:{azure.namespace}:shop"
    right = FederatedCredential(issuer, subject, AUDIENCE)
    demands = f"; it must have exactly issuer {issuer}, subject {subject}, audience {AUDIENCE}"
    refusals = {
        "no federated credential matches the token's issuer, subject and audience (AADSTS70021)": [],
        "no federated credential has the token's issuer; a slash at its end counts (AADSTS700211)": [
            right._replace(issuer=f"{issuer}/")
        ],
        "no federated credential has the token's subject (AADSTS700213)": [right._replace(subject=f"{subject}s")],
        "no federated credential has the token's audience (AADSTS700212)": [right._replace(audience=f"{AUDIENCE}C")],
    }
    for cause, credentials in refusals.items():
        vault.federate(*credentials)
        failed = _of_account(azure, vault)
        assert failed["cause"] == cause + demands
        assert failed["remedies"][0] == f"az ad app federated-credential list --id {vault.client_id}"
        assert failed["remedies"][1].startswith("az identity federated-credential list --identity-name ")
    vault.federate(right)
    [version] = vault.versions("token")
    vault.disable("token", version.id)
    assert _of_account(azure, vault)["cause"] == f"it signs in, and {vault.url} has no enabled version of token"
    vault.update("token", version.id, enabled=True)
    assert _of_account(azure, vault, "passed")["cause"] == f"it signs in, and {vault.url} has 2 of 2 names"
    assert vault.values_read == []
    without = _of_account(azure, vault, "not applicable", "--output=json")
    assert without["cause"].startswith(demands.removeprefix("; "))
    assert without["remedies"][0] == "kubectl ksecret doctor test --as-workload"


def _of_account(shop: Shop, vault: KeyVault, verdict: str = "failed", mode: str = "--as-workload") -> dict[str, Any]:
    """The step about the credential of the ServiceAccount."""
    title = "a federated credential lets the ServiceAccount sign in"
    [step] = [step for step in _steps(shop, mode, verdict=verdict, **vault.network) if step["question"] == title]
    return step


def test_a_service_principal_without_its_key_is_named(shop: Shop) -> None:
    azure_overlay(shop, "https://shop.vault.example")
    account(shop, {})
    applied(shop)
    reference = {"name": "principal", "key": "secret"}
    provider = {
        "vaultUrl": "https://shop.vault.example",
        "authType": "ServicePrincipal",
        "tenantId": "YOUR_TENANT",
        "authSecretRef": {"clientId": reference | {"key": "id"}, "clientSecret": reference},
    }
    patch = [{"op": "replace", "path": "/spec/provider/azurekv", "value": provider}]
    shop.kubectl("create", "secret", "generic", "principal", "--from-literal=id=one")
    shop.kubectl("patch", "secretstore", "vault", "--type=json", f"--patch={json.dumps(patch)}")
    causes = _causes(_steps(shop))
    store = "secretstore.external-secrets.io/vault"
    assert causes["secret/principal"] == f"it lacks secret, with which {store} signs in"
    assert "its tenantId is a placeholder (YOUR_…)" in [step["cause"] for step in _steps(shop)]


def test_with_too_few_rights_each_question_names_the_missing_verb(external: Shop) -> None:
    kubeconfig = str(external.cluster.user(external.namespace, "nobody"))
    unknown = _steps(external, verdict="unknown", KUBECONFIG=kubeconfig)
    create = re.compile(r".*create (role|clusterrole) \S+ ")
    commands = [(step["question"], step["remedies"][0].partition(" && ")[0]) for step in unknown]
    rights = [(question, create.sub(r"\1 ", command)) for question, command in commands]
    role = f"role --namespace={external.namespace}"
    workloads = ("deployments.apps", "statefulsets.apps", "daemonsets.apps", "cronjobs.batch")
    assert rights == [
        ("its controller runs", "clusterrole --verb=list --resource=pods"),
        ("the store is there and ready", f"{role} --verb=get --resource=secretstores.external-secrets.io"),
        ("the ExternalSecret is synced", f"{role} --verb=list --resource=externalsecrets.external-secrets.io"),
        ("the Secret exists with its keys", f"{role} --verb=get --resource=secrets"),
        ("no annotation holds a value", f"{role} --verb=get --resource=secrets"),
        *(("each container gets its keys", f"{role} --verb=list --resource={resource}") for resource in workloads),
        ("each pod starts", f"{role} --verb=list --resource=pods"),
        ("each container has the present values", f"{role} --verb=list --resource=pods"),
    ]
    assert _doctor(external, KUBECONFIG=kubeconfig).code == 1


def test_wait_asks_again_until_nothing_fails_and_says_what_it_waits_for(shop: Shop) -> None:
    shop.external_overlay()
    done = _doctor(shop, "--wait", "--timeout=1s")
    assert done.code == 1
    store = "secretstore.external-secrets.io/fake"
    assert done.err == f"error: the time is over; waiting for {store}: there is no such store, and 2 more\n"
    screen = shop.project.on_terminal(
        "doctor", "test", "--wait", "--timeout=1s", KUBECONFIG=str(shop.cluster.kubeconfig)
    ).out
    assert f"waiting for {store}: there is no such store" in screen.split("►")[0]
    assert "\x1b[31m✗\x1b[0m" in screen


def test_two_hundred_secrets_take_no_more_requests_than_one(shop: Shop) -> None:
    """By the audit log; and no request is answered with the values of a Secret. The operator has looked at nothing."""
    names = [f"more-{number}" for number in range(199)]
    for name in names:
        shop.project.declare(name, {"key": {"from": "app/token"}})
    shop.external_overlay()
    path = f"/api/v1/namespaces/{shop.namespace}/secrets"
    with shop.cluster.without(EXTERNAL_SECRETS.name):
        shop.cluster.apply(*(shop.project.object(name, "test") for name in ("app", *names)))
        shop.cluster.apply(*(_secret(shop, name) for name in ("app", *names)))
        for command in ("doctor", "diff"):
            start = shop.cluster.audit_log.stat().st_size
            done = shop.ksecret(command, "test")
            assert (done.code, done.err) == (command == "doctor", "")
            requests = [request.uri for request in shop.cluster.requests(start, "admin")]
            assert len(requests) == len({*requests}) <= 16, requests
            assert [uri for uri in requests if uri.startswith(path)] == [f"{path}?limit=500&includeObject=Metadata"]
        # Else the operator would be busy with them for the next tests.
        shop.kubectl("delete", "externalsecrets", "--all", "--wait=false")


def _secret(shop: Shop, name: str) -> dict[str, Any]:
    """A Secret with the keys that are declared."""
    data = dict.fromkeys(("token", "password") if name == "app" else ("key",), ENCODED)
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": shop.namespace}, "data": data}
