"""`sync` beside Flux and Argo CD: they apply what is in Git, and a change is one roll-out all the same."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .controlplane import Cluster
from .deployers import DEPLOYERS, flux
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
Deployer = Callable[[Shop, str], None]


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture(params=DEPLOYERS)
def deployer(request: pytest.FixtureRequest) -> Deployer:
    return DEPLOYERS[request.param]


def test_flux_takes_away_what_kubectl_restarted_which_is_a_second_roll_out(shop: Shop) -> None:
    """Else the tests below would show nothing."""
    shop.external_overlay()
    shop.store(token="one", password="p")
    flux(shop, "test")
    before = shop.generations()["reader"]
    shop.kubectl("rollout", "restart", "deployment/reader")
    flux(shop, "test")
    assert shop.generations()["reader"] == before + 2


def test_a_changed_value_in_the_store_is_one_roll_out_however_often_the_deployer_comes_by(
    shop: Shop, deployer: Deployer
) -> None:
    shop.external_overlay()
    shop.store(token="one", password="p")
    deployer(shop, "test")
    done = shop.ksecret("sync", "test", "--restart=never")
    assert (done.code, done.err) == (0, "")
    deployer(shop, "test")
    before = shop.generations()
    shop.store(token="two", password="p")
    done = shop.ksecret("sync", "test")
    assert (done.code, done.err) == (0, "")
    assert shop.secret()["token"] == "two"
    for _ in range(2):
        deployer(shop, "test")
        assert shop.ksecret("sync", "test").code == 0
    assert shop.generations() == {**before, "reader": before["reader"] + 1}
    assert shop.ksecret("diff", "test").code == 0


def test_what_is_sealed_comes_by_the_deployer_alone_and_is_one_roll_out(shop: Shop, deployer: Deployer) -> None:
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    deployer(shop, "prod")
    assert shop.ksecret("sync", "prod", "--restart=never").code == 0
    before = shop.generations()
    shop.seal("prod", "app/token", token="two", password="p")
    done = shop.ksecret("sync", "prod", "--timeout=1s")
    assert (done.code, done.out) == (1, "")
    assert "has not arrived yet: " in done.err and "has not brought what is built here yet" in done.err
    assert shop.secret()["token"] == "one"  # nobody but its owner brings the file to the cluster
    deployer(shop, "prod")
    done = shop.ksecret("sync", "prod")
    assert (done.code, done.err) == (0, "")
    assert shop.secret()["token"] == "two"
    deployer(shop, "prod")
    assert shop.ksecret("sync", "prod").code == 0
    assert shop.generations() == {**before, "reader": before["reader"] + 1}


def test_a_secret_that_was_edited_by_hand_is_made_anew_and_the_deployer_has_nothing_to_undo(
    shop: Shop, deployer: Deployer
) -> None:
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    deployer(shop, "prod")
    assert shop.ksecret("sync", "prod", "--restart=never").code == 0
    time.sleep(1.1)  # managedFields have whole seconds
    shop.kubectl("patch", "secret", "app", '--patch={"stringData": {"token": "by hand"}}')
    done = shop.ksecret("sync", "prod")
    assert (done.code, done.err) == (0, "")
    assert shop.secret()["token"] == "one"
    generation = shop.object("sealedsecret", "app")["metadata"]["generation"]
    deployer(shop, "prod")
    assert shop.object("sealedsecret", "app")["metadata"]["generation"] == generation
    assert shop.ksecret("diff", "prod").code == 0
