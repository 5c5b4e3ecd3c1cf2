"""Several keys in one value: each takes a member of its own of a JSON value, by the overlay's pattern."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .keyvault import KeyVault
from .projects import Project, opened_by_kubeseal

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """A vault with one value that holds all of the Secret."""
    with KeyVault() as double:
        double.set("shop-app", json.dumps({"token": "first", "password": "the password"}), created_on=LONG_AGO)
        yield double


def shop_of_one_value(folder: Path, vault: KeyVault) -> Project:
    """`prod` is sealed from the one value, `test` is fetched from it by External Secrets Operator."""
    project = Project(folder)
    project.environment |= vault.environment
    project.declare("app", {"token": {"generate": {"length": 40}}, "password": {}})
    source = {"names": "shop-{secret}", "property": "{remoteName}", "azureKeyVault": {"vaultUrl": vault.url}}
    project.sealed_overlay(source=source)
    project.overlay("test", {"externalSecret": {"store": {"name": "store"}}}, source=source)
    return project


def test_each_key_is_sealed_from_its_member(tmp_path: Path, vault: KeyVault) -> None:
    """The name needs no {remoteName}; the value is read once, and status shows name and property with one version."""
    project = shop_of_one_value(tmp_path, vault)
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"first", "password": b"the password"}
    assert vault.values_read == ["shop-app"]
    rows = json.loads(project.done("status", "prod", "-o", "json"))["items"]
    (version,) = {row["source"][0].pop("version") for row in rows}
    assert version
    assert [(row["key"], row["source"][0]["name"], row["source"][0]["property"], row["problems"]) for row in rows] == [
        ("password", "shop-app", "password", []),
        ("token", "shop-app", "token", []),
    ]


def test_another_property_of_the_source_must_be_accepted(tmp_path: Path, vault: KeyVault) -> None:
    """A pull request could seal the database's password as a token that a pod prints."""
    project = shop_of_one_value(tmp_path, vault)
    project.done("seal", "prod")
    file = project.root / "overlays/prod/secrets/ksecret.yaml"
    file.write_text(file.read_text().replace("property: '{remoteName}'", "property: password"))
    project.declare("app", {"token": {}})
    done = project.untrusting("seal", "prod")
    assert (done.code, done.out) == (2, "")
    assert '"property": "password"' in done.err and "until now" in done.err
