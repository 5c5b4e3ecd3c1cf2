"""`doctor` of stores of Vault: the real OpenBao refuses the real External Secrets Operator, and the next steps mend it.

What has to be done in Vault is done by the printed commands of its own program.
"""

import json
import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ..openbao import OpenBao
from ..test_sources_vault import NOT_READY
from .controlplane import Cluster
from .examinations import Examination, Step, examine, follow
from .shops import Shop
from .test_vault import Vault

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
STORE, APP = "secretstore.external-secrets.io/vault", "externalsecret.external-secrets.io/app"
READY, CREDENTIALS = "there and ready", "credentials are there"
FILE = "overlays/vault/secrets/ksecret.yaml"


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture
def vault(shop: Shop, bao: OpenBao) -> Vault:
    """A mount with the entry of the Secret `app`, and who may read it."""
    return Vault(bao, shop)


def overlay(shop: Shop, mount: str, address: str, auth: Mapping[str, Any]) -> None:
    """Write and deploy an overlay whose store signs in as given."""
    source = {
        "names": "shop/prod/{secret}",
        "property": "{remoteName}",
        "vault": {"address": address, "mount": mount},
    }
    backend = {"externalSecret": {"store": {"name": "vault", "auth": auth}}}
    shop.project.overlay("vault", backend, source=source, namespace=shop.namespace)
    shop.kustomization("vault")
    done = shop.ksecret("render", "vault", "--write")
    assert done.code == 0, done.err
    shop.deploy("vault")


def eventually(shop: Shop, subject: str, cause: str, question: str = "") -> Step:
    """The step about an object, once its cause holds a text."""
    end = time.monotonic() + 30
    while True:
        step = examined(shop).of(subject, question)
        if cause in step.cause:
            return step
        assert time.monotonic() < end, step
        time.sleep(0.3)


def examined(shop: Shop) -> Examination:
    """What doctor says; no value may show."""
    examination = examine(shop, "vault")
    assert '"one"' not in examination.done.out
    return examination


def synced(shop: Shop) -> None:
    """What is mended arrives, and nothing fails any more."""
    # The operator may be faster, and then nothing has changed that a sync would restart for.
    done = shop.ksecret("sync", "vault", "--timeout=50s", "--restart=always")
    assert (done.code, done.err) == (0, "")
    assert shop.secret() == {"token": "one", "password": "p"}
    assert examined(shop).failed == []


def test_a_role_that_vault_does_not_have_is_named_and_the_next_step_shows_those_that_it_has(
    shop: Shop, vault: Vault, bao: OpenBao
) -> None:
    auth = vault.kubernetes()
    overlay(shop, vault.mount, bao.url, {"kubernetes": auth["kubernetes"] | {"role": "shops"}})
    step = eventually(shop, STORE, 'invalid role name "shops"', READY)
    assert step.remedies[1] == "sign in by one of these roles; shops is none"
    assert "shop\n" in follow(shop, step, VAULT_ADDR=bao.url, VAULT_TOKEN=bao.token)
    overlay(shop, vault.mount, bao.url, auth)
    synced(shop)


def test_a_service_account_that_the_role_is_not_bound_to_is_bound_by_the_next_step(
    shop: Shop, vault: Vault, bao: OpenBao
) -> None:
    """The role keeps its policies."""
    auth = vault.kubernetes()
    role = f"auth/{auth['kubernetes']['mountPath']}/role/shop"
    bao.ask("POST", role, {"bound_service_account_names": "other"})
    overlay(shop, vault.mount, bao.url, auth)
    step = eventually(shop, STORE, "not authorized", READY)
    assert step.remedies[0].startswith(f"vault write {role} bound_service_account_names=shop-sa ")
    follow(shop, step, VAULT_ADDR=bao.url, VAULT_TOKEN=bao.token)
    synced(shop)


def test_a_method_that_is_mounted_elsewhere_is_named(shop: Shop, vault: Vault, bao: OpenBao) -> None:
    auth = vault.kubernetes()
    overlay(shop, vault.mount, bao.url, {"kubernetes": auth["kubernetes"] | {"mountPath": "kubernetes-gone"}})
    step = eventually(shop, STORE, "Code: 403: permission denied", READY)
    assert f"{auth['kubernetes']['mountPath']}/" in follow(shop, step, VAULT_ADDR=bao.url, VAULT_TOKEN=bao.token)


def test_a_role_without_a_policy_is_refused_when_it_reads(shop: Shop, vault: Vault, bao: OpenBao) -> None:
    """The store is ready, since it can sign in."""
    auth = vault.kubernetes()
    role = f"auth/{auth['kubernetes']['mountPath']}/role/shop"
    bao.ask("POST", role, {"token_policies": "default"})
    overlay(shop, vault.mount, bao.url, auth)
    step = eventually(shop, APP, "permission denied")
    assert examined(shop).of(STORE, READY).verdict == "passed"
    assert step.remedies[1].endswith("a policy of its role must allow to read the path; docs/vault.md has one")
    bao.ask("POST", role, {"token_policies": vault.mount})
    synced(shop)


def test_a_vault_that_is_sealed_is_named_with_the_command_that_unseals_it(shop: Shop) -> None:
    with OpenBao(NOT_READY) as server:
        keys = server.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        login = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": shop.namespace}}
        shop.cluster.apply(login | {"stringData": {"id": "none"}})
        auth = {"appRole": {"roleId": "shop", "secretRef": {"name": "login", "key": "id"}}}
        overlay(shop, "secret", server.url, auth)
        step = eventually(shop, STORE, "Vault is sealed", READY)
        assert step.remedies == ["vault operator unseal"]
        server.ask("PUT", "sys/unseal", {"key": keys["keys"][0]})
        shop.kubectl("annotate", "secretstore", "vault", "again=1")
        assert eventually(shop, STORE, "permission denied", READY).verdict == "failed"  # nobody may sign in there
        shop.kubectl("delete", "secretstore,externalsecret", "--all", "--wait=false")


def test_an_app_role_without_its_secret_gets_it_by_the_next_step(shop: Shop, vault: Vault, bao: OpenBao) -> None:
    auth = vault.app_role()
    live = shop.object("secret", "login")
    shop.project.write("secret-id", shop.secret("login")["secret-id"])
    shop.kubectl("delete", "secret", "login")
    overlay(shop, vault.mount, bao.url, auth)
    step = examined(shop).of("secret/login", CREDENTIALS)
    assert step.cause == f"there is no such Secret in {shop.namespace}, with which {STORE} signs in"
    follow(shop, step._replace(remedies=[remedy.replace("=FILE ", "=secret-id ") for remedy in step.remedies]))
    assert shop.object("secret", "login")["data"] == live["data"]
    synced(shop)


def test_a_ca_that_is_no_certificate_is_named_and_mended_by_the_next_steps(
    shop: Shop, vault: Vault, bao: OpenBao
) -> None:
    overlay(shop, vault.mount, bao.url, vault.kubernetes())
    bundle = b64encode(b"no certificate").decode()
    patch = json.dumps({"spec": {"provider": {"vault": {"caBundle": bundle}}}})
    shop.kubectl("patch", "secretstore", "vault", "--type=merge", f"--patch={patch}")
    step = examined(shop).of(STORE, "certificate")
    assert (step.verdict, step.cause) == ("failed", "caBundle holds no certificate in PEM")
    assert step.remedies[0] == f"correct spec.source.vault.caFile in {FILE}, of which the store has caBundle; then"
