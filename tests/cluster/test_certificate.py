"""`certificate` against the real controller, and sealing anew after its key was rotated away."""

import re
from pathlib import Path

import pytest

from kubectl_ksecret.sealing import certificate

from .controlplane import Cluster
from .shops import Shop
from .standins import SEALED_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    shop = Shop(tmp_path, cluster, namespace)
    shop.sealed_overlay()
    return shop


def fingerprint(pem: str | bytes) -> str:
    return certificate.read(pem.encode() if isinstance(pem, str) else pem).fingerprint


def test_the_certificate_of_the_controller_is_written_and_trusted_but_nothing_else_of_the_overlay(shop: Shop) -> None:
    path = shop.project.root / "overlays/prod/secrets/sealing.pem"
    path.unlink()
    shop.project.write(".env", "TOKEN=one\nPASSWORD=p\n")
    done = shop.ksecret("certificate", "prod", "--fetch")
    current = fingerprint(shop.cluster.sealing_certificate())
    assert (done.code, fingerprint(path.read_bytes())) == (0, current)
    assert re.match(rf"overlays/prod/secrets/sealing.pem: {re.escape(current)} from \S+ to \S+, written\n", done.out)
    refused = shop.project.untrusting("seal", "prod")
    assert refused.code == 2
    assert f"for: {current}" in refused.err and f"for: {current} (" not in refused.err
    assert "namespace: " in refused.err and "(new)" in refused.err
    again = shop.ksecret("certificate", "prod", "--fetch")
    assert (again.code, "written" in again.out) == (0, False)


def test_a_user_with_the_proxy_of_the_service_alone_can_fetch_it(shop: Shop) -> None:
    """So the Helm chart's Role has it: the Service itself can't be read."""
    rule = {"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"]}
    rule["resourceNames"] = [f"http:{SEALED_SECRETS.name}:", f"http:{SEALED_SECRETS.name}:http", SEALED_SECRETS.name]
    metadata = {"name": "certificates", "namespace": "kube-system"}
    account = {"kind": "ServiceAccount", "name": "reader", "namespace": shop.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "certificates"}
    version = "rbac.authorization.k8s.io/v1"
    kubeconfig = shop.cluster.user(shop.namespace, "reader")
    refused = shop.ksecret("certificate", "prod", "--fetch", KUBECONFIG=str(kubeconfig))
    assert refused.code == 3
    assert "--verb=get --resource=services/proxy" in refused.err
    shop.cluster.apply(
        {"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": [rule]},
        {"apiVersion": version, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [account]},
    )
    done = shop.ksecret("certificate", "prod", "--fetch", KUBECONFIG=str(kubeconfig))
    assert (done.code, done.err) == (0, "")


def test_a_controller_of_another_name_is_not_guessed(shop: Shop) -> None:
    done = shop.ksecret("certificate", "prod", "--fetch", "--controller-name=mine")
    assert done.code == 3
    assert "has no Service mine in kube-system" in done.err


def test_after_a_rotation_the_older_certificate_is_named_and_reseal_goes_over_to_the_new_one(shop: Shop) -> None:
    shop.seal(token="one", password="p")
    old = fingerprint(shop.cluster.sealing_certificate())
    needed = shop.ksecret("certificate", "prod", "--needed")
    assert (needed.code, needed.out) == (0, f"{old} (the present one): app/password, app/token\n")
    rotate(shop.cluster)
    new = fingerprint(shop.cluster.sealing_certificate())
    fetched = shop.ksecret("certificate", "prod", "--fetch")
    assert f"written (until now {old})" in fetched.out
    assert "kubectl ksecret seal prod --reseal" in fetched.err
    assert f"{old}: app/password, app/token\n" == shop.ksecret("certificate", "prod", "--needed").out
    sealed = shop.ksecret("seal", "prod", "--reseal")
    assert sealed.code == 0, sealed.err
    assert shop.ksecret("certificate", "prod", "--needed").out.startswith(f"{new} (the present one): ")
    shop.deploy("prod")
    assert shop.ksecret("sync", "prod").code == 0
    assert shop.secret() == {"token": "one", "password": "p"}


def rotate(cluster: Cluster) -> None:
    """Make the controller take a new key, as its renewal or a lost cluster does: the old one is gone."""
    label = "sealedsecrets.bitnami.com/sealed-secrets-key"
    cluster.kubectl("delete", "secret", "--namespace=kube-system", f"--selector={label}")
    with cluster.without(SEALED_SECRETS.name):
        pass
