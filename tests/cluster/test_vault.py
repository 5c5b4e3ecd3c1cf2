"""Vault end to end: the real OpenBao, the real External Secrets Operator, and the store that the command renders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ..openbao import OpenBao
from ..test_sources_vault import documented_policy
from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
REVIEWER = "vault-reviewer"


class Vault:
    """A mount with the entry of the Secret `app`, a policy for reading it, and the two ways in."""

    def __init__(self, bao: OpenBao, shop: Shop) -> None:
        self._bao, self._shop, self.mount = bao, shop, bao.mount()
        self._bao.ask("POST", f"{self.mount}/data/shop/prod/app", {"data": {"token": "one", "password": "p"}})
        self._bao.ask("PUT", f"sys/policies/acl/{self.mount}", {"policy": documented_policy("read", self.mount)})

    @property
    def source(self) -> Mapping[str, Any]:
        """The engine as a source, in which a Secret is an entry."""
        vault = {"address": self._bao.url, "mount": self.mount}
        return {"names": "shop/prod/{secret}", "property": "{remoteName}", "vault": vault}

    def kubernetes(self) -> Mapping[str, Any]:
        """Let the ServiceAccount shop-sa in, as docs/vault.md says."""
        shop, cluster = self._shop, self._shop.cluster
        shop.kubectl("create", "serviceaccount", "shop-sa")
        shop.kubectl("create", "serviceaccount", REVIEWER)
        account = f"--serviceaccount={shop.namespace}:{REVIEWER}"
        shop.kubectl("create", "clusterrolebinding", self.mount, "--clusterrole=system:auth-delegator", account)
        path = f"kubernetes-{self.mount}"
        self._bao.ask("POST", f"sys/auth/{path}", {"type": "kubernetes"})
        configuration = {
            "kubernetes_host": cluster.url,
            "kubernetes_ca_cert": cluster.certificate.read_text(),
            "token_reviewer_jwt": shop.kubectl("create", "token", REVIEWER).strip(),
            "disable_local_ca_jwt": True,
        }
        self._bao.ask("POST", f"auth/{path}/config", configuration)
        role = {
            "bound_service_account_names": "shop-sa",
            "bound_service_account_namespaces": shop.namespace,
            "token_policies": self.mount,
        }
        self._bao.ask("POST", f"auth/{path}/role/shop", role)
        return {"kubernetes": {"mountPath": path, "role": "shop", "serviceAccountName": "shop-sa"}}

    def app_role(self) -> Mapping[str, Any]:
        """Let whoever has the secret id in."""
        path = f"approle-{self.mount}"
        self._bao.ask("POST", f"sys/auth/{path}", {"type": "approle"})
        self._bao.ask("POST", f"auth/{path}/role/shop", {"token_policies": self.mount})
        role_id = self._bao.ask("GET", f"auth/{path}/role/shop/role-id")["data"]["role_id"]
        secret_id = self._bao.ask("POST", f"auth/{path}/role/shop/secret-id")["data"]["secret_id"]
        login = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": self._shop.namespace}}
        self._shop.cluster.apply(login | {"stringData": {"secret-id": secret_id}})
        return {"appRole": {"path": path, "roleId": role_id, "secretRef": {"name": "login", "key": "secret-id"}}}

    def token(self) -> str:
        """Return a token for a person who rotates."""
        return self._bao.limited(documented_policy("write", self.mount))


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.mark.parametrize("way", ["kubernetes", "app_role"])
def test_a_rotated_property_becomes_live(shop: Shop, bao: OpenBao, way: str) -> None:
    """Rotated in Vault with the documented policy, fetched through the rendered store, and its reader restarted."""
    vault = Vault(bao, shop)
    shop.project.declare("app", {"token": {"generate": {"length": 40}}, "password": {}})
    backend = {"externalSecret": {"store": {"name": "vault", "auth": getattr(vault, way)()}}}
    shop.project.overlay("vault", backend, source=vault.source, namespace=shop.namespace)
    shop.kustomization("vault")
    assert shop.ksecret("render", "vault", "--write").code == 0
    shop.project.environment["VAULT_TOKEN"] = vault.token()
    shop.deploy("vault")
    assert shop.ksecret("sync", "vault", "--restart=never").code == 0
    assert shop.secret() == {"token": "one", "password": "p"}
    before = shop.generations()
    assert shop.ksecret("rotate", "vault", "app/token", "--yes").code == 0
    done = shop.ksecret("sync", "vault")
    assert (done.code, done.err) == (0, "")
    new = bao.ask("GET", f"{vault.mount}/data/shop/prod/app")["data"]["data"]
    assert (len(new["token"]), shop.secret()) == (40, new)
    assert shop.generations() == {"reader": before["reader"] + 1, "other": before["other"]}
