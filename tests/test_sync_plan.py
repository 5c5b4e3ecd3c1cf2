"""`sync --dry-run=client`: what would be delivered and restarted, as far as the files tell; no cluster is asked."""

import json
from pathlib import Path

import pytest
import yaml

from .projects import Done, Project

READER = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "reader"},
    "spec": {"template": {"spec": {"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "app"}}]}]}}},
}
SOURCE = {"azureKeyVault": {"vaultUrl": "https://shop.vault.azure.net"}}
STORE = {"name": "vault", "auth": {"workloadIdentity": {"serviceAccountName": "shop"}}}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two Secrets with labels in an overlay whose store is rendered, and in one of plain Secrets."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}}, labels={"team": "payments", "tier": "web"})
    project.declare("mail", {"password": {}}, labels={"team": "mail"})
    project.overlay("test", {"externalSecret": {"store": STORE}}, source=SOURCE)
    project.overlay("manual", {"secret": {}}, source={"dotenv": {"file": "../../../.env"}})
    for name in ("test", "manual"):
        text = f"namespace: shop-{name}\nresources: [secrets, reader.yaml]\n"
        project.write(f"overlays/{name}/kustomization.yaml", text)
        project.write(f"overlays/{name}/reader.yaml", yaml.safe_dump(READER))
    project.done("render", "--write")
    return project


def plan(project: Project, *arguments: str) -> Done:
    """A dry run without any kubeconfig."""
    return project.ksecret("sync", *arguments, "--dry-run=client", KUBECONFIG="/dev/null")


def test_the_store_comes_first_and_what_may_restart_is_named(project: Project) -> None:
    """Whether a value has changed only the cluster can tell."""
    done = plan(project, "test")
    assert (done.code, done.out.splitlines()) == (
        0,
        [
            "secretstore.external-secrets.io/vault applied (dry run)",
            "externalsecret.external-secrets.io/app refreshed (dry run)",
            "externalsecret.external-secrets.io/mail refreshed (dry run)",
        ],
    )
    restarts = (
        "note: deployment.apps/reader restarts if the values are others than before, which a dry run can't tell\n"
    )
    assert done.err == restarts
    always = plan(project, "test", "--restart=always")
    assert (always.out.splitlines()[-1], always.err) == ("deployment.apps/reader restarted (dry run)", "")
    assert plan(project, "test", "--restart=never").err == ""


def test_a_prefix_reaches_the_names(project: Project) -> None:
    path = project.root / "overlays/test/kustomization.yaml"
    path.write_text(path.read_text() + "namePrefix: eu-\n")
    done = plan(project, "test", "app", "-o", "name")
    assert done.out.split() == ["secretstore.external-secrets.io/eu-vault", "externalsecret.external-secrets.io/eu-app"]
    assert "deployment.apps/eu-reader" in done.err


@pytest.mark.parametrize(
    ("selector", "secrets"),
    [
        ("team=payments", ["app"]),
        ("team!=payments", ["mail"]),
        ("team in (mail, payments)", ["app", "mail"]),
        ("team notin (mail),tier", ["app"]),
        ("!tier", ["mail"]),
    ],
)
def test_labels_of_the_declarations_select(project: Project, selector: str, secrets: list[str]) -> None:
    done = plan(project, "manual", "-l", selector, "-o", "name")
    assert (done.code, done.out.split()) == (0, [f"secret/{name}" for name in secrets])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["test", "-l", "team="], "no Secret is declared with labels such as team="),
        (["test", "-l", "team payments"], "team payments is not a label selector"),
        (["test", "app", "-l", "team=mail"], "Name Secrets, or select them by labels; not both."),
        (["test", "-A"], "--all-namespaces is for all overlays"),
        (["test", "tokn"], "overlay test has no Secret tokn"),
    ],
)
def test_what_selects_nothing_is_a_mistake(project: Project, arguments: list[str], message: str) -> None:
    done = plan(project, *arguments)
    assert (done.code, done.out, message in done.err) == (2, "", True), done.err


def test_without_an_overlay_all_of_the_project_are_meant(project: Project) -> None:
    items = json.loads(plan(project, "-o", "json").out)["items"]
    assert [(item["overlay"], item["object"], item["state"], item["changed"]) for item in items] == [
        ("manual", "secret/app", "arrived", None),
        ("manual", "secret/mail", "arrived", None),
        ("test", "secretstore.external-secrets.io/vault", "arrived", False),
        ("test", "externalsecret.external-secrets.io/app", "arrived", None),
        ("test", "externalsecret.external-secrets.io/mail", "arrived", None),
    ]
    assert yaml.safe_load(plan(project, "-A", "-o", "yaml").out)["items"] == items
