"""A shop whose store reads the double of Key Vault."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from ..keyvault import KeyVault
from .shops import Shop

CLIENT, TENANT = "azure.workload.identity/client-id", "azure.workload.identity/tenant-id"
_WORKLOAD = {"workloadIdentity": {"serviceAccountName": "shop"}}


def azure_overlay(shop: Shop, url: str, auth: Mapping[str, Any] = _WORKLOAD, **store: Any) -> None:
    """Write an overlay whose store signs in to a vault; the build patches further fields into it."""
    backend = {"externalSecret": {"store": {"name": "vault", "auth": auth}}}
    source = {"azureKeyVault": {"vaultUrl": url}}
    shop.project.overlay("test", backend, source=source, namespace=shop.namespace)
    patch = {"spec": {"provider": {"azurekv": store}}}
    metadata = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": "vault", "namespace": shop.namespace},
    }
    kustomization = {
        "resources": ["account.yaml", "secrets"],
        "namespace": shop.namespace,
        "patches": [{"patch": json.dumps(metadata | patch)}],
    }
    shop.project.write("overlays/test/kustomization.yaml", yaml.safe_dump(kustomization))
    shop.project.write("overlays/test/secrets/kustomization.yaml", "resources: [manifests]\n")
    done = shop.ksecret("render", "test", "--write")
    assert done.code == 0, done.err


def cloud(vault: KeyVault) -> dict[str, Any]:
    """Return the fields by which a store signs in to the double, and not to Azure."""
    endpoints = {"activeDirectoryEndpoint": f"{vault.url}/"}
    return {"environmentType": "AzureStackCloud", "useAzureSDK": True, "customCloudConfig": endpoints}


def account(shop: Shop, annotations: Mapping[str, str]) -> None:
    """Put the ServiceAccount `shop` into the build."""
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop", "annotations": annotations}}
    shop.project.write("overlays/test/account.yaml", json.dumps(manifest))


def applied(shop: Shop) -> None:
    """Apply the whole overlay."""
    shop.kubectl("apply", "--server-side", "--kustomize", str(shop.project.root / "overlays/test"))
