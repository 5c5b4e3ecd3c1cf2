"""Stores and the ServiceAccounts with which they sign in, in unusual places."""

from pathlib import Path

import pytest

from .deployed import NAMESPACE, OVERLAY, deployed, found, kustomize, line
from .projects import Project

IDENTITY, MISSING = "store-identity", "store-missing"
CLIENT, TENANT = "7d0f5a1c-93be-4c27-8a64-1e5b2f9d3c80", "c46e81b2-05d7-4f3a-b918-6a2d7e4f0b53"
ACCOUNT, STORE = f"{OVERLAY}/reader.yaml", f"{OVERLAY}/store.yaml"


def account(client: str = CLIENT, tenant: str = TENANT, name: str = "reader") -> str:
    """A ServiceAccount with what of its identity is given."""
    fields = {"client-id": client, "tenant-id": tenant}
    lines = "".join(f"    azure.workload.identity/{key}: {value}\n" for key, value in fields.items() if value)
    return f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  annotations:\n    a: b\n{lines}"


def store(*fields: str, kind: str = "SecretStore", namespace: str = "", auth_type: str = "WorkloadIdentity") -> str:
    """A store that signs in as a ServiceAccount."""
    where = f"        namespace: {namespace}\n" if namespace else ""
    return (
        f"apiVersion: external-secrets.io/v1\nkind: {kind}\nmetadata:\n  name: shared\nspec:\n  provider:\n"
        f"    azurekv:\n      authType: {auth_type}\n      vaultUrl: https://shop-kv.vault.azure.net\n"
        + "".join(f"      {field}\n" for field in fields)
        + f"      serviceAccountRef:\n        name: reader\n{where}"
    )


@pytest.mark.parametrize(
    ("store_", "account_", "file", "text"),
    [
        (store(), account(name="writer"), STORE, "name: reader"),
        (store(), account(client=""), ACCOUNT, "annotations:"),
        (store(), account(client='""'), ACCOUNT, "client-id"),
        (store(), account(tenant=""), ACCOUNT, "annotations:"),
        (store(f"tenantId: {TENANT}"), account(), STORE, "tenantId"),
        (store("authSecretRef: {clientId: {name: a, key: b}}"), account(), STORE, "clientId"),
        (
            store("authSecretRef: {clientId: {name: a, key: b}, tenantId: {name: a, key: b}}"),
            account(client=""),
            STORE,
            "tenantId",
        ),
        (store(namespace="elsewhere"), account(), STORE, "namespace: elsewhere"),
        (store(kind="ClusterSecretStore", namespace=NAMESPACE), account(name="writer"), STORE, "name: reader"),
        (store(kind="ClusterSecretStore"), account(client=""), ACCOUNT, "annotations:"),
    ],
)
def test_an_identity_that_is_missing_or_said_twice_is_found(
    tmp_path: Path, store_: str, account_: str, file: str, text: str
) -> None:
    """On the side that can mend it."""
    project = deployed(tmp_path, "reader.yaml", "store.yaml")
    project.write(ACCOUNT, account_)
    project.write(STORE, store_)
    assert found(project, IDENTITY) == [line(project, file, text)]


@pytest.mark.parametrize(
    ("store_", "account_"),
    [
        (store(), account()),
        (store(f"tenantId: {TENANT}"), account(tenant="")),
        (store(f"tenantId: {TENANT}", "authSecretRef: {clientId: {name: a, key: b}}"), account(client="", tenant="")),
        (store(kind="ClusterSecretStore", namespace=NAMESPACE), account()),
        (store(auth_type="ManagedIdentity"), account(name="writer")),
        (store().replace("external-secrets.io/v1", "example.org/v1"), account(client="")),
    ],
)
def test_an_identity_that_is_said_once_or_is_none_is_not_found(tmp_path: Path, store_: str, account_: str) -> None:
    """By the store or the ServiceAccount, or not at all."""
    project = deployed(tmp_path)
    kustomize(project, resources=["secrets", "reader.yaml", "store.yaml"])
    project.write(ACCOUNT, account_)
    project.write(STORE, store_)
    assert found(project, IDENTITY) == []


def test_a_rendered_store_is_told_in_its_overlay(tmp_path: Path) -> None:
    """Where the name of the ServiceAccount is written; ClusterSecretStores too."""
    for kind in ("SecretStore", "ClusterSecretStore"):
        (tmp_path / kind).mkdir()
        auth = {"workloadIdentity": {"serviceAccountName": "raeder"}}
        project = deployed(tmp_path / kind, "reader.yaml", kind=kind, auth=auth)
        project.write(ACCOUNT, account())
        assert found(project, IDENTITY) == [line(project, f"{OVERLAY}/secrets/ksecret.yaml", "raeder")]


def test_an_annotation_that_a_patch_adds_counts(tmp_path: Path) -> None:
    """What is deployed is judged, as in the sample."""
    project = deployed(tmp_path, "reader.yaml", "store.yaml")
    project.write(ACCOUNT, account(client="", tenant=""))
    project.write(STORE, store())
    project.write(f"{OVERLAY}/patch.yaml", account())
    kustomize(project, patches=[{"path": "patch.yaml"}])
    assert found(project, IDENTITY) == []


def test_a_service_account_of_a_namespace_that_is_not_deployed_here_is_a_note(tmp_path: Path) -> None:
    """It may exist already."""
    project = deployed(tmp_path, "store.yaml")
    project.write(STORE, store(kind="ClusterSecretStore", namespace="platform"))
    (printed,) = [text for text in project.ksecret("check").out.splitlines() if IDENTITY in text]
    assert printed.startswith(f"note: {STORE}:11:15: ")


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        ("  secretStoreRef: {name: azure-vault}\n", 5),
        ("  dataFrom:\n  - extract: {key: a}\n    sourceRef:\n      storeRef: {name: shered}\n", 8),
        ("  data:\n  - secretKey: a\n    remoteRef: {key: a}\n    sourceRef: {storeRef: {name: sharde}}\n", 8),
        ("  secretStoreRef:\n    kind: ClusterSecretStore\n    name: shared\n", 7),
    ],
)
def test_a_store_of_a_near_name_or_another_kind_is_found(tmp_path: Path, spec: str, number: int) -> None:
    """As a whole, and for an entry."""
    project = deployed(tmp_path, "store.yaml", "old.yaml", auth={"managedIdentity": {}})
    project.write(STORE, store(auth_type="ManagedIdentity"))
    head = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: old}\nspec:\n"
    project.write(f"{OVERLAY}/old.yaml", head + spec)
    assert found(project, MISSING) == [f"{OVERLAY}/old.yaml:{number}"]


def test_a_store_of_the_cluster_may_exist_already(tmp_path: Path) -> None:
    """It is not this overlay's."""
    project = deployed(tmp_path, "old.yaml", auth={"managedIdentity": {}})
    head = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: old}\nspec:\n"
    project.write(f"{OVERLAY}/old.yaml", f"{head}  secretStoreRef: {{name: platform, kind: ClusterSecretStore}}\n")
    assert found(project, MISSING) == []


def vault_store(name: str, kind: str = "SecretStore") -> str:
    """A store of Vault that signs in as a ServiceAccount."""
    return (
        f"apiVersion: external-secrets.io/v1\nkind: {kind}\nmetadata:\n  name: shared\nspec:\n  provider:\n"
        "    vault:\n      server: https://vault.example:8200\n      path: secret\n      auth:\n        kubernetes:\n"
        f"          role: shop\n          serviceAccountRef:\n            name: {name}\n"
    )


@pytest.mark.parametrize(("name", "is_found"), [("writer", True), ("reader", False), ("default", False)])
def test_a_store_of_vault_needs_its_account_and_no_annotation(tmp_path: Path, name: str, is_found: bool) -> None:
    """Every namespace has the ServiceAccount default."""
    project = deployed(tmp_path, "reader.yaml", "store.yaml")
    project.write(ACCOUNT, account(client="", tenant=""))
    project.write(STORE, vault_store(name))
    assert found(project, IDENTITY) == ([line(project, STORE, f"name: {name}")] if is_found else [])


@pytest.mark.parametrize(("name", "is_found"), [("writer", True), ("reader", False), ("default", False)])
def test_vault_secrets_operator_needs_the_account_of_its_overlay(tmp_path: Path, name: str, is_found: bool) -> None:
    """As a store of External Secrets Operator does; the place is the line of the overlay that names it."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    backend = {"vaultSecretsOperator": {"auth": {"kubernetes": {"role": "shop", "serviceAccountName": name}}}}
    source = {"names": "{secret}", "property": "{key}", "vault": {"address": "https://vault.example", "mount": "kv"}}
    project.overlay("test", backend, source=source, namespace="shop")
    project.write(f"{OVERLAY}/secrets/kustomization.yaml", "resources: [manifests]\n")
    project.done("render", "--write")
    project.write(f"{OVERLAY}/kustomization.yaml", "namespace: shop\nresources: [secrets, reader.yaml]\n")
    project.write(ACCOUNT, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: reader}\n")
    place = line(project, f"{OVERLAY}/secrets/ksecret.yaml", f"serviceAccountName: {name}")
    assert found(project, IDENTITY) == ([place] if is_found else [])
