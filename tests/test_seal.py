"""`kubectl ksecret seal`: where values come from, what is sealed, what stays as it is, and what is refused."""

import json
import os
import re
import shutil
import subprocess
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from .peers import ROOT, peer, run
from .projects import COMMAND, DOTENV, Project, age, opened_by_kubeseal, opened_by_sops, sealing, secret_manifest

RECORD = "ksecret.dev/sealed-keys"
OLD = "2020-01-01T00:00:00Z"


def shop(folder: Path, values: str = "TOKEN=the token\nPASSWORD=the password\n") -> Project:
    """A Secret `app` of two keys, an overlay `prod` of SealedSecrets, and the values in .env."""
    project = Project(folder)
    project.declare("app", {"token": {}, "password": {}})
    project.sealed_overlay()
    project.write(".env", values)
    return project


def sops_shop(folder: Path, *people: str) -> Project:
    """The same, encrypted with SOPS for these people."""
    project = shop(folder)
    project.sops_overlay(*people)
    return project


def let_time_pass(project: Project, secret: str = "app") -> None:
    """All keys of a Secret were sealed long ago."""
    path = project.manifest(secret)
    path.write_text(re.sub(r"time=\S+", f"time={OLD}", path.read_text()))


def ciphertext(project: Project, secret: str = "app") -> dict[str, str]:
    """What a committed file holds of each key."""
    found = project.object(secret)
    return dict(found["data"] if found["kind"] == "Secret" else found["spec"]["encryptedData"])


def record(project: Project, secret: str = "app") -> str:
    return str(project.object(secret)["metadata"]["annotations"][RECORD])


# Sources


def test_a_dotenv_value_is_literal(tmp_path: Path) -> None:
    """Nothing is interpolated or unescaped; one pair of quotes and the blanks around it go."""
    lines = {
        "plain": ("plain=a b#c", "a b#c"),
        "equals": ("EQUALS = a=b=", "a=b="),
        "dollar": ("export DOLLAR=$HOME${X}`x`", "$HOME${X}`x`"),
        "double": ('DOUBLE=" a\\n "  ', " a\\n "),
        "single": ("SINGLE='it's'\r", "it's"),
        "empty": ("EMPTY=", ""),
        "half": ('HALF="', '"'),
        "unicode": ("UNICODE=pässwörd 🔑", "pässwörd 🔑"),
    }
    project = Project(tmp_path)
    project.declare("app", {name: {} for name in lines})
    project.sealed_overlay()
    content = "\ufeff# a comment\n\n" + "\n".join(line for line, _ in lines.values()).replace("plain=", "PLAIN=")
    project.write(".env", content)
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {name: said.encode() for name, (_, said) in lines.items()}


def test_an_overlays_pattern_gives_the_name_of_the_variable(tmp_path: Path) -> None:
    """jwt-secret-key with the suffix -prod is JWT_SECRET_KEY_PROD; an override stands as it is."""
    project = Project(tmp_path)
    project.declare("app", {"jwt": {"remoteName": "jwt-secret-key"}, "other": {}})
    overrides = {"app": {"keys": {"other": {"remoteName": "an-other"}}}}
    source = {"names": "{remoteName}-prod", "environment": {}}
    project.sealed_overlay(source=source, overrides=overrides)
    project.done("seal", "prod", JWT_SECRET_KEY_PROD="one", AN_OTHER="two", OTHER_PROD="wrong")
    assert opened_by_kubeseal(project.manifest("app")) == {"jwt": b"one", "other": b"two"}


def test_an_environment_variable_may_hold_any_bytes(tmp_path: Path) -> None:
    """What is no UTF-8 is sealed as it is."""
    project = shop(tmp_path)
    project.sealed_overlay(source={"environment": {}})
    project.done("seal", "prod", TOKEN=os.fsdecode(b"\xff\xfe\n"), PASSWORD="")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"\xff\xfe\n", "password": b""}


def test_a_command_prints_one_value_a_call(tmp_path: Path) -> None:
    """Its arguments are a list, {name} is filled in, and one newline at the end goes."""
    project = shop(tmp_path)
    program = project.write("vault.sh", '#!/bin/sh\nprintf "%s|" "$@" && printf "\\\\n\\\\n"\n')
    program.chmod(0o755)
    arguments = [str(program), "get", "two words", "path={name}/value"]
    project.sealed_overlay(source={"names": "prod/{remoteName}", "command": {"arguments": arguments}})
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {
        "token": b"get|two words|path=prod/token/value|\n",
        "password": b"get|two words|path=prod/password/value|\n",
    }


def test_every_command_that_fails_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    """Exit code 3, the name and the exit code; the command's own standard error is shown as it is."""
    project = shop(tmp_path)
    arguments = ["sh", "-c", "echo locked >&2; exit 7", "{name}"]
    project.sealed_overlay(source={"command": {"arguments": arguments}})
    before = project.files()
    done = project.ksecret("seal", "prod")
    assert (done.code, done.out, done.err.count("locked\n")) == (3, "", 2)
    for name in ("token", "password"):
        assert f": sh failed for {name} with exit code 7\n" in done.err
    assert project.changed_since(before) == set()


def test_secret_manifests_give_values_by_name_and_key(tmp_path: Path) -> None:
    """data, stringData (which goes first, as in the API server), a List, null for an empty value; in one go."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}, "both": {}, "nothing": {}})
    project.declare("other", {"binary": {}})
    project.sealed_overlay()
    data = {"both": "b25l", "nothing": None}
    listed = [
        secret_manifest("app", data=data, stringData={"token": "läng\nand more\n", "both": "two"}),
        secret_manifest("other", data={"binary": b64encode(b"\x00\xff").decode()}),
    ]
    project.write("secrets.yaml", yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": listed}))
    project.done("seal", "prod", "-f", "secrets.yaml")
    assert opened_by_kubeseal(project.manifest("app")) == {
        "token": "läng\nand more\n".encode(),
        "both": b"two",
        "nothing": b"",
    }
    assert opened_by_kubeseal(project.manifest("other")) == {"binary": b"\x00\xff"}


def test_what_is_given_and_not_declared_is_named_and_left_out(tmp_path: Path) -> None:
    """So is what is declared and not given."""
    project = shop(tmp_path)
    given = yaml.safe_dump_all(
        [secret_manifest("app", stringData={"token": "a", "surplus": "b"}), secret_manifest("old", data={"x": "eA=="})]
    )
    out = project.done("seal", "prod", "-f", "-", stdin=given)
    assert "prod: not sealed, nothing gives a value for\n  app/password\n" in out
    assert "prod: left out, not declared here\n  app/surplus\n  old/x\n" in out
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"a"}
    assert not project.manifest("old").exists()


def test_only_what_was_given_is_said_to_be_kept(tmp_path: Path) -> None:
    """A value for one key leaves the others alone without a word about them."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    out = project.done("seal", "prod", "app/token", "--from-stdin", stdin="new")
    assert out == "prod: sealed\n  app/token\nprod: wrote\n  overlays/prod/secrets/manifests/app.yaml\n"
    out = project.done("seal", "prod", "-f", "-", stdin=json.dumps(secret_manifest("app", stringData={"token": "b"})))
    assert out.startswith("prod: kept 1 key as sealed: the values have no versions")


NOT_GIVEN = {
    "another kind": ("{kind: ConfigMap, metadata: {name: app}}", "expected Secrets, found another kind of object"),
    "nothing": ("", "expected Secrets, found nothing"),
    "a number": (
        "{kind: Secret, metadata: {name: app}, data: {token: 1234}}",
        "data of app/token is not base64",
    ),
    "a number as text": (
        "{kind: Secret, metadata: {name: app}, stringData: {token: 12}}",
        "stringData of app/token is not a string",
    ),
    "binary": (
        "{kind: Secret, metadata: {name: app}, data: {token: !!binary YQ==}}",
        "data of app/token is not base64",
    ),
    "no base64": ("{kind: Secret, metadata: {name: app}, data: {token: ä}}", "data of app/token is not base64"),
    "two of one name": (
        "{kind: List, items: [{kind: Secret, metadata: {name: app, namespace: a}, data: {token: YQ==}},"
        " {kind: Secret, metadata: {name: app, namespace: b}, data: {token: Yg==}}]}",
        "the Secret app stands here twice",
    ),
}


@pytest.mark.parametrize("case", NOT_GIVEN)
def test_a_manifest_that_gives_no_sure_value_is_refused(tmp_path: Path, case: str) -> None:
    """YAML's number 1234 is no text, and of Secrets of two namespaces nobody knows which is meant."""
    content, said = NOT_GIVEN[case]
    project = shop(tmp_path)
    before = project.files()
    done = project.ksecret("seal", "prod", "-f", "-", stdin=content)
    assert (done.code, done.out, done.err.splitlines()[0]) == (2, "", f"error: standard input: {said}")
    assert project.changed_since(before) == set()


def test_standard_input_is_one_value_less_one_newline(tmp_path: Path) -> None:
    """Of several lines, and of any bytes."""
    project = shop(tmp_path)
    project.done("seal", "prod", "app/token", "--from-stdin", stdin=b"\xff\n\n\n")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"\xff\n\n"}


@pytest.mark.parametrize("addresses", [[], ["app"], ["app/token", "app/password"]])
def test_a_value_from_standard_input_needs_one_addressed_key(tmp_path: Path, addresses: list[str]) -> None:
    """It could not be told which key it is for."""
    done = shop(tmp_path).ksecret("seal", "prod", *addresses, "--from-stdin", stdin="x")
    assert (done.code, "name it as SECRET/KEY" in done.err) == (2, True)


def test_the_prompt_shows_nothing_of_what_is_typed(tmp_path: Path) -> None:
    """On a terminal the value is asked for, and what stands on the screen is the question."""
    project = shop(tmp_path)
    done = project.on_terminal("seal", "prod", "app/token", "--from-stdin", typed="tÿped-välue\n".encode())
    assert done.code == 0
    assert done.out.startswith("Value of app/token: \r\n")
    assert "ped" not in done.out
    assert opened_by_kubeseal(project.manifest("app")) == {"token": "tÿped-välue".encode()}


def test_what_is_typed_must_be_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are told without showing them."""
    done = shop(tmp_path).on_terminal("seal", "prod", "app/token", "--from-stdin", typed=b"caf\xe9\n")
    assert (done.code, "caf" in done.out) == (2, False)
    assert done.out.endswith("error: what was typed is not UTF-8\r\nhint: pipe the value in\r\n")


def test_another_source_may_be_named_and_lie_outside_of_the_project(tmp_path: Path) -> None:
    """What the user types is trusted; the overlay's pattern of names still holds."""
    project = shop(tmp_path)
    project.sealed_overlay(source={"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": "https://v.example"}})
    outside = tmp_path / "outside.env"
    outside.write_text("TOKEN_PROD=a\nPASSWORD_PROD=b\n")
    project.done("seal", "prod", "--source", f"dotenv={outside}")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"a", "password": b"b"}
    project.done("seal", "prod", "app", "--source", "environment", TOKEN_PROD="c", PASSWORD_PROD="d")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"c", "password": b"d"}


def test_a_dotenv_file_may_come_out_of_a_pipe(tmp_path: Path) -> None:
    """As in `--source dotenv=<(pass show env)`: no file on a disk at all."""
    project = shop(tmp_path)
    read, write = os.pipe()
    os.write(write, b"TOKEN=a\nPASSWORD=b\n")
    os.close(write)
    command = [COMMAND, "seal", "prod", "--source", f"dotenv=/dev/fd/{read}"]
    subprocess.run(command, cwd=project.root, env=project.environment, pass_fds=[read], check=True, capture_output=True)
    os.close(read)
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"a", "password": b"b"}


def test_two_keys_that_come_to_one_name_in_the_other_source_are_refused(tmp_path: Path) -> None:
    """a.b and a-b are two names in a vault and one variable: it is not guessed whose value that is."""
    project = Project(tmp_path)
    project.declare("app", {"a.b": {}, "a-b": {}})
    project.sealed_overlay(source={"azureKeyVault": {"vaultUrl": "https://v.example"}})
    done = project.ksecret("seal", "prod", "--source", "environment", A_B="value")
    assert done.code == 2
    assert "app/a-b and app/a.b read one name, A_B, in one source" in done.err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--source", "dotenv"], 2, "expected dotenv=FILE or environment"),
        (["--source", "dotenv=no.env"], 2, "error: no.env: No such file or directory"),
        (["--source", "environment", "-f", "-"], 2, "exclude each other"),
        (["-f", "no.yaml"], 2, "error: no.yaml: No such file or directory"),
        (["ap/token"], 2, 'overlay prod has no Secret ap\nhint: did you mean "app"?'),
        (["app/tokem"], 2, 'app has no key tokem in prod\nhint: did you mean "token"?'),
        (["app/token", "-f", "given.yaml"], 2, "app/token is not in what was given"),
    ],
)
def test_wrong_usage_is_told_with_its_hint(tmp_path: Path, options: list[str], code: int, said: str) -> None:
    """And nothing is written."""
    project = shop(tmp_path)
    project.write("given.yaml", json.dumps(secret_manifest("app", stringData={"password": "x"})))
    before = project.files()
    done = project.ksecret("seal", "prod", *options)
    assert (done.code, done.out, said in done.err) == (code, "", True)
    assert project.changed_since(before) == set()


def test_without_a_source_it_is_said_how_to_give_values(tmp_path: Path) -> None:
    """An overlay needs no source if values are piped in; Key Vault is not read by this version."""
    project = shop(tmp_path)
    project.overlay("prod", {"sealedSecret": {"certificate": "sealing.pem"}})
    done = project.ksecret("seal", "prod")
    assert (done.code, "overlay prod has no source\nhint: set spec.source, name one with --source" in done.err) == (
        2,
        True,
    )
    project.sealed_overlay(source={"azureKeyVault": {"vaultUrl": "https://v.example"}})
    done = project.ksecret("seal", "prod")
    assert (done.code, "this version can't read Azure Key Vault\nhint: name another source" in done.err) == (3, True)


def test_several_overlays_are_sealed_in_one_call(tmp_path: Path) -> None:
    """Those of External Secrets Operator have nothing to seal; addresses need one overlay."""
    project = shop(tmp_path)
    project.sops_overlay("alice", name="eu")
    project.overlay(
        "test",
        {"externalSecret": {"store": {"name": "store"}}},
        source={"azureKeyVault": {"vaultUrl": "https://v.example"}},
    )
    done = project.ksecret("seal", "overlays", "app/token")
    assert (done.code, "addresses go with one overlay\nhint: name one of: eu, prod\n" in done.err) == (2, True)
    project.done("seal")
    expected = {"token": b"the token", "password": b"the password"}
    assert (
        opened_by_kubeseal(project.manifest("app"))
        == opened_by_sops(project.manifest("app", "eu"), "alice")
        == expected
    )
    done = project.ksecret("seal", "test")
    assert (done.code, "overlay test has nothing to seal" in done.err) == (2, True)


def test_a_dotenv_file_that_git_tracks_is_refused(tmp_path: Path) -> None:
    """Plaintext in a commit is plaintext for good; the hint says what to do."""
    project = shop(tmp_path)
    project.git("add", ".env")
    for options in ([], ["--source", "dotenv=.env"]):
        done = project.ksecret("seal", "prod", *options)
        assert (done.code, ".env is tracked by Git\nhint: git rm --cached .env, add it" in done.err) == (2, True)
    assert not project.manifest("app").exists()
    project.git("rm", "--quiet", "--cached", ".env")
    project.done("seal", "prod")


def test_a_dotenv_file_is_not_taken_for_another_that_git_tracks(tmp_path: Path) -> None:
    """[e]nv is a name here, not a pattern that fits the tracked file e."""
    project = shop(tmp_path)
    project.write("e", "tracked")
    project.git("add", "e")
    project.write("[e]", "TOKEN=a\nPASSWORD=b\n")
    project.done("seal", "prod", "--source", "dotenv=[e]")


def test_where_git_can_not_tell_nothing_is_sealed(tmp_path: Path) -> None:
    """A repository that git refuses to read may well hold the file."""
    project = shop(tmp_path)
    project.write(".git/index", "no index")
    done = project.ksecret("seal", "prod")
    assert (done.code, "Git can't tell whether it tracks .env" in done.err) == (3, True)
    assert not project.manifest("app").exists()


def test_all_missing_names_are_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    """Exit code 3, since the source lacks them."""
    project = shop(tmp_path, "PASSWORD=x\n")
    project.declare("other", {"one": {}, "two": {}})
    before = project.files()
    done = project.ksecret("seal", "prod")
    assert (done.code, done.out) == (3, "")
    assert done.err == "".join(f"error: .env has no {name}\n" for name in ("ONE", "TOKEN", "TWO"))
    assert project.changed_since(before) == set()


# Values


def test_every_broken_rule_is_named_before_anything_is_written(tmp_path: Path) -> None:
    """By Secret, key and rule, at the rule's own line; lengths count bytes, and a template's inputs count too."""
    project = Project(tmp_path)
    project.declare(
        "app",
        {
            "short": {"rules": {"minLength": 5}},
            "long": {"rules": {"maxLength": 3}},
            "made": {"template": "{{ part }}!", "rules": {"maxLength": 2}},
            "right": {"rules": {"minLength": 4, "maxLength": 4}},
        },
        inputs={"part": {"rules": {"minLength": 9}}},
    )
    project.sealed_overlay()
    project.write(".env", "SHORT=1234\nLONG=1234\nPART=12\nRIGHT=ää\n")
    before = project.files()
    done = project.ksecret("seal", "prod")
    assert (done.code, done.out) == (2, "")
    assert sorted(line.partition(": the value of ")[2] for line in done.err.splitlines()) == [
        "app/long breaks maxLength: 3",
        "app/made breaks maxLength: 2",
        "app/part breaks minLength: 9",
        "app/short breaks minLength: 5",
    ]
    assert "error: generators/app.yaml:9:20: the value of app/short" in done.err
    assert project.changed_since(before) == set()


def test_templates_are_resolved_when_sealing(tmp_path: Path) -> None:
    """From keys, inputs, parameters and other templates; urlencode leaves only what RFC 3986 leaves."""
    project = Project(tmp_path)
    project.declare(
        "app",
        {
            "user": {},
            "login": {"template": "{{ user }}:{{ password | urlencode }}"},
            "url": {"template": "mongodb://{{ login }}@{{ parameters.host }}/?a={{parameters.host|urlencode}}&b={c}"},
        },
        inputs={"password": {}},
    )
    project.sealed_overlay(parameters={"host": "db:27017"})
    project.write(".env", "USER=app\nPASSWORD=p@s/ ß+~-._\n")
    project.done("seal", "prod")
    encoded = "p%40s%2F%20%C3%9F%2B~-._"
    assert opened_by_kubeseal(project.manifest("app")) == {
        "user": b"app",
        "login": f"app:{encoded}".encode(),
        "url": f"mongodb://app:{encoded}@db:27017/?a=db%3A27017&b={{c}}".encode(),
    }


def test_a_property_is_taken_out_of_a_json_value_and_base64_is_decoded(tmp_path: Path) -> None:
    """By a path, or by a name that holds a dot; a number as its digits; the decoded value may be any bytes."""
    project = Project(tmp_path)
    remote = {"remoteName": "all"}
    project.declare(
        "app",
        {
            "deep": remote | {"property": "db.password"},
            "dotted": remote | {"property": "db.host"},
            "port": remote | {"property": "port"},
            "tls": remote | {"property": "tls"},
            "logo": remote | {"property": "logo", "encoding": "base64"},
            "plain": {"encoding": "base64"},
        },
    )
    project.sealed_overlay()
    said = {"db": {"password": 'pä"ss'}, "db.host": "h", "port": 6379, "tls": True, "logo": "/wD\n/"}
    project.write(".env", f"ALL={json.dumps(said)}\nPLAIN=AAE=\n")
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {
        "deep": 'pä"ss'.encode(),
        "dotted": b"h",
        "port": b"6379",
        "tls": b"true",
        "logo": b"\xff\x00\xff",
        "plain": b"\x00\x01",
    }


@pytest.mark.parametrize(
    ("value", "key", "said"),
    [
        ("{", {"property": "a"}, "X is not JSON, so it has no property a"),
        ("[" * 100_000, {"property": "a"}, "X is not JSON, so it has no property a"),
        ('{"b": 1}', {"property": "a"}, "X has no property a"),
        ('["a"]', {"property": "a"}, "X has no property a"),
        ('{"a": {"c": 1}}', {"property": "a"}, "X has no text as its property a"),
        ('{"a": null}', {"property": "a"}, "X has no property a"),
        ('{"a": "\\ud800"}', {"property": "a"}, "X has no valid text as its property a"),
        ("YQ=", {"encoding": "base64"}, "X is not base64"),
        ('{"a": "%"}', {"property": "a", "encoding": "base64"}, "X is not base64"),
    ],
    ids=range(9),
)
def test_a_value_of_another_form_is_told_without_showing_it(
    tmp_path: Path, value: str, key: dict[str, Any], said: str
) -> None:
    """By address, name in the source and what was expected; exit code 2."""
    project = Project(tmp_path)
    project.declare("app", {"x": key})
    project.sealed_overlay()
    project.write(".env", f"X={value}\n")
    done = project.ksecret("seal", "prod")
    assert (done.code, done.err) == (2, f"error: generators/app.yaml:8:7: app/x: {said}\n")


def test_a_shared_value_is_read_once_and_sealed_in_both_places(tmp_path: Path) -> None:
    """`from` means the same value under the same rules."""
    project = Project(tmp_path)
    project.declare("redis", {"password": {"rules": {"minLength": 3}}})
    project.declare("app", {"redis-password": {"from": "redis/password"}})
    calls = tmp_path / "calls"
    arguments = ["sh", "-c", 'echo "$1" >> "$2"; echo value', "sh", "{name}", str(calls)]
    project.sealed_overlay(source={"command": {"arguments": arguments}})
    project.done("seal", "prod")
    assert calls.read_text() == "password\n"
    assert opened_by_kubeseal(project.manifest("app")) == {"redis-password": b"value"}
    assert opened_by_kubeseal(project.manifest("redis")) == {"password": b"value"}
    project.sealed_overlay(source={"environment": {}})
    done = project.ksecret("seal", "prod", "app", PASSWORD="ab")
    assert (done.code, "the value of app/redis-password breaks minLength: 3" in done.err) == (2, True)


# What is sealed, and what stays


def test_sealing_twice_changes_no_byte(tmp_path: Path) -> None:
    """It is said how many keys were kept, and why."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    before = project.files()
    kept = "prod: kept 2 keys as sealed: the values have no versions, so nobody can tell whether they changed; "
    assert project.done("seal", "prod") == f"{kept}address them, or use --reseal\n"
    assert project.changed_since(before) == set()


def test_an_addressed_value_changes_its_entry_and_its_line_of_the_record_alone(tmp_path: Path) -> None:
    """Two lines of one file in the diff, whatever the neighbours are."""
    project = Project(tmp_path)
    project.declare("app", {key: {} for key in "abc"})
    project.declare("other", {"d": {}})
    project.sealed_overlay()
    project.write(".env", "A=1\nB=2\nC=3\nD=4\n")
    project.done("seal", "prod")
    let_time_pass(project)
    project.commit()
    old = ciphertext(project)
    project.write(".env", "A=x\nB=new\nC=x\nD=x\n")
    assert project.done("seal", "prod", "app/b").startswith("prod: sealed\n  app/b\nprod: wrote\n")
    assert project.git("diff", "--numstat") == "2\t2\toverlays/prod/secrets/manifests/app.yaml\n"
    changed = [line for line in project.git("diff", "-U0").splitlines() if re.match("[-+] ", line)]
    assert [line.split("=")[0].strip() for line in changed[:2]] == ["-        time", "+        time"]
    assert changed[2:] == [f"-      {old['b']}", f"+      {ciphertext(project)['b']}"]
    assert opened_by_kubeseal(project.manifest("app")) == {"a": b"1", "b": b"new", "c": b"3"}


def test_two_branches_that_seal_neighbouring_keys_merge_without_conflict(tmp_path: Path) -> None:
    """Both new values are in what git made of them, and kubeseal opens them."""
    project = Project(tmp_path)
    project.declare("app", {key: {} for key in "abcd"})
    project.sealed_overlay()
    project.write(".env", "A=1\nB=2\nC=3\nD=4\n")
    project.done("seal", "prod")
    let_time_pass(project)
    project.commit()
    for branch, key in (("one", "b"), ("two", "c")):
        project.git("switch", "--quiet", "--create", branch, "main")
        project.done("seal", "prod", f"app/{key}", "--from-stdin", stdin=f"of branch {branch}")
        project.commit()
    project.git("merge", "--quiet", "--no-edit", "one")
    assert opened_by_kubeseal(project.manifest("app")) == {
        "a": b"1",
        "b": b"of branch one",
        "c": b"of branch two",
        "d": b"4",
    }
    assert record(project).count(OLD) == 2
    assert project.ksecret("render", "prod").code == 0


def test_resealing_seals_all_or_what_is_addressed_anew(tmp_path: Path) -> None:
    """A source without versions can't say that a value changed; the user can."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    old = ciphertext(project)
    project.write(".env", "TOKEN=new token\nPASSWORD=new password\n")
    project.done("seal", "prod", "app/token", "--reseal")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"new token", "password": b"the password"}
    assert ciphertext(project)["password"] == old["password"]
    project.done("seal", "prod", "--reseal")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"new token", "password": b"new password"}


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(tmp_path: Path) -> None:
    """Values are read and checked all the same."""
    project = shop(tmp_path)
    before = project.files()
    out = project.done("seal", "prod", "--dry-run")
    assert out.startswith("prod: would seal\n  app/password\n  app/token\nprod: would write\n")
    assert project.changed_since(before) == set()
    project.write(".env", "TOKEN=x\n")
    assert project.ksecret("seal", "prod", "--dry-run").code == 3


def test_a_changed_template_is_sealed_anew_unasked(tmp_path: Path) -> None:
    """The record knows a digest of its text and parameters; other keys stay."""
    project = Project(tmp_path)
    project.declare("app", {"pw": {}, "url": {"template": "{{ parameters.host }}/{{ pw }}"}})
    project.sealed_overlay(parameters={"host": "old", "unused": "x"})
    project.write(".env", "PW=secret\n")
    project.done("seal", "prod")
    old = ciphertext(project)
    project.sealed_overlay(parameters={"host": "old", "unused": "y"})
    assert "kept 2 keys" in project.done("seal", "prod")
    project.sealed_overlay(parameters={"host": "new", "unused": "y"})
    assert project.done("seal", "prod").startswith("prod: sealed\n  app/url\nprod: wrote\n")
    assert opened_by_kubeseal(project.manifest("app")) == {"pw": b"secret", "url": b"new/secret"}
    assert ciphertext(project)["pw"] == old["pw"]


@pytest.mark.parametrize("change", ["namespace", "scope", "renamed"])
def test_what_no_controller_could_open_any_more_is_sealed_anew(tmp_path: Path, change: str) -> None:
    """A ciphertext is bound to its namespace, scope and name."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.write(".env", "TOKEN=new\nPASSWORD=new\n")
    if change == "namespace":
        project.sealed_overlay(namespace="elsewhere")
    elif change == "scope":
        project.sealed_overlay(scope="cluster-wide")
    else:
        text = project.manifest("app").read_text()
        project.manifest("app").write_text(text.replace("name: app\n", "name: another\n"))
    assert project.ksecret("render", "prod").code == 1
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"new", "password": b"new"}
    assert project.ksecret("render", "prod").code == 0


@pytest.mark.parametrize("command", [["seal", "prod"], ["render", "--write"]])
def test_a_key_that_is_no_longer_declared_is_dropped(tmp_path: Path, command: list[str]) -> None:
    """From the ciphertext and from the record; what stays keeps its bytes, and no value is needed."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    old = ciphertext(project)
    project.declare("app", {"token": {}})
    project.done(*command)
    assert ciphertext(project) == {"token": old["token"]}
    assert "password" not in project.manifest("app").read_text()


@pytest.mark.parametrize("command", [["seal", "prod"], ["render", "--write"]])
def test_type_labels_and_template_are_mended_without_touching_ciphertext(tmp_path: Path, command: list[str]) -> None:
    """Offline, and without any value: the source is gone."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    old, recorded = ciphertext(project), record(project)
    labels, annotations = {"team": "checkout"}, {"example.org/a": "b"}
    project.declare("app", {"token": {}, "password": {}}, type="example.org/t", labels=labels, annotations=annotations)
    project.overlay(
        "prod",
        {"sealedSecret": {"certificate": "sealing.pem", "metadata": {"annotations": {"example.org/wave": "1"}}}},
    )
    if command[0] == "render":
        (project.root / ".env").unlink()
        project.write("overlays/prod/secrets/sealing.pem", "gone")
    project.done(*command)
    found = project.object("app")
    template = {"metadata": {"labels": labels, "annotations": annotations}, "type": "example.org/t"}
    assert found["spec"] == {"encryptedData": old, "template": template}
    assert found["metadata"]["annotations"] == {"example.org/wave": "1", RECORD: recorded}
    assert project.ksecret("render", "prod").code == 0


def test_what_kubeseal_made_is_taken_over(tmp_path: Path) -> None:
    """A committed SealedSecret without a record keeps its ciphertext; what is missing is added."""
    project = shop(tmp_path)
    plain = secret_manifest("app", stringData={"token": "by kubeseal"})
    plain["metadata"]["namespace"] = "shop-prod"
    cert = project.root / "overlays/prod/secrets/sealing.pem"
    by_kubeseal = run(peer("kubeseal"), "--cert", cert, "-o", "yaml", input=json.dumps(plain))
    project.write("overlays/prod/secrets/manifests/app.yaml", by_kubeseal)
    assert "prod: sealed\n  app/password\n" in project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"by kubeseal", "password": b"the password"}


def test_a_secret_may_be_called_kustomization(tmp_path: Path) -> None:
    """Its file has another name than the kustomization beside it, and both build."""
    project = Project(tmp_path)
    project.declare("kustomization", {"token": {}})
    project.sealed_overlay()
    project.write(".env", "TOKEN=value\n")
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("_kustomization")) == {"token": b"value"}
    before = project.files()
    project.done("seal", "prod")
    assert project.changed_since(before) == set()
    built = yaml.safe_load(run(peer("kustomize"), "build", project.root / "overlays/prod/secrets"))
    assert built["metadata"]["name"] == "kustomization"


def test_the_sample_is_sealed_from_an_empty_manifests_folder(tmp_path: Path) -> None:
    """As after `init` and a lost cluster: every declared key, kubeseal opens it, and kustomize builds it."""
    project = Project(tmp_path)
    for name in ("generators", "overlays"):
        shutil.copytree(ROOT / name, project.root / name)
    shutil.rmtree(project.root / "overlays/prod/secrets/manifests")
    project.write("overlays/prod/secrets/sealing.pem", sealing(1).certificate)
    names = ["JWT_SECRET_KEY", "ALIBABA_DASHSCOPE_API_KEY", "MONGODB_CONNECTION_STRING", "ALPACA_API_KEY"]
    names += ["ALPACA_SECRET_KEY", "ALPHA_VANTAGE_API_KEY", "REDIS_PASSWORD"]
    project.write(
        ".env.prod", "".join(f"{name}_PROD=mongodb://value-of-{name.lower()}-long-enough\n" for name in names)
    )
    project.done("seal", "prod", "--source", "dotenv=.env.prod")
    assert opened_by_kubeseal(project.manifest("redis-auth")) == {
        "password": b"mongodb://value-of-redis_password-long-enough"
    }
    assert set(opened_by_kubeseal(project.manifest("backend-secrets"))) == {
        "jwt-secret",
        "dashscope-api-key",
        "mongodb-url",
        "alpaca-api-key",
        "alpaca-secret-key",
        "alpha-vantage-api-key",
    }
    built = list(yaml.safe_load_all(run(peer("kustomize"), "build", project.root / "overlays/prod")))
    sealed = {found["metadata"]["name"] for found in built if found["kind"] == "SealedSecret"}
    assert sealed == {"backend-secrets", "redis-auth"}


def test_the_record_says_when_and_by_what_and_nothing_of_the_value(tmp_path: Path) -> None:
    """Two values of one length and two of different lengths leave the same record but for the time."""
    project = shop(tmp_path, "TOKEN=short\nPASSWORD=" + "long " * 50)
    project.done("seal", "prod")
    lines = record(project).splitlines()
    assert lines[0::2] == ["password:", "token:"]
    found = re.fullmatch(r"  time=(\S+) by=(SHA256:\S{43})", lines[1])
    assert found is not None
    assert abs(datetime.fromisoformat(found[1]) - datetime.now(UTC)).total_seconds() < 60
    assert lines[3].split()[1] == f"by={found[2]}"


def test_the_progress_of_many_keys_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    """A bar that reaches 100 % on standard error; in a pipe there is none."""
    project = Project(tmp_path)
    for number in range(10):
        project.declare(f"part-{number}", {f"key-{number}-{each}": {} for each in range(10)})
    project.sealed_overlay()
    project.write(".env", "".join(f"KEY_{one}_{two}=x\n" for one in range(10) for two in range(10)))
    done = project.on_terminal("seal", "prod")
    assert done.code == 0
    assert re.search(r"sealing  \[#+-+\] +40%", done.out)
    assert re.search(r"sealing  \[#+\] +100%", done.out)
    assert "sealing" not in project.done("seal", "prod", "--reseal")


# A swapped certificate


def test_a_swapped_certificate_catches_no_value_until_it_is_accepted(tmp_path: Path) -> None:
    """The hint names it; accepted, it seals what is addressed, and the rest stays for the old one."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.sealed_overlay(number=2)
    before = project.files()
    done = project.ksecret("seal", "prod", "app/token")
    assert (done.code, done.out) == (2, "")
    assert "the certificate is another one than that of the sealed values\n" in done.err
    assert project.changed_since(before) == set()
    accept = re.search(r"--accept (SHA256:\S{43})\n", done.err)
    assert accept is not None
    assert project.ksecret("seal", "prod", "app/token", "--accept", "SHA256:" + "A" * 43).code == 2
    project.done("seal", "prod", "app/token", "--accept", accept[1])
    assert f"token:\n  time={record(project).splitlines()[3].split('time=')[1]}" in record(project)
    assert record(project).count(accept[1]) == 1
    # Neither key opens both: each value is for the certificate of its own line.
    with pytest.raises(AssertionError, match=r"no key could decrypt secret \(token\)"):
        opened_by_kubeseal(project.manifest("app"), 1)
    with pytest.raises(AssertionError, match=r"no key could decrypt secret \(password\)"):
        opened_by_kubeseal(project.manifest("app"), 2)
    project.done("seal", "prod", "--reseal")
    assert opened_by_kubeseal(project.manifest("app"), 2) == {"token": b"the token", "password": b"the password"}


def test_no_command_runs_and_no_value_is_read_for_a_swapped_certificate(tmp_path: Path) -> None:
    """It is refused before the source is opened."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.sealed_overlay(number=2, source={"command": {"arguments": ["touch", "{name}"]}})
    assert project.ksecret("seal", "prod", "--reseal").code == 2
    assert not (project.root / "token").exists()


# SOPS


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
    ("before", "after", "accept"),
    [
        (["alice"], ["alice", "bob"], "bob"),
        (["alice"], ["bob"], "bob"),
        (["alice", "bob"], ["alice"], "the set"),
    ],
    ids=["added", "swapped", "removed"],
)
def test_other_recipients_catch_no_value_until_they_are_accepted(
    tmp_path: Path, before: list[str], after: list[str], accept: str, identity: bool
) -> None:
    """An added one by its name, a removed one by the set that is left; a new data key when anybody leaves."""
    project = sops_shop(tmp_path, *before)
    project.done("seal", "prod")
    old = project.object("app")
    project.sops_overlay(*after)
    known = {"SOPS_AGE_KEY": age("alice").identity} if identity else {}
    done = project.ksecret("seal", "prod", **known)
    assert (done.code, project.object("app")) == (2, old)
    assert "the recipients of app are others than those of the sealed values\n" in done.err
    hint = re.search(r"add --accept (\S+)\n", done.err)
    assert hint is not None
    assert hint[1] == age("bob").recipient if accept == "bob" else hint[1].startswith("SHA256:")
    project.done("seal", "prod", "--accept", hint[1], **known)
    for person in after:
        assert opened_by_sops(project.manifest("app"), person) == {"token": b"the token", "password": b"the password"}
    kept = identity and set(before) <= set(after)
    assert (project.object("app")["data"] == old["data"]) is kept
    assert (project.object("app")["sops"]["age"][0] == old["sops"]["age"][0]) is kept
    with pytest.raises(AssertionError):
        opened_by_sops(project.manifest("app"), next(iter({"alice", "bob"} - set(after)), "carol"))
    assert "kept 2 keys" in project.done("seal", "prod", **known)


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
    known = {"SOPS_AGE_KEY": age("alice").identity}
    for key, value in (("token", b"by sops"), ("added", b"added by sops")):
        run(*by_sops, f'["data"]["{key}"]', json.dumps(b64encode(value).decode()), env=project.environment | known)
    project.declare("app", {"token": {}, "password": {}, "added": {}})
    project.done("seal", "prod", **known)
    expected = {"token": b"by sops", "password": b"the password", "added": b"added by sops"}
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
    assert recipients == {
        "prod": [age("alice").recipient, age("bob").recipient],
        "eu": [age("dave").recipient],
    }
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
    "another key": ([], [{"kms": "arn:aws:kms:x", "age": age("bob").recipient}], "the creation rule names other keys"),
    "groups": (
        [],
        [{"key_groups": [{"age": [age("bob").recipient]}, {"age": [age("alice").recipient]}]}],
        "several key groups are not supported",
    ),
    "pattern": ([], [{"path_regex": "(", "age": age("bob").recipient}], "path_regex is not a regular expression of Go"),
    "recipient": ([], [{"age": "age1wrong"}], "not an age recipient"),
}


@pytest.mark.parametrize("case", CREATION_RULES)
def test_creation_rules_that_give_no_sure_recipient_are_an_error(tmp_path: Path, case: str) -> None:
    """Nothing is encrypted for a guess."""
    declared, rules, said = CREATION_RULES[case]
    project = sops_shop(tmp_path, *declared)
    sops_rules(project, *rules)
    done = project.ksecret("seal", "prod")
    assert (done.code, done.out, said in done.err, done.err.count("\n") <= 2) == (2, "", True, True)
    assert not project.manifest("app").exists()


def test_the_same_recipients_in_both_places_are_no_conflict(tmp_path: Path) -> None:
    """Whatever their order."""
    project = sops_shop(tmp_path, "alice", "bob")
    sops_rules(project, {"age": [age("bob").recipient, age("alice").recipient]})
    project.done("seal", "prod")
    assert opened_by_sops(project.manifest("app"), "bob")["token"] == b"the token"


# Plain text out


def opening(project: Project) -> list[list[str]]:
    """The two commands that print plain values, on a project where both work."""
    project.sops_overlay("alice", name="eu")
    project.done("seal")
    project.write("key.pem", sealing(1).private_key)
    project.environment["SOPS_AGE_KEY"] = age("alice").identity
    unseal = ["unseal", "overlays/prod/secrets/manifests/app.yaml", "--private-key", "key.pem"]
    return [unseal, ["render", "eu", "--decrypt"]]


def test_plain_values_go_into_a_pipe_and_nowhere_else(tmp_path: Path) -> None:
    """A regular file and a terminal are refused; the terminal not, when it is asked for."""
    project = shop(tmp_path)
    token = b64encode(b"the token").decode()
    for command in opening(project):
        assert yaml.safe_load(project.done(*command))["data"]["token"] == token
        assert json.loads(project.done(*command, "-o", "json"))["items"][0]["data"]["token"] == token
        with (tmp_path / "out").open("wb") as file:
            done = subprocess.run(
                [COMMAND, *command],
                cwd=project.root,
                env=project.environment,
                stdout=file,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert (done.returncode, (tmp_path / "out").read_bytes()) == (2, b"")
        assert b"plain values are never written to a file" in done.stderr
        on_screen = project.on_terminal(*command)
        assert (on_screen.code, token in on_screen.out) == (2, False)
        assert "plain values are not shown on a terminal" in on_screen.out
        allowed = project.on_terminal(*command, "--allow-terminal")
        assert (allowed.code, token in allowed.out) == (0, True)


def test_decrypting_needs_an_identity_and_whole_files(tmp_path: Path) -> None:
    """All files that can't be opened are told, and nothing is printed of the others."""
    project = sops_shop(tmp_path, "alice")
    project.declare("other", {"one": {}})
    project.write(".env", "TOKEN=a\nPASSWORD=b\nONE=c\n")
    project.done("seal", "prod")
    done = project.ksecret("render", "prod", "--decrypt")
    assert (done.code, done.out, done.err.count("no age identity at hand opens it")) == (3, "", 2)
    text = project.manifest("other").read_text()
    project.manifest("other").write_text(text.replace("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AAAA"))
    done = project.ksecret("render", "prod", "--decrypt", SOPS_AGE_KEY=age("alice").identity)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: overlays/prod/secrets/manifests/other.yaml:")
    project.sealed_overlay()
    done = project.ksecret("render", "prod", "--decrypt")
    assert (done.code, "overlay prod has nothing that SOPS encrypted" in done.err) == (2, True)


def test_decrypted_secrets_are_those_that_were_sealed(tmp_path: Path) -> None:
    """With name, namespace, type and labels, and without the sops block: what `kubectl apply` takes."""
    project = sops_shop(tmp_path, "alice")
    project.declare("app", {"token": {}, "password": {}}, type="example.org/t", labels={"a": "b"})
    project.done("seal", "prod")
    found = yaml.safe_load(project.done("render", "prod", "--decrypt", SOPS_AGE_KEY=age("alice").identity))
    values = {key: b64decode(text) for key, text in found.pop("data").items()}
    assert values == {"token": b"the token", "password": b"the password"}
    assert found["metadata"].pop("annotations").keys() == {RECORD}
    assert found == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "app", "namespace": "shop-prod", "labels": {"a": "b"}},
        "type": "example.org/t",
    }
