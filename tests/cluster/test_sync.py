"""`sync` against the real controllers: what it says has arrived has arrived, and what it restarts had to restart."""

import json
import re
import threading
import time
from pathlib import Path

import pytest
import yaml

from ..projects import sealing
from .controlplane import Cluster
from .shops import Shop
from .standins import EXTERNAL_SECRETS, SEALED_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture
def external(shop: Shop) -> Shop:
    """An overlay of ExternalSecrets that is deployed and synced."""
    shop.external_overlay()
    shop.store(token="one", password="p")
    shop.deploy("test")
    assert shop.ksecret("sync", "test", "--restart=never").code == 0
    return shop


@pytest.fixture
def sealed(shop: Shop) -> Shop:
    """An overlay of SealedSecrets that is deployed and synced."""
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    shop.deploy("prod")
    assert shop.ksecret("sync", "prod", "--restart=never").code == 0
    return shop


def test_a_changed_value_in_the_store_arrives_and_restarts_only_what_reads_it(external: Shop) -> None:
    before = external.generations()
    external.store(token="two", password="p")
    done = external.ksecret("sync", "test")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "externalsecret.external-secrets.io/app refreshed, with other values than before",
        "deployment.apps/reader restarted",
    ]
    assert external.secret() == {"token": "two", "password": "p"}
    assert external.generations() == {"reader": before["reader"] + 1, "other": before["other"]}


def test_on_a_terminal_what_is_waited_for_shows_and_the_last_line_counts(external: Shop) -> None:
    """The controller begins when the command waits already, so that there is something to wait for."""
    external.store(token="two", password="p")

    def pause(stopped: threading.Event) -> None:
        with external.cluster.without(EXTERNAL_SECRETS.name):
            stopped.set()
            time.sleep(2)

    stopped = threading.Event()
    pausing = threading.Thread(target=pause, args=(stopped,))
    pausing.start()
    stopped.wait()
    done = external.project.on_terminal("sync", "test", KUBECONFIG=str(external.cluster.kubeconfig))
    pausing.join()
    assert done.code == 0
    assert "\rwaiting for" not in done.out  # the line is cleared before it is written anew
    assert "waiting for externalsecret.external-secrets.io/app (0 s)" in done.out
    assert re.search(r"waiting for deployment.apps/reader \(\d+ s\)", done.out)
    counts = "1 of 1 arrived, 1 with other values than before; 1 of 1 workloads restarted"
    assert done.out.splitlines()[-1].endswith(counts)


def test_as_an_object_the_results_have_states_keys_and_causes(external: Shop) -> None:
    external.store(token="two", password="p")
    done = external.ksecret("sync", "test", "-o", "json")
    assert (done.code, done.err) == (0, "")
    items = json.loads(done.out)["items"]
    assert items[0] == {
        "overlay": "test",
        "namespace": external.namespace,
        "object": "externalsecret.external-secrets.io/app",
        "action": "refreshed",
        "state": "arrived",
        "changed": True,
        "changedKeys": ["token"],
        "cause": None,
    }
    assert [item["object"] for item in items[1:]] == ["deployment.apps/reader"]
    external.store(password="p")
    done = external.ksecret("sync", "test", "-o", "yaml", "--timeout=10s")
    [item] = yaml.safe_load(done.out)["items"]
    assert (done.code, item["state"], "token" in item["cause"]) == (1, "failed", True)
    assert "0 of 1 arrived, 0 with other values than before; 1 failed; nothing restarted" in done.err


def test_where_nothing_has_changed_nothing_restarts(external: Shop) -> None:
    before = external.generations()
    for _ in range(2):
        done = external.ksecret("sync", "test")
        assert (done.code, done.out) == (0, "externalsecret.external-secrets.io/app refreshed\n")
    assert external.generations() == before


def test_a_key_that_the_store_lacks_is_a_failure_with_its_cause_the_second_time_too(external: Shop) -> None:
    external.store(password="p")
    for _ in range(2):
        done = external.ksecret("sync", "test", "--timeout=20s")
        assert (done.code, done.out) == (1, "")
        assert "externalsecret.external-secrets.io/app failed" in done.err
        assert "token" in done.err
    external.store(token="two", password="p")
    assert external.ksecret("sync", "test").code == 0


def test_what_ignores_a_refresh_is_named_with_the_way_out_which_works(shop: Shop) -> None:
    shop.external_overlay(refreshPolicy="CreatedOnce")
    shop.store(token="one", password="p")
    shop.deploy("test")
    shop.kubectl("wait", "--for=condition=Ready", "externalsecret/app", "--timeout=30s")
    shop.store(token="two", password="p")
    done = shop.ksecret("sync", "test")
    assert done.code == 1
    assert "will not arrive: refreshPolicy is CreatedOnce" in done.err
    command = done.err.splitlines()[0].split("it does after: kubectl ")[1].split()
    shop.cluster.kubectl(*command)
    shop.kubectl("wait", "--for=jsonpath={.data.token}=dHdv", "secret/app", "--timeout=30s")


def test_a_controller_that_is_down_is_not_taken_for_success_and_a_second_run_goes_on(external: Shop) -> None:
    before = external.generations()
    external.store(token="two", password="p")
    with external.cluster.without(EXTERNAL_SECRETS.name):
        done = external.ksecret("sync", "test", "--timeout=2s")
        assert done.code == 1
        assert "has not arrived yet: External Secrets Operator did not answer" in done.err
    done = external.ksecret("sync", "test")
    assert done.code == 0
    assert external.secret()["token"] == "two"
    assert external.generations()["reader"] == before["reader"] + 1


def test_sealed_values_arrive_and_restart_only_what_reads_them(sealed: Shop) -> None:
    before = sealed.generations()
    sealed.seal("prod", "app/token", token="two", password="p")
    done = sealed.ksecret("sync", "prod")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "sealedsecret.bitnami.com/app applied, with other values than before",
        "deployment.apps/reader restarted",
    ]
    assert sealed.secret() == {"token": "two", "password": "p"}
    assert sealed.generations() == {"reader": before["reader"] + 1, "other": before["other"]}
    again = sealed.ksecret("sync", "prod")
    assert (again.code, again.out) == (0, "sealedsecret.bitnami.com/app applied\n")
    assert sealed.generations()["reader"] == before["reader"] + 1


def test_a_condition_of_an_older_seal_is_not_believed(sealed: Shop) -> None:
    sealed.seal("prod", "app/token", token="two", password="p")
    with sealed.cluster.without(SEALED_SECRETS.name):
        done = sealed.ksecret("sync", "prod", "--timeout=2s")
        status = sealed.object("sealedsecret", "app")["status"]
        assert [condition["status"] for condition in status["conditions"]] == ["True"]
        assert done.code == 1
        assert "has not arrived yet: the Sealed Secrets controller did not answer" in done.err
    assert sealed.ksecret("sync", "prod").code == 0
    assert sealed.secret()["token"] == "two"


def test_a_failure_is_named_even_if_the_time_is_over_before_the_controllers_own_retries_are(shop: Shop) -> None:
    shop.sealed_overlay()
    shop.project.write("overlays/prod/secrets/sealing.pem", sealing(1).certificate.decode())
    shop.seal(token="one", password="p")
    done = shop.ksecret("sync", "prod", "--timeout=2s")
    assert done.code == 1
    assert "sealedsecret.bitnami.com/app failed: " in done.err and "no key could decrypt secret" in done.err


def test_a_secret_that_was_restored_from_a_backup_is_made_anew(sealed: Shop) -> None:
    """The controller has nothing to do: the SealedSecret is unsealed, and its condition says so."""
    backup = sealed.object("secret", "app")
    sealed.seal("prod", "app/token", token="two", password="p")
    assert sealed.ksecret("sync", "prod").code == 0
    del backup["metadata"]["resourceVersion"]
    sealed.kubectl("replace", "--field-manager=velero", "--filename=-", stdin=json.dumps(backup))
    assert sealed.secret()["token"] == "one"
    done = sealed.ksecret("sync", "prod")
    assert (done.code, done.err) == (0, "")
    assert "app applied, with other values than before\n" in done.out
    assert sealed.secret()["token"] == "two"


def test_a_secret_that_exists_is_taken_over_only_when_asked_for_after_naming_what_goes(shop: Shop) -> None:
    shop.kubectl("create", "secret", "generic", "app", "--from-literal=token=by hand", "--from-literal=old=x")
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    done = shop.ksecret("sync", "prod")
    assert done.code == 1
    assert "--adopt takes it over, which would delete old" in done.err
    assert shop.secret() == {"token": "by hand", "old": "x"}
    done = shop.ksecret("sync", "prod", "--adopt")
    assert (done.code, done.err) == (0, "")
    assert shop.secret() == {"token": "one", "password": "p"}


def test_names_are_the_deployed_ones(sealed: Shop) -> None:
    """A prefix renames the SealedSecret, so its scope has to be wider than strict; the workload follows."""
    text = "resources: [../base, secrets]\n" + f"namespace: {sealed.namespace}\nnamePrefix: eu-\n"
    sealed.project.write("overlays/prod/kustomization.yaml", text)
    done = sealed.ksecret("sync", "prod", "--timeout=20s")
    assert done.code == 1
    assert "sealedsecret.bitnami.com/eu-app failed: no key could decrypt secret" in done.err


def test_a_dry_run_changes_nothing(external: Shop) -> None:
    external.store(token="two", password="p")
    before = external.object("externalsecret", "app")["metadata"]["resourceVersion"]
    for kind, remark in {"client": "dry run", "server": "server dry run"}.items():
        done = external.ksecret("sync", "test", f"--dry-run={kind}")
        assert (done.code, done.out) == (0, f"externalsecret.external-secrets.io/app refreshed ({remark})\n")
    assert external.object("externalsecret", "app")["metadata"]["resourceVersion"] == before
    assert external.secret()["token"] == "one"


def test_another_cluster_than_the_pinned_one_is_refused(external: Shop) -> None:
    assert external.ksecret("cluster", "pin", "test").code == 0
    assert external.ksecret("sync", "test").code == 0
    path = external.project.root / "overlays/test/secrets/ksecret.yaml"
    uid = external.object("namespace", external.namespace)["metadata"]["uid"]
    text = path.read_text()
    assert uid in text
    path.write_text(text.replace(uid, "00000000-0000-0000-0000-000000000000"))
    done = external.ksecret("sync", "test")
    assert done.code == 2
    assert "overlay test belongs to another cluster" in done.err


def test_metadata_that_somebody_else_writes_is_no_reason_to_restart(external: Shop) -> None:
    before = external.generations()
    external.kubectl("annotate", "secret", "app", "backup=done")
    done = external.ksecret("sync", "test")
    assert (done.code, done.out) == (0, "externalsecret.external-secrets.io/app refreshed\n")
    assert external.generations() == before
