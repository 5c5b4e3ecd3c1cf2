"""The sample at the top level, from an empty namespace to running workloads, in both environments."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import yaml

from kubectl_ksecret.sealing import certificate

from ..keyvault import KeyVault
from ..keyvault.authority import FederatedCredential
from ..peers import ROOT
from ..projects import Done, Project
from ..test_sample import REMOTE_NAMES
from .controlplane import Cluster
from .standins import EXTERNAL_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
KEYS = {secret: frozenset(keys) for secret, keys in REMOTE_NAMES.items()}
REMOTES = [remote for keys in REMOTE_NAMES.values() for remote in keys.values()]
VAULT = "https://klinematrix-test-kv.vault.azure.net"
STORE = "overlays/test/secrets/manifests/_store.yaml"


class Sample:
    """A copy of the sample, which is deployed to namespaces of its own; they begin empty."""

    def __init__(self, folder: Path, cluster: Cluster, number: int) -> None:
        self.project, self.cluster = Project(folder), cluster
        for name in ("generators", "overlays"):
            shutil.copytree(ROOT / name, self.project.root / name)
        for path in self.project.root.glob("overlays/**/*.yaml"):
            path.write_text(
                re.sub("klinematrix-(test|prod)$", rf"klinematrix-\1-{number}", path.read_text(), flags=re.M)
            )
        self.number = number
        for overlay in ("test", "prod"):
            cluster.kubectl("create", "namespace", self.namespace(overlay))

    def namespace(self, overlay: str) -> str:
        """The namespace of an overlay: the sample's own and a number, so that each test has empty ones."""
        return f"klinematrix-{overlay}-{self.number}"

    def ksecret(self, *arguments: str, **variables: str) -> Done:
        return self.project.ksecret(*arguments, KUBECONFIG=str(self.cluster.kubeconfig), **variables)

    def edit(self, overlay: str, **fields: Any) -> None:
        """Set fields of the overlay's kustomization."""
        path = self.project.root / "overlays" / overlay / "kustomization.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **fields}))

    def swap_provider(self, **values: str) -> None:
        """Have the build replace the store's provider by ESO's fake one, which holds these values."""
        data = [{"key": f"{remote}-test", "value": values.get(remote, f"the-{remote}-of-test")} for remote in REMOTES]
        operation = {"op": "replace", "path": "/spec/provider", "value": {"fake": {"data": data}}}
        self.patch_store(json.dumps([operation]))

    def patch_store(self, patch: str) -> None:
        """Have the build patch the SecretStore, and sign in as a ServiceAccount that no cluster knows."""
        patches = [{"path": "workload-identity.yaml"}, {"target": {"kind": "SecretStore"}, "patch": patch}]
        self.edit("test", patches=patches)

    def deploy(self, overlay: str, *names: str) -> None:
        """Apply the whole overlay, and wait for its workloads."""
        folder = str(self.project.root / "overlays" / overlay)
        self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", folder)

    def secrets(self, overlay: str, prefix: str = "") -> dict[str, dict[str, str]]:
        """The live Secrets, their values in base64."""
        listed = self.cluster.kubectl("get", "secrets", f"--namespace={self.namespace(overlay)}", "--output=json")
        data = {secret["metadata"]["name"]: secret.get("data", {}) for secret in json.loads(listed)["items"]}
        return {name: values for name, values in data.items() if name.removeprefix(prefix) in KEYS}

    def generations(self, overlay: str) -> dict[str, int]:
        """The generations of the workloads: a restart counts one up."""
        arguments = ("get", "deployments,statefulsets", f"--namespace={self.namespace(overlay)}", "--output=json")
        workloads = json.loads(self.cluster.kubectl(*arguments))["items"]
        return {workload["metadata"]["name"]: workload["metadata"]["generation"] for workload in workloads}

    def seal(self, **values: str) -> None:
        """Seal production with the controller's own certificate, out of a dotenv file."""
        fetched = self.ksecret("certificate", "prod", "--fetch")
        assert fetched.code == 0, fetched.err
        names = {f"{remote}-prod".upper().replace("-", "_"): f"the-{remote}-of-production" for remote in REMOTES}
        names["MONGODB_CONNECTION_STRING_PROD"] = "mongodb://app:made-up@mongodb:27017/app"
        lines = [f"{name}={value}\n" for name, value in {**names, **values}.items()]
        self.project.write(".env", "".join(lines))
        pem = (self.project.root / "overlays/prod/secrets/sealing.pem").read_bytes()
        accept = ("--accept", certificate.read(pem).fingerprint)
        done = self.ksecret("seal", "prod", "--reseal", "--source", "dotenv=.env", *accept)
        assert done.code == 0, done.err


@pytest.fixture
def sample(tmp_path: Path, cluster: Cluster, request: pytest.FixtureRequest) -> Sample:
    return Sample(tmp_path, cluster, crc32(request.node.name.encode()))


def keys_of(secrets: Mapping[str, Mapping[str, str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(values) for name, values in secrets.items()}


def test_from_an_empty_namespace_to_a_changed_value_that_only_its_reader_restarts_for(sample: Sample) -> None:
    """The store is swapped for ESO's fake; `sync` applies that, too, before the ExternalSecrets that name it."""
    sample.swap_provider()
    assert sample.ksecret("diff", "test", "-o", "name").out.splitlines() == [
        "secretstore.external-secrets.io/azure-keyvault-store",
        "externalsecret.external-secrets.io/backend-secrets",
        "externalsecret.external-secrets.io/redis-auth",
        "secret/backend-secrets",
        "secret/redis-auth",
    ]
    done = sample.ksecret("sync", "test")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "secretstore.external-secrets.io/azure-keyvault-store applied"
    assert keys_of(sample.secrets("test")) == KEYS
    assert sample.ksecret("diff", "test").out == ""
    sample.deploy("test")
    before = sample.generations("test")
    sample.swap_provider(**{"jwt-secret-key": "another-key-that-is-long-enough-for-its-rule"})
    done = sample.ksecret("sync", "test", "-o", "wide")
    assert (done.code, done.err) == (0, "")
    changed = f"in {sample.namespace('test')}, with other values than before: jwt-secret"
    assert f"externalsecret.external-secrets.io/backend-secrets refreshed {changed}" in done.out.splitlines()
    assert f"deployment.apps/backend restarted in {sample.namespace('test')}" in done.out.splitlines()
    assert sample.generations("test") == {**before, "backend": before["backend"] + 1}


def test_production_gets_secrets_of_the_same_names_and_keys_and_under_a_prefix_too(sample: Sample) -> None:
    sample.swap_provider()
    assert sample.ksecret("sync", "test").code == 0
    sample.seal()
    done = sample.ksecret("sync", "prod")
    assert (done.code, done.err) == (0, "")
    assert keys_of(sample.secrets("prod")) == keys_of(sample.secrets("test")) == KEYS
    path = sample.project.root / "overlays/prod/secrets/ksecret.yaml"
    path.write_text(path.read_text().rstrip() + "\n      scope: cluster-wide\n")
    sample.seal()
    for overlay in ("test", "prod"):
        sample.edit(overlay, namePrefix="eu-")
        sample.deploy(overlay)
        done = sample.ksecret("sync", overlay, "--restart=always")
        assert (done.code, done.err) == (0, "")
        assert {"deployment.apps/eu-backend restarted", "statefulset.apps/eu-redis restarted"} <= {
            *done.out.splitlines()
        }
        renamed = keys_of(sample.secrets(overlay, "eu-"))
        assert {name: keys for name, keys in renamed.items() if name.startswith("eu-")} == {
            f"eu-{name}": keys for name, keys in KEYS.items()
        }


def test_the_same_out_of_a_key_vault_with_the_workload_identity_of_the_sample(sample: Sample) -> None:
    """ESO itself signs in with a token of the sample's ServiceAccount, and reads the double of Key Vault."""
    cluster = sample.cluster
    with KeyVault() as vault:
        account = f"system:serviceaccount:{sample.namespace('test')}:klinematrix-sa"
        vault.federate(FederatedCredential(cluster.url, account, "api://AzureADTokenExchange"))
        # ESO reads whom it trusts when it starts.
        shutil.copyfile(vault.environment["REQUESTS_CA_BUNDLE"], cluster.vault_authorities)
        with cluster.without(EXTERNAL_SECRETS.name):
            pass
        for remote in REMOTES:
            vault.set(f"{remote}-test", f"the-{remote}-of-the-vault")
        path = sample.project.root / "overlays/test/secrets/ksecret.yaml"
        path.write_text(path.read_text().replace(VAULT, vault.url))
        assert sample.ksecret("render", "test", "--write").code == 0
        identity = sample.project.root / "overlays/test/workload-identity.yaml"
        patched = yaml.safe_load(identity.read_text())
        annotations = {"client-id": vault.client_id, "tenant-id": "adfs"}
        patched["metadata"]["annotations"] = {
            f"azure.workload.identity/{name}": text for name, text in annotations.items()
        }
        identity.write_text(yaml.safe_dump(patched))
        cloud = {
            "environmentType": "AzureStackCloud",
            "useAzureSDK": True,
            "customCloudConfig": {"activeDirectoryEndpoint": f"{vault.url}/"},
        }
        operations = [
            {"op": "add", "path": f"/spec/provider/azurekv/{field}", "value": value} for field, value in cloud.items()
        ]
        sample.patch_store(json.dumps(operations))
        sample.deploy("test")
        done = sample.ksecret("sync", "test", "--timeout=30s")
        assert (done.code, done.err) == (0, "")
        assert keys_of(sample.secrets("test")) == KEYS
        vault.set("redis-password-test", "another-password-of-the-vault")
        before = sample.generations("test")
        done = sample.ksecret("sync", "test", "--timeout=30s")
        assert "statefulset.apps/redis restarted" in done.out.splitlines(), done.err
        assert sample.generations("test") == {**before, "redis": before["redis"] + 1}
