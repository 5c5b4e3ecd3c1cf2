"""Writing an overlay's folder: each file whole whatever happens, one writer at a time, nobody else's file touched."""

import errno
import fcntl
import os
import random
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_ksecret.errors import Refusal
from kubectl_ksecret.files.folder import locked, rewrite
from kubectl_ksecret.sealing import certificate
from kubectl_ksecret.sealing.sealedsecret import unseal

from .forkserver import COMMAND
from .peers import unprivileged
from .projects import LEFTOVER, Project, opened_by_kubeseal, sealing

KILLS = 50
SECRETS = [f"part-{number:02}" for number in range(30)]
FOLDER = "overlays/prod/secrets"


def large_project(folder: Path) -> Project:
    """30 Secrets of 2 keys, whose values are the variable VALUE."""
    project = Project(folder)
    for name in SECRETS:
        project.declare(name, {key: {"remoteName": "value"} for key in ("one", "two")})
    project.sealed_overlay(source={"environment": {}})
    return project


def leftovers(project: Project) -> list[Path]:
    return list(project.root.rglob(f"*{LEFTOVER}"))


def killed(project: Project, *arguments: str, within: float, writing: bool, **environment: str) -> None:
    """Run the command and kill it at a random moment within so many seconds, or while it writes."""
    first = project.manifest(SECRETS[0])
    before = first.stat().st_ino
    process = subprocess.Popen(
        [COMMAND, *arguments], cwd=project.root, env=project.environment | environment, stdout=subprocess.DEVNULL
    )
    if writing:
        # A replaced file is another one: the second of thirty is on its way.
        while first.stat().st_ino == before and process.poll() is None:
            pass
    time.sleep(random.uniform(0, 0.005 if writing else within))
    process.kill()
    process.wait()


def seconds(run: Callable[[], object]) -> float:
    begin = time.monotonic()
    run()
    return time.monotonic() - begin


def test_a_seal_killed_at_any_moment_leaves_every_file_whole(tmp_path: Path) -> None:
    """Each has its old values or its new ones; the next run completes and leaves nothing behind."""
    project = large_project(tmp_path)
    project.done("seal", "prod", VALUE="0")
    names = set(project.files())
    duration = seconds(lambda: project.done("seal", "prod", "--reseal", VALUE="0"))
    keys = certificate.private_keys(sealing(1).private_key, "key.pem")
    in_the_middle = 0
    for number in range(1, KILLS + 1):
        writing = number % 5 == 0
        killed(project, "seal", "prod", "--reseal", within=duration, writing=writing, VALUE=str(number))
        states = set()
        for name in SECRETS:
            label = f"shop-prod/{name}"
            sealed = project.object(name)["spec"]["encryptedData"]
            values = {key: unseal(b64decode(text), keys, label).reveal().decode() for key, text in sealed.items()}
            assert values in ({"one": value, "two": value} for value in (str(number - 1), str(number)))
            states.add(values["one"])
        in_the_middle += len(states) == 2
        project.done("seal", "prod", "--reseal", VALUE=str(number))
        assert leftovers(project) == []
        assert set(project.files()) == names
    assert in_the_middle > 0
    last = {"one": str(KILLS).encode(), "two": str(KILLS).encode()}
    assert opened_by_kubeseal(project.manifest(SECRETS[-1])) == last


def test_a_render_killed_at_any_moment_leaves_every_file_whole(tmp_path: Path) -> None:
    """With one Secret more or less and other labels, each file is byte for byte what it was or what it shall be."""
    project = large_project(tmp_path)
    project.done("seal", "prod", VALUE="x")
    omitted = {SECRETS[3]: {"omit": "Not needed"}}

    def declare(state: int) -> None:
        metadata = {"metadata": {"labels": {"state": str(state)}}}
        project.overlay("prod", {"sealedSecret": {"certificate": "sealing.pem", **metadata}}, overrides=omitted)

    states: list[dict[str, bytes]] = []
    for state in (0, 1):
        declare(state)
        duration = seconds(lambda: project.done("render", "--write"))
        states.append(project.files())
    names = [name for name in states[0] if states[0][name] != states[1][name] and "manifests" in name]
    assert len(names) == len(SECRETS) - 1
    in_the_middle = 0
    for number in range(KILLS // 2):
        declare(number % 2)
        killed(project, "render", "--write", within=duration, writing=number % 5 == 0)
        files = project.files()
        changed = [files[name] == states[number % 2][name] for name in names]
        assert all(
            done or files[name] == states[1 - number % 2][name] for done, name in zip(changed, names, strict=True)
        )
        in_the_middle += len(set(changed)) == 2
        project.done("render", "--write")
        assert project.files() == states[number % 2]
    assert in_the_middle > 0


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """Three Secrets that are sealed: the values are the variables A, B and C."""
    project = Project(tmp_path)
    for name in "abc":
        project.declare(f"secret-{name}", {name: {}})
    project.sealed_overlay(source={"environment": {}})
    project.done("seal", "prod", A="old", B="old", C="old")
    return project


def values(project: Project) -> list[bytes]:
    return [opened_by_kubeseal(project.manifest(f"secret-{name}"))[name] for name in "abc"]


def wrapped(project: Project, wrapper: list[str], *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and standard error of the command, run by another one."""
    done = subprocess.run(
        [*wrapper, COMMAND, *arguments],
        cwd=project.root,
        env=project.environment | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_file_that_can_not_be_written_whole_stays_as_it_was(shop: Project) -> None:
    """As on a full disk: exit code 3, what was changed before is named, and the next run completes."""
    limit = (
        "import os, resource as r, sys; r.setrlimit(r.RLIMIT_FSIZE, (9999, 9999)); os.execv(sys.argv[1], sys.argv[1:])"
    )
    code, printed = wrapped(
        shop, [sys.executable, "-c", limit], "seal", "prod", "--reseal", A="new", B="new" * 9999, C="new"
    )
    assert (code, printed) == (
        3,
        f"error: {FOLDER}/manifests/secret-b.yaml: File too large\n"
        f"hint: changed before that: {FOLDER}/manifests/secret-a.yaml\n",
    )
    assert values(shop) == [b"new", b"old", b"old"]
    shop.done("seal", "prod", "--reseal", A="new", B="new" * 9999, C="new")
    assert (values(shop), leftovers(shop)) == ([b"new", b"new" * 9999, b"new"], [])


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut could leave an empty file under it."""
    done: list[object] = []
    monkeypatch.setattr(os, "fsync", lambda _: done.append("on the disk"))
    rename = os.replace

    def replace(old: str, new: str) -> None:
        done.append(Path(old).read_bytes())
        rename(old, new)

    monkeypatch.setattr(os, "replace", replace)
    with locked(str(tmp_path)) as folder:
        folder.write("below/file", b"content")
    assert done == ["on the disk", b"content"]
    assert (tmp_path / "below" / "file").read_bytes() == b"content"


@pytest.mark.parametrize("command", [["seal", "prod", "--reseal"], ["render", "--write"]])
def test_a_folder_that_may_not_be_written_is_told_and_nothing_is_lost(shop: Project, command: list[str]) -> None:
    """Exit code 3; also where a leftover lies in it, or a stale file that should go."""
    shop.declare("secret-a", {"a": {}}, labels={"changed": "yes"})
    (shop.root / "generators" / "secret-b.yaml").unlink()
    manifests = shop.manifest("secret-a").parent
    before = shop.files()
    for leftover in (False, True):
        if leftover:
            before[f"{FOLDER}/manifests/.secret-a.yaml{LEFTOVER}"] = b""
            shop.write(f"{FOLDER}/manifests/.secret-a.yaml{LEFTOVER}", b"")
        manifests.chmod(0o555)
        code, printed = wrapped(shop, unprivileged(), *command, A="new", C="new")
        manifests.chmod(0o755)
        named = f".secret-a.yaml{LEFTOVER}" if leftover else "secret-a.yaml"
        assert (code, printed) == (3, f"error: {FOLDER}/manifests/{named}: Permission denied\n")
        assert shop.changed_since(before) == set()


def test_several_seals_at_once_lose_nothing(tmp_path: Path) -> None:
    """Four processes that read slowly, each with another key of one Secret; kubeseal opens all four."""
    project = Project(tmp_path)
    keys = [f"key-{number}" for number in range(4)]
    project.declare("app", {key: {} for key in keys})
    slowly = ["sh", "-c", 'sleep 0.3; echo "$VALUE"', "{name}"]
    project.sealed_overlay(source={"command": {"arguments": slowly}})
    project.done("seal", "prod", VALUE="old")
    processes = [
        subprocess.Popen(
            [COMMAND, "seal", "prod", f"app/{key}"],
            cwd=project.root,
            env=project.environment | {"VALUE": f"of {key}"},
            stdout=subprocess.DEVNULL,
        )
        for key in keys
    ]
    assert [process.wait() for process in processes] == [0] * len(keys)
    assert opened_by_kubeseal(project.manifest("app")) == {key: f"of {key}".encode() for key in keys}
    assert leftovers(project) == []


@pytest.mark.parametrize("command", [["seal", "prod", "secret-b"], ["render", "--write"]])
def test_a_writer_waits_for_another_and_sees_what_that_one_wrote(shop: Project, command: list[str]) -> None:
    """The lock is the folder's own; it leaves no file behind."""
    shop.declare("secret-a", {"a": {}}, labels={"changed": "yes"})
    before = shop.files()
    descriptor = os.open(shop.root / FOLDER, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    environment = shop.environment | {"A": "new", "B": "new", "C": "new"}
    process = subprocess.Popen([COMMAND, *command], cwd=shop.root, env=environment, stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.7)
    assert shop.changed_since(before) == set()
    other = shop.manifest("secret-c").read_text().replace("metadata:\n", "metadata:\n  labels: {by: another}\n", 1)
    shop.manifest("secret-c").write_text(other)
    os.close(descriptor)
    out, _ = process.communicate()
    assert (process.returncode, f"{FOLDER}/manifests/secret-c.yaml".encode() in out) == (0, True)
    assert shop.object("secret-a")["spec"]["template"]["metadata"]["labels"] == {"changed": "yes"}


@pytest.mark.parametrize("option", ["--write", "--check"])
def test_a_format_goes_with_what_is_shown_alone(shop: Project, option: str) -> None:
    """Files are listed in no other form; a script that counts on one must not go on without a word."""
    for form in ("json", "yaml"):
        done = shop.ksecret("render", option, "-o", form)
        assert (done.code, "--write and --check list files; --output is of what is shown." in done.err) == (2, True)


def listing(project: Project) -> list[str]:
    kustomization: dict[str, Any] = yaml.safe_load((project.root / FOLDER / "manifests/kustomization.yaml").read_text())
    return list(kustomization["resources"])


@pytest.mark.parametrize("command", [["seal", "prod"], ["render", "--write"]])
def test_a_stale_file_of_ours_is_removed_and_a_foreign_one_is_not(shop: Project, command: list[str]) -> None:
    """Ours is what the kustomization lists, lies in the folder itself and carries our marker: all three."""
    folder = shop.root / FOLDER / "manifests"
    marked = shop.manifest("secret-b").read_text()
    foreign = {
        "unmarked.yaml": "kind: ConfigMap\n",
        "unlisted.yaml": marked,
        "below/kustomization.yaml": "resources: []\n",
        "../beside.yaml": marked,
    }
    for name, content in foreign.items():
        shop.write(f"{FOLDER}/manifests/{name}", content)
    kustomization = folder / "kustomization.yaml"
    more = "- secret-b.yaml\n- unmarked.yaml # ours\n- below\n- ../beside.yaml\n"
    kustomization.write_text(kustomization.read_text().replace("- secret-b.yaml\n", more))
    (shop.root / "generators" / "secret-b.yaml").unlink()

    done = shop.ksecret(*command, A="x", C="x")
    assert (done.code, done.err) == (0, "")
    assert f"{FOLDER}/manifests/secret-b.yaml\n" in done.out
    assert not (folder / "secret-b.yaml").exists()
    assert {name: (folder / name).read_text() for name in foreign} == foreign
    assert sorted(listing(shop)) == ["../beside.yaml", "below", "secret-a.yaml", "secret-c.yaml", "unmarked.yaml"]
    assert "- unmarked.yaml # ours\n" in kustomization.read_text()


def test_a_secret_that_is_omitted_leaves_the_folder(shop: Project) -> None:
    """With its reason in the overlay; the ciphertext of the others stays as it is."""
    before = shop.files()
    overrides = {"secret-b": {"omit": "Not deployed in production"}}
    shop.sealed_overlay(source={"environment": {}}, overrides=overrides)
    shop.done("render", "--write")
    assert shop.changed_since(before) == {
        f"{FOLDER}/ksecret.yaml",
        f"{FOLDER}/manifests/secret-b.yaml",
        f"{FOLDER}/manifests/kustomization.yaml",
    }
    assert listing(shop) == ["secret-a.yaml", "secret-c.yaml"]


def test_a_manifest_that_can_not_be_read_is_not_overwritten(shop: Project) -> None:
    """After a bad merge the ciphertext of the other keys is still in it."""
    path = shop.manifest("secret-a")
    merged = "<<<<<<< ours\n" + path.read_text()
    path.write_text(merged)
    for command in (["seal", "prod", "--reseal"], ["render", "--write"]):
        done = shop.ksecret(*command, A="x", B="x", C="x")
        assert (done.code, done.err.startswith(f"error: {FOLDER}/manifests/secret-a.yaml:")) == (2, True)
        assert path.read_text() == merged


def test_what_was_written_is_named_though_the_next_overlay_fails(shop: Project) -> None:
    """Overlays are written one after the other; an error does not hide what has changed before it."""
    shop.sealed_overlay("eu")
    shop.manifest("secret-a").write_text("[")
    done = shop.ksecret("render", "--write")
    assert (done.code, done.err.startswith(f"error: {FOLDER}/manifests/secret-a.yaml:")) == (2, True)
    assert "overlays/eu/secrets/manifests/kustomization.yaml\n" in done.out


def test_a_file_that_can_not_be_replaced_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written first holds the plaintext of a dotenv file, and the next run may never come."""
    path, through = tmp_path / ".env", tmp_path / "through"
    path.write_text("old")

    def refuse(old: str, new: str) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(Refusal):
        rewrite(str(path), lambda _: b"new", str(through))
    assert (path.read_text(), list(through.iterdir())) == ("old", [])
