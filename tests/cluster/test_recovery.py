"""A lost cluster: an overlay that was sealed for a controller that is gone arrives in a cluster with another one."""

import re
import time
from pathlib import Path

import pytest

from kubectl_ksecret.sealing import certificate

from ..peers import ROOT
from ..projects import Done, sealing
from .controlplane import Cluster
from .examinations import typed
from .shops import Shop
from .standins import SEALED_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
LOST, KEYS = 7, "sealedsecrets.bitnami.com/sealed-secrets-key"
VALUES = {"token": "one", "password": "p"}


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    """An overlay sealed for a controller that is gone, and pinned to its cluster; the workloads are there already."""
    shop = Shop(tmp_path, cluster, namespace)
    shop.sealed_overlay()
    shop.project.write("overlays/prod/secrets/sealing.pem", sealing(LOST).certificate)
    shop.seal(**VALUES)
    path = shop.project.root / "overlays/prod/secrets/ksecret.yaml"
    path.write_text(path.read_text() + "  cluster: {uid: 00000000-0000-0000-0000-000000000000}\n")
    return shop


def next_command(done: Done) -> list[str]:
    """The command that a hint names, as it is typed."""
    hint = done.err.rpartition("hint: ")[2]
    found = re.search(r"kubectl ksecret ((?:[a-z]+|--[a-z]+)(?: (?:prod|pin|--fetch|--reseal))*)", hint)
    assert found is not None, done.err
    return found[1].split()


def test_each_step_of_a_recovery_names_the_next_one_and_the_last_one_delivers(shop: Shop) -> None:
    """The values come from the overlay's own source, and nobody is asked again whom they are sealed for."""
    lost = certificate.read(sealing(LOST).certificate).fingerprint
    refused = shop.ksecret("sync", "prod")
    assert refused.code == 2 and "belongs to another cluster" in refused.err
    assert next_command(refused) == ["cluster", "pin", "prod"]
    pinned = shop.project.untrusting("cluster", "pin", "prod", KUBECONFIG=str(shop.cluster.kubeconfig))
    assert pinned.code == 0, pinned.err
    assert next_command(pinned) == ["certificate", "prod", "--fetch"]
    needed = shop.ksecret("certificate", "prod", "--needed")
    assert needed.out == f"{lost} (the present one): app/password, app/token\n"
    fetched = shop.ksecret("certificate", "prod", "--fetch")
    assert fetched.code == 0, fetched.err
    assert f"written (until now {lost})" in fetched.out
    assert shop.ksecret("certificate", "prod", "--needed").out == f"{lost}: app/password, app/token\n"
    assert next_command(fetched) == ["seal", "prod", "--reseal"]
    sealed = shop.project.untrusting("seal", "prod", "--reseal")
    assert sealed.code == 0, sealed.err
    assert next_command(sealed) == ["sync", "prod"]
    current = certificate.read(shop.cluster.sealing_certificate().encode()).fingerprint
    needed = shop.ksecret("certificate", "prod", "--needed")
    assert needed.out == f"{current} (the present one): app/password, app/token\n"
    done = shop.ksecret("sync", "prod")
    assert (done.code, done.err) == (0, "")
    assert shop.secret() == VALUES
    assert shop.ksecret("diff", "prod").code == 0


def test_where_the_source_is_lost_too_the_private_keys_of_the_backup_open_what_is_committed(shop: Shop) -> None:
    """Two ways: sealed anew for the new controller, or applied as they are. No value touches a file."""
    (shop.project.root / ".env").unlink()
    shop.project.write(".env.keys", sealing(LOST).private_key)
    manifests = "overlays/prod/secrets/manifests/app.yaml"
    opened = shop.ksecret("unseal", manifests, "--private-key", ".env.keys")
    assert opened.code == 0, opened.err
    assert shop.ksecret("cluster", "pin", "prod").code == 0
    assert shop.ksecret("certificate", "prod", "--fetch").code == 0
    sealed = shop.project.untrusting("seal", "prod", "--reseal", "-f", "-", stdin=opened.out)
    assert sealed.code == 0, sealed.err
    assert next_command(sealed) == ["sync", "prod"]
    assert shop.ksecret("sync", "prod").code == 0
    assert shop.secret() == VALUES


def test_values_of_the_backup_can_be_applied_as_they_are(shop: Shop) -> None:
    shop.project.write(".env.keys", sealing(LOST).private_key)
    opened = shop.ksecret("unseal", "overlays/prod/secrets/manifests/app.yaml", "--private-key", ".env.keys")
    apply = ("apply", "--server-side", "--field-manager=ksecret", "--filename=-")
    shop.cluster.kubectl(*apply, stdin=opened.out)
    assert shop.secret() == VALUES
    annotations = shop.object("secret", "app")["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in annotations


def test_the_old_keys_in_a_new_controller_open_what_is_committed(shop: Shop) -> None:
    """By the commands of the README, from the backup to the Secret; nothing is sealed anew. The new key stays."""
    backup, *restoring = documented()
    shop.project.write("overlays/prod/secrets/sealing.pem", shop.cluster.sealing_certificate())
    shop.seal("prod", "--reseal", **VALUES)
    committed = shop.project.manifest("app").read_bytes()
    typed(shop, backup)
    names = shop.cluster.kubectl(*f"get secrets --namespace=kube-system --selector={KEYS} --output=name".split())
    with shop.cluster.without(SEALED_SECRETS.name):
        shop.cluster.kubectl("delete", "--namespace=kube-system", *names.split())
    shop.ksecret("cluster", "pin", "prod")
    assert shop.ksecret("sync", "prod", "--timeout=10s").code == 1
    for command in restoring:
        typed(shop, command)
        if "rollout restart" in command:
            restarted(shop)
    assert shop.secret() == VALUES
    assert shop.project.manifest("app").read_bytes() == committed
    assert len(shop.cluster.kubectl("get", "secrets", "--namespace=kube-system", f"--selector={KEYS}").splitlines()) > 2


def documented() -> list[str]:
    """The commands of the README, without their comments; a StatefulSet stands for the controller here."""
    section = (
        (ROOT / "README.md").read_text().partition("Or give the new controller the old keys")[2].partition("## ")[0]
    )
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    lines = [line.partition("   # ")[0] for block in blocks for line in block.splitlines()]
    return [line.replace("deployment/", "statefulset/").replace(" --context shop-prod", "") for line in lines]


def restarted(shop: Shop) -> None:
    """Wait until the program follows its pod, which a roll-out has replaced."""
    shop.cluster.kubectl(*f"rollout status statefulset/{SEALED_SECRETS.name} --namespace=kube-system".split())
    time.sleep(1)
    shop.cluster.wait(SEALED_SECRETS.name)


def test_many_secrets_take_one_list_of_each_kind_and_few_requests_each(shop: Shop) -> None:
    """By the audit log: what a diff asks for does not grow with the Secrets; a sync reads each of them a few times."""
    names = [f"part-{number:02}" for number in range(12)]
    for name in names:
        shop.project.declare(name, {"key": {"remoteName": f"{name}-key"}})
    values = {f"{name}-key".replace("-", "_"): f"of {name}" for name in names}
    shop.ksecret("cluster", "pin", "prod")
    shop.project.write("overlays/prod/secrets/sealing.pem", shop.cluster.sealing_certificate())
    shop.values(**VALUES, **values)
    assert shop.ksecret("seal", "prod", "--reseal").code == 0
    start = shop.cluster.audit_log.stat().st_size
    done = shop.ksecret("sync", "prod", "--restart=never")
    assert (done.code, done.err) == (0, "")
    asked = shop.cluster.requests(start, "admin")
    of_each = [request for request in asked if re.search(r"/(app|part-\d\d)(\?|$)", request.uri)]
    assert len(of_each) <= 8 * (len(names) + 1)
    start = shop.cluster.audit_log.stat().st_size
    assert shop.ksecret("diff", "prod").code == 0
    asked = shop.cluster.requests(start, "admin")
    asked_for = [request.uri.rpartition("/")[2].partition("?")[0] for request in asked if "/namespaces/" in request.uri]
    assert sorted(asked_for) == sorted([shop.namespace, "sealedsecrets", "secrets"])
