"""`sync` where a Secret of the name exists: who made it is named, and what it takes to have it."""

from pathlib import Path

import pytest

from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
OVERLAYS = ("manual", "prod", "test")


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    """One overlay of plain Secrets, one of SealedSecrets and one of ExternalSecrets, all with the same values."""
    shop = Shop(tmp_path, cluster, namespace)
    shop.secret_overlay()
    shop.sealed_overlay()
    shop.seal(token="two", password="p")
    shop.store(token="two", password="p")
    shop.external_overlay()
    return shop


def exists(shop: Shop, **fields: object) -> None:
    """A Secret that somebody has made."""
    metadata = {"name": "app", "namespace": shop.namespace}
    stated = {"metadata": metadata, "stringData": {"token": "one", "password": "p"}, **fields}
    shop.cluster.apply({"apiVersion": "v1", "kind": "Secret", **stated})


def test_a_secret_that_another_object_makes_is_freed_before_it_is_taken_over(shop: Shop) -> None:
    """Both would make it in turn, or the controller refuses; the printed command frees it, and the values stay."""
    assert shop.ksecret("sync", "test").code == 0
    for overlay, maker in (("prod", "externalsecret.external-secrets.io"), ("test", "sealedsecret.bitnami.com")):
        before = shop.secret()
        done = shop.ksecret("sync", overlay, "--adopt")
        assert done.code == 1
        assert "--adopt takes it over, once it is free" in done.err
        command = f"kubectl delete {maker} app --namespace={shop.namespace} --cascade=orphan"
        assert f"hint: {command}\n" in done.err
        shop.kubectl(*command.split()[1:])
        assert shop.secret() == before
        done = shop.ksecret("sync", overlay, "--adopt")
        assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_immutable_secret_never_changes_and_the_way_out_works(shop: Shop, overlay: str) -> None:
    exists(shop, immutable=True)
    done = shop.ksecret("sync", overlay, "--adopt", "--timeout=20s")
    assert (done.code, done.out) == (1, "")
    command = f"kubectl delete secret app --namespace={shop.namespace}"
    said = f"will not arrive: the Secret app is immutable, so its values stay; the way out: {command}, and the same"
    assert said in done.err
    shop.kubectl(*command.split()[1:])
    done = shop.ksecret("sync", overlay)
    assert (done.code, done.err) == (0, "")
    assert shop.secret() == {"token": "two", "password": "p"}


def test_an_immutable_secret_that_has_the_values_has_arrived(shop: Shop) -> None:
    exists(shop, immutable=True, stringData={"token": "two", "password": "p"})
    done = shop.ksecret("sync", "manual", "--adopt")
    assert (done.code, done.err) == (0, "")
    assert shop.object("secret", "app")["immutable"] is True


def test_a_type_that_nobody_can_change_is_named(shop: Shop) -> None:
    exists(shop, type="example.org/shop")
    done = shop.ksecret("sync", "manual", "--adopt")
    assert done.code == 1
    assert "will not arrive: the Secret app is of the type example.org/shop, and nobody can make it Opaque" in done.err


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_of_two_overlays_in_one_namespace_none_writes_what_the_other_has_applied(shop: Shop, overlay: str) -> None:
    """Unless that is asked for; else they would write it in turn, each with its own values."""
    path = shop.project.root / f"overlays/{overlay}/secrets/ksecret.yaml"
    assert shop.ksecret("sync", overlay).code == 0
    path.write_text(path.read_text().replace(f"name: {overlay}\n", "name: neighbour\n"))
    done = shop.ksecret("sync", "neighbour")
    assert (done.code, done.out) == (1, "")
    assert f"overlay {overlay} has one of this name in the same namespace; --adopt takes it over" in done.err
    assert shop.ksecret("sync", "neighbour", "--adopt").code == 0


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_secret_of_a_helm_release_is_named_as_that(shop: Shop, overlay: str) -> None:
    metadata = {
        "name": "app",
        "namespace": shop.namespace,
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": shop.namespace},
    }
    exists(shop, metadata=metadata)
    done = shop.ksecret("sync", overlay)
    assert done.code == 1
    assert "is made by the Helm release shop, whose next upgrade writes it again; --adopt takes it over" in done.err
