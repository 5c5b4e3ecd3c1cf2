"""`diff` against the real cluster: what differs is named, what a server fills in is not, and no value shows."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
CANARY = "canary-value"
ENCODED = "Y2FuYXJ5LXZhbHVl"


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture
def external(shop: Shop) -> Shop:
    shop.external_overlay()
    shop.store(token=CANARY, password="p")
    shop.deploy("test")
    assert shop.ksecret("sync", "test").code == 0
    return shop


@pytest.fixture
def sealed(shop: Shop) -> Shop:
    shop.sealed_overlay()
    shop.seal(token=CANARY, password="p")
    shop.deploy("prod")
    assert shop.ksecret("sync", "prod").code == 0
    return shop


def test_defaults_of_the_server_and_durations_that_eso_wrote_anew_are_no_difference(external: Shop) -> None:
    live = external.object("externalsecret", "app")["spec"]
    assert live["refreshInterval"] == "1h0m0s" and live["data"][0]["remoteRef"]["conversionStrategy"] == "Default"
    done = external.ksecret("diff", "test")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_sealed_secret_that_arrived_has_no_difference(sealed: Shop) -> None:
    done = sealed.ksecret("diff", "prod")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_nothing_in_the_cluster_is_a_difference_and_no_error(shop: Shop) -> None:
    shop.external_overlay()
    done = shop.ksecret("diff", "test")
    assert done.code == 1
    assert "+++ built/externalsecret.external-secrets.io/app\n" in done.out
    assert "--- live/secret/app\n" in done.out and "+  token: '***'\n" in done.out


def test_keys_that_are_added_by_hand_and_declared_anew_are_named_with_who_put_them_there(sealed: Shop) -> None:
    sealed.kubectl("patch", "secret", "app", "--patch", f'{{"data": {{"old": "{ENCODED}"}}}}')
    done = sealed.ksecret("diff", "prod")
    assert (done.code, done.out) == (
        1,
        "--- live/secret/app\n+++ built/secret/app\n@@ -1,6 +1,5 @@\n"
        " apiVersion: v1\n data:\n-  old: '***'\n   password: '***'\n   token: '***'\n kind: Secret\n",
    )
    assert "kubectl-patch put there, and nothing declares: old" in done.err
    assert "made by SealedSecret app" in done.err
    states = [(item["object"], item["state"], item["fields"]) for item in items_of(sealed)]
    assert states == [
        ("sealedsecret.bitnami.com/app", "same", []),
        ("secret/app", "changed", [{"path": "data.old", "change": "removed"}]),
    ]
    assert CANARY not in done.out + done.err and ENCODED not in done.out + done.err


def test_a_value_that_somebody_wrote_with_kubectl_is_a_difference(sealed: Shop) -> None:
    """The Secret still has the record of what was sealed."""
    time.sleep(1.1)  # managedFields have whole seconds
    sealed.kubectl("patch", "secret", "app", '--patch={"stringData": {"token": "by hand"}}')
    done = sealed.ksecret("diff", "prod")
    assert done.code == 1
    assert "-  token: '*** (before)'\n+  token: '*** (after)'\n" in done.out
    assert "note: secret/app: somebody wrote token with kubectl after it arrived\n" in done.err
    server = sealed.ksecret("sync", "prod", "--dry-run=server", "-o", "wide")
    assert "with other values than before: token (server dry run)\n" in server.out
    assert sealed.ksecret("sync", "prod").code == 0
    assert sealed.ksecret("diff", "prod").code == 0


def items_of(shop: Shop) -> list[dict[str, Any]]:
    """What `diff -o json` lists."""
    items: list[dict[str, Any]] = json.loads(shop.ksecret("diff", "prod", "-o", "json").out)["items"]
    return items


def test_a_key_that_is_sealed_anew_is_before_and_after(sealed: Shop) -> None:
    sealed.seal("prod", "app/token", token="two", password="p")
    done = sealed.ksecret("diff", "prod")
    assert done.code == 1
    assert "-  token: '*** (before)'\n+  token: '*** (after)'\n" in done.out
    assert "password: '*** (before)'" not in done.out
    server = sealed.ksecret("sync", "prod", "--dry-run=server", "-o", "wide")
    assert server.out.splitlines() == [
        f"sealedsecret.bitnami.com/app applied in {sealed.namespace}, with other values than before: token "
        "(server dry run)",
        f"deployment.apps/reader restarted in {sealed.namespace} (server dry run)",
    ]
    assert "--- live/sealedsecret.bitnami.com/app\n" in done.out
    assert sealed.ksecret("sync", "prod").code == 0
    assert sealed.ksecret("diff", "prod").code == 0


def test_a_setting_of_the_file_that_is_not_live_is_a_difference(external: Shop) -> None:
    external.external_overlay(refreshInterval="30m")
    done = external.ksecret("diff", "test")
    assert done.code == 1
    assert "-  refreshInterval: 1h" in done.out and "+  refreshInterval: 30m" in done.out


def test_what_we_applied_and_no_file_has_any_more_is_named(sealed: Shop) -> None:
    sealed.project.declare("more", {"key": {}})
    sealed.seal(token="one", password="p", key="k")
    assert sealed.ksecret("sync", "prod").code == 0
    (sealed.project.root / "generators/more.yaml").unlink()
    assert sealed.ksecret("render", "prod", "--write").code == 0
    done = sealed.ksecret("diff", "prod")
    assert done.code == 1
    assert "--- live/sealedsecret.bitnami.com/more\n+++ built/sealedsecret.bitnami.com/more\n" in done.out


def test_a_store_that_no_file_has_any_more_is_named_and_one_of_another_overlay_is_not(shop: Shop) -> None:
    store = {"name": "old", "auth": {"workloadIdentity": {"serviceAccountName": "shop"}}}
    shop.external_overlay(store=store)
    shop.external_overlay("other", store={**store, "name": "theirs"})
    for overlay in ("test", "other"):
        assert "SecretStore" not in shop.ksecret("diff", overlay).err
        assert shop.ksecret("sync", overlay, "--timeout=1s").code == 1  # the store is not ready, and it is applied
    shop.external_overlay()
    shop.store(token="one", password="p")
    shop.kubectl("delete", "externalsecret", "app")
    assert shop.ksecret("sync", "test").code == 0
    done = shop.ksecret("diff", "test")
    assert done.code == 1
    assert done.out.startswith(
        "--- live/secretstore.external-secrets.io/old\n+++ built/secretstore.external-secrets.io/old\n"
    )
    assert "theirs" not in done.out


def test_the_list_is_asked_for_without_values_and_no_secret_is_read(sealed: Shop) -> None:
    """By the audit log: one list of Secrets as a table, and no write."""
    sealed.kubectl("create", "secret", "generic", "another", f"--from-literal=token={CANARY}")
    start = sealed.cluster.audit_log.stat().st_size
    assert sealed.ksecret("diff", "prod").code == 0
    requests = sealed.cluster.requests(start, "admin")
    secrets = [request.uri for request in requests if f"{sealed.namespace}/secrets" in request.uri]
    path = f"/api/v1/namespaces/{sealed.namespace}/secrets"
    assert secrets == [f"{path}?limit=500&includeObject=Metadata"]
    assert {request.verb for request in requests} == {"get", "list"}


def test_without_the_right_to_list_it_is_said_that_secrets_of_no_file_are_not_found(shop: Shop) -> None:
    shop.secret_overlay()
    shop.values(token=CANARY, password="p")
    assert shop.ksecret("sync", "manual").code == 0
    kubeconfig = shop.cluster.user(shop.namespace, "reader")
    shop.kubectl("create", "role", "reader", "--verb=get", "--resource=secrets", "--resource-name=app")
    account = f"{shop.namespace}:reader"
    shop.kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={account}")
    done = shop.ksecret("diff", "manual", KUBECONFIG=str(kubeconfig))
    note = "note: manual: Secrets that no file has any more are not found without the right to list\n"
    assert (done.code, done.out, done.err) == (0, "", note)
    assert shop.ksecret("diff", "manual", "app", KUBECONFIG=str(kubeconfig)).err == ""


def test_a_user_who_can_not_list_secrets_but_read_the_one_sees_the_same(sealed: Shop) -> None:
    kubeconfig = sealed.cluster.user(sealed.namespace, "reader")
    create = ("create", "role", "reader", "--verb=get", "--resource=secrets", "--resource-name=app")
    sealed.kubectl(*create)
    sealed.kubectl("create", "role", "lister", "--verb=list", "--resource=sealedsecrets.bitnami.com")
    for role in ("reader", "lister"):
        account = f"{sealed.namespace}:reader"
        sealed.kubectl("create", "rolebinding", role, f"--role={role}", f"--serviceaccount={account}")
    done = sealed.ksecret("diff", "prod", KUBECONFIG=str(kubeconfig))
    assert (done.code, done.err) == (0, "")
