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
    assert vault.values_read == ["/secrets/shop-app"]
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


def test_a_new_value_of_one_property_leaves_the_others(tmp_path: Path, vault: KeyVault) -> None:
    """Of the JSON text only the one member changes; all that read the value are sealed with its new version."""
    project = shop_of_one_value(tmp_path, vault)
    vault.set("shop-app", '{ "token":"first","number": 1.50,\n "password": "the password" }')
    project.done("seal", "prod")
    plan = project.done("rotate", "prod", "app/token", "--dry-run")
    assert plan.startswith(f"A new value for app/token: shop-app#token in {vault.url}\n")
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin='the "new" token')
    assert done.code == 0, done.err
    assert vault.value("shop-app") == ('{ "token":"the \\"new\\" token","number": 1.50,\n "password": "the password" }')
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b'the "new" token', "password": b"the password"}
    assert project.ksecret("status").code == 0


def test_a_property_that_is_absent_stops_no_other_and_is_made(tmp_path: Path, vault: KeyVault) -> None:
    """It counts as missing; the hint's command adds it to the value, which keeps the rest."""
    project = shop_of_one_value(tmp_path, vault)
    project.declare("app", {"token": {}, "password": {}, "tls.crt": {}, "salt": {"generate": {"length": 8}}})
    done = project.ksecret("seal", "prod")
    assert done.code == 3
    absent = [line.partition(" is read from ")[2] for line in done.err.splitlines() if "is read from" in line]
    assert absent == [f"shop-app#{key}, which {vault.url} does not have" for key in ("salt", "tls.crt")]
    assert "hint: set it: kubectl ksecret rotate prod app/tls.crt --from-stdin" in done.err
    assert set(opened_by_kubeseal(project.manifest("app"))) == {"token", "password"}
    given = project.ksecret("rotate", "prod", "app/tls.crt", "--from-stdin", "--yes", stdin="a certificate")
    assert given.code == 0, given.err
    made = project.done("seal", "prod", "--generate-missing")
    assert made.startswith("prod: made in the source\n  shop-app#salt\n")
    opened = opened_by_kubeseal(project.manifest("app"))
    assert opened.pop("salt") == json.loads(vault.value("shop-app"))["salt"].encode()
    assert opened == {"token": b"first", "password": b"the password", "tls.crt": b"a certificate"}


def test_the_first_value_of_a_name_holds_all_that_can_be_generated(tmp_path: Path, vault: KeyVault) -> None:
    """One version with every member, not a version a key."""
    project = shop_of_one_value(tmp_path, vault)
    project.declare("web", {"cookie": {"generate": {"length": 8}}, "salt": {"generate": {"length": 12}}})
    project.done("seal", "prod", "--generate-missing")
    made = json.loads(vault.value("shop-web"))
    assert {name: len(value) for name, value in made.items()} == {"cookie": 8, "salt": 12}
    assert len(vault.versions("shop-web")) == 1


def test_a_value_that_is_no_object_is_not_written_over(tmp_path: Path, vault: KeyVault) -> None:
    """Somebody put a single value where the overlay expects JSON: nothing is written."""
    project = shop_of_one_value(tmp_path, vault)
    vault.set("shop-app", "no JSON")
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    assert (done.code, len(vault.versions("shop-app"))) == (2, 2)
    assert "app/token: shop-app is not JSON, so it has no property token" in done.err
