"""`kubectl ksecret seal` out of Azure Key Vault: the whole command line as a process, credentials included."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from .keyvault import KeyVault
from .keyvault.faults import no_role
from .projects import Project, ciphertext, let_time_pass, opened_by_kubeseal


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """An empty vault of small pages."""
    with KeyVault(page_size=3) as double:
        yield double


def vault_shop(folder: Path, vault: KeyVault, **fields: Any) -> Project:
    """A Secret `app` of three keys, one of them made from another; `prod` reads NAME-prod in the vault."""
    project = Project(folder)
    project.environment |= vault.environment
    project.declare("app", {"token": {}, "password": {}, "url": {"template": "redis://:{{ password | urlencode }}@r"}})
    key_vault = {"vaultUrl": vault.url, **fields}
    project.sealed_overlay(source={"names": "{remoteName}-prod", "azureKeyVault": key_vault})
    return project


def long_ago(years: int) -> datetime:
    """A moment in the past; versions of one second can be told apart by the vault alone."""
    return datetime.now(UTC) - timedelta(days=365 * years)


def fill(vault: KeyVault) -> None:
    """A first version of both secrets."""
    vault.set("token-prod", "the token", created_on=long_ago(5))
    vault.set("password-prod", "p@ss word", created_on=long_ago(5))


def test_an_empty_folder_is_complete_after_one_seal(tmp_path: Path, vault: KeyVault) -> None:
    """Each value is asked for once, its version stands in the record, and it renders."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    assert project.done("seal", "prod").startswith("prod: sealed\n  app/password\n  app/token\n  app/url\n")
    assert opened_by_kubeseal(project.manifest("app")) == {
        "password": b"p@ss word",
        "token": b"the token",
        "url": b"redis://:p%40ss%20word@r",
    }
    assert sorted(vault.values_read) == ["/secrets/password-prod", "/secrets/token-prod"]
    assert f"version={vault.versions('token-prod')[0].id}" in project.manifest("app").read_text()
    assert project.ksecret("render", "prod").code == 0


def test_a_new_version_changes_its_own_entry_alone(tmp_path: Path, vault: KeyVault) -> None:
    """Found on a later page of its versions; a template that reads it is sealed anew as well."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    project.done("seal", "prod")
    let_time_pass(project)
    before = ciphertext(project)
    for year in (4, 3, 2, 1):
        vault.set("token-prod", f"of {year} years ago", created_on=long_ago(year))
    assert "  app/token\n" in project.done("seal", "prod")
    after = ciphertext(project)
    assert {key for key in after if after[key] != before[key]} == {"token"}
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"of 1 years ago"
    vault.set("password-prod", "new")
    assert project.done("seal", "prod").startswith("prod: sealed\n  app/password\n  app/url\nprod: wrote\n")


@pytest.mark.parametrize("skips_disabled", [True, False])
def test_the_newest_enabled_version_is_sealed(tmp_path: Path, skips_disabled: bool) -> None:
    """Whether or not the vault itself hands it out when a newer one is disabled; then it is said."""
    with KeyVault(skips_disabled=skips_disabled) as vault:
        project = vault_shop(tmp_path, vault)
        fill(vault)
        newest = vault.set("token-prod", "disabled", created_on=long_ago(1))
        vault.disable("token-prod", newest)
        done = project.ksecret("seal", "prod")
        assert done.code == 0
        assert opened_by_kubeseal(project.manifest("app"))["token"] == b"the token"
        message = "token-prod: the version that was sealed is not the newest: a newer one is disabled"
        assert (message in done.err) is not skips_disabled
        assert project.done("seal", "prod") == "prod: everything is sealed\n"


def test_a_version_out_of_its_time_is_sealed_with_a_warning(tmp_path: Path, vault: KeyVault) -> None:
    """Key Vault hands it out all the same."""
    project = vault_shop(tmp_path, vault)
    begins = datetime.now(UTC) + timedelta(days=700)
    vault.set("token-prod", "old", expires_on=datetime(2021, 3, 4, tzinfo=UTC))
    vault.set("password-prod", "young", not_before=begins)
    done = project.ksecret("seal", "prod")
    place = "warning: overlays/prod/secrets/ksecret.yaml:14:5: "
    assert (done.code, done.err.splitlines()) == (
        0,
        [
            f"{place}password-prod: the version that was sealed is not valid before {begins:%Y-%m-%d}",
            f"{place}token-prod: the version that was sealed expired on 2021-03-04",
        ],
    )


def test_all_missing_names_are_told_at_once_with_the_nearest(tmp_path: Path, vault: KeyVault) -> None:
    """Exit code 3; nothing is sealed, and what needs no value is written."""
    project = vault_shop(tmp_path, vault)
    vault.set("pasword-prod", "x")
    done = project.ksecret("seal", "prod")
    assert done.code == 3
    assert [line for line in done.err.splitlines() if line.startswith("error")] == [
        f"error: generators/app.yaml:8:15: app/password is read from password-prod, which {vault.url} does not have",
        f"error: generators/app.yaml:7:12: app/token is read from token-prod, which {vault.url} does not have",
    ]
    assert done.err.splitlines()[1::2] == [
        'hint: did you mean "pasword-prod"?',
        "hint: set it: kubectl ksecret rotate prod app/token --from-stdin",
    ]
    assert not project.manifest("app").exists()


def test_no_name_of_another_key_or_environment_is_proposed(tmp_path: Path, vault: KeyVault) -> None:
    """What all names have by the overlay's pattern makes none of them near."""
    project = Project(tmp_path)
    project.environment |= vault.environment
    project.declare("app", {"brand-new": {}, "api-key": {}, "api-keys": {}, "jwt-key": {}})
    source = {"azureKeyVault": {"vaultUrl": vault.url}}
    project.sealed_overlay(source={"names": "{remoteName}-prod", **source})
    project.sealed_overlay("test", source={"names": "{remoteName}-test", **source})
    for name in ("api-key-prod", "brand-new-test", "brand-news-test", "jwt-key-staging", "jwtkey-prod"):
        vault.set(name, "x")
    done = project.ksecret("seal", "prod")
    hints = {line.split()[2]: hint for line, hint in batched(done.err.splitlines())}
    assert {address: "did you mean" in hint for address, hint in hints.items()} == {
        "app/api-keys": False,
        "app/brand-new": False,
        "app/jwt-key": True,
    }
    assert hints["app/jwt-key"] == 'hint: did you mean "jwtkey-prod"?'


def batched(lines: list[str]) -> list[tuple[str, str]]:
    """Return each error with its hint."""
    return list(zip(lines[::2], lines[1::2], strict=True))


def test_a_name_that_no_vault_takes_is_told_before_anything_is_asked(tmp_path: Path, vault: KeyVault) -> None:
    """Such a name could lead to another place of the vault; one of another kind is the operator's alone to read."""
    project = vault_shop(tmp_path, vault)
    project.declare("app", {"token": {"remoteName": "a/../b"}})
    done = project.ksecret("seal", "prod")
    assert (done.code, "Key Vault takes no name like that of app/token" in done.err) == (2, True)
    project.declare("app", {"token": {"remoteName": "cert/token"}})
    source = {"azureKeyVault": {"vaultUrl": vault.url}}
    project.overlay("prod", {"externalSecret": {"store": {"name": "vault"}}}, source=source)
    assert "key: cert/token\n" in project.done("render", "prod")
    assert "cert/token" in project.done("status", "prod")
    assert (vault.requests, vault.connections) == ([], 0)


def test_every_secret_without_a_role_is_told(tmp_path: Path, vault: KeyVault) -> None:
    """Roles may be given for a secret each; where the first has none the vault itself is out of reach."""
    project = vault_shop(tmp_path, vault)
    project.declare("app", {key: {} for key in "abc"})
    for name in ("a-prod", "b-prod", "c-prod"):
        vault.set(name, "x")
    vault.faults.add(no_role(), "GET /secrets/b-prod", "GET /secrets/c-prod")
    done = project.ksecret("seal", "prod")
    assert (done.code, done.err.count("no permission for")) == (3, 2)
    vault.faults.add(no_role())
    done = project.ksecret("seal", "prod")
    assert (done.code, done.err.count("no permission for")) == (3, 1)
