"""Where `kubectl ksecret seal` takes values from, and how they become what the Secret holds."""

import json
import os
import re
import subprocess
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubectl_ksecret.errors import InputError
from kubectl_ksecret.sources import secretfile
from kubectl_ksecret.sources.dotenv import open_file
from kubectl_ksecret.sources.dotenvlines import written

from .forkserver import COMMAND
from .projects import Project, opened_by_kubeseal, opened_by_sops, secret_manifest, shop


def test_a_dotenv_value_is_literal(tmp_path: Path) -> None:
    """Of quotes one pair goes, and nothing is interpolated or unescaped; a file of Windows has no other values."""
    lines = {
        "plain": ("plain=a b+c", "a b+c"),
        "equals": ("EQUALS = a=b=", "a=b="),
        "dollar": ("export DOLLAR='$HOME`x`#\\n'", "$HOME`x`#\\n"),
        "double": ('DOUBLE=" it\'s # "  ', " it's # "),
        "single": ("SINGLE='it is'\r", "it is"),
        "empty": ("EMPTY=", ""),
        "unicode": ("UNICODE=pässwörd🔑", "pässwörd🔑"),
    }
    project = Project(tmp_path)
    project.declare("app", {name: {"rules": {"minLength": 0}} for name in lines})
    project.sealed_overlay()
    content = "\ufeff# a comment\n\n" + "\n".join(line for line, _ in lines.values()).replace("plain=", "PLAIN=")
    project.write(".env", content)
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {name: value.encode() for name, (_, value) in lines.items()}


_QUOTE = "put it between single quotes; where it holds one, ${ or a backslash too, declare encoding: base64"
_ENCODE = "declare encoding: base64 for the key, and give it what base64 -w0 FILE prints"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('A="s3cret" # rotated in May', "text behind the closing quote", "a comment goes on a line of its own"),
        ("A=s3cret # rotated in May", "readers of dotenv files take this value in different ways", _QUOTE),
        ("A=s3cret#1", "readers of dotenv files take this value in different ways", _QUOTE),
        ("A=$HOME", "readers of dotenv files take this value in different ways", _QUOTE),
        ('A="$HOME"', "readers of dotenv files take this value in different ways", _QUOTE),
        ("A='${HOME}'", "readers of dotenv files take this value in different ways", _QUOTE),
        ('A="a\\nb"', "readers of dotenv files take this value in different ways", _QUOTE),
        ("A=it's", "readers of dotenv files take this value in different ways", _QUOTE),
        ("A=`s3cret`", "readers of dotenv files take this value in different ways", _QUOTE),
        ("A=~/s3cret", "readers of dotenv files take this value in different ways", _QUOTE),
        ("export A=s3 cret", "readers of dotenv files take this value in different ways", _QUOTE),
        ("A='s3cret", "a quote that is not closed in its line", _QUOTE),
        ("A=s3\u00a0cret", "a control character, or a blank that some readers drop", _ENCODE),
        (
            'A="line one\nline two"',
            "a value over several lines, which readers of dotenv files take in different ways",
            _ENCODE,
        ),
        (
            "A=-----BEGIN X-----\nAAAA\n-----END X-----",
            "a value over several lines, which readers of dotenv files take in different ways",
            _ENCODE,
        ),
        ("s3cret", "expected NAME=value", "a name has letters, digits and _, and does not begin with a digit"),
        ("1A=s3cret", "expected NAME=value", "a name has letters, digits and _, and does not begin with a digit"),
        ("A: s3cret", "expected NAME=value", "a name has letters, digits and _, and does not begin with a digit"),
    ],
)
def test_what_readers_of_dotenv_take_otherwise_is_refused(line: str, message: str, hint: str, tmp_path: Path) -> None:
    """With its line and the way out, once, and without a word of it; nothing is sealed."""
    project = shop(tmp_path, f"TOKEN=a\nPASSWORD=b\n{line}\nC=d\n")
    done = project.ksecret("seal", "prod")
    assert (done.code, done.out, done.err) == (2, "", f"error: .env:3:1: {message}\nhint: {hint}\n")
    assert not project.manifest("app").exists()


def test_a_dotenv_file_that_sops_encrypted_is_refused(tmp_path: Path) -> None:
    """The hint says how it is decrypted on the way."""
    project = shop(tmp_path, "TOKEN=ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]\nsops_mac=ENC[x]\n")
    done = project.ksecret("seal", "prod")
    hint = "decrypt it first, as in: kubectl ksecret seal OVERLAY --source dotenv=<(sops decrypt .env)"
    assert (done.code, done.err) == (2, f"error: .env is encrypted with SOPS\nhint: {hint}\n")


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
    project.done("seal", "prod", TOKEN=os.fsdecode(b"\xff\xfe\n"), PASSWORD="p")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"\xff\xfe\n", "password": b"p"}


def test_a_command_prints_one_value_a_call(tmp_path: Path) -> None:
    """Its arguments are a list, {name} is filled in, and one line end goes."""
    project = shop(tmp_path)
    program = project.write("vault.sh", '#!/bin/sh\nprintf "%s|" "$@" && printf "end\\\\r\\\\n"\n')
    program.chmod(0o755)
    arguments = [str(program), "get", "two words", "path={name}/value"]
    project.sealed_overlay(source={"names": "prod/{remoteName}", "command": {"arguments": arguments}})
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {
        "token": b"get|two words|path=prod/token/value|end",
        "password": b"get|two words|path=prod/password/value|end",
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
    project.declare("app", {"token": {}, "both": {}, "nothing": {"rules": {"minLength": 0}}})
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


def test_a_name_out_of_a_given_secret_can_not_move_the_cursor(tmp_path: Path) -> None:
    """Nor feign a line of its own: neither in what is left out nor in an error."""
    project = shop(tmp_path)
    evil = "a\x1b[2J\nprod: sealed"
    given = [secret_manifest("app", stringData={evil: "x", "token": "a"}), secret_manifest(evil, stringData={"b": "c"})]
    out = project.done("seal", "prod", "-f", "-", stdin=json.dumps({"kind": "List", "items": given}))
    assert "  a\\x1b[2J\\nprod: sealed/b\n  app/a\\x1b[2J\\nprod: sealed\n" in out
    for broken in (
        [secret_manifest(evil, data={evil: "%"})],
        [secret_manifest(evil, stringData={evil: [1]})],
        [secret_manifest(evil)] * 2,
    ):
        done = project.ksecret("seal", "prod", "-f", "-", stdin=json.dumps({"kind": "List", "items": broken}))
        assert (done.code, "\x1b" in done.err, "\nprod" in done.err) == (2, False, False)


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
    "an empty list": ("{kind: List, items: []}", "expected Secrets, found nothing"),
    "a list without items": ("{kind: List, items: 5}", "expected Secrets, found another kind of object"),
    "a number": ("{kind: Secret, metadata: {name: app}, data: {token: 1234}}", "data of app/token is not base64"),
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
    content, message = NOT_GIVEN[case]
    project = shop(tmp_path)
    before = project.files()
    done = project.ksecret("seal", "prod", "-f", "-", stdin=content)
    assert (done.code, done.out, done.err.splitlines()[0]) == (2, "", f"error: standard input: {message}")
    assert project.changed_since(before) == set()


def test_a_secret_of_another_namespace_is_not_sealed_unawares(tmp_path: Path) -> None:
    """One without a namespace, of the overlay's own, or not declared is fine; the hint leads a migration on."""
    project = shop(tmp_path)
    given = secret_manifest("app", stringData={"token": "a", "password": "b"})
    given["metadata"]["namespace"] = "shop-test"
    done = project.ksecret("seal", "prod", "-f", "-", stdin=yaml.safe_dump(given))
    assert (done.code, done.out, project.manifest("app").exists()) == (2, "", False)
    message, hint = done.err.splitlines()
    assert message == "error: standard input: the Secret app is of the namespace shop-test, not of shop-prod"
    (way,) = re.findall(r"sed '.*'", hint)
    without = subprocess.run(
        ["sh", "-c", way], input=yaml.safe_dump(given), text=True, capture_output=True, check=True
    ).stdout
    project.done("seal", "prod", "-f", "-", stdin=without)
    given["metadata"]["namespace"] = "shop-prod"
    other = secret_manifest("other", stringData={"x": "z"})
    other["metadata"]["namespace"] = "shop-test"
    project.done("seal", "prod", "-f", "-", stdin=yaml.safe_dump_all([given, other]))


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
    trusted = project.accepting("seal", "prod", "app/token", "--from-stdin")
    typed = "tÿped-välue\n".encode()
    done = project.on_terminal("seal", "prod", "app/token", "--from-stdin", typed=typed, **trusted)
    assert done.code == 0
    assert done.out.startswith("Value of app/token: \r\nThe same again: \r\n")
    assert "ped" not in done.out
    assert opened_by_kubeseal(project.manifest("app")) == {"token": "tÿped-välue".encode()}


def test_what_is_typed_must_be_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are told without showing them."""
    project = shop(tmp_path)
    trusted = project.accepting("seal", "prod", "app/token", "--from-stdin")
    done = project.on_terminal("seal", "prod", "app/token", "--from-stdin", typed=b"caf\xe9\n", **trusted)
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
    environment = project.environment | project.accepting("seal", "prod", "--source", "dotenv=.env")
    subprocess.run(command, cwd=project.root, env=environment, pass_fds=[read], check=True, capture_output=True)
    os.close(read)
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"a", "password": b"b"}


def test_two_keys_that_come_to_one_name_in_the_other_source_are_refused(tmp_path: Path) -> None:
    """a.b and a-b are two names of a command and one variable: it is not guessed whose value that is."""
    project = Project(tmp_path)
    project.declare("app", {"a.b": {}, "a-b": {}})
    project.sealed_overlay(source={"command": {"arguments": ["show", "{name}"]}})
    done = project.ksecret("seal", "prod", "--source", "environment", A_B="value")
    assert done.code == 2
    assert "app/a-b and app/a.b read one name, A_B, in one source" in done.err


@pytest.mark.parametrize(
    ("options", "code", "message"),
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
def test_wrong_usage_is_told_with_its_hint(tmp_path: Path, options: list[str], code: int, message: str) -> None:
    """And nothing is written."""
    project = shop(tmp_path)
    project.write("given.yaml", json.dumps(secret_manifest("app", stringData={"password": "x"})))
    before = project.files()
    done = project.ksecret("seal", "prod", *options)
    assert (done.code, done.out, message in done.err) == (code, "", True)
    assert project.changed_since(before) == set()


def test_without_a_source_it_is_said_how_to_give_values(tmp_path: Path) -> None:
    """An overlay needs no source if values are piped in."""
    project = shop(tmp_path)
    project.overlay("prod", {"sealedSecret": {"certificate": "sealing.pem"}})
    done = project.ksecret("seal", "prod")
    assert (done.code, "overlay prod has no source\nhint: set spec.source, name one with --source" in done.err) == (
        2,
        True,
    )


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


@pytest.mark.parametrize("fault", ["swapped", "broken", "given to another namespace"])
def test_an_overlay_that_can_not_be_sealed_stops_no_other(tmp_path: Path, fault: str) -> None:
    """Nothing is written for it, and the exit code is its own; the others go on."""
    project = shop(tmp_path)
    project.sealed_overlay("eu")
    project.sealed_overlay("us")
    project.done("seal")
    project.declare("app", {"token": {}, "password": {}, "new": {}})
    given = secret_manifest("app", stringData={"new": "x"})
    if fault == "swapped":
        project.sealed_overlay("prod", number=2)
    elif fault == "broken":
        project.write("overlays/prod/secrets/sealing.pem", "gone")
    else:
        given["metadata"]["namespace"] = "shop-eu"
    before = project.files()
    done = project.untrusting("seal", "-f", "-", stdin=json.dumps(given))
    sealed = {"eu"} if fault == "given to another namespace" else {"eu", "us"}
    assert done.code == 2 and done.err.startswith("error: ")
    assert project.changed_since(before) == {f"overlays/{name}/secrets/manifests/app.yaml" for name in sealed}


def test_a_dotenv_file_that_git_tracks_is_refused(tmp_path: Path) -> None:
    """Plaintext in a commit is plaintext for good; the hint says what to do."""
    project = shop(tmp_path)
    project.git("add", "--force", ".env")
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
    done = project.ksecret("seal", "prod", "--source", "dotenv=[e]")
    assert (done.code, done.err.splitlines()[0]) == (
        0,
        "warning: [e] is not ignored by Git: the next commit may hold it",
    )


def test_where_git_can_not_tell_nothing_is_sealed(tmp_path: Path) -> None:
    """A repository that git refuses to read may well hold the file."""
    project = shop(tmp_path)
    project.write(".git/index", "no index")
    done = project.ksecret("seal", "prod")
    assert (done.code, "Git can't tell whether it tracks .env" in done.err) == (3, True)
    assert not project.manifest("app").exists()


def test_without_git_itself_nothing_in_a_work_tree_is_sealed(tmp_path: Path) -> None:
    """Whether the file is tracked nobody knows then; one outside of any work tree is sealed all the same."""
    project = shop(tmp_path)
    done = project.ksecret("seal", "prod", PATH="/nowhere")
    assert (done.code, "git: No such file or directory\nhint: a dotenv file in a" in done.err) == (3, True)
    assert not project.manifest("app").exists()
    elsewhere = tmp_path / "values"
    elsewhere.write_text("TOKEN=a\nPASSWORD=b\n")
    assert project.ksecret("seal", "prod", "--source", f"dotenv={elsewhere}", PATH="/nowhere").code == 0


def test_a_name_that_the_source_lacks_stops_no_other_key(tmp_path: Path) -> None:
    """Each is named with its key, what was meant, and else the command that sets it; exit code 3."""
    project = shop(tmp_path, "PASSWORD=x\nONCE=y\nZWEI=z\n")
    project.declare("other", {"one": {}, "two": {"generate": {"length": 20}}})
    done = project.ksecret("seal", "prod")
    assert done.code == 3
    sealed, missing = "prod: sealed\n  app/password\n", "  app/token\n  other/one\n  other/two\n"
    assert done.out.startswith(f"{sealed}prod: not sealed, nothing gives a value for\n{missing}")
    assert done.err == (
        "error: generators/app.yaml:7:12: app/token is read from TOKEN, which .env does not have\n"
        "hint: set it: kubectl ksecret rotate prod app/token --from-stdin\n"
        "error: generators/other.yaml:7:10: other/one is read from ONE, which .env does not have\n"
        'hint: did you mean "ONCE"?\n'
        "error: generators/other.yaml:9:7: other/two is read from TWO, which .env does not have\n"
        "hint: make it: kubectl ksecret seal prod --generate-missing\n"
    )
    assert opened_by_kubeseal(project.manifest("app")) == {"password": b"x"}
    assert project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="the token").code == 0
    assert opened_by_kubeseal(project.manifest("app")) == {"password": b"x", "token": b"the token"}


def test_only_what_was_asked_for_counts_as_missing(tmp_path: Path) -> None:
    """Of an addressed key alone the source is told to lack something; the rest is listed."""
    project = shop(tmp_path, "PASSWORD=x\n")
    done = project.ksecret("seal", "prod", "app/password")
    assert (done.code, done.err) == (0, "")
    assert "not sealed, nothing gives a value for\n  app/token\n" in done.out
    assert project.ksecret("seal", "prod", "app/token").code == 3


def test_a_secret_of_a_known_type_is_sealed_whole_or_not_at_all(tmp_path: Path) -> None:
    """A certificate without its key is of no use; the other Secrets are sealed."""
    project = shop(tmp_path, "TOKEN=a\nPASSWORD=b\nUSERNAME=c\n")
    keys = {"username": {}, "password": {"remoteName": "basic-password"}}
    project.declare("login", keys, type="kubernetes.io/basic-auth")
    done = project.ksecret("seal", "prod")
    whole = "login stays as it is: a Secret of type kubernetes.io/basic-auth is sealed whole or not at all"
    assert (done.code, whole in done.err, project.manifest("login").exists()) == (3, True, False)
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"a", "password": b"b"}


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
    content = {"db": {"password": 'pä"ss'}, "db.host": "h", "port": 6379, "tls": True, "logo": "/wD\n/"}
    project.write(".env", f"ALL='{json.dumps(content)}'\nPLAIN=AAE=\n")
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
    ("value", "key", "message"),
    [
        ("{", {"property": "a"}, "X is not JSON, so it has no property a"),
        ("[" * 100_000, {"property": "a"}, "X is not JSON, so it has no property a"),
        ('{"a": null}', {"property": "a"}, "X has no text as its property a"),
        ('{"a": 1e999}', {"property": "a"}, "X has a number that is too large as its property a"),
        ('{"a": "\\ud800"}', {"property": "a"}, "X has no valid text as its property a"),
        ("YQ=", {"encoding": "base64"}, "X is not base64"),
        ('{"a": "%"}', {"property": "a", "encoding": "base64"}, "X is not base64"),
    ],
    ids=range(7),
)
def test_a_value_of_another_form_is_told_without_showing_it(
    tmp_path: Path, value: str, key: dict[str, Any], message: str
) -> None:
    """By address, name in the source and what was expected; exit code 2."""
    project = Project(tmp_path)
    project.declare("app", {"x": key})
    project.sealed_overlay()
    project.write(".env", f"X='{value}'\n")
    done = project.ksecret("seal", "prod")
    assert (done.code, done.err) == (2, f"error: generators/app.yaml:8:7: app/x: {message}\n")


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


# Any text


def dotenv(text: str) -> dict[str, bytes]:
    """What a dotenv file of this text holds of the names A and B."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / ".env"
        path.write_bytes(text.encode(errors="surrogatepass"))
        source = open_file(str(path))
        return {name: reading.value.reveal() for name, reading in source.read(source.versions(["A", "B"])).items()}


@settings(deadline=None)
@given(st.text(alphabet="AB=\"' \n\r\t#x\ufeff\ud800") | st.text())
def test_no_text_in_place_of_a_dotenv_file_does_harm(text: str) -> None:
    """It is read, or refused as wrong input."""
    try:
        dotenv(text)
    except InputError as error:
        assert error.exit_code == 2


@settings(deadline=None)
@given(st.text(alphabet="aB \t#'\"`$\\{}=~:;&*|()X") | st.text(st.characters(exclude_categories=["Cs"])))
@example("${X}")
@example("it's")
def test_a_value_that_is_written_into_a_dotenv_file_is_read_again(value: str) -> None:
    """By us as it was, where it can stand there at all."""
    text = written(value)
    assert text is None or dotenv(f"A={text}\nB=b") == {"A": value.encode(), "B": b"b"}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(alphabet="aB1#'\"`$\\{}=:~-;<>*?!@%+é", max_size=8), min_size=1, max_size=30))
@example(["a#b", "'$HOME'", '"a b"', "a:~", "'a\\'", "'a b'", "$HOME", '"\\"'])
def test_a_shell_takes_what_is_accepted_as_we_do(values: list[str]) -> None:
    """A line that is not refused assigns the same value when a shell reads the file."""
    accepted: dict[str, str] = {}
    for index, value in enumerate(values):
        try:
            accepted[f"V{index}"] = f"V{index}={value}" if dotenv(f"A={value}") else ""
        except InputError:
            continue
    text = "".join(f"{line}\n" for line in accepted.values())
    with TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        path.write_text(text)
        script = f". {path}; " + "".join(f'printf "%s\\0" "${name}"; ' for name in accepted)
        done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, cwd=folder)
        source = open_file(str(path))
        ours = {name: found.value.reveal() for name, found in source.read(source.versions(list(accepted))).items()}
    assert dict(zip(accepted, done.stdout.split(b"\0"), strict=False)) == ours


@settings(deadline=None)
@given(st.binary(), st.text(st.characters(exclude_categories=["Cs"])))
def test_every_value_can_stand_in_a_secret_manifest(content: bytes, text: str) -> None:
    """As base64, and as text in whatever style YAML and JSON write it."""
    manifest = secret_manifest("app", data={"a": b64encode(content).decode()}, stringData={"b": text})
    as_json = [json.dumps(manifest, ensure_ascii=ascii_only) for ascii_only in (True, False)]
    # With quotes: PyYAML leaves out those of y and 0E0, a boolean and a number to kubectl.
    for document in (yaml.safe_dump(manifest, default_style='"'), *as_json):
        values = secretfile.parse(document.encode(), "file").values["app"]
        assert {key: value.reveal() for key, value in values.items()} == {"a": content, "b": text.encode()}


fields = st.sampled_from(["kind", "metadata", "name", "items", "data", "stringData"]) | st.text()
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.dates() | st.text() | st.sampled_from(["Secret", "List", "YQ=="]),
    lambda below: st.lists(below) | st.dictionaries(fields, below),
    max_leaves=8,
)


@settings(deadline=None)
@given(anything | st.builds(lambda fields: {"kind": "Secret", **fields}, st.dictionaries(st.text(), anything)))
def test_no_document_in_place_of_a_secret_does_harm(document: object) -> None:
    """It is read, or refused as wrong input."""
    try:
        secretfile.parse(yaml.safe_dump(document, allow_unicode=True).encode(), "file")
    except InputError as error:
        assert error.exit_code == 2
