"""Pinned versions end to end: real operators that fetch from the real OpenBao what the overlay's file says."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
# Both operators look twice within the time that the test waits.
EVERY = 2.0
BACKENDS = ["externalSecret", "vaultSecretsOperator"]


def backend(field: str, auth: Mapping[str, Any]) -> Mapping[str, Any]:
    """A backend whose operator looks every two seconds."""
    if field == "externalSecret":
        return {field: {"refreshInterval": "2s", "store": {"name": "vault", "auth": auth}}}
    return {field: {"refreshAfter": "2s", "auth": auth}}


@pytest.mark.parametrize("field", BACKENDS)
def test_a_pinned_version_stays_until_a_commit_moves_it_and_a_revert_brings_it_back(
    tmp_path: Path, cluster: Cluster, namespace: str, bao: OpenBao, field: str
) -> None:
    """What is newer in Vault does not arrive; what the commit says does."""
    shop = Shop(tmp_path, cluster, namespace)
    vault = Vault(bao, shop)
    source = {
        "names": "shop/prod/{secret}",
        "property": "{remoteName}",
        "vault": {"address": bao.url, "mount": vault.mount},
    }
    shop.project.overlay("prod", backend(field, vault.kubernetes()), source=source, namespace=namespace)
    shop.kustomization("prod")
    shop.project.environment["VAULT_TOKEN"] = bao.token
    assert shop.ksecret("pin-versions", "prod", "app").code == 0
    assert shop.ksecret("render", "prod", "--write").code == 0
    shop.project.commit()
    shop.deploy("prod")
    assert shop.ksecret("sync", "prod", "--restart=never").code == 0
    assert shop.secret() == {"token": "one", "password": "p"}

    bao.ask("POST", f"{vault.mount}/data/shop/prod/app", {"data": {"token": "two", "password": "q"}})
    time.sleep(2.5 * EVERY)
    assert shop.secret() == {"token": "one", "password": "p"}
    assert "pinned, the source has a newer version" in shop.ksecret("status", "prod").out

    assert shop.ksecret("pin-versions", "prod", "app").code == 0
    assert shop.ksecret("render", "prod", "--write").code == 0
    shop.project.commit()
    done = shop.ksecret("sync", "prod", "--restart=never")
    assert (done.code, done.err, shop.secret()) == (0, "", {"token": "two", "password": "q"})

    shop.project.git("revert", "--no-edit", "HEAD")
    assert shop.project.done("render", "prod", "--check") == ""
    done = shop.ksecret("sync", "prod", "--restart=never")
    assert (done.code, done.err, shop.secret()) == (0, "", {"token": "one", "password": "p"})
