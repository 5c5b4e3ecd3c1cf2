"""Signing in as kubectl does, on the real API server: certificates, plugins, impersonation."""

import json
from base64 import b64encode
from pathlib import Path

import pytest

from ..peers import run
from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    shop = Shop(tmp_path, cluster, namespace)
    shop.external_overlay()
    return shop


def grant(shop: Shop, user: str, *roles: str) -> None:
    """Give a user roles in the namespace, each as `kubectl create role` takes it."""
    for number, role in enumerate(roles):
        name = f"{user.rpartition(':')[2]}-{number}"
        shop.kubectl("create", "role", name, *role.split())
        subject = f"--serviceaccount={user}" if ":" in user else f"--user={user}"
        shop.kubectl("create", "rolebinding", name, f"--role={name}", subject)


def test_a_client_certificate_signs_in_and_no_key_is_written_anywhere(shop: Shop, tmp_path: Path) -> None:
    """Even a folder for temporary files that can't be used is no hindrance: the key is in memory alone."""
    pair = shop.cluster.client_certificate("anna")
    encoded = {
        "client-certificate-data": b64encode(pair.certificate.encode()).decode(),
        "client-key-data": b64encode(pair.key.encode()).decode(),
    }
    kubeconfig = shop.cluster.write_kubeconfig(tmp_path / "anna", encoded)
    grant(shop, "anna", "--verb=get --resource=namespaces")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = shop.ksecret("cluster", "pin", "test", KUBECONFIG=str(kubeconfig), TMPDIR=str(temporary))
    assert (done.code, done.err) == (0, "hint: kubectl ksecret sync test delivers to it\n")
    assert list(temporary.iterdir()) == []


def test_a_credential_plugin_signs_in_by_token_and_by_certificate(shop: Shop, tmp_path: Path) -> None:
    grant(shop, "berta", "--verb=get --resource=namespaces")
    pair = shop.cluster.client_certificate("berta")
    status = {"clientCertificateData": pair.certificate, "clientKeyData": pair.key}
    version = "client.authentication.k8s.io/v1"
    output = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    plugin = {"apiVersion": version, "command": "printf", "args": ["%s", output], "interactiveMode": "Never"}
    kubeconfig = shop.cluster.write_kubeconfig(tmp_path / "berta", {"exec": plugin})
    asked = run(
        "kubectl", f"--kubeconfig={kubeconfig}", "auth", "whoami", "--output=jsonpath={.status.userInfo.username}"
    )
    assert asked == "berta"
    assert shop.ksecret("cluster", "pin", "test", KUBECONFIG=str(kubeconfig)).code == 0


def test_who_is_impersonated_has_the_rights_and_nobody_else(shop: Shop) -> None:
    done = shop.ksecret("cluster", "pin", "test", "--as=clara", "--as-group=shop")
    assert done.code == 3
    assert f"--namespace={shop.namespace} --verb=get --resource=namespaces" in done.err
    grant(shop, "clara", "--verb=get --resource=namespaces")
    assert shop.ksecret("cluster", "pin", "test", "--as=clara", "--as-group=shop").code == 0


def test_another_certificate_of_the_server_is_refused(shop: Shop, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    other.write_text(shop.cluster.client_certificate("nobody").certificate)
    fields = json.loads(shop.cluster.kubeconfig.read_text())
    fields["clusters"][0]["cluster"]["certificate-authority"] = str(other)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(fields))
    done = shop.ksecret("cluster", "pin", "test", KUBECONFIG=str(kubeconfig))
    assert done.code == 3
    assert "did not answer: self-signed certificate" in done.err
