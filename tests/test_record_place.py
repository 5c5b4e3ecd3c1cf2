"""The record stands on the Secret itself and speaks of one ciphertext: what another hand sealed shows."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_ksecret.model.duration import in_go_form

from .peers import peer, run
from .projects import RECORD, Project, age, ciphertext, opened_by_kubeseal, opened_by_sops, record, shop, sops_shop

MANIFEST = "overlays/prod/secrets/manifests/app.yaml"


def write_object(project: Project, document: dict[str, Any]) -> None:
    project.write(MANIFEST, yaml.safe_dump(document))


def move_to_the_old_place(project: Project) -> str:
    """Put the record where earlier releases wrote it, without digests; return that text."""
    document = project.object("app")
    text = re.sub(r" digest=\S+", "", document["spec"]["template"].pop("metadata")["annotations"][RECORD])
    document["metadata"]["annotations"] = {RECORD: text}
    write_object(project, document)
    return str(text)


def states(project: Project) -> dict[str, list[str]]:
    """Return the reasons that status has for each key."""
    rows = json.loads(project.ksecret("status", "-o", "json").out)["items"]
    return {row["key"]: [problem["reason"] for problem in row["problems"]] for row in rows}


def rules(project: Project) -> list[str]:
    """Return the rules of what check finds in the manifest."""
    return re.findall(rf"{MANIFEST}:.*\[([a-z-]+)\]", project.ksecret("check").out)


def test_the_record_reaches_the_cluster_with_the_data(tmp_path: Path) -> None:
    """It is an annotation of the Secret that the SealedSecret makes, and none of the SealedSecret."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    document = project.object("app")
    assert "annotations" not in document["metadata"]
    assert document["spec"]["template"]["metadata"]["annotations"] == {RECORD: record(project)}


def test_a_record_at_its_old_place_is_read_and_moved_as_it_is(tmp_path: Path) -> None:
    """By `render --write`, which makes no digest, as nobody has looked at the ciphertext; `render --check` lists it."""
    project = shop(tmp_path)
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
    project.done("seal", "prod")
    by = set(re.findall(r"by=\S+", record(project)))
    old = move_to_the_old_place(project)
    project.commit()
    checked = project.ksecret("check")
    assert (project.ksecret("render", "prod").code, "manifests-out-of-date" in checked.out) == (0, False)
    assert project.ksecret("render", "--check") == (1, f"{MANIFEST}\n", "hint: run: kubectl ksecret render --write\n")
    assert all(name in project.ksecret("status").out for name in ("unrecorded", *(one[10:18] for one in by)))
    assert project.done("render", "--write") == f"{MANIFEST}\n"
    assert record(project) == old
    assert project.ksecret("render", "--check") == (0, "", "")
    project.done("seal", "prod", "app/token")
    lines = record(project).splitlines()
    assert ("digest=" in lines[1], "digest=" in lines[3]) == (False, True)  # password, token


def test_of_two_records_the_one_of_the_ciphertext_at_hand_counts(tmp_path: Path) -> None:
    """Else that at the new place."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    document, text = project.object("app"), record(project)
    annotations = document["spec"]["template"]["metadata"]["annotations"]
    for here, new_place, year in (
        (text, text.replace("digest=sha256:", "digest=sha256:0").replace("time=20", "time=19"), "20"),
        (text.replace("digest=sha256:", "digest=sha256:0").replace("time=20", "time=19"), text, "20"),
        (re.sub(r" digest=\S+", "", text), re.sub(r" digest=\S+", "", text).replace("time=20", "time=19"), "20"),
    ):
        annotations[RECORD] = here
        document["metadata"]["annotations"] = {RECORD: new_place}
        write_object(project, document)
        rows = json.loads(project.ksecret("status", "-o", "json").out)["items"]
        assert [row["sealed"]["time"][:2] for row in rows] == [year, year]
    project.done("render", "--write")
    assert record(project) == re.sub(r" digest=\S+", "", text)


def test_what_kubeseal_merges_into_a_file_shows(tmp_path: Path) -> None:
    """Until that very key is sealed again: neither a rendering nor another key's sealing clears it."""
    project = shop(tmp_path)
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
    project.done("seal", "prod")
    plain = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "app", "namespace": "shop-prod"},
        "stringData": {"token": "by another hand"},
    }
    certificate = project.root / "overlays/prod/secrets/sealing.pem"
    merge = ("--cert", certificate, "--merge-into", project.manifest("app"), "-o", "yaml")
    run(peer("kubeseal"), *merge, input=json.dumps(plain))
    for command in (["render", "--write"], ["seal", "prod"], ["seal", "prod", "app/password"]):
        project.done(*command)
        assert states(project) == {"password": [], "token": ["another-hand"]}
        assert rules(project) == ["sealed-by-another-hand"]
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"by another hand"
    project.done("seal", "prod", "app/token")
    assert (states(project), rules(project)) == ({"password": [], "token": []}, [])


def test_ciphertext_that_nobody_recorded_is_no_finding(tmp_path: Path) -> None:
    """`status` says so: it may have been made by hand, or by kubeseal."""
    project = shop(tmp_path)
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
    project.done("seal", "prod")
    document = project.object("app")
    del document["spec"]["template"]["metadata"]
    write_object(project, document)
    project.commit()
    assert "manifest-out-of-date" not in rules(project) and "sealed-by-another-hand" not in rules(project)
    assert project.ksecret("status").out.count("; unrecorded") == 2
    assert states(project) == {"password": [], "token": []}


def test_a_sops_file_that_sops_itself_changed_shows(tmp_path: Path) -> None:
    """`sops set` keeps what it did not touch; a new data key for new recipients is our own hand's work."""
    project = sops_shop(tmp_path, "alice")
    project.done("seal", "prod")
    key = {"SOPS_AGE_KEY": age("alice").identity}
    run(
        peer("sops"),
        "set",
        project.manifest("app"),
        '["data"]["token"]',
        '"YnkgaGFuZA=="',
        env=project.environment | key,
    )
    assert states(project) == {"password": [], "token": ["another-hand"]}
    project.sops_overlay("bob")
    sealed = project.ksecret("seal", "prod", **key)
    assert (sealed.code, sealed.err.count("app is no longer encrypted for age1")) == (0, 1)
    assert states(project) == {"password": [], "token": ["another-hand"]}
    assert opened_by_sops(project.manifest("app"), "bob") == {"token": b"by hand", "password": b"the password"}
    project.done("seal", "prod", "app/token", SOPS_AGE_KEY=age("bob").identity)
    assert states(project) == {"password": [], "token": []}


def test_branches_that_seal_neighbouring_keys_merge(tmp_path: Path) -> None:
    """In the record, and in what is sealed, each key has two lines of its own."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.commit()
    project.git("checkout", "--quiet", "-b", "other")
    project.done("seal", "prod", "app/token")
    project.commit()
    project.git("checkout", "--quiet", "main")
    project.done("seal", "prod", "app/password")
    project.commit()
    project.git("merge", "--quiet", "--no-edit", "other")
    assert states(project) == {"password": [], "token": []}
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"the token", "password": b"the password"}


OTHER_READERS: dict[str, dict[str, str]] = {
    "pgp": {"fp": "85D77543B3D624B63CEA9E6DBC17301B491B3F21", "created_at": "2026-01-01T00:00:00Z", "enc": "x"},
    "kms": {"arn": "arn:aws:kms:eu-west-1:1:key/stranger", "created_at": "2026-01-01T00:00:00Z", "enc": "x"},
    "gcp_kms": {"resource_id": "projects/stranger/key", "created_at": "2026-01-01T00:00:00Z", "enc": "x"},
    "azure_kv": {"vaultUrl": "https://stranger.vault.azure.net", "name": "stranger", "version": "1", "enc": "x"},
    "hc_vault": {"vault_address": "https://stranger", "engine_path": "sops", "key_name": "stranger", "enc": "x"},
    "hckms": {"key_id": "eu:stranger", "created_at": "2026-01-01T00:00:00Z", "enc": "x"},
}


@pytest.mark.parametrize("place", ["block", "key group"])
@pytest.mark.parametrize("kind", OTHER_READERS)
def test_a_reader_of_any_kind_is_a_reader(tmp_path: Path, kind: str, place: str) -> None:
    """`check` names him, the file opens by age with a warning, and sealing drops him with a new data key."""
    project = sops_shop(tmp_path, "alice")
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
    project.done("seal", "prod")
    document = project.object("app")
    enc = document["sops"]["age"][0]["enc"]
    if place == "block":
        document["sops"][kind] = [OTHER_READERS[kind]]
    else:
        document["sops"]["key_groups"] = [{"age": document["sops"].pop("age"), kind: [OTHER_READERS[kind]]}]
    project.write(MANIFEST, yaml.safe_dump(document, sort_keys=False))
    checked = project.ksecret("check").out
    assert re.search(rf"app is encrypted for {kind} \S+, not declared \[recipients-changed\]", checked)
    key = {"SOPS_AGE_KEY": age("alice").identity}
    opened = project.ksecret("render", "prod", "--decrypt", **key)
    assert opened.code == 0 and re.search(rf"warning: .*app is encrypted for {kind} ", opened.err)
    sealed = project.ksecret("seal", "prod", **key)
    assert sealed.code == 0 and f"app is no longer encrypted for {kind} " in sealed.err
    after = project.object("app")
    assert kind not in after["sops"] and after["sops"]["age"][0]["enc"] != enc
    assert set(ciphertext(project).values()).isdisjoint(document["data"].values())
    assert opened_by_sops(project.manifest("app"), "alice") == {"token": b"the token", "password": b"the password"}


@pytest.mark.parametrize("target", [".git/hooks", ".git", ".GIT/hooks"])
def test_no_path_leads_into_gits_own_folder(tmp_path: Path, target: str) -> None:
    """A pull request may commit `manifests` as a link to the hooks, which would run what is written there."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    if target == ".GIT/hooks" and not (project.root / target).exists():
        shutil.copytree(project.root / ".git" / "hooks", project.root / target)  # as a file system without case has it
    folder = project.root / "overlays/prod/secrets/manifests"
    shutil.rmtree(folder)
    folder.symlink_to(f"../../../{target}")
    hooks = sorted(path.name for path in (project.root / ".git" / "hooks").iterdir())
    for command in (["render", "prod"], ["render", "--write"], ["seal", "prod"], ["seal", "prod", "--reseal"]):
        done = project.untrusting(*command)
        assert (done.code, done.out) == (2, "")
        assert "lies in Git's own folder" in done.err
    assert sorted(path.name for path in (project.root / ".git" / "hooks").iterdir()) == hooks


@pytest.mark.parametrize("field", ["declarations", "certificate", "dotenv"])
def test_no_field_names_what_is_gits_own(tmp_path: Path, field: str) -> None:
    """Its configuration may hold a token; nothing of it is read or quoted."""
    project = shop(tmp_path)
    project.git("config", "url.https://token@example.org.insteadOf", "https://example.org")
    path = "../../../.git/config"
    backend = {"sealedSecret": {"certificate": path if field == "certificate" else "sealing.pem"}}
    source = {"dotenv": {"file": path if field == "dotenv" else "../../../.env"}}
    declarations = [path if field == "declarations" else "../../../generators"]
    project.overlay("prod", backend, declarations=declarations, source=source)
    done = project.ksecret("seal", "prod")
    assert done.code == 2 and ".git/config lies in Git's own folder" in done.err and "token@" not in done.err


def test_what_another_program_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """As Git does in a merge while a password manager asks for its passphrase: nothing at all is written then."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.commit()
    script = project.write("vault.sh", f'echo "# by another program" >> {project.manifest("app")}; printf new\n')
    project.sealed_overlay(source={"command": {"arguments": ["sh", str(script), "{name}"]}})
    project.done("render", "--write")
    before = project.files()
    done = project.ksecret("seal", "prod", "app/token")
    assert done.code == 3 and "app.yaml was changed by another program; nothing is written" in done.err
    assert project.changed_since(before) == {MANIFEST}
    assert project.manifest("app").read_text().endswith("# by another program\n")
    assert ciphertext(project)["token"] in before[MANIFEST].decode()


@pytest.mark.parametrize(
    ("written", "in_go"),
    [
        ("1h", "1h0m0s"),
        ("90m", "1h30m0s"),
        ("1.5h", "1h30m0s"),
        ("24h", "24h0m0s"),
        ("1h0m0s", "1h0m0s"),
        ("1m", "1m0s"),
        ("61s", "1m1s"),
        ("1.5s", "1.5s"),
        ("1500ms", "1.5s"),
        ("500ms", "500ms"),
        ("100us", "100µs"),
        ("1.0000000019s", "1.000000001s"),
        ("7ns", "7ns"),
        ("0", "0s"),
        ("0s", "0s"),
    ],
)
def test_durations_are_written_as_go_prints_them(written: str, in_go: str) -> None:
    """The values are those of time.ParseDuration and Duration.String of Go 1.24."""
    assert in_go_form(written) == in_go
