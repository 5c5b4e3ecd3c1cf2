"""A project that is deployed to the test cluster: a Secret, a workload that reads it, and one that does not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubectl_ksecret.sealing import certificate

from ..projects import Done, Project
from .controlplane import Cluster

STORE = "external-secrets.io/v1"
NOTHING: Mapping[str, Any] = {}


class Shop:
    """A project and the cluster that it is deployed to. Its one namespace is the test's own."""

    def __init__(self, folder: Path, cluster: Cluster, namespace: str, project: Project | None = None) -> None:
        self.project, self.cluster, self.namespace = project or Project(folder), cluster, namespace
        self.project.declare("app", {"token": {}, "password": {}})
        self.project.write("overlays/base/kustomization.yaml", "resources: [workloads.yaml]\n")
        self.project.write("overlays/base/workloads.yaml", json.dumps(_list(_reader(), _other())))

    def external_overlay(self, name: str = "test", overlay: Mapping[str, Any] = NOTHING, **spec: Any) -> None:
        """An overlay of ExternalSecrets, whose store is there already."""
        backend = {"externalSecret": {"store": {"name": "fake"}, **spec}}
        source = {"azureKeyVault": {"vaultUrl": "https://shop.vault.example"}}
        self.project.overlay(name, backend, source=source, namespace=self.namespace, **overlay)
        self.kustomization(name)
        done = self.ksecret("render", name, "--write")
        assert done.code == 0, done.err

    def sealed_overlay(self, name: str = "prod", overlay: Mapping[str, Any] = NOTHING) -> None:
        """An overlay of SealedSecrets for the cluster's own controller; the values are in .env."""
        self.project.write(f"overlays/{name}/secrets/sealing.pem", self.cluster.sealing_certificate())
        source = {"dotenv": {"file": "../../../.env"}}
        backend = {"sealedSecret": {"certificate": "sealing.pem"}}
        self.project.overlay(name, backend, source=source, namespace=self.namespace, **overlay)
        self.kustomization(name)

    def secret_overlay(self, name: str = "manual", overlay: Mapping[str, Any] = NOTHING, **source: Any) -> None:
        """An overlay of plain Secrets; the values are in .env, unless another source is given."""
        stated = source or {"dotenv": {"file": "../../../.env"}}
        self.project.overlay(name, {"secret": {}}, source=stated, namespace=self.namespace, **overlay)
        self.kustomization(name)
        done = self.ksecret("render", name, "--write")
        assert done.code == 0, done.err

    def sops_overlay(self, recipient: str, name: str = "sops", overlay: Mapping[str, Any] = NOTHING) -> None:
        """An overlay of Secrets that SOPS encrypted; the values are in .env."""
        source = {"dotenv": {"file": "../../../.env"}}
        backend = {"sops": {"age": [recipient]}}
        self.project.overlay(name, backend, source=source, namespace=self.namespace, **overlay)
        self.kustomization(name)

    def vault_overlay(self, source: Mapping[str, Any], auth: Mapping[str, Any], **spec: Any) -> None:
        """An overlay of VaultStaticSecrets, and how their operator signs in."""
        backend = {"vaultSecretsOperator": {"refreshAfter": "2s", "auth": auth, **spec}}
        self.project.overlay("vso", backend, source=source, namespace=self.namespace)
        self.kustomization("vso")
        done = self.ksecret("render", "vso", "--write")
        assert (done.code, done.err) == (0, "")

    def ack_overlay(self, name: str = "ack") -> None:
        """An overlay of ack-secret-manager, whose store is rendered."""
        auth = {"rrsa": {"oidcProviderARN": "acs:ram::1:oidc-provider/c", "ramRoleARN": "acs:ram::1:role/shop"}}
        backend = {"ackSecretManager": {"store": {"name": "kms", "auth": auth}}}
        self.project.overlay(name, backend, source={"alibabaKms": {"region": "cn-hangzhou"}}, namespace=self.namespace)
        self.kustomization(name)
        done = self.ksecret("render", name, "--write")
        assert (done.code, done.err) == (0, "")

    def values(self, **values: str) -> None:
        """Put values in .env, by the keys' names."""
        self.project.write(".env", "".join(f"{key.upper()}={value}\n" for key, value in values.items()))

    def seal(self, name: str = "prod", *addresses: str, **values: str) -> None:
        """Put values in .env and seal them."""
        self.values(**values)
        pem = self.project.root / "overlays" / name / "secrets" / "sealing.pem"
        fingerprint = certificate.read(pem.read_bytes()).fingerprint
        done = self.ksecret("seal", name, *addresses, "--accept", fingerprint)
        assert done.code == 0, done.err

    def store(self, **values: str) -> None:
        """Write what the store holds, by the keys' names."""
        data = [{"key": key, "value": value} for key, value in values.items()]
        spec = {"provider": {"fake": {"data": data}}}
        metadata = {"name": "fake", "namespace": self.namespace}
        self.cluster.apply({"apiVersion": STORE, "kind": "SecretStore", "metadata": metadata, "spec": spec})

    def deploy(self, name: str) -> None:
        """Apply the whole overlay, as a person does for the first time, and wait for the workloads."""
        self.kubectl("apply", "--server-side", "-k", str(self.project.root / "overlays" / name))
        self.kubectl("wait", "--for=condition=Available", "deployment/reader", "deployment/other", "--timeout=60s")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def ksecret(self, *arguments: str, **variables: str) -> Done:
        """Run the command against the cluster."""
        return self.project.ksecret(*arguments, **{"KUBECONFIG": str(self.cluster.kubeconfig), **variables})

    def object(self, kind: str, name: str) -> dict[str, Any]:
        """A live object."""
        live: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--output=json"))
        return live

    def secret(self, name: str = "app") -> dict[str, str]:
        """The values of a live Secret."""
        template = "{{range $key, $value := .data}}{{$key}}={{base64decode $value}}\n{{end}}"
        lines = self.kubectl("get", "secret", name, f"--output=go-template={template}").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def generations(self) -> dict[str, int]:
        """The generations of the workloads: a restart counts one up."""
        return {name: self.object("deployment", name)["metadata"]["generation"] for name in ("reader", "other")}

    def kustomization(self, name: str, **fields: str) -> None:
        """Let an overlay be deployed: the workloads, and what is rendered, with prefixes or another namespace."""
        folder = f"overlays/{name}"
        text = json.dumps({"resources": ["../base", "secrets"], "namespace": self.namespace, **fields})
        self.project.write(f"{folder}/kustomization.yaml", text)
        self.project.write(f"{folder}/secrets/kustomization.yaml", "resources: [manifests]\n")


def _list(*items: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _deployment(name: str, *environment: Mapping[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"containers": [{"name": "main", "image": name, "env": environment}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def _reader() -> dict[str, Any]:
    key = {"name": "app", "key": "token"}
    return _deployment("reader", {"name": "TOKEN", "valueFrom": {"secretKeyRef": key}})


def _other() -> dict[str, Any]:
    return _deployment("other", {"name": "PLAIN", "value": "text"})
