"""`kubectl ksecret status`: what is missing, stale, due or about to end, without a look at a value."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from .keyvault import KeyVault
from .projects import DAY, Project, age, certificate, let_time_pass, sealing, shop

NOW = datetime.now(UTC)


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """A vault whose current version is refused if it is disabled."""
    with KeyVault(page_size=2, skips_disabled=False) as double:
        yield double


def vault_project(folder: Path, vault: KeyVault) -> Project:
    """`prod` is sealed from NAME-prod, `test` is fetched from NAME by External Secrets Operator."""
    project = Project(folder)
    project.environment |= vault.environment
    project.declare("app", {"token": {"rotation": {"maxAge": "90d"}}, "url": {"template": "x{{ token }}"}})
    source = {"azureKeyVault": {"vaultUrl": vault.url}}
    project.sealed_overlay(source={"names": "{remoteName}-prod", **source})
    project.write("overlays/prod/secrets/sealing.pem", certificate(key_of(1), ends=DAY * 400))
    project.overlay("test", {"externalSecret": {"store": {"name": "store"}}}, source=source)
    return project


def key_of(number: int) -> Any:
    """The private key of a controller."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(sealing(number).private_key, None)


def reasons(project: Project, *arguments: str, **environment: str) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and what is to do, by overlay and key, certificates included."""
    done = project.ksecret("status", "-o", "json", *arguments, **environment)
    assert done.err == ""
    report = json.loads(done.out)
    assert (report["apiVersion"], report["kind"]) == ("ksecret.dev/v1alpha1", "Status")
    items = {f"{row['overlay']} {row['secret']}/{row['key']}": row["problems"] for row in report["items"]}
    items |= {certificate["overlay"]: certificate["problems"] for certificate in report["certificates"]}
    return done.code, {name: [problem["reason"] for problem in wrong] for name, wrong in items.items() if wrong}


def test_what_is_missing_not_sealed_and_stale_is_told_and_no_value_is_read(tmp_path: Path, vault: KeyVault) -> None:
    """From nothing to a new version and back to all being well; versions of one second are told apart by the vault."""
    project = vault_project(tmp_path, vault)
    missing = {f"{overlay} app/{key}": ["missing"] for overlay in ("prod", "test") for key in ("token", "url")}
    expected = missing | {f"prod app/{key}": ["missing", "not-sealed"] for key in ("token", "url")}
    assert reasons(project) == (1, expected)
    vault.set("token", "t", created_on=NOW - DAY)
    vault.set("token-prod", "p", created_on=NOW - 3 * DAY)
    assert reasons(project) == (1, {f"prod app/{key}": ["not-sealed"] for key in ("token", "url")})
    project.done("seal", "prod")
    read = len(vault.values_read)
    assert reasons(project) == (0, {})
    vault.set("token-prod", "new", created_on=NOW - DAY)
    assert reasons(project) == (1, {f"prod app/{key}": ["stale"] for key in ("token", "url")})
    assert len(vault.values_read) == read
    project.done("seal", "prod")
    assert reasons(project) == (0, {})


def test_the_table_shows_each_key_with_its_version_age_and_seal(tmp_path: Path, vault: KeyVault) -> None:
    """And the certificate below it."""
    project = vault_project(tmp_path, vault)
    version = vault.set("token-prod", "p", created_on=NOW - 3 * DAY, expires_on=datetime(2100, 1, 2, tzinfo=UTC))
    project.done("seal", "prod")
    let_time_pass(project)
    done = project.ksecret("status", "prod")
    lines = [line.split() for line in done.out.splitlines()]
    assert (done.code, lines[0]) == (
        0,
        ["OVERLAY", "KEY", "IN", "SOURCE", "VERSION", "AGE", "EXPIRES", "SEALED", "BY", "STATE"],
    )
    fingerprint = lines[3][3].rstrip(",")
    seal = ["2020-01-01", fingerprint.removeprefix("SHA256:")[:8], "ok"]
    assert lines[1:3] == [
        ["prod", f"app/{key}", "token-prod", version[:8], "3d", "2100-01-02", *seal] for key in ("token", "url")
    ]
    assert lines[3][:3] == ["prod:", "sealed", "for"]


def test_a_version_of_a_moment_to_come_has_no_age_yet(tmp_path: Path, vault: KeyVault) -> None:
    """The vault's clock may be ahead."""
    project = vault_project(tmp_path, vault)
    vault.set("token-prod", "p", created_on=datetime.now(UTC) + timedelta(minutes=2))
    assert " 0h " in project.ksecret("status", "prod").out.splitlines()[1]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"expires_on": NOW - DAY}, "expired"),
        ({"expires_on": NOW + 5 * DAY}, "expiring"),
        ({"not_before": NOW + DAY}, "not-yet-valid"),
        ({"created_on": NOW - 91 * DAY}, "due"),
        ({"enabled": False}, "disabled"),
    ],
)
def test_a_version_that_needs_attention_is_told(tmp_path: Path, vault: KeyVault, attributes: Any, reason: str) -> None:
    """For what External Secrets Operator fetches too: it asks for the same version."""
    project = vault_project(tmp_path, vault)
    vault.set("token", "old", created_on=NOW - 92 * DAY)
    vault.set("token", "new", **{"created_on": NOW - DAY, **attributes})
    code, problems = reasons(project, "test")
    assert (code, reason in problems["test app/token"]) == (1, True)


@pytest.mark.parametrize(
    ("number", "begins", "message"), [(1, DAY, "begins on"), (2, -DAY, "is another one than that of")]
)
def test_a_certificate_that_seals_nothing_is_told(
    tmp_path: Path, vault: KeyVault, number: int, begins: timedelta, message: str
) -> None:
    """Seal refuses it: one that is not valid yet, and one that the sealed values were not sealed with."""
    project = vault_project(tmp_path, vault)
    vault.set("token-prod", "p", created_on=NOW - DAY)
    project.done("seal", "prod")
    project.write("overlays/prod/secrets/sealing.pem", certificate(key_of(number), begins=begins, ends=DAY * 400))
    assert reasons(project, "prod") == (1, {"prod": ["certificate"]})
    assert f"prod: the certificate {message} " in project.ksecret("status", "prod").out


def test_how_early_an_end_is_told_can_be_chosen(tmp_path: Path, vault: KeyVault) -> None:
    """Of a version, and of the certificate."""
    project = vault_project(tmp_path, vault)
    project.write("overlays/prod/secrets/sealing.pem", certificate(key_of(1), ends=20 * DAY + timedelta(hours=1)))
    vault.set("token-prod", "p", created_on=NOW - DAY, expires_on=NOW + 20 * DAY)
    project.done("seal", "prod")
    assert reasons(project, "prod") == (0, {})
    expiring = {"prod app/token": ["expiring"], "prod app/url": ["expiring"], "prod": ["certificate"]}
    assert reasons(project, "prod", "--warn-days", "21") == (1, expiring)


def test_an_ended_certificate_is_told(tmp_path: Path, vault: KeyVault) -> None:
    """Seal would refuse it."""
    project = vault_project(tmp_path, vault)
    vault.set("token-prod", "p", created_on=NOW - DAY)
    project.done("seal", "prod")
    project.write("overlays/prod/secrets/sealing.pem", certificate(key_of(1), -2 * DAY, -DAY))
    assert reasons(project, "prod") == (1, {"prod": ["certificate"]})


def test_offline_the_manifests_alone_are_looked_at(tmp_path: Path, vault: KeyVault) -> None:
    """What is sealed and how old its seal is, and whether a template has changed."""
    project = vault_project(tmp_path, vault)
    vault.set("token-prod", "p", created_on=NOW - DAY)
    project.done("seal", "prod")
    asked = vault.connections
    assert reasons(project, "--offline") == (0, {})
    let_time_pass(project)
    due = {"prod app/token": ["due"], "prod app/url": ["due"]}
    assert reasons(project, "--offline") == (1, due)
    project.declare("app", {"token": {}, "url": {"template": "y{{ token }}"}, "more": {}})
    assert reasons(project, "--offline") == (1, {"prod app/more": ["not-sealed"], "prod app/url": ["stale"]})
    assert vault.connections == asked


def test_a_source_without_versions_tells_what_is_missing(tmp_path: Path) -> None:
    """Whether a value has changed nobody can say."""
    project = shop(tmp_path, "TOKEN=x\n")
    project.declare("app", {"token": {}})
    project.sops_overlay("bob")
    project.done("seal", "prod")
    assert reasons(project) == (0, {})
    assert "ok, as far as can be told" in project.done("status")
    project.write(".env", "")
    assert reasons(project) == (1, {"prod app/token": ["missing"]})


def test_neither_a_command_nor_variables_are_asked(tmp_path: Path) -> None:
    """A command would print a value, and variables are those of whoever seals."""
    project = shop(tmp_path)
    project.declare("app", {"token": {}})
    project.sops_overlay("bob", source={"command": {"arguments": ["touch", "{name}"]}})
    project.sops_overlay("bob", name="eu", source={"environment": {}})
    project.done(
        "seal",
        "-f",
        "-",
        stdin=yaml.safe_dump({"kind": "Secret", "metadata": {"name": "app"}, "stringData": {"token": "x"}}),
    )
    before = project.files()
    assert reasons(project) == (0, {})
    assert project.done("status", "prod").splitlines()[1].endswith("ok; the source was not asked")
    assert (project.changed_since(before), age("bob").recipient in project.manifest("app").read_text()) == (set(), True)


def test_a_source_that_fails_is_told_as_by_seal(tmp_path: Path, vault: KeyVault) -> None:
    """Exit code 3: this is no finding."""
    project = vault_project(tmp_path, vault)
    vault.faults.unknown_ca = True
    done = project.ksecret("status")
    assert (done.code, done.out, vault.url in done.err) == (3, "", True)


def test_a_missing_input_hides_no_change_beside_it(tmp_path: Path, vault: KeyVault) -> None:
    """Of what is there, and of the template's text; seal keeps what it can't make."""
    project = vault_project(tmp_path, vault)
    project.declare("app", {"one": {}, "two": {}, "both": {"template": "{{ one }}{{ two }}"}})
    for name in ("one", "two"):
        vault.set(f"{name}-prod", "p", created_on=NOW - 2 * DAY)
    project.done("seal", "prod")
    vault.delete("two-prod")
    missing = {"prod app/two": ["missing"], "prod app/both": ["missing"]}
    assert reasons(project, "prod") == (1, missing)
    vault.set("one-prod", "new", created_on=NOW - DAY)
    stale = {"prod app/one": ["stale"], "prod app/both": ["missing", "stale"]}
    assert reasons(project, "prod") == (1, missing | stale)
    assert "no longer gives a value for\n  app/both\n  app/two\n" in project.done("seal", "prod")
    project.declare("app", {"one": {}, "two": {}, "both": {"template": "{{ one }}-{{ two }}"}})
    assert reasons(project, "prod") == (1, missing | {"prod app/both": ["missing", "stale"]})


def test_a_certificate_that_is_not_there_is_told_with_the_rest(tmp_path: Path, vault: KeyVault) -> None:
    """The rows of the other overlays are shown all the same."""
    project = vault_project(tmp_path, vault)
    vault.set("token", "t", created_on=NOW - DAY)
    (project.root / "overlays/prod/secrets/sealing.pem").unlink()
    done = project.ksecret("status")
    assert (done.code, done.err) == (1, "")
    assert "prod: overlays/prod/secrets/sealing.pem: No such file or directory\n" in done.out
    assert "test      app/token" in done.out


def test_what_the_operator_reads_beside_secrets_is_shown_without_a_version(tmp_path: Path, vault: KeyVault) -> None:
    """A certificate is no secret of the vault, so nothing is said of it; secret/NAME is NAME."""
    project = vault_project(tmp_path, vault)
    project.declare("app", {"chain": {"remoteName": "cert/shop-tls"}, "token": {"remoteName": "secret/token"}})
    (project.root / "overlays/prod/secrets/ksecret.yaml").unlink()
    vault.set("token", "t", created_on=NOW - DAY)
    assert reasons(project) == (0, {})
    lines = [line.split() for line in project.done("status").splitlines()[1:]]
    assert [(line[1], line[2], line[3] == "-") for line in lines] == [
        ("app/chain", "cert/shop-tls", True),
        ("app/token", "secret/token", False),
    ]
