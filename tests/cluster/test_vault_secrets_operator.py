"""Vault Secrets Operator end to end: the real OpenBao, the real operator, and what the command renders for it."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from ..openbao import OpenBao
from .controlplane import Cluster
from .programs import free_ports
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
    """An entry in Vault, and an overlay of VaultStaticSecrets of which the cluster has nothing but the workloads."""
    vault = Vault(bao, shop)
    keys = {"token": {}, "password": {}, "url": {"template": "db://{{ password | urlencode }}"}}
    shop.project.declare("app", keys, labels={"team": "shop"})
    shop.vault_overlay(vault.source, vault.kubernetes())
    shop.kubectl("apply", "--server-side", "-f", str(shop.project.root / "overlays/base/workloads.yaml"))
    return vault


def test_an_entry_becomes_the_secret_with_its_template_and_its_labels(shop: Shop, vault: Vault) -> None:
    """`sync` applies how the operator signs in, and waits until it has made the Secret of this very form."""
    done = shop.ksecret("sync", "vso", "--restart=never")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "vaultconnection.secrets.hashicorp.com/vault applied",
        "vaultauth.secrets.hashicorp.com/vault applied",
        "vaultstaticsecret.secrets.hashicorp.com/app applied, with other values than before",
    ]
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


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"password": "p"}, "the entry has no token that is text"),
        ({"password": "p", "token": None}, "the entry has no token that is text"),
        ({"password": "p", "token": {"a": "b"}}, "the entry has no token that is text"),
        ({"password": ["p"], "token": "two"}, "the entry has no password that is text"),
    ],
    ids=["missing", "null", "an object", "a list below a template"],
)
def test_what_is_no_text_keeps_the_secret_as_it_is(
    shop: Shop, vault: Vault, bao: OpenBao, entry: dict[str, Any], message: str
) -> None:
    """The guard fails, with the member's name in an Event, where a template would write nothing, or Go's own form."""
    assert shop.ksecret("sync", "vso", "--restart=never").code == 0
    bao.ask("POST", f"{vault.mount}/data/shop/prod/app", {"data": entry})
    end = time.monotonic() + 30
    while not _failures(shop) and time.monotonic() < end:
        time.sleep(0.2)
    assert any(message in failure for failure in _failures(shop))
    assert shop.secret() == {"token": "one", "password": "p", "url": "db://p"}


def test_numbers_names_with_dots_whole_entries_and_base64_arrive_as_they_are_read_here(
    shop: Shop, vault: Vault, bao: OpenBao
) -> None:
    """A number has its digits, a dot is part of a name, and JSON has Go's escapes; what is no base64 fails."""
    assert shop.ksecret("sync", "vso", "--restart=never").code == 0  # with the sign-in
    keys = {
        "port": {"property": "port"},
        "on": {"property": "on"},
        "tls.crt": {"property": "tls.crt"},
        "tls.key": {"property": r"tls\.key"},
        "logo": {"property": "logo", "encoding": "base64"},
    }
    shop.project.declare("odd", keys)
    shop.project.declare("whole", {"entry": {"remoteName": "x"}})
    source = {"names": "shop/prod/{secret}", "vault": {"address": bao.url, "mount": vault.mount}}
    backend = {"vaultSecretsOperator": {"refreshAfter": "2s", "name": "vault"}}
    omitted = {"app": {"omit": "another overlay has it"}}
    overrides = omitted | {"whole": {"keys": {"entry": {"remoteName": "shop/prod/odd"}}}}
    shop.project.overlay("odd", backend, source=source, overrides=overrides, namespace=shop.namespace)
    shop.kustomization("odd")
    entry = {"port": 10000000, "on": True, "tls.crt": "a", "tls.key": "b", "logo": "AP8="}
    bao.ask("POST", f"{vault.mount}/data/shop/prod/odd", {"data": entry | {"url": "<a&b>"}})
    assert shop.ksecret("render", "odd", "--write").code == 0
    done = shop.ksecret("sync", "odd", "--restart=never")
    assert (done.code, done.err) == (0, ""), done.err
    data = {key: base64.b64decode(text) for key, text in shop.object("secret", "odd")["data"].items()}
    assert data == {"port": b"10000000", "on": b"true", "tls.crt": b"a", "tls.key": b"b", "logo": b"\0\xff"}
    assert json.loads(shop.secret("whole")["entry"]) == entry | {"url": "<a&b>"}
    assert r'"\u003ca\u0026b\u003e"' in shop.secret("whole")["entry"]
    bao.ask("POST", f"{vault.mount}/data/shop/prod/odd", {"data": entry | {"logo": "no base64"}})
    end = time.monotonic() + 30
    while not _failures(shop) and time.monotonic() < end:
        time.sleep(0.2)
    assert any("logo of the entry is not base64" in failure for failure in _failures(shop))
    assert base64.b64decode(shop.object("secret", "odd")["data"]["logo"]) == b"\0\xff"


def test_a_server_that_is_not_there_fails_at_the_connection(shop: Shop, vault: Vault) -> None:
    """The sign-in is applied after it all the same, and what reads through them says why it waits."""
    assert shop.ksecret("sync", "vso", "--restart=never").code == 0
    [port] = free_ports(1)
    gone = {"vault": {**vault.source["vault"], "address": f"http://127.0.0.1:{port}"}}
    auth = {"kubernetes": {"mountPath": "kubernetes", "role": "shop", "serviceAccountName": "shop-sa"}}
    shop.vault_overlay({**vault.source, **gone}, auth)
    done = shop.ksecret("sync", "vso", "--timeout=20s", "--restart=never")
    assert done.code == 1
    connection = "error: vaultconnection.secrets.hashicorp.com/vault failed: Failed to check Vault seal status"
    assert done.err.startswith(connection) and "connection refused" in done.err.splitlines()[0]
    assert "vaultauth.secrets.hashicorp.com/vault applied" in done.out


def test_a_sign_in_that_no_file_has_any_more_is_named_by_diff(shop: Shop, vault: Vault) -> None:
    """As the store of External Secrets Operator is; the one that is rendered under another name is missing."""
    assert shop.ksecret("sync", "vso", "--restart=never").code == 0
    assert shop.ksecret("diff", "vso").out == ""
    auth = {"kubernetes": {"mountPath": "kubernetes", "role": "shop", "serviceAccountName": "shop-sa"}}
    shop.vault_overlay(vault.source, auth, name="other")
    assert shop.ksecret("diff", "vso", "--output=name").out.split() == [
        "vaultconnection.secrets.hashicorp.com/other",
        "vaultconnection.secrets.hashicorp.com/vault",
        "vaultauth.secrets.hashicorp.com/other",
        "vaultauth.secrets.hashicorp.com/vault",
        "vaultstaticsecret.secrets.hashicorp.com/app",
    ]
    assert "vaultauth.secrets.hashicorp.com/vault" not in shop.ksecret("diff", "vso", "app", "--output=name").out


def _failures(shop: Shop) -> list[str]:
    events = json.loads(shop.kubectl("get", "events", "--output=json"))["items"]
    return [event["message"] for event in events if event["reason"] == "SecretDataBuilderError"]
