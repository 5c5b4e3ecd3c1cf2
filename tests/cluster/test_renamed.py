"""A kustomization that renames what it deploys, namespace included: every command of the cluster follows it."""

from pathlib import Path

import pytest

from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    """Two overlays, declared for a namespace that is not there, and deployed to the test's with a prefix and suffix."""
    shop = Shop(tmp_path, cluster, "declared")
    shop.external_overlay()
    shop.sealed_overlay()
    shop.namespace = namespace
    for name in ("test", "prod"):
        shop.kustomization(name, namePrefix="eu-", nameSuffix="-v1")
    shop.store(token="one", password="p")
    shop.values(token="one", password="p")
    return shop


def test_what_is_delivered_compared_and_examined_has_the_deployed_names(shop: Shop) -> None:
    shop.kubectl("apply", "--server-side", "-k", str(shop.project.root / "overlays/test"))
    assert shop.ksecret("sync", "test").code == 0
    shop.store(token="two", password="p")
    done = shop.ksecret("sync", "test", "-o", "wide")
    assert (done.code, done.err) == (0, "")
    changed = f"refreshed in {shop.namespace}, with other values than before: token"
    assert done.out.splitlines() == [
        f"externalsecret.external-secrets.io/eu-app-v1 {changed}",
        f"deployment.apps/eu-reader-v1 restarted in {shop.namespace}",
    ]
    assert shop.secret("eu-app-v1") == {"token": "two", "password": "p"}
    assert shop.ksecret("diff", "test").out == ""
    assert "secret/eu-app-v1: 2 keys" in shop.ksecret("doctor", "test").out


def test_the_cluster_that_is_pinned_is_known_by_the_namespace_that_is_deployed_to(shop: Shop) -> None:
    """Without an overlay that is named, and for the certificate, too."""
    shop.seal(token="one", password="p")
    for name in ("test", "prod"):
        assert shop.ksecret("cluster", "pin", name).code == 0
    done = shop.ksecret("certificate", "prod", "--fetch")
    assert (done.code, done.err) == (0, "")
    done = shop.ksecret("diff", "--all-namespaces", "-o", "name")
    assert done.out.splitlines() == [
        "sealedsecret.bitnami.com/eu-app-v1",
        "secret/eu-app-v1",
        "externalsecret.external-secrets.io/eu-app-v1",
        "secret/eu-app-v1",
    ]
