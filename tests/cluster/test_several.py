"""Several overlays, of several backends, on one cluster: each is judged by its own objects alone."""

import json
from pathlib import Path

import pytest

from ..projects import age
from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
KINDS = {
    "test": "externalsecret.external-secrets.io",
    "prod": "sealedsecret.bitnami.com",
    "sops": "secret",
    "manual": "secret",
}


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture
def neighbours(shop: Shop) -> Shop:
    """Four overlays in one namespace, one of each backend, with two Secrets each; all of them are synced."""
    recipient, overlays = age("me").recipient, {name: {"declarations": [f"../../../{name}"]} for name in KINDS}
    shop.values(token="one")
    shop.store(token="one")
    for name in KINDS:
        shop.project.declare(f"{name}-1", {"token": {"remoteName": "token"}}, folder=name)
        shop.project.declare(f"{name}-2", {"token": {"from": f"{name}-1/token"}}, folder=name)
    shop.external_overlay(overlay=overlays["test"])
    shop.sealed_overlay(overlay=overlays["prod"])
    shop.sops_overlay(recipient, overlay=overlays["sops"])
    shop.secret_overlay(overlay=overlays["manual"])
    assert shop.ksecret("seal", "prod").code == shop.ksecret("seal", "sops").code == 0
    for name in KINDS:
        done = shop.ksecret("sync", name, SOPS_AGE_KEY=age("me").identity)
        assert (done.code, done.err) == (0, "")
    return shop


def test_neighbours_of_other_backends_are_no_difference_and_what_no_file_has_any_more_is_named(
    neighbours: Shop,
) -> None:
    for name in KINDS:
        done = neighbours.ksecret("diff", name)
        assert (name, done.code, done.out, done.err) == (name, 0, "", "")
    for name, kind in KINDS.items():
        (neighbours.project.root / name / f"{name}-2.yaml").unlink()
        assert neighbours.ksecret("render", name, "--write").code == 0
        done = neighbours.ksecret("diff", name, "-o", "name")
        assert (done.code, done.out) == (1, f"{kind}/{name}-2\n")


def test_of_several_overlays_those_are_synced_that_are_pinned_to_this_cluster(shop: Shop) -> None:
    shop.values(token="one", password="p")
    for name in ("manual", "pinned", "other"):
        shop.secret_overlay(name, {"cluster": {"uid": "0" * 36}} if name == "other" else {})
    refused = shop.ksecret("sync")
    assert refused.code == 2
    assert "none of the overlays is pinned to the cluster at" in refused.err
    assert shop.ksecret("cluster", "pin", "pinned").code == 0
    done = shop.ksecret("sync", "-A", "-o", "wide")
    assert done.code == 2
    assert done.out == f"secret/app applied in {shop.namespace}, with other values than before: password, token\n"
    assert "note: other belongs to another cluster" in done.err
    assert "nothing says which cluster manual belongs to" in done.err
    assert "kubectl ksecret cluster pin manual says so" in done.err
    assert shop.ksecret("cluster", "pin", "manual").code == 0
    done = shop.ksecret("diff", "-o", "json")
    overlays = [item["overlay"] for item in json.loads(done.out)["items"]]
    assert (done.code, overlays) == (0, ["manual", "pinned"])


def test_status_of_plain_secrets_reads_the_records_that_the_cluster_has(shop: Shop) -> None:
    """A template's text is known without its value, and so is a change of it."""
    shop.project.declare("app", {"token": {}, "url": {"template": "https://{{ token }}@a"}})
    shop.secret_overlay()
    shop.values(token="one")
    assert problems(shop) == {"token": "not in the cluster", "url": "not in the cluster"}
    assert shop.ksecret("sync", "manual").code == 0
    assert problems(shop) == {}
    shop.project.declare("app", {"token": {}, "url": {"template": "https://{{ token }}@b"}})
    assert problems(shop) == {"url": "stale: the source or the template has changed since it was synced"}
    shop.kubectl("annotate", "secret", "app", "ksecret.dev/sealed-keys-")
    assert set(problems(shop).values()) == {"not synced: the Secret in the cluster has no record of it"}


def test_status_says_why_a_cluster_was_not_asked_and_shows_the_rest(shop: Shop, tmp_path: Path) -> None:
    shop.secret_overlay()
    shop.values(token="one", password="p")
    done = shop.ksecret("status", "manual", KUBECONFIG=str(tmp_path / "none"))
    assert (done.code, "app/token" in done.out) == (2, True)
    assert "there is no kubeconfig" in done.err
    assert shop.ksecret("status", "manual", "--offline", KUBECONFIG=str(tmp_path / "none")).code == 0


def problems(shop: Shop) -> dict[str, str]:
    """What `status` says of each key that something is to be done for."""
    done = shop.ksecret("status", "manual", "-o", "json")
    rows = json.loads(done.out)["items"]
    messages = {row["key"]: row["problems"][0]["message"] for row in rows if row["problems"]}
    assert done.code == (1 if messages else 0)
    return messages
