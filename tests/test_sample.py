"""The sample at the top level, as a new user meets it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from .builds import by_kubectl, from_manifests, generated, objects, switch_to_generator
from .forkserver import COMMAND
from .peers import ROOT, run

OVERLAYS = ("test", "prod")
KUSTOMIZATIONS = sorted(
    str(path.parent.relative_to(ROOT))
    for path in ROOT.rglob("kustomization.yaml")
    if not any(part.startswith(".") or part == "testdata" for part in path.relative_to(ROOT).parts)
)
VAULT = "https://klinematrix-test-kv.vault.azure.net"
# The names in the Key Vault, by Secret and key; each environment has a suffix of its own.
REMOTE_NAMES = {
    "backend-secrets": {
        "jwt-secret": "jwt-secret-key",
        "dashscope-api-key": "alibaba-dashscope-api-key",
        "mongodb-url": "mongodb-connection-string",
        "alpaca-api-key": "alpaca-api-key",
        "alpaca-secret-key": "alpaca-secret-key",
        "alpha-vantage-api-key": "alpha-vantage-api-key",
    },
    "redis-auth": {"password": "redis-password"},
}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A copy of the sample in a Git work tree of its own."""
    for folder in ("generators", "overlays"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    run("git", "init", "--quiet", folder=tmp_path)
    return tmp_path


def found(build: str, kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind, by name."""
    return {document["metadata"]["name"]: document for document in objects(build) if document["kind"] == kind}


@pytest.mark.parametrize("build", [from_manifests, by_kubectl])
@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
def test_every_committed_kustomization_builds_with_no_plugin(folder: str, build: Any) -> None:
    """What is committed needs kustomize, or kubectl, and nothing else."""
    build(ROOT / folder)


def test_there_are_kustomizations_to_build() -> None:
    """The test above runs on the base, and on both overlays with all that is below them."""
    parts = ("", "/secrets", "/secrets/manifests")
    expected = {"overlays/base", *(f"overlays/{overlay}{part}" for overlay in OVERLAYS for part in parts)}
    assert expected <= set(KUSTOMIZATIONS)


def test_the_committed_manifests_are_up_to_date() -> None:
    """`render --check` finds nothing to do."""
    assert run(COMMAND, "render", "--check", folder=ROOT) == ""


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_both_forms_build_byte_for_byte_the_same(sample: Path, overlay: str) -> None:
    """What is deployed does not depend on the form; the generator needs no rendered manifest."""
    folder = sample / "overlays" / overlay
    committed = from_manifests(folder)
    switch_to_generator(folder / "secrets")
    if overlay == "test":
        for manifest in (folder / "secrets" / "manifests").iterdir():
            if manifest.name != "_references.yaml":
                manifest.unlink()
    assert generated(folder) == committed


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_builds_byte_for_byte_what_kustomize_builds(overlay: str) -> None:
    """`kubectl apply -k` deploys the same."""
    folder = ROOT / "overlays" / overlay
    assert by_kubectl(folder) == from_manifests(folder)


@pytest.mark.parametrize(("overlay", "count"), [("test", 3), ("prod", 2)])
def test_render_shows_the_objects_that_are_built(overlay: str, count: int) -> None:
    """`kubectl ksecret render` and the builds agree on every Secret and store."""
    shown = json.loads(run(COMMAND, "render", overlay, "-o", "json", folder=ROOT))["items"]
    kinds = {"SecretStore", "ExternalSecret", "SealedSecret"}
    built = [document for document in objects(from_manifests(ROOT / "overlays" / overlay)) if document["kind"] in kinds]

    def by_name(document: dict[str, Any]) -> tuple[str, str]:
        return document["kind"], document["metadata"]["name"]

    assert len(shown) == count
    assert sorted(shown, key=by_name) == sorted(built, key=by_name)


def test_test_reads_its_key_vault_through_workload_identity() -> None:
    """The SecretStore of the test environment, whole; its ServiceAccount is in the build."""
    build = from_manifests(ROOT / "overlays" / "test")
    account = found(build, "ServiceAccount")["klinematrix-sa"]
    assert account["metadata"]["annotations"].keys() == {
        "azure.workload.identity/client-id",
        "azure.workload.identity/tenant-id",
    }
    assert found(build, "SecretStore") == {
        "azure-keyvault-store": {
            "apiVersion": "external-secrets.io/v1",
            "kind": "SecretStore",
            "metadata": {"name": "azure-keyvault-store", "namespace": "klinematrix-test"},
            "spec": {
                "provider": {
                    "azurekv": {
                        "authType": "WorkloadIdentity",
                        "serviceAccountRef": {"name": "klinematrix-sa"},
                        "vaultUrl": VAULT,
                    }
                }
            },
        }
    }


def test_test_has_external_secrets_with_the_names_of_its_key_vault() -> None:
    """Every ExternalSecret of the test environment, whole."""
    expected = {
        name: {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": "klinematrix-test"},
            "spec": {
                "refreshInterval": "1h0m0s",
                "secretStoreRef": {"kind": "SecretStore", "name": "azure-keyvault-store"},
                "target": {
                    "template": {
                        "engineVersion": "v2",
                        "metadata": {"annotations": {}, "labels": {}},
                        "type": "Opaque",
                    }
                },
                "data": [
                    {"secretKey": key, "remoteRef": {"key": f"{remote}-test"}} for key, remote in sorted(keys.items())
                ],
            },
        }
        for name, keys in REMOTE_NAMES.items()
    }
    assert found(from_manifests(ROOT / "overlays" / "test"), "ExternalSecret") == expected


def test_prod_has_the_same_secrets_sealed_with_a_certificate_of_rsa_4096() -> None:
    """The SealedSecrets of production: the same names and keys, each with a ciphertext of its own."""
    sealed = found(from_manifests(ROOT / "overlays" / "prod"), "SealedSecret")
    assert {name: document["spec"]["encryptedData"].keys() for name, document in sealed.items()} == {
        name: keys.keys() for name, keys in REMOTE_NAMES.items()
    }
    assert {document["metadata"]["namespace"] for document in sealed.values()} == {"klinematrix-prod"}
    ciphertexts = [text for document in sealed.values() for text in document["spec"]["encryptedData"].values()]
    assert len(set(ciphertexts)) == 7
    assert all(text.startswith("Ag") for text in ciphertexts)


def test_prod_reads_the_same_key_vault_by_its_own_suffix() -> None:
    """Where `seal` reads the values of production."""
    overlay = yaml.safe_load((ROOT / "overlays/prod/secrets/ksecret.yaml").read_text())
    assert overlay["spec"]["source"] == {"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": VAULT}}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_workloads_read_every_key_of_every_secret(overlay: str) -> None:
    """Six environment variables of the backend, and the password of Redis."""
    build = from_manifests(ROOT / "overlays" / overlay)
    assert found(build, "ServiceAccount").keys() == {"klinematrix-sa", "backend-sa"}
    containers = [
        container
        for document in objects(build)
        if document["kind"] in ("Deployment", "StatefulSet")
        for container in document["spec"]["template"]["spec"]["containers"]
    ]
    read = {
        container["name"]: [variable["valueFrom"]["secretKeyRef"] for variable in container["env"]]
        for container in containers
    }
    assert read == {
        "backend": [{"name": "backend-secrets", "key": key} for key in REMOTE_NAMES["backend-secrets"]],
        "redis": [{"name": "redis-auth", "key": "password"}],
    }
