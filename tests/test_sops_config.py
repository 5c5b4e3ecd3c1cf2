"""Recipients as real teams state them: in the forms of .sops.yaml that sops itself reads, and of post-quantum keys."""

import os
import shutil
from pathlib import Path

import pytest
import yaml

from .peers import peer, run
from .projects import DOTENV, Project, age, opened_by_sops, sops_shop

ALICE, BOB, CAROL = (age(name).recipient for name in ("alice", "bob", "carol"))

CONFIGURATIONS = {
    "a list": f"creation_rules: [{{age: [{ALICE}, {BOB}]}}]",
    "a text with commas": f"creation_rules: [{{age: '{ALICE}, {BOB}'}}]",
    "an anchor": f"keys: [&alice {ALICE}, &bob {BOB}]\ncreation_rules: [{{age: [*alice, *bob]}}]",
    "an anchor of a list": f"people: &people [{ALICE}, {BOB}]\ncreation_rules:\n- path_regex: x$\n- age: *people",
    "a merge key": f"base: &base {{age: '{ALICE},{BOB}'}}\ncreation_rules:\n- <<: *base\n  mac_only_encrypted: true",
    "a merge key that is overridden": (
        f"base: &base {{age: {CAROL}}}\ncreation_rules:\n- <<: *base\n  age: '{ALICE},{BOB}'"
    ),
    "a key group": f"creation_rules: [{{key_groups: [{{age: [{ALICE}, {BOB}]}}]}}]",
    "a key group with anchors": f"creation_rules:\n- key_groups:\n  - age: [&a {ALICE}, &b {BOB}]",
    "a key group that merges": f"creation_rules:\n- key_groups:\n  - merge: [{{age: [{ALICE}]}}]\n    age: [{BOB}]",
    "a key group that merges twice": (
        f"g: &g {{merge: [{{age: [{ALICE}]}}], age: [{ALICE}]}}\n"
        f"creation_rules:\n- key_groups:\n  - merge: [*g, {{age: [{BOB}]}}]"
    ),
    "a key group beside a list": f"creation_rules: [{{age: {CAROL}, key_groups: [{{age: [{ALICE}, {BOB}]}}]}}]",
    "an entry twice": f"creation_rules: [{{age: '{ALICE},{BOB},{ALICE}'}}]",
}


@pytest.mark.parametrize("form", CONFIGURATIONS)
def test_recipients_are_those_that_sops_reads(tmp_path: Path, form: str) -> None:
    """In every form; what sops then encrypts, and what we do, is for the same people."""
    project = sops_shop(tmp_path, "alice")
    project.overlay("prod", {"sops": {}}, **DOTENV)
    project.write(".sops.yaml", CONFIGURATIONS[form] + "\n")
    plain = project.write("overlays/prod/secrets/manifests/other.yaml", "data: {token: x}\n")
    by_sops = yaml.safe_load(run(peer("sops"), "encrypt", plain, folder=project.root, env=project.environment))
    plain.unlink()
    recipients = {entry["recipient"] for entry in by_sops["sops"]["age"]}
    assert recipients == {ALICE, BOB}
    project.done("seal", "prod")
    assert {entry["recipient"] for entry in project.object("app")["sops"]["age"]} == recipients
    assert opened_by_sops(project.manifest("app"), "bob") == {"token": b"the token", "password": b"the password"}
    assert "recipients-changed" not in project.ksecret("check").out


FINGERPRINT = "85D77543B3D624B63CEA9E6DBC17301B491B3F21"
UNSUPPORTED = {
    "pgp": f"creation_rules: [{{age: {ALICE}, pgp: {FINGERPRINT}}}]",
    "pgp in a group": f"creation_rules: [{{key_groups: [{{age: [{ALICE}], pgp: [{FINGERPRINT}]}}]}}]",
    "pgp in a merged group": f"creation_rules: [{{key_groups: [{{merge: [{{pgp: [{FINGERPRINT}]}}], age: [x]}}]}}]",
    "kms": "creation_rules: [{kms: 'arn:aws:kms:eu-west-1:1:key/x'}]",
    "gcp_kms": "creation_rules: [{gcp_kms: projects/x}]",
    "azure_keyvault": "creation_rules: [{azure_keyvault: 'https://x.vault.azure.net/keys/x/1'}]",
    "hc_vault_transit_uri": "creation_rules: [{hc_vault_transit_uri: 'https://x/v1/sops/keys/x'}]",
    "hckms": "creation_rules: [{hckms: 'eu:x'}]",
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_a_kind_of_key_that_is_not_supported_is_named_with_the_program_that_can(tmp_path: Path, kind: str) -> None:
    """Nothing is encrypted for fewer people than are declared."""
    project = sops_shop(tmp_path, "alice")
    project.overlay("prod", {"sops": {}}, **DOTENV)
    project.write(".sops.yaml", UNSUPPORTED[kind] + "\n")
    done = project.ksecret("seal", "prod")
    name = kind.partition(" ")[0]
    assert done.code == 2 and f"the creation rule names keys of {name}, which are not supported" in done.err
    assert f"sops encrypt does for {name} too" in done.err
    assert not project.manifest("app").exists()


def test_several_key_groups_are_not_supported(tmp_path: Path) -> None:
    """Shamir's shares: each group alone opens nothing."""
    project = sops_shop(tmp_path, "alice")
    project.overlay("prod", {"sops": {}}, **DOTENV)
    project.write(".sops.yaml", f"creation_rules: [{{key_groups: [{{age: [{ALICE}]}}, {{age: [{BOB}]}}]}}]\n")
    done = project.ksecret("seal", "prod")
    assert done.code == 2 and "several key groups, which are not supported" in done.err
    assert "sops encrypt writes several" in done.err


def post_quantum(folder: Path) -> tuple[str, str]:
    """Return an identity and a recipient of the newest kind, made by age itself."""
    file = folder / "pq.txt"
    run(peer("age-keygen"), "-pq", "-o", file)
    recipient = run(peer("age-keygen"), "-y", file).strip()
    return next(line for line in file.read_text().splitlines() if line.startswith("AGE-SECRET-KEY-PQ-")), recipient


def with_age(project: Project) -> dict[str, str]:
    """Return a PATH on which the age program is."""
    return {"PATH": f"{Path(peer('age')).parent}:{os.environ['PATH']}"}


def test_a_post_quantum_recipient_is_sealed_for_by_the_age_program(tmp_path: Path) -> None:
    """Sops opens it with the identity, and so do we; a value that did not change keeps its ciphertext."""
    identity, recipient = post_quantum(tmp_path)
    project = sops_shop(tmp_path, "alice")
    project.overlay("prod", {"sops": {"age": [ALICE, recipient]}}, **DOTENV)
    project.done("seal", "prod", **with_age(project))
    environment = project.environment | with_age(project) | {"SOPS_AGE_KEY": identity}
    opened = yaml.safe_load(run(peer("sops"), "decrypt", project.manifest("app"), env=environment))
    assert set(opened["data"]) == {"token", "password"}
    assert opened_by_sops(project.manifest("app"), "alice") == {"token": b"the token", "password": b"the password"}
    before = project.object("app")["data"]
    project.write(".env", "TOKEN=another\nPASSWORD=x\n")
    project.done("seal", "prod", "app/token", **with_age(project), SOPS_AGE_KEY=identity)
    after = project.object("app")["data"]
    assert (after["password"] == before["password"], after["token"] == before["token"]) == (True, False)
    shown = project.ksecret("render", "prod", "--decrypt", **with_age(project), SOPS_AGE_KEY=identity)
    assert (shown.code, shown.err) == (0, "")


@pytest.mark.skipif(shutil.which("age") is not None, reason="the age program is at hand everywhere here")
def test_a_post_quantum_recipient_without_the_program_is_called_what_it_is(tmp_path: Path) -> None:
    """With what to install; nothing is written."""
    _, recipient = post_quantum(tmp_path)
    project = sops_shop(tmp_path, "alice")
    project.overlay("prod", {"sops": {"age": [ALICE, recipient]}}, **DOTENV)
    done = project.ksecret("seal", "prod")
    assert done.code == 3 and "a post-quantum recipient takes the age program" in done.err
    assert "install age 1.3 or newer" in done.err
    assert not project.manifest("app").exists()


def test_a_program_that_is_no_age_encrypts_nothing(tmp_path: Path) -> None:
    """One older than post-quantum keys fails, and that is said."""
    _, recipient = post_quantum(tmp_path)
    project = sops_shop(tmp_path, "alice")
    project.overlay("prod", {"sops": {"age": [recipient]}}, **DOTENV)
    old = tmp_path / "bin" / "age"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = project.ksecret("seal", "prod", PATH=f"{old.parent}:{os.environ['PATH']}")
    assert done.code == 3 and "the age program can't encrypt for a post-quantum recipient" in done.err
    assert not project.manifest("app").exists()
