"""Pinned versions: a value reaches an environment by a commit, and goes back by `git revert`."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from .keyvault import KeyVault
from .projects import Project, opened_by_kubeseal

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
OVERLAY = "overlays/prod/secrets/ksecret.yaml"


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """A vault with a first version of two names."""
    with KeyVault() as double:
        for name in ("token", "password"):
            double.set(name, f"first {name}", created_on=LONG_AGO)
        yield double


def pinning(folder: Path, vault: KeyVault) -> Project:
    """`prod` is sealed and `aks` is fetched, both from one vault."""
    project = Project(folder)
    project.environment |= vault.environment
    project.declare(
        "app", {"token": {"generate": {"length": 40}}, "url": {"template": "x{{ password }}"}}, inputs={"password": {}}
    )
    source = {"azureKeyVault": {"vaultUrl": vault.url}}
    project.sealed_overlay(source=source)
    project.overlay("aks", {"externalSecret": {"store": {"name": "store"}}}, source=source)
    text = (project.root / OVERLAY).read_text()
    project.write(OVERLAY, f"# Of the team.\n{text}")
    return project


def pins(project: Project, overlay: str = "prod") -> dict[str, str]:
    """What the overlay says."""
    spec = yaml.safe_load((project.root / f"overlays/{overlay}/secrets/ksecret.yaml").read_text())["spec"]
    return {key: stated["version"] for key, stated in spec["overrides"]["app"]["keys"].items()}


def test_a_pinned_value_stays_until_the_pin_moves(tmp_path: Path, vault: KeyVault) -> None:
    """What is sealed is exactly the pinned version; going back to it in Git is going back to its value."""
    project = pinning(tmp_path, vault)
    first = {name: vault.versions(name)[0].id for name in ("token", "password")}
    assert project.done("pin-versions", "prod") == (
        f"pinned app/token to {first['token']}\n"
        f"pinned app/password to {first['password']}\n"
        "next: kubectl ksecret seal prod\n"
    )
    assert pins(project) == first
    assert (project.root / OVERLAY).read_text().startswith("# Of the team.\n")
    before = (project.root / OVERLAY).read_text()
    second = vault.set("token", "second token")
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"first token", "url": b"xfirst password"}
    rows = {row["key"]: row for row in json.loads(project.done("status", "prod", "-o", "json"))["items"]}
    assert rows["token"]["source"][0] | {"created": None} == {
        "name": "token", "pinned": first["token"], "pinnedCreated": "2024-01-01T00:00:00Z", "behind": True,
        "version": second, "created": None, "expires": None, "notBefore": None,
    }  # fmt: skip
    assert "ok; pinned, the source has a newer version" in project.done("status", "prod")
    assert project.done("seal", "prod") == "prod: everything is sealed\n"

    assert project.done("pin-versions", "prod", "app/token", "--dry-run") == f"would pin app/token to {second}\n"
    assert pins(project) == first
    project.done("pin-versions", "prod", "app/token")
    assert pins(project) == {**first, "token": second}
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"second token"
    project.write(OVERLAY, before)
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"first token"


def test_an_external_secret_names_the_pinned_version(tmp_path: Path, vault: KeyVault) -> None:
    """For whatever provider: remoteRef.version is the operator's own field."""
    project = pinning(tmp_path, vault)
    done = project.done("pin-versions", "aks", "app/token")
    version = vault.versions("token")[0].id
    assert done == f"pinned app/token to {version}\nnext: kubectl ksecret render aks --write\n"
    project.done("render", "aks", "--write")
    references = {entry["secretKey"]: entry["remoteRef"] for entry in project.object("app", "aks")["spec"]["data"]}
    assert references == {"token": {"key": "token", "version": version}, "password": {"key": "password"}}
    assert project.done("pin-versions", "aks", "app/token") == "overlays/aks/secrets/ksecret.yaml: pinned already\n"


def test_rotate_moves_the_pins_of_all_that_read_the_name(tmp_path: Path, vault: KeyVault) -> None:
    """The sealed manifest has the new value, and the operator keeps the old one until the manifest is written."""
    project = pinning(tmp_path, vault)
    for overlay in ("prod", "aks"):
        project.done("pin-versions", overlay)
    project.done("seal", "prod")
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    assert done.code == 0, done.err
    newest = vault.versions("token")[-1].id
    assert (pins(project)["token"], pins(project, "aks")["token"]) == (newest, newest)
    assert "overlays/aks/secrets/ksecret.yaml: pinned to the new version\n  app/token\n" in done.out
    assert opened_by_kubeseal(project.manifest("app"))["token"] == vault.value("token").encode()
    assert project.done("seal", "prod") == "prod: everything is sealed\n"
    assert project.ksecret("status").code == 0


def test_a_source_without_versions_takes_no_pin(tmp_path: Path, vault: KeyVault) -> None:
    """Nor can its versions be written; a version that the vault lacks is a missing value."""
    project = pinning(tmp_path, vault)
    keys = {"app": {"keys": {"token": {"version": "3"}}}}
    project.sealed_overlay("eu", overrides=keys)
    done = project.ksecret("render", "eu")
    assert done.code == 2
    assert "app/token has a version, and dotenv has no versions to read\nhint: leave version out\n" in done.err
    project.sealed_overlay("eu")
    done = project.ksecret("pin-versions", "eu")
    assert (done.code, "the source dotenv of eu has no versions" in done.err) == (2, True)
    absent = "0" * 32
    project.sealed_overlay(
        "eu",
        source={"azureKeyVault": {"vaultUrl": vault.url}},
        overrides={"app": {"keys": {"token": {"version": absent}}}},
    )
    done = project.ksecret("seal", "eu")
    assert (done.code, f"app/token is read from token in version {absent}, which" in done.err) == (3, True)
