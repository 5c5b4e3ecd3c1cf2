"""Vault Secrets Operator end to end: the real OpenBao, the real operator, and what the command renders for it."""

import json
import time
from pathlib import Path

import pytest

from ..openbao import OpenBao
from .controlplane import Cluster
from .shops import Shop
from .test_vault import Vault

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("vault_secrets_operator"),
]


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture
def vault(shop: Shop, bao: OpenBao) -> Vault:
    """An entry in Vault, and an overlay of VaultStaticSecrets that is deployed with it."""
    vault = Vault(bao, shop)
    source = {
        "names": "shop/prod/{secret}",
        "property": "{remoteName}",
        "vault": {"address": bao.url, "mount": vault.mount},
    }
    keys = {"token": {}, "password": {}, "url": {"template": "db://{{ password | urlencode }}"}}
    shop.project.declare("app", keys, labels={"team": "shop"})
    backend = {"vaultSecretsOperator": {"refreshAfter": "2s", "auth": vault.kubernetes()}}
    shop.project.overlay("vso", backend, source=source, namespace=shop.namespace)
    shop.kustomization("vso")
    done = shop.ksecret("render", "vso", "--write")
    assert (done.code, done.err) == (0, "")
    shop.deploy("vso")
    return vault


def test_an_entry_becomes_the_secret_with_its_template_and_its_labels(shop: Shop, vault: Vault) -> None:
    """`sync` waits until the operator has made the Secret of this very form."""
    done = shop.ksecret("sync", "vso", "--restart=never")
    assert (done.code, done.err) == (0, "")
    assert shop.secret() == {"token": "one", "password": "p", "url": "db://p"}
    assert shop.object("secret", "app")["metadata"]["labels"]["team"] == "shop"


def test_a_new_value_restarts_what_reads_it_and_nothing_else_does(shop: Shop, vault: Vault, bao: OpenBao) -> None:
    """The operator does both by itself; a sync beside it adds no second roll-out."""
    assert shop.ksecret("sync", "vso", "--restart=never").code == 0
    before = shop.generations()
    entry = f"{vault.mount}/data/shop/prod/app"
    bao.ask("POST", entry, {"data": {"token": "two", "password": "p"}})
    shop.kubectl("wait", "--for=jsonpath={.data.token}=dHdv", "secret/app", "--timeout=30s")
    shop.kubectl("rollout", "status", "deployment/reader", "--timeout=30s")
    assert shop.ksecret("sync", "vso").code == 0
    assert shop.generations() == {"reader": before["reader"] + 1, "other": before["other"]}


def test_a_missing_member_keeps_the_secret_as_it_is(shop: Shop, vault: Vault, bao: OpenBao) -> None:
    """The guard in the template fails, with the member's name in an Event, where `get` would make it empty."""
    assert shop.ksecret("sync", "vso", "--restart=never").code == 0
    bao.ask("POST", f"{vault.mount}/data/shop/prod/app", {"data": {"password": "p"}})
    end = time.monotonic() + 30
    while not _failures(shop) and time.monotonic() < end:
        time.sleep(0.2)
    assert any("the entry has no token" in message for message in _failures(shop))
    assert shop.secret()["token"] == "one"


def _failures(shop: Shop) -> list[str]:
    events = json.loads(shop.kubectl("get", "events", "--output=json"))["items"]
    return [event["message"] for event in events if event["reason"] == "SecretDataBuilderError"]
