"""`kubectl ksecret seal` with SealedSecrets: what is sealed, what stays as it is, and what is refused."""

import json
import re
import shutil
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from .peers import ROOT, peer, run
from .projects import (
    OLD,
    RECORD,
    Project,
    ciphertext,
    let_time_pass,
    opened_by_kubeseal,
    record,
    sealing,
    secret_manifest,
    shop,
)


def test_sealing_twice_changes_no_byte(tmp_path: Path) -> None:
    """It is said how many keys were kept, and why."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    before = project.files()
    warning = "prod: kept 2 keys as sealed: the values have no versions, so nobody can tell whether they changed; "
    assert project.done("seal", "prod") == f"{warning}address them, or use --reseal\n"
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
    assert changed[:2] == [f"-      {old['b']}", f"+      {ciphertext(project)['b']}"]
    assert [re.sub("=.*", "", line) for line in changed[2:]] == ["-            time", "+            time"]
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
        "prod", {"sealedSecret": {"certificate": "sealing.pem", "metadata": {"annotations": {"example.org/wave": "1"}}}}
    )
    if command[0] == "render":
        (project.root / ".env").unlink()
        project.write("overlays/prod/secrets/sealing.pem", "gone")
    project.done(*command)
    document = project.object("app")
    in_template = {"labels": labels, "annotations": annotations | {RECORD: recorded}}
    template = {"metadata": in_template, "type": "example.org/t"}
    assert document["spec"] == {"encryptedData": old, "template": template}
    assert document["metadata"]["annotations"] == {"example.org/wave": "1"}
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
    assert project.untrusting("seal", "prod").code == 0  # ciphertext without a record makes nobody ask again


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
    sealed = {document["metadata"]["name"] for document in built if document["kind"] == "SealedSecret"}
    assert sealed == {"backend-secrets", "redis-auth"}


def test_the_record_says_when_and_by_what_and_nothing_of_the_value(tmp_path: Path) -> None:
    """Whatever the values are, and however long, the record is the same but for the time."""
    project = shop(tmp_path)
    records = set()
    for token, password in (("short", "long " * 50), ("other", "long " * 50), ("of another length", "short")):
        project.write(".env", f"TOKEN={token}\nPASSWORD={password}\n")
        project.done("seal", "prod", "--reseal")
        (time,) = set(re.findall(r"time=(\S+)", record(project)))
        assert abs(datetime.fromisoformat(time) - datetime.now(UTC)).total_seconds() < 60
        digests = re.findall(r"digest=sha256:(\w+)", record(project))
        assert digests == [sha256(text.encode()).hexdigest() for _, text in sorted(ciphertext(project).items())]
        records.add(re.sub(r"digest=\S+", "digest=…", record(project).replace(time, "…")))
    (one,) = records
    line = "  time=… by=(SHA256:\\S{43}) digest=…\n"
    assert re.fullmatch(f"password:\n{line}token:\n{line}", one)


def test_the_progress_of_many_keys_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    """A bar that reaches 100 % on standard error; in a pipe there is none."""
    project = Project(tmp_path)
    for number in range(10):
        project.declare(f"part-{number}", {f"key-{number}-{key}": {} for key in range(10)})
    project.sealed_overlay()
    project.write(".env", "".join(f"KEY_{one}_{two}=x\n" for one in range(10) for two in range(10)))
    done = project.on_terminal("seal", "prod", typed=b"y\n")
    assert done.code == 0
    assert re.search(r"sealing  \[#+-+\] +40%", done.out)
    assert re.search(r"sealing  \[#+\] +100%", done.out)
    assert "sealing" not in project.done("seal", "prod", "--reseal")


def test_each_value_is_for_the_certificate_of_its_own_line(tmp_path: Path) -> None:
    """With a new certificate what is addressed is sealed, and the rest stays for the old one."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.sealed_overlay(number=2)
    project.done("seal", "prod", "app/token")
    by = re.findall(r"by=(\S+)", record(project))
    assert len(set(by)) == 2
    # Neither key opens both: each value is for the certificate of its own line.
    with pytest.raises(AssertionError, match=r"no key could decrypt secret \(token\)"):
        opened_by_kubeseal(project.manifest("app"), 1)
    with pytest.raises(AssertionError, match=r"no key could decrypt secret \(password\)"):
        opened_by_kubeseal(project.manifest("app"), 2)
    done = project.ksecret("seal", "prod", "--reseal")
    next_step = "hint: kubectl ksecret sync prod brings them to the cluster that has its key\n"
    assert (done.code, done.err) == (0, next_step)
    assert opened_by_kubeseal(project.manifest("app"), 2) == {"token": b"the token", "password": b"the password"}


def test_a_key_that_stands_twice_in_a_manifest_is_refused(tmp_path: Path) -> None:
    """As a bad merge leaves it: neither of two values is rendered, and neither is lost."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    text = project.manifest("app").read_text().replace("encryptedData:\n", "encryptedData:\n    token: eA==\n")
    project.manifest("app").write_text(text)
    for command in (["render", "prod"], ["render", "--write"], ["seal", "prod", "--reseal"]):
        done = project.ksecret(*command)
        assert (done.code, re.sub(r"\d+:\d", "N", done.err)) == (
            2,
            "error: overlays/prod/secrets/manifests/app.yaml:N: this key stands here twice\n",
        )
    assert project.manifest("app").read_text() == text
