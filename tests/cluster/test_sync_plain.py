"""`sync` of Secrets that no controller makes: out of the source, or out of files that SOPS encrypted."""

import json
from pathlib import Path

import pytest
import yaml

from ..projects import age
from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
RECORD = "ksecret.dev/sealed-keys"


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture
def manual(shop: Shop) -> Shop:
    """An overlay of plain Secrets that is deployed and synced."""
    shop.secret_overlay()
    shop.values(token="canary-one", password="p")
    shop.deploy("manual")
    assert shop.ksecret("sync", "manual", "--restart=never").code == 0
    return shop


def test_a_secret_is_made_of_the_source_with_its_record_and_no_second_copy_of_a_value(manual: Shop) -> None:
    live = manual.object("secret", "app")
    assert manual.secret() == {"token": "canary-one", "password": "p"}
    assert "token:\n  time=" in live["metadata"]["annotations"][RECORD]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in live["metadata"]["annotations"]
    assert "canary-one" not in json.dumps(live["metadata"])
    flags = ("--show-managed-fields", "--output=jsonpath={.metadata.managedFields[*].manager}")
    assert manual.kubectl("get", "secret", "app", *flags) == "ksecret"


def test_only_a_changed_value_restarts_and_nothing_is_written_where_nothing_changed(manual: Shop) -> None:
    before, version = manual.generations(), manual.object("secret", "app")["metadata"]["resourceVersion"]
    done = manual.ksecret("sync", "manual")
    assert (done.code, done.out) == (0, "secret/app applied\n")
    assert manual.object("secret", "app")["metadata"]["resourceVersion"] == version
    manual.values(token="canary-two", password="p")
    done = manual.ksecret("sync", "manual")
    assert (done.code, done.err) == (0, "")
    assert done.out == "secret/app applied, with other values than before\ndeployment.apps/reader restarted\n"
    assert manual.generations() == {"reader": before["reader"] + 1, "other": before["other"]}
    assert manual.ksecret("sync", "manual").out == "secret/app applied\n"


def test_a_key_that_is_no_longer_declared_goes(manual: Shop) -> None:
    manual.project.declare("app", {"token": {}})
    assert manual.ksecret("sync", "manual").code == 0
    assert manual.secret() == {"token": "canary-one"}


def test_what_was_created_by_hand_is_taken_over_only_when_asked_for_and_its_other_keys_go(shop: Shop) -> None:
    shop.kubectl("create", "secret", "generic", "app", "--from-literal=token=by hand", "--from-literal=old=x")
    shop.secret_overlay()
    shop.values(token="one", password="p")
    done = shop.ksecret("sync", "manual")
    assert done.code == 1
    assert "it exists and is not made by ksecret; --adopt takes it over, which may delete old" in done.err
    assert shop.secret()["token"] == "by hand"
    done = shop.ksecret("sync", "manual", "--adopt")
    assert (done.code, done.err) == (0, "")
    assert shop.secret() == {"token": "one", "password": "p"}


def test_what_a_controller_makes_is_not_written(shop: Shop) -> None:
    shop.external_overlay()
    shop.store(token="one", password="p")
    shop.deploy("test")
    assert shop.ksecret("sync", "test").code == 0
    shop.secret_overlay()
    shop.values(token="two", password="p")
    done = shop.ksecret("sync", "manual", "--adopt")
    assert done.code == 1
    assert "it is made by ExternalSecret app" in done.err
    assert shop.secret()["token"] == "one"


def test_no_command_runs_and_no_value_is_read_before_the_cluster_and_the_source_are_trusted(shop: Shop) -> None:
    arguments = ["sh", "-c", 'echo "$0" >> ran; printf value', "{name}"]
    shop.secret_overlay(command={"arguments": arguments})
    refused = shop.project.untrusting("sync", "manual", KUBECONFIG=str(shop.cluster.kubeconfig))
    assert refused.code == 2
    uid = shop.object("namespace", shop.namespace)["metadata"]["uid"]
    assert f"for: cluster:{uid}" in refused.err and "printf value" in refused.err
    assert not (shop.project.root / "ran").exists()
    done = shop.project.untrusting(
        "sync", "manual", "--accept", f"cluster:{uid}", KUBECONFIG=str(shop.cluster.kubeconfig)
    )
    assert (done.code, done.err) == (0, "")
    assert shop.secret() == {"token": "value", "password": "value"}
    shop.secret_overlay(command={"arguments": [*arguments, "--more"]})
    refused = shop.project.untrusting("sync", "manual", KUBECONFIG=str(shop.cluster.kubeconfig))
    assert (refused.code, "is no longer what this clone has sealed for" in refused.err) == (2, True)


def test_a_secret_of_which_a_value_is_missing_is_left_as_it_is_and_the_others_are_delivered(manual: Shop) -> None:
    manual.project.declare("more", {"key": {}})
    manual.values(token="two", key="k")
    done = manual.ksecret("sync", "manual")
    assert done.code == 3
    assert done.out.splitlines()[0] == "secret/more applied, with other values than before"
    assert "error: secret/app failed: values are missing" in done.err and "PASSWORD" in done.err
    assert (manual.secret("app"), manual.secret("more")) == ({"token": "canary-one", "password": "p"}, {"key": "k"})


def test_diff_compares_keys_and_shows_no_value(manual: Shop) -> None:
    assert manual.ksecret("diff", "manual").code == 0
    manual.project.declare("app", {"token": {}, "password": {}, "more": {}})
    done = manual.ksecret("diff", "manual")
    assert (done.code, "+  more: '***'\n" in done.out, "canary" in done.out) == (1, True, False)


def test_sops_is_opened_in_memory_and_applied_under_the_deployed_name(shop: Shop) -> None:
    me = age("me")
    shop.sops_overlay(me.recipient)
    shop.values(token="canary-one", password="p")
    sealed = shop.ksecret("seal", "sops", SOPS_AGE_KEY=me.identity)
    assert sealed.code == 0, sealed.err
    text = f"resources: [../base, secrets]\nnamespace: {shop.namespace}\nnamePrefix: eu-\n"
    shop.project.write("overlays/sops/kustomization.yaml", text)
    done = shop.ksecret("sync", "sops", SOPS_AGE_KEY=me.identity)
    assert (done.code, done.err) == (0, "")
    assert done.out == "secret/eu-app applied, with other values than before\n"
    assert shop.secret("eu-app") == {"token": "canary-one", "password": "p"}
    assert "sops" not in shop.object("secret", "eu-app")
    refused = shop.ksecret("sync", "sops")
    assert refused.code == 3
    committed = yaml.safe_load(shop.project.manifest("app", "sops").read_text())
    assert "canary" not in json.dumps(committed)
