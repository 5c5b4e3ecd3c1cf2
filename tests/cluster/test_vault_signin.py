"""The tool signs in to the real OpenBao as a pod does: by the Kubernetes method, which asks the test cluster."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ..openbao import OpenBao
from .controlplane import Cluster
from .shops import Shop
from .test_vault import Vault

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
ACCOUNT = "shop-sa"


class Pod:
    """What runs as the ServiceAccount shop-sa, with the token that lies in its file."""

    def __init__(self, shop: Shop, bao: OpenBao) -> None:
        self.shop, self.bao, self.vault = shop, bao, Vault(bao, shop)
        self.method = f"auth/{self.vault.kubernetes()['kubernetes']['mountPath']}"
        self.file = shop.project.root.parent / "token"
        shop.project.declare("app", {"token": {}, "password": {}})
        source = {
            "names": "shop/prod/{secret}",
            "property": "{remoteName}",
            "vault": {"address": bao.url, "mount": self.vault.mount},
        }
        shop.project.sealed_overlay(source=source)

    def token(self, account: str = ACCOUNT, *options: str) -> str:
        """Return a token that the cluster makes."""
        return self.shop.kubectl("create", "token", account, *options).strip()

    def role(self, name: str, **fields: Any) -> None:
        """Make a role, of shop-sa unless the fields name another."""
        accounts = {"bound_service_account_names": ACCOUNT, "bound_service_account_namespaces": self.shop.namespace}
        self.bao.ask("POST", f"{self.method}/role/{name}", {**accounts, "token_policies": self.vault.mount, **fields})

    def seal(self, token: str, role: str = "shop") -> tuple[int, str]:
        """Seal with this token in the file; the exit code and standard error."""
        self.file.write_text(f"{token}\n")
        done = self.shop.project.ksecret(
            "seal",
            "prod",
            VAULT_KUBERNETES_ROLE=role,
            VAULT_AUTH_PATH=self.method.removeprefix("auth/"),
            VAULT_KUBERNETES_TOKEN_FILE=str(self.file),
        )
        assert token not in done.out + done.err
        return done.code, done.err

    def refused(self, token: str, role: str = "shop") -> list[str]:
        """The message behind the address, and the hint, of a sign-in that fails."""
        code, err = self.seal(token, role)
        assert (code, err.count("error: ")) == (3, 1), err
        return err.partition(self.bao.url)[2].splitlines()


@pytest.fixture
def pod(tmp_path: Path, cluster: Cluster, namespace: str, bao: OpenBao) -> Pod:
    return Pod(Shop(tmp_path, cluster, namespace), bao)


def changed(token: str, cluster: Cluster, change: Callable[[dict[str, Any]], Any]) -> str:
    """Return a token with other claims, signed with the cluster's own key: the cluster makes none that is expired."""
    head, body, _ = token.split(".")
    claims = json.loads(urlsafe_b64decode(f"{body}=="))
    change(claims)
    signed = f"{head}.{urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}"
    key = load_pem_private_key((cluster.folder / "accounts.key").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    signature = key.sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_a_pod_seals_with_the_token_of_its_service_account(pod: Pod) -> None:
    """Vault asks the cluster whose token it is; its lines around it are the file's."""
    assert pod.seal(pod.token()) == (0, "")
    pod.role("audience", audience="vault")
    pod.shop.project.manifest("app").unlink()
    assert pod.seal(pod.token(ACCOUNT, "--audience=vault"), "audience") == (0, "")


def test_a_refused_pod_hears_what_is_wrong(pod: Pod) -> None:
    """The role, whom it is bound to, or the audience: each is another message, and another hint."""
    token, method = pod.token(), pod.method
    assert pod.refused(token, "none") == [
        f" has no role none at {method} (400)",
        f"hint: check VAULT_KUBERNETES_ROLE against vault list {method}/role",
    ]
    pod.shop.kubectl("create", "serviceaccount", "other")
    pod.role("elsewhere", bound_service_account_namespaces="elsewhere")
    for stranger, role, account in (("other", "shop", "other"), (ACCOUNT, "elsewhere", ACCOUNT)):
        assert pod.refused(pod.token(stranger), role) == [
            f": the role {role} is not bound to the ServiceAccount {pod.shop.namespace}/{account} (403)",
            "hint: name the ServiceAccount and its namespace in bound_service_account_names and _namespaces of "
            f"the role, in {method}/role",
        ]
    pod.role("audience", audience="vault")
    message, hint = pod.refused(token, "audience")
    assert message == f": the role takes no token for the audience {pod.shop.cluster.url} (403)"
    assert hint.startswith("hint: mount one with the audience of the role (serviceAccountToken.audience of a")


def test_a_token_that_the_cluster_does_not_take_is_expired_or_unknown(pod: Pod) -> None:
    """Vault says `permission denied` to both; what the token says of itself tells the first from the second."""
    expired = changed(pod.token(), pod.shop.cluster, lambda claims: claims.update(iat=1_700_000_000, exp=1_700_003_600))
    assert pod.refused(expired) == [
        " refuses the sign-in: the token of the ServiceAccount has expired (403)",
        "hint: in a pod the file is renewed; elsewhere make it anew with kubectl create token",
    ]
    valid = changed(pod.token(), pod.shop.cluster, lambda claims: claims.update(exp=claims["exp"] + 1))
    assert pod.seal(valid) == (0, "")  # so that it is not the signature that is refused
    for unknown in (pod.token()[:-8], "no token"):
        message, hint = pod.refused(unknown)
        assert message == f" refuses the sign-in at {pod.method}/login (403)"
        assert hint.endswith(f"if Vault can't ask it: vault read {pod.method}/config")
    pod.shop.kubectl("create", "serviceaccount", "gone")
    pod.role("gone", bound_service_account_names="gone")
    token = pod.token("gone")
    pod.shop.kubectl("delete", "serviceaccount", "gone")
    assert pod.refused(token, "gone")[0] == f" refuses the sign-in at {pod.method}/login (403)"
