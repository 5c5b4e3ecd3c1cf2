"""`kubectl ksecret seal` with SOPS: data key, recipients and untouched values; opened by the real sops."""

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from .peers import peer, run
from .projects import (
    DOTENV,
    OLD,
    Project,
    age,
    ciphertext,
    let_time_pass,
    opened_by_sops,
    record,
    secret_manifest,
    sops_shop,
)


def test_sops_opens_what_was_sealed_for_each_recipient(tmp_path: Path) -> None:
    """The values lie encrypted under data; the record has the fingerprint of the recipients."""
    project = sops_shop(tmp_path, "alice", "bob")
    project.done("seal", "prod")
    for person in ("alice", "bob"):
        expected = {"token": b"the token", "password": b"the password"}
        assert opened_by_sops(project.manifest("app"), person) == expected
    assert all(text.startswith("ENC[AES256_GCM,") for text in ciphertext(project).values())


def test_a_sops_file_keeps_data_key_and_untouched_values_where_an_identity_is_at_hand(tmp_path: Path) -> None:
    """Only the addressed value, the MAC, its time and the key's record change."""
    project = sops_shop(tmp_path, "alice")
    project.done("seal", "prod")
    let_time_pass(project)
    old = project.object("app")
    project.write(".env", "TOKEN=new\nPASSWORD=x\n")
    project.done("seal", "prod", "app/token", SOPS_AGE_KEY=age("alice").identity)
    new = project.object("app")
    assert opened_by_sops(project.manifest("app"), "alice") == {"token": b"new", "password": b"the password"}
    assert new["data"]["password"] == old["data"]["password"]
    assert new["data"]["token"] != old["data"]["token"]
    assert new["sops"]["age"] == old["sops"]["age"]
    assert record(project).count(OLD) == 1


def test_resealing_the_same_value_with_sops_leaves_its_ciphertext(tmp_path: Path) -> None:
    """An identity shows that nothing changed, so the diff is the record's line alone."""
    project = sops_shop(tmp_path, "alice")
    project.done("seal", "prod")
    let_time_pass(project)
    project.commit()
    project.done("seal", "prod", "app/token", SOPS_AGE_KEY=age("alice").identity)
    assert project.git("diff", "--numstat") == "1\t1\toverlays/prod/secrets/manifests/app.yaml\n"


def test_without_an_identity_a_sops_file_is_encrypted_anew_from_all_values(tmp_path: Path) -> None:
    """One value is not enough then, and it is said which others are needed."""
    project = sops_shop(tmp_path, "alice")
    project.done("seal", "prod")
    old = project.object("app")
    done = project.ksecret("seal", "prod", "app/token", "--from-stdin", stdin="new")
    assert done.code == 2
    assert "app/password is needed too: no age identity opens overlays/prod/secrets/manifests/app.yaml" in done.err
    assert project.object("app") == old
    project.write(".env", "TOKEN=new\nPASSWORD=new too\n")
    project.done("seal", "prod", "app/token")
    assert opened_by_sops(project.manifest("app"), "alice") == {"token": b"new", "password": b"new too"}
    assert project.object("app")["sops"]["age"] != old["sops"]["age"]


def test_sops_files_that_need_no_value_are_left_alone_without_an_identity(tmp_path: Path) -> None:
    """Twice sealed, no byte changed."""
    project = sops_shop(tmp_path, "alice")
    project.done("seal", "prod")
    before = project.files()
    assert "kept 2 keys" in project.done("seal", "prod")
    assert project.changed_since(before) == set()


@pytest.mark.parametrize("identity", [True, False], ids=["with identity", "without"])
@pytest.mark.parametrize(
    ("before", "after"),
    [(["alice"], ["alice", "bob"]), (["alice"], ["bob"]), (["alice", "bob"], ["alice"])],
    ids=["added", "swapped", "removed"],
)
def test_other_recipients_read_what_is_sealed_next(
    tmp_path: Path, before: list[str], after: list[str], identity: bool
) -> None:
    """Once accepted; an added one gets the data key, and when anybody leaves there is a new one."""
    project = sops_shop(tmp_path, *before)
    project.done("seal", "prod")
    old = project.object("app")
    project.sops_overlay(*after)
    identities = {"SOPS_AGE_KEY": age("alice").identity} if identity else {}
    done = project.untrusting("seal", "prod", **identities)
    assert (done.code, project.object("app")) == (2, old)
    accept = re.findall(r"--accept (age1\S+)", done.err)
    assert set(accept) == {age(person).recipient for person in (set(after) - set(before) or after)}
    options = [option for recipient in accept for option in ("--accept", recipient)]
    assert project.untrusting("seal", "prod", *options, **identities).code == 0
    for person in after:
        assert opened_by_sops(project.manifest("app"), person) == {"token": b"the token", "password": b"the password"}
    stays = identity and set(before) <= set(after)
    assert (project.object("app")["data"] == old["data"]) is stays
    assert (project.object("app")["sops"]["age"][0] == old["sops"]["age"][0]) is stays
    with pytest.raises(AssertionError):
        opened_by_sops(project.manifest("app"), next(iter({"alice", "bob"} - set(after)), "carol"))
    assert "kept 2 keys" in project.done("seal", "prod", **identities)


def test_a_key_that_is_no_longer_declared_leaves_a_sops_file_too(tmp_path: Path) -> None:
    """With an identity, the others as they are; without, from all values that are left."""
    project = sops_shop(tmp_path, "alice")
    project.declare("app", {"token": {}, "password": {}, "surplus": {}})
    project.write(".env", "TOKEN=a\nPASSWORD=b\nSURPLUS=c\n")
    project.done("seal", "prod")
    old = ciphertext(project)
    project.declare("app", {"token": {}, "password": {}})
    project.done("seal", "prod", SOPS_AGE_KEY=age("alice").identity)
    assert ciphertext(project) == {"token": old["token"], "password": old["password"]}
    project.declare("app", {"token": {}})
    project.done("seal", "prod")
    assert opened_by_sops(project.manifest("app"), "alice") == {"token": b"a"}


def test_what_sops_set_changed_is_kept(tmp_path: Path) -> None:
    """The real sops changes one value and adds another; the next seal keeps both and writes its own form."""
    project = sops_shop(tmp_path, "alice")
    project.done("seal", "prod")
    by_sops = (peer("sops"), "set", project.manifest("app"))
    identity = {"SOPS_AGE_KEY": age("alice").identity}
    for key, value in (("token", b"by sops"), ("added", b"added by sops")):
        run(*by_sops, f'["data"]["{key}"]', json.dumps(b64encode(value).decode()), env=project.environment | identity)
    project.declare("app", {"token": {}, "password": {}, "added": {}})
    project.done("seal", "prod", **identity)
    expected = {"token": b"by sops", "password": b"the password", "added": b"added by sops"}
    assert opened_by_sops(project.manifest("app"), "alice") == expected
    assert project.ksecret("render", "prod").code == 0


def test_what_stands_in_string_data_is_told_and_taken_over(tmp_path: Path) -> None:
    """A file that the real sops encrypted: no value is lost, and none goes before a checked one unseen."""
    project = sops_shop(tmp_path, "alice")
    given = {"stringData": {"token": "by hand", "surplus": "x"}, "data": {"password": b64encode(b"old").decode()}}
    plain = project.write("plain.yaml", yaml.safe_dump(secret_manifest("app", **given)))
    options = ("--age", age("alice").recipient, "--encrypted-regex", "^(data|stringData)$")
    project.write("overlays/prod/secrets/manifests/app.yaml", run(peer("sops"), "encrypt", *options, plain))
    done = project.ksecret("render", "prod")
    assert (done.code, done.err.count("stands in stringData, which goes before data")) == (1, 2)
    assert "metadata.namespace of app is not the declared one" in done.err
    assert "--write" not in done.err  # the MAC of sops covers the metadata: only sealing mends them
    project.done("seal", "prod", "app/password", SOPS_AGE_KEY=age("alice").identity)
    expected = {"token": b"by hand", "password": b"the password"}
    assert opened_by_sops(project.manifest("app"), "alice") == expected
    assert project.ksecret("render", "prod").code == 0


def test_a_tampered_sops_file_is_not_added_to(tmp_path: Path) -> None:
    """Values of two keys that were exchanged are noticed before a new one stands beside them."""
    project = sops_shop(tmp_path, "alice")
    project.done("seal", "prod")
    data = ciphertext(project)
    text = project.manifest("app").read_text()
    swapped = text.replace(data["token"], "\0").replace(data["password"], data["token"]).replace("\0", data["password"])
    project.manifest("app").write_text(swapped)
    done = project.ksecret("seal", "prod", "app/token", SOPS_AGE_KEY=age("alice").identity)
    assert (done.code, "was changed after it was encrypted" in done.err) == (3, True)
    assert project.manifest("app").read_text() == swapped


def sops_rules(project: Project, *rules: dict[str, Any], folder: str = "") -> None:
    project.write(f"{folder}.sops.yaml", yaml.safe_dump({"creation_rules": list(rules)}))


def test_the_first_creation_rule_that_fits_gives_the_recipients(tmp_path: Path) -> None:
    """path_regex is looked for in the path from the folder of .sops.yaml; a nearer .sops.yaml hides one above."""
    project = sops_shop(tmp_path)
    project.overlay("prod", {"sops": {}}, **DOTENV)
    project.overlay("eu", {"sops": {}}, **DOTENV)
    sops_rules(
        project,
        {"path_regex": "^secrets/", "age": age("carol").recipient},
        {
            "path_regex": r"^overlays/(prod|eu)/secrets/.*\.yaml$",
            "age": f"{age('alice').recipient}, {age('bob').recipient}",
        },
        {"age": age("carol").recipient},
    )
    sops_rules(project, {"path_regex": "^secrets/manifests/app", "age": [age("dave").recipient]}, folder="overlays/eu/")
    project.done("seal")
    recipients = {name: [e["recipient"] for e in project.object("app", name)["sops"]["age"]] for name in ("prod", "eu")}
    assert recipients == {"prod": [age("alice").recipient, age("bob").recipient], "eu": [age("dave").recipient]}
    assert opened_by_sops(project.manifest("app", "eu"), "dave") == {"token": b"the token", "password": b"the password"}


def test_the_creation_rules_give_what_sops_itself_would_take(tmp_path: Path) -> None:
    """The real sops, asked to encrypt a file of the same path, chooses the same recipients."""
    project = sops_shop(tmp_path)
    project.overlay("prod", {"sops": {}}, **DOTENV)
    sops_rules(
        project,
        {"path_regex": "overlays/test", "age": age("carol").recipient},
        {"path_regex": "prod/.*app", "key_groups": [{"age": [age("bob").recipient]}]},
    )
    project.done("seal", "prod")
    project.write("overlays/prod/secrets/manifests/app2.yaml", "a: b\n")
    by_sops = run(peer("sops"), "encrypt", "overlays/prod/secrets/manifests/app2.yaml", folder=project.root)
    chosen = [entry["recipient"] for entry in yaml.safe_load(by_sops)["sops"]["age"]]
    assert [entry["recipient"] for entry in project.object("app")["sops"]["age"]] == chosen == [age("bob").recipient]


CREATION_RULES: dict[str, tuple[list[str], list[dict[str, Any]], str]] = {
    "conflict": (["alice"], [{"age": age("bob").recipient}], "the recipients are not those of .sops.yaml:2:1"),
    "none fits": ([], [{"path_regex": "nowhere", "age": age("bob").recipient}], "no age recipient is declared for app"),
    "no rules": ([], [], "no age recipient is declared for app"),
    "another key": ([], [{"kms": "arn:aws:kms:x", "age": age("bob").recipient}], "the creation rule names keys of kms"),
    "groups": (
        [],
        [{"key_groups": [{"age": [age("bob").recipient]}, {"age": [age("alice").recipient]}]}],
        "several key groups, which are not supported",
    ),
    "pattern": ([], [{"path_regex": "(", "age": age("bob").recipient}], "path_regex is not a regular expression of Go"),
    "recipient": ([], [{"age": "age1wrong"}], "not an age recipient"),
}


@pytest.mark.parametrize("case", CREATION_RULES)
def test_creation_rules_that_give_no_sure_recipient_are_an_error(tmp_path: Path, case: str) -> None:
    """Nothing is encrypted for a guess."""
    declared, rules, message = CREATION_RULES[case]
    project = sops_shop(tmp_path, *declared)
    sops_rules(project, *rules)
    done = project.ksecret("seal", "prod")
    assert (done.code, done.out, message in done.err, done.err.count("\n") <= 2) == (2, "", True, True)
    assert not project.manifest("app").exists()


def test_the_same_recipients_in_both_places_are_no_conflict(tmp_path: Path) -> None:
    """Whatever their order."""
    project = sops_shop(tmp_path, "alice", "bob")
    sops_rules(project, {"age": [age("bob").recipient, age("alice").recipient]})
    project.done("seal", "prod")
    assert opened_by_sops(project.manifest("app"), "bob")["token"] == b"the token"
