"""Placeholders in stores, ServiceAccounts and overlays."""

from pathlib import Path

import pytest

from .deployed import OVERLAY, deployed, found, kustomize, line

RULE = "placeholder"
CLIENT = "7d0f5a1c-93be-4c27-8a64-1e5b2f9d3c80"


def account(client: str, name: str = "reader", more: str = "") -> str:
    """A ServiceAccount with a workload identity."""
    annotations = f"  annotations:\n    azure.workload.identity/client-id: {client}\n"
    return f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n{annotations}{more}"


@pytest.mark.parametrize(
    "text",
    [
        "YOUR_CLIENT_ID",
        "your-client-id",
        "prod-YOUR_CLIENT",
        "${CLIENT_ID}",
        "<client-id>",
        "<client id>",
        "changeme",
        "CHANGE_ME",
        "REDACTED",
        "'[redacted]'",
        "xxxx",
        "XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX",
        "TODO",
        "TODO ask somebody",
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-000000000001",
    ],
)
def test_every_kind_of_placeholder_is_found(tmp_path: Path, text: str) -> None:
    """At its line."""
    project = deployed(tmp_path, "reader.yaml")
    project.write(f"{OVERLAY}/reader.yaml", account(text))
    assert found(project, RULE) == [f"{OVERLAY}/reader.yaml:6"]


@pytest.mark.parametrize(
    "text",
    [
        CLIENT,
        "order-your-food",
        "yourcompany",
        "todo-app",
        "exchange-members",
        "maxxxxx",
        "a note: TODO and changeme are words here",
        "'{remoteName}'",
        "<path:kv/data/shop#client>",
        "a < b > c",
        "[odd]",
    ],
)
def test_what_only_looks_like_one_is_not_found(tmp_path: Path, text: str) -> None:
    """Names of products and sentences hold such words too."""
    project = deployed(tmp_path)
    project.write(f"{OVERLAY}/reader.yaml", account(f"'{text}'" if "'" not in text and "[" not in text else text))
    assert found(project, RULE) == []


def test_a_placeholder_that_the_overlay_replaces_is_not_found(tmp_path: Path) -> None:
    """One that a patch puts in is, in the patch; both in one ServiceAccount of a base."""
    project = deployed(tmp_path, "../../base")
    project.write("base/kustomization.yaml", "resources: [reader.yaml]\n")
    project.write("base/reader.yaml", account("YOUR_CLIENT_ID", more="    example.org/team: shop\n"))
    project.write(f"{OVERLAY}/patch.yaml", account(CLIENT, more="    example.org/team: changeme\n"))
    kustomize(project, patches=[{"path": "patch.yaml"}])
    assert found(project, RULE) == [line(project, f"{OVERLAY}/patch.yaml", "changeme")]


def test_a_base_of_two_overlays_is_told_once(tmp_path: Path) -> None:
    """The place is one."""
    project = deployed(tmp_path, "../../base")
    project.write("base/kustomization.yaml", "resources: [reader.yaml]\n")
    project.write("base/reader.yaml", account("YOUR_CLIENT_ID"))
    project.overlay(
        "other",
        {"externalSecret": {"store": {"name": "azure"}}},
        source={"azureKeyVault": {"vaultUrl": "https://a.vault.azure.net"}},
    )
    project.done("render", "--write", "other")
    project.write("overlays/other/kustomization.yaml", "namespace: shop-other\nresources: [secrets, ../../base]\n")
    assert found(project, RULE) == ["base/reader.yaml:6"]


def test_an_overlay_and_not_the_store_that_is_rendered_of_it_is_told(tmp_path: Path) -> None:
    """Unusual places: an override, the ServiceAccount; reasons and patterns of names are left alone."""
    auth = {"workloadIdentity": {"serviceAccountName": "your-reader"}}
    project = deployed(tmp_path, "reader.yaml", vault="https://YOUR-VAULT.vault.azure.net", auth=auth)
    project.write(
        f"{OVERLAY}/reader.yaml", account(CLIENT, name="your-reader").replace("name: your-reader", "name: reader")
    )
    path = project.root / OVERLAY / "secrets" / "ksecret.yaml"
    overrides = "  overrides:\n    app: {keys: {token: {remoteName: xxxx}}}\n"
    path.write_text(path.read_text().replace("  source:\n", "  source:\n    names: '{remoteName}-x'\n") + overrides)
    project.done("render", "--write")
    file = f"{OVERLAY}/secrets/ksecret.yaml"
    assert found(project, RULE) == [line(project, file, text) for text in ("serviceAccountName", "vaultUrl", "xxxx")]


def test_a_cluster_store_is_looked_at_in_all_its_fields(tmp_path: Path) -> None:
    """Whichever provider it has; what stands for itself there is left alone, and other groups' stores are."""
    project = deployed(tmp_path, "store.yaml")
    store = """\
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata:
  name: vault
spec:
  conditions:
  - namespaceRegexes: ["(?P<name>shop-.*)"]
  provider:
    vault:
      server: https://vault.example.org
      auth: {kubernetes: {role: REDACTED}}
"""
    other = store.replace("external-secrets.io/v1", "example.org/v1").replace("REDACTED", "changeme")
    project.write(f"{OVERLAY}/store.yaml", f"{store}---\n{other}")
    assert found(project, RULE) == [line(project, f"{OVERLAY}/store.yaml", "REDACTED")]
