"""`kubectl ksecret rotate`: exactly one new value in the source, and every overlay that reads it sealed with it."""

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from .forkserver import COMMAND
from .keyvault import KeyVault
from .keyvault.faults import broken, cut, no_role, throttled
from .projects import Project, opened_by_kubeseal, opened_by_sops, shop

KILLS = 50
BATCHES = 5
VERSION = re.compile(r"(?:version|inputs=token)=([0-9a-f]{32})")


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """A vault with a first version of token-prod."""
    with KeyVault() as double:
        double.set("token-prod", "first", created_on=datetime(2024, 1, 1, tzinfo=UTC), tags={"team": "shop"})
        yield double


def rotating(folder: Path, vault: KeyVault, **fields: Any) -> Project:
    """Three overlays that read token-prod: directly, by `from` and by a template; `other` reads another name."""
    project = Project(folder)
    project.environment |= vault.environment
    project.declare("app", {"token": {"generate": {"length": 40}}, "url": {"template": "redis://:{{ token }}@r"}})
    project.declare("jobs", {"shared": {"from": "app/token"}})
    key_vault = {"vaultUrl": vault.url, **fields}
    source = {"names": "{remoteName}-prod", "azureKeyVault": key_vault}
    project.sealed_overlay(source=source)
    project.sops_overlay("bob", name="eu", source=source)
    project.overlay("aks", {"externalSecret": {"store": {"name": "store"}}}, source=source)
    project.sealed_overlay("other", source={"names": "{remoteName}-other", "azureKeyVault": key_vault})
    vault.set("token-other", "other")
    project.done("seal")
    return project


def held(project: Project) -> set[bytes]:
    """What the sealed manifests that read token-prod hold of it, as kubeseal and sops find it."""
    values = set()
    for opened in (
        [opened_by_kubeseal(project.manifest(name)) for name in ("app", "jobs")],
        [opened_by_sops(project.manifest(name, "eu"), "bob") for name in ("app", "jobs")],
    ):
        app, jobs = opened
        values |= {app["token"], jobs["shared"], app["url"].removeprefix(b"redis://:").removesuffix(b"@r")}
    return values


def journals(project: Project) -> list[Path]:
    """The journals of unfinished rotations."""
    return list((project.root / ".git" / "ksecret" / "rotations").glob("*"))


def test_one_new_value_reaches_every_overlay_that_reads_it(tmp_path: Path, vault: KeyVault) -> None:
    """Directly, by `from` and by a template; the plan and the next steps are told, and nothing is left behind."""
    project = rotating(tmp_path, vault, write={"expiresAfter": "90d", "tags": {"owner": "me"}, "contentType": "x"})
    other = project.manifest("app", "other").read_bytes()
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    assert (done.code, done.err) == (
        0,
        f"A new value for app/token: token-prod in {vault.url}\n"
        "eu: seal anew\n  app/token\n  app/url\n  jobs/shared\n"
        "prod: seal anew\n  app/token\n  app/url\n  jobs/shared\n"
        "aks: External Secrets Operator fetches it\n  app/token\n  app/url\n  jobs/shared\n",
    )
    assert done.out.splitlines()[0] == "token-prod: a new value"
    assert done.out.splitlines()[-4:] == [
        "  overlays/prod/secrets/manifests/jobs.yaml",
        "next: commit what was written, and let it be deployed",
        "next: aks has it within 1h; at once: kubectl ksecret sync aks app jobs",
        "next: restart what reads it through its environment",
    ]
    first, second = vault.versions("token-prod")
    assert re.fullmatch("[A-Za-z0-9]{40}", second.value)
    assert held(project) == {second.value.encode()}
    assert {"team": "shop", "owner": "me"}.items() <= second.tags.items()
    assert (second.content_type, second.expires_on and (second.expires_on - second.created_on).days) == ("x", 90)
    assert (first.value, journals(project)) == ("first", [])
    assert project.manifest("app", "other").read_bytes() == other
    assert project.done("seal").count("everything is sealed") == 3


def test_nothing_but_the_plan_is_sealed(tmp_path: Path, vault: KeyVault) -> None:
    """Neither another key that has changed in the source, nor one that is not sealed yet."""
    project = Project(tmp_path)
    project.environment |= vault.environment
    project.declare("app", {"token": {"generate": {"length": 40}}, "other": {}})
    project.sealed_overlay(source={"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": vault.url}})
    vault.set("other-prod", "old", created_on=datetime(2024, 1, 1, tzinfo=UTC))
    project.done("seal")
    vault.set("other-prod", "new")
    project.declare("app", {"token": {"generate": {"length": 40}}, "other": {}, "more": {}})
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    assert (done.code, done.out.splitlines()[:5]) == (
        0,
        [
            "token-prod: a new value",
            "prod: sealed",
            "  app/token",
            "prod: wrote",
            "  overlays/prod/secrets/manifests/app.yaml",
        ],
    )
    assert opened_by_kubeseal(project.manifest("app")) == {
        "token": vault.value("token-prod").encode(),
        "other": b"old",
    }


def test_a_given_value_is_taken_from_standard_input(tmp_path: Path, vault: KeyVault) -> None:
    """Less one newline at its end; content type and tags of the version before are kept."""
    project = rotating(tmp_path, vault)
    vault.update("token-prod", vault.versions("token-prod")[0].id, content_type="text/plain")
    assert project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="given\n").code == 0
    newest = vault.versions("token-prod")[-1]
    assert (newest.value, newest.content_type, newest.tags["team"]) == ("given", "text/plain", "shop")
    assert held(project) == {b"given"}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_rotation_killed_anywhere_is_finished_by_the_same_command(
    tmp_path: Path, vault: KeyVault, batch: int
) -> None:
    """Exactly one new version, and the source and all sealed manifests agree."""
    project = rotating(tmp_path, vault)
    rotate = ("rotate", "prod", "app/token", "--yes")
    begin = time.monotonic()
    project.ksecret(*rotate)
    duration = time.monotonic() - begin
    unfinished = 0
    for number in range(KILLS // BATCHES):
        before = len(vault.versions("token-prod"))
        with subprocess.Popen(
            [COMMAND, *rotate],
            cwd=project.root,
            env=project.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while number % 2 and process.poll() is None and not journals(project):
                pass  # every other time while the vault and the files are written
            time.sleep(random.uniform(0, duration / 4 if number % 2 else duration))
            process.kill()
        begun = journals(project) != []
        if begun or len(vault.versions("token-prod")) == before:
            unfinished += begun
            assert project.ksecret(*rotate).code == 0
        assert len(vault.versions("token-prod")) == before + 1, f"batch {batch}"
        assert held(project) == {vault.value("token-prod").encode()}
        assert set(VERSION.findall(project.manifest("app").read_text())) == {vault.versions("token-prod")[-1].id}
        assert journals(project) == []
    assert unfinished > 0


@pytest.mark.parametrize("fault", [cut("after"), cut("before"), broken(503), throttled(retry_after=0.01)])
def test_a_write_of_which_the_answer_is_lost_is_not_repeated(tmp_path: Path, vault: KeyVault, fault: Any) -> None:
    """Nor given up: the vault is asked whether the version is there."""
    project = rotating(tmp_path, vault)
    vault.faults.add(fault, "PUT /secrets/*", times=1)
    assert project.ksecret("rotate", "prod", "app/token", "--yes").code == 0
    assert len(vault.versions("token-prod")) == 2
    assert held(project) == {vault.value("token-prod").encode()}


def test_what_fails_after_the_write_is_finished_later(tmp_path: Path, vault: KeyVault) -> None:
    """The second run says that the value of the first one stands, and does not take another."""
    project = rotating(tmp_path, vault)
    before = project.files()
    fault = vault.faults.add(no_role(), "GET /secrets/token-prod")
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="one")
    assert (done.code, f"{vault.url}: no permission for token-prod (403)" in done.err, fault.count > 0) == (
        3,
        True,
        True,
    )
    assert (project.changed_since(before), len(journals(project))) == (set(), 1)
    assert done.err.endswith(
        "error: the rotation of token-prod is not finished\n"
        "hint: run the same command again: it finishes the rotation, with no second new value\n"
    )
    assert "one" not in journals(project)[0].read_text().split('"')
    vault.faults.clear()
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="two")
    assert (done.code, done.out.splitlines()[0]) == (1, "token-prod: the new value of an interrupted run stands")
    assert done.err.endswith(
        "error: the value that was given is not used: another one stood\n"
        "hint: run the same command again: it begins a new rotation\n"
    )
    assert [version.value for version in vault.versions("token-prod")] == ["first", "one"]
    assert (held(project), journals(project)) == ({b"one"}, [])
    assert project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="two").code == 0
    assert held(project) == {b"two"}


def test_the_same_value_given_again_finishes_well(tmp_path: Path, vault: KeyVault) -> None:
    """What stands is what was given."""
    project = rotating(tmp_path, vault)
    vault.faults.add(no_role(), "GET /secrets/token-prod")
    assert project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="one").code == 3
    vault.faults.clear()
    assert project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="one").code == 0
    assert [version.value for version in vault.versions("token-prod")] == ["first", "one"]


def test_an_interrupted_rotation_says_how_it_goes_on(tmp_path: Path, vault: KeyVault) -> None:
    """Ctrl-C while the vault takes its time: 130, and the next run finishes."""
    project = rotating(tmp_path, vault)
    vault.faults.latency = 0.5
    command = [COMMAND, "rotate", "prod", "app/token", "--yes"]
    with subprocess.Popen(command, cwd=project.root, env=project.environment, stderr=subprocess.PIPE) as process:
        while not journals(project) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        printed = process.stderr.read().decode()
    assert printed.endswith("hint: run the same command again: it finishes what has begun\n")
    assert process.returncode == 130
    vault.faults.clear()
    assert project.ksecret("rotate", "prod", "app/token", "--yes").code == 0
    assert (len(vault.versions("token-prod")), journals(project)) == (2, [])


def test_a_rotation_of_one_work_tree_is_finished_in_another(tmp_path: Path, vault: KeyVault) -> None:
    """Linked work trees have one journal, so there is one new version."""
    project = rotating(tmp_path, vault)
    project.commit()
    project.git("worktree", "add", "--quiet", "../linked")
    vault.faults.add(no_role(), "GET /secrets/token-prod")
    assert project.ksecret("rotate", "prod", "app/token", "--yes").code == 3
    vault.faults.clear()
    project.root = tmp_path / "linked"
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    assert (done.code, done.out.splitlines()[0]) == (0, "token-prod: the new value of an interrupted run stands")
    assert len(vault.versions("token-prod")) == 2


def test_an_empty_value_is_not_written_unless_it_is_declared(tmp_path: Path, vault: KeyVault) -> None:
    """It is what a variable that is not set gives."""
    project = rotating(tmp_path, vault)
    rotate = ("rotate", "prod", "app/token", "--from-stdin", "--yes")
    done = project.ksecret(*rotate, stdin="")
    message = "the new value of app/token is empty\nhint: declare rules: {minLength: 0}"
    assert (done.code, message in done.err) == (2, True)
    assert (len(vault.versions("token-prod")), journals(project)) == (1, [])
    project.declare("app", {"token": {"rules": {"minLength": 0}}, "url": {"template": "redis://:{{ token }}@r"}})
    assert project.ksecret(*rotate, stdin="").code == 0
    assert held(project) == {b""}


def test_what_the_operator_would_make_of_a_value_must_keep_its_rules(tmp_path: Path, vault: KeyVault) -> None:
    """It would spread what nobody can take back; nothing is written."""
    project = Project(tmp_path)
    project.environment |= vault.environment
    url = {"template": "redis://:{{ token }}@r", "rules": {"format": "redis-url"}}
    project.declare("app", {"token": {}, "url": url})
    source = {"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": vault.url}}
    project.overlay("aks", {"externalSecret": {"store": {"name": "store"}}}, source=source)
    done = project.ksecret("rotate", "aks", "app/token", "--from-stdin", "--yes", stdin="a/b")
    assert (done.code, "the value of app/url breaks format: redis-url" in done.err) == (2, True)
    assert (len(vault.versions("token-prod")), journals(project)) == (1, [])
    assert project.ksecret("rotate", "aks", "app/token", "--from-stdin", "--yes", stdin="a-b").code == 0


@pytest.mark.parametrize("expected", ["", "gitdir: ../gone/.git/worktrees/project\n", "gitdir: overlays\n", b"\xff\n"])
def test_a_git_folder_that_is_gone_takes_no_journal(tmp_path: Path, vault: KeyVault, expected: str | bytes) -> None:
    """It would lie in the work tree, or where another one has been."""
    project = rotating(tmp_path, vault)
    shutil.rmtree(project.root / ".git")
    project.write(".git", expected)
    before = set(tmp_path.rglob("*"))
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    assert (done.code, "error: rotate needs a Git work tree" in done.err) == (2, True)
    assert (set(tmp_path.rglob("*")), len(vault.versions("token-prod"))) == (before, 1)


@pytest.mark.parametrize("content", ["", "{}", '{"id": null}', '{"id": ""}', "[" * 100_000, b"\xff"], ids=range(6))
def test_a_journal_that_can_not_be_read_is_told(tmp_path: Path, vault: KeyVault, content: str | bytes) -> None:
    """What it was of may be done in part: nothing is written beside it."""
    project = rotating(tmp_path, vault)
    vault.faults.add(no_role(), "GET /secrets/token-prod")
    project.ksecret("rotate", "prod", "app/token", "--yes")
    vault.faults.clear()
    project.write(str(journals(project)[0].relative_to(project.root)), content)
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    assert (done.code, "not a rotation's journal\nhint: remove it if" in done.err) == (3, True)
    assert len(vault.versions("token-prod")) == 2


def test_an_unfinished_rotation_is_found_by_whatever_spelling_of_the_name(tmp_path: Path, vault: KeyVault) -> None:
    """Key Vault compares names without case: another overlay may write the one name in another way."""
    project = rotating(tmp_path, vault)
    source = {"names": "{remoteName}-PROD", "azureKeyVault": {"vaultUrl": vault.url}}
    project.overlay("aks", {"externalSecret": {"store": {"name": "store"}}}, source=source)
    vault.faults.add(no_role(), "GET /secrets/token-prod")
    assert project.ksecret("rotate", "prod", "app/token", "--yes").code == 3
    vault.faults.clear()
    assert "of an interrupted run stands" in project.ksecret("rotate", "aks", "app/token", "--yes").out
    assert (len(vault.versions("token-prod")), journals(project)) == (2, [])


def test_without_yes_it_is_asked_and_where_nobody_can_answer_refused(tmp_path: Path, vault: KeyVault) -> None:
    """The plan is shown all the same; nothing is written, no journal either."""
    project = rotating(tmp_path, vault)
    before = project.files()
    done = project.ksecret("rotate", "prod", "app/token")
    assert (done.code, "error: nobody can be asked here whether to go on\nhint: add --yes\n" in done.err) == (2, True)
    declined = project.on_terminal("rotate", "prod", "app/token", typed=b"n\n")
    assert (declined.code, "Go on? [y/N]" in declined.out) == (1, True)
    assert declined.out.endswith("nothing was done\r\n")
    assert (project.changed_since(before), journals(project)) == (set(), [])
    assert len(vault.versions("token-prod")) == 1
    assert project.on_terminal("rotate", "prod", "app/token", typed=b"y\n").code == 0
    assert held(project) == {vault.value("token-prod").encode()}


REFUSED = {
    "app/url": "error: generators/app.yaml:11:17: app/url is made by a template\nhint: rotate one of: app/token",
    "app/tokem": 'app has no key tokem in prod\nhint: did you mean "token"?',
    "ap/token": 'overlay prod has no Secret ap\nhint: did you mean "app"?',
    "app": "app has no key … in prod",
    "given/key": "given/key does not say how it is made\nhint: declare generate: {length: 32}, or give the value with",
}


@pytest.mark.parametrize("address", REFUSED)
def test_what_can_not_be_rotated_is_told(tmp_path: Path, address: str) -> None:
    """Before anything is written."""
    project = shop(tmp_path)
    project.declare("app", {"token": {"generate": {"length": 40}}, "url": {"template": "x{{ token }}"}})
    project.declare("given", {"key": {}})
    project.sealed_overlay(source={"azureKeyVault": {"vaultUrl": "https://127.0.0.1:1"}})
    before = project.files()
    done = project.ksecret("rotate", "prod", address, "--yes")
    assert (done.code, REFUSED[address] in done.err, done.out) == (2, True, "")
    assert project.changed_since(before) == set()


@pytest.mark.parametrize("source", [{"environment": {}}, {"command": {"arguments": ["pass", "{name}"]}}])
def test_a_read_only_source_says_so(tmp_path: Path, source: dict[str, Any]) -> None:
    """The environment can't be written for good, and what a command prints is its own."""
    project = shop(tmp_path)
    project.sealed_overlay(source=source)
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="x")
    message = f"the source {next(iter(source))} of prod is read-only\nhint: set the new value there by your own means"
    assert (done.code, message in done.err) == (2, True)


def test_a_value_that_breaks_a_rule_is_not_written(tmp_path: Path, vault: KeyVault) -> None:
    """Of any key that reads it, in any overlay."""
    project = rotating(tmp_path, vault)
    project.declare("app", {"token": {"rules": {"minLength": 30}}, "url": {"template": "{{ token }}"}})
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="short")
    assert (done.code, "the new value of app/token breaks minLength: 30" in done.err) == (2, True)
    assert (len(vault.versions("token-prod")), journals(project)) == (1, [])


def test_a_value_of_which_a_template_makes_nothing_good_is_not_written(tmp_path: Path, vault: KeyVault) -> None:
    """The operator would spread it, and the next run would not take another for it."""
    project = rotating(tmp_path, vault)
    url = {"template": "redis://:{{ token }}@r", "rules": {"format": "redis-url"}}
    project.declare("app", {"token": {}, "url": url})
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="a/b")
    assert (done.code, "the value of app/url breaks format: redis-url" in done.err) == (2, True)
    assert (len(vault.versions("token-prod")), journals(project)) == (1, [])
    assert project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="good").code == 0
    assert held(project) == {b"good"}


def test_a_value_that_could_not_be_sealed_afterwards_is_not_written(tmp_path: Path, vault: KeyVault) -> None:
    """As where a template needs another name too, and the source lacks it."""
    project = rotating(tmp_path, vault)
    project.declare("app", {"token": {}, "user": {}, "url": {"template": "{{ user }}:{{ token }}"}})
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="good")
    assert (done.code, f"app/user is read from user-prod, which {vault.url} does not have" in done.err) == (3, True)
    assert (len(vault.versions("token-prod")), journals(project)) == (1, [])


def test_a_name_that_is_no_secrets_is_not_written(tmp_path: Path, vault: KeyVault) -> None:
    """As that of a certificate, which External Secrets Operator can read; no journal is begun."""
    project = rotating(tmp_path, vault)
    project.declare("app", {"token": {"remoteName": "cert/token"}})
    source = {"azureKeyVault": {"vaultUrl": vault.url}}
    project.overlay("aks", {"externalSecret": {"store": {"name": "store"}}}, source=source)
    for name in ("prod", "eu", "other"):
        shutil.rmtree(project.root / "overlays" / name)
    asked = len(vault.requests)
    done = project.ksecret("rotate", "aks", "app/token", "--from-stdin", "--yes", stdin="x")
    assert (done.code, "app/token: Key Vault takes no secret of a name like cert/token" in done.err) == (2, True)
    assert (len(vault.requests), journals(project)) == (asked, [])


def test_a_swapped_certificate_is_refused_before_the_source_is_written(tmp_path: Path, vault: KeyVault) -> None:
    """Else the new value would stand in the source and in no manifest."""
    project = rotating(tmp_path, vault)
    project.sealed_overlay(number=2, source={"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": vault.url}})
    done = project.untrusting("rotate", "prod", "app/token", "--yes")
    assert (done.code, "prod is no longer what this clone has sealed for" in done.err) == (2, True)
    assert (len(vault.versions("token-prod")), journals(project)) == (1, [])
    accept = done.err.partition("--accept ")[2].split()[0]
    assert project.untrusting("rotate", "prod", "app/token", "--yes", "--accept", accept).code == 0
    assert opened_by_kubeseal(project.manifest("app"), 2)["token"] == vault.value("token-prod").encode()


def test_a_dotenv_file_is_rotated_in_place(tmp_path: Path) -> None:
    """All other lines and the mode stay; a value that quotes would change is quoted; nothing lies beside it."""
    project = shop(tmp_path, "# mine\nexport TOKEN=old\n\nPASSWORD='p w'")
    (project.root / ".env").chmod(0o600)
    project.done("seal", "prod")
    rotate = ("rotate", "prod", "app/token", "--from-stdin", "--yes")
    for value in ('"quoted"', " blank ", "plain"):
        assert project.ksecret(*rotate, stdin=value).code == 0
        assert opened_by_kubeseal(project.manifest("app")) == {"token": value.encode(), "password": b"p w"}
    text = (project.root / ".env").read_text()
    assert re.fullmatch(
        r"# mine\n# written by kubectl ksecret: [0-9a-f]{32}\nexport TOKEN=plain\n\nPASSWORD='p w'", text
    )
    assert (project.root / ".env").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (project.root / ".git" / "ksecret").rglob("*") if path.is_file()] == [
        "sealed-for.json"
    ]
    assert [name for name in project.files() if "tmp" in name] == []


def test_a_dotenv_file_takes_no_value_of_two_lines(tmp_path: Path) -> None:
    """The hint says how it can be kept."""
    project = shop(tmp_path)
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="one\ntwo")
    message = "app/token: a dotenv file holds values of one line; add encoding: base64 to the key"
    assert (done.code, message in done.err) == (2, True)
    project.declare("app", {"token": {"encoding": "base64"}, "password": {}})
    assert project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="one\ntwo").code == 0
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"one\ntwo"
    assert "TOKEN=b25lCnR3bw==\n" in (project.root / ".env").read_text()


def test_without_git_there_is_no_place_for_the_journal(tmp_path: Path) -> None:
    """So nothing is begun."""
    project = shop(tmp_path)
    (project.root / ".git").rename(tmp_path / "git")
    done = project.ksecret("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin="x")
    assert (done.code, "rotate needs a Git work tree: its journal lies in Git's own folder" in done.err) == (2, True)
    assert "TOKEN=the token\n" in (project.root / ".env").read_text()


def test_missing_values_are_made_where_it_is_asked_for(tmp_path: Path, vault: KeyVault) -> None:
    """Until then they are missing; what the source has is left as it is, and what can't be made is still missing."""
    project = Project(tmp_path)
    project.environment |= vault.environment
    private_key = {"privateKey": "ec-p256"}
    project.declare("app", {"token": {"generate": {"length": 20}}, "key": {"generate": private_key}, "given": {}})
    project.sealed_overlay(source={"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": vault.url}})
    done = project.ksecret("seal", "prod")
    assert (done.code, "app/key is read from key-prod" in done.err) == (3, True)
    assert vault.versions("key-prod") == []
    assert (
        project.done("seal", "prod", "--generate-missing", "--dry-run")
        == "prod: would make in the source\n  key-prod\n"
    )
    done = project.ksecret("seal", "prod", "--generate-missing")
    assert (done.code, done.out.startswith("prod: made in the source\n  key-prod\nprod: sealed\n")) == (3, True)
    assert done.err.count("is read from") == done.err.count("app/given is read from given-prod") == 1
    vault.set("given-prod", "given")
    assert "made" not in project.done("seal", "prod", "--generate-missing")
    values = opened_by_kubeseal(project.manifest("app"))
    assert (values["token"], values["key"][:27]) == (b"first", b"-----BEGIN PRIVATE KEY-----")
    assert len(vault.versions("key-prod")) == len(vault.versions("token-prod")) == 1


def test_a_value_that_is_made_suits_all_that_read_it(tmp_path: Path, vault: KeyVault) -> None:
    """Else it would stand in the source and could not be sealed."""
    project = Project(tmp_path)
    project.environment |= vault.environment
    made = {"remoteName": "one", "generate": {"length": 20}}
    project.declare("app", {"made": made, "read": {"remoteName": "one", "rules": {"minLength": 30}}})
    project.sealed_overlay(source={"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": vault.url}})
    done = project.ksecret("seal", "prod", "--generate-missing")
    assert (done.code, done.out, "the new value of app/read breaks minLength: 30" in done.err) == (2, "", True)
    assert vault.versions("one-prod") == []


def test_a_name_that_two_keys_spell_in_two_ways_is_made_once(tmp_path: Path, vault: KeyVault) -> None:
    """Key Vault compares names without case."""
    project = Project(tmp_path)
    project.environment |= vault.environment
    names = {"a": "One", "b": "one"}
    project.declare("app", {key: {"remoteName": name, "generate": {"length": 20}} for key, name in names.items()})
    project.sealed_overlay(source={"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": vault.url}})
    made = "prod: made in the source\n  One-prod\nprod: sealed\n"
    assert project.done("seal", "prod", "--generate-missing").startswith(made)
    assert len(vault.versions("one-prod")) == 1


def test_what_was_made_before_a_refusal_is_told(tmp_path: Path, vault: KeyVault) -> None:
    """A name that is deleted and not purged is taken."""
    project = Project(tmp_path)
    project.environment |= vault.environment
    project.declare("app", {key: {"generate": {"length": 20}} for key in "abc"})
    project.sealed_overlay(source={"azureKeyVault": {"vaultUrl": vault.url}})
    vault.set("c", "x")
    vault.delete("c")
    done = project.ksecret("seal", "prod", "--generate-missing")
    assert (done.code, "c is deleted, but not purged (409)" in done.err) == (3, True)
    assert done.err.endswith("error: made before that, and kept: a, b\n")
