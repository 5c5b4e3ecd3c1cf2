"""What values may be sealed for is vouched for by this clone's own memory alone, which no commit can write.

A pull request may change the certificate, the record and the overlay together.
"""

import json
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from .peers import run
from .projects import (
    DOTENV,
    Project,
    age,
    ciphertext,
    opened_by_kubeseal,
    sealing,
    secret_manifest,
    shop,
    sops_shop,
)

SECRETS = "overlays/prod/secrets"
OVERLAY = f"{SECRETS}/ksecret.yaml"
MEMORY = ".git/ksecret/sealed-for.json"


def fingerprint(number: int) -> str:
    """Return the fingerprint of a controller's certificate, as this tool prints it."""
    from kubectl_ksecret.sealing.certificate import read

    return read(sealing(number).certificate).fingerprint


class Clone(Project):
    """A clone of a bare repository in which a stranger works too."""

    def __init__(self, folder: Path, project: Project) -> None:
        self.root, self.environment = project.root, project.environment
        self.commit()
        self.bare, self.strangers = folder / "bare.git", folder / "stranger"
        run("git", "clone", "--quiet", "--bare", self.root, self.bare, env=self.environment)
        self.git("remote", "add", "origin", str(self.bare))
        self.git("fetch", "--quiet", "origin")
        self.git("branch", "--quiet", "--set-upstream-to=origin/main")

    def merge(self, change: Callable[[Project], None]) -> None:
        """Merge a pull request: the stranger changes a clone of the same repository, and his commit is pulled."""
        run("git", "clone", "--quiet", self.bare, self.strangers, env=self.environment)
        stranger = object.__new__(Project)
        stranger.root, stranger.environment = self.strangers, self.environment
        change(stranger)
        stranger.git("add", "--all")
        stranger.git("commit", "--quiet", "--message", "Tidy up", "--author", "Eve <eve@example.org>")
        stranger.git("push", "--quiet", "origin", "HEAD:main")
        self.git("pull", "--quiet", "--ff-only")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A project that was sealed by this clone and committed."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    return Clone(tmp_path, project)


def edit(project: Project, name: str, old: str, new: str) -> None:
    """Replace a text of a file that must stand there."""
    path = project.root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def swap_certificate(project: Project) -> None:
    project.write(f"{SECRETS}/sealing.pem", sealing(2).certificate)


def swap_certificate_and_record(project: Project) -> None:
    swap_certificate(project)
    edit(project, f"{SECRETS}/manifests/app.yaml", fingerprint(1), fingerprint(2))


def swap_certificate_and_remove_manifests(project: Project) -> None:
    swap_certificate(project)
    shutil.rmtree(project.root / SECRETS / "manifests")


def point_at_another_certificate(project: Project) -> None:
    project.write("shared/other.pem", sealing(2).certificate)
    edit(project, OVERLAY, "sealing.pem", "../../../shared/other.pem")


def move_to_another_namespace(project: Project) -> None:
    edit(project, OVERLAY, "shop-prod", "strangers-own")


def widen_the_scope(project: Project) -> None:
    edit(project, OVERLAY, "strict", "cluster-wide")


def read_another_source(project: Project) -> None:
    edit(project, OVERLAY, "../../../.env", "../../../docs/.env")
    project.write("docs/.env", "TOKEN=known to Eve\nPASSWORD=known to Eve\n")


def run_a_command(project: Project) -> None:
    document = yaml.safe_load((project.root / OVERLAY).read_text())
    document["spec"]["source"] = {"command": {"arguments": ["sh", "-c", "touch stolen; echo $0", "{name}"]}}
    project.write(OVERLAY, yaml.safe_dump(document))


HOSTILE = {
    "another certificate": (swap_certificate, f"until now {fingerprint(1)}"),
    "another certificate, and its name in the record": (swap_certificate_and_record, f"until now {fingerprint(1)}"),
    "another certificate, and no manifests": (swap_certificate_and_remove_manifests, f"until now {fingerprint(1)}"),
    "a certificate elsewhere": (point_at_another_certificate, f"until now {fingerprint(1)}"),
    "another namespace": (move_to_another_namespace, "namespace: strangers-own (until now shop-prod)"),
    "a wider scope": (widen_the_scope, "scope: cluster-wide (until now strict)"),
    "another source": (read_another_source, "docs/.env"),
    "a command as the source": (run_a_command, "touch stolen"),
}


@pytest.mark.parametrize("arguments", [["seal", "prod"], ["seal", "prod", "app/token"], ["seal"]], ids=" ".join)
@pytest.mark.parametrize("request_", HOSTILE)
def test_nothing_is_sealed_for_what_a_pull_request_changed(clone: Clone, request_: str, arguments: list[str]) -> None:
    """It is shown, with the commit that changed it; no value is read, no command run, no file written."""
    change, words = HOSTILE[request_]
    clone.merge(change)
    before = clone.files()
    done = clone.untrusting(*arguments, "--reseal")
    assert (done.code, done.out) == (2, "")
    assert f"prod is no longer what this clone has sealed for: {done.err.split('sealed for: ')[1]}" in done.err
    assert words in done.err
    assert re.search(r"since [0-9a-f]{7,} of \d{4}-\d\d-\d\d by Eve: Tidy up", done.err)
    assert clone.changed_since(before) == set()


def test_a_typed_source_is_not_compared_but_all_else_is(clone: Clone) -> None:
    """Who names the source on the command line knows it; a swapped certificate is refused before the value is read."""
    clone.merge(read_another_source)
    assert clone.untrusting("seal", "prod", "app/token", "--from-stdin", stdin="new").code == 0
    clone.write(f"{SECRETS}/sealing.pem", sealing(2).certificate)
    done = clone.untrusting("seal", "prod", "app/token", "--from-stdin", stdin="newer")
    assert done.code == 2 and f"for: {fingerprint(2)} (until now {fingerprint(1)})" in done.err
    assert opened_by_kubeseal(clone.manifest("app"))["token"] == b"new"


def test_the_daily_path_asks_nothing(clone: Clone) -> None:
    """The same clone and certificate, whatever else changes: a new key, a new parameter, new metadata."""
    clone.declare("app", {"token": {}, "password": {}, "more": {}})
    clone.write(".env", "TOKEN=a\nPASSWORD=b\nMORE=c\n")
    backend = {"sealedSecret": {"certificate": "sealing.pem", "scope": "strict", "metadata": {"labels": {"a": "b"}}}}
    clone.overlay("prod", backend, parameters={"host": "db"}, **DOTENV)
    done = clone.untrusting("seal", "prod")
    assert (done.code, done.err) == (0, "")
    assert set(ciphertext(clone)) == {"token", "password", "more"}
    assert clone.untrusting("seal").code == 0


def test_an_overlay_of_a_stranger_gets_nothing_on_the_way(clone: Clone) -> None:
    """`seal` without a name seals what is trusted, and names the rest with its command; `rotate` refuses beforehand."""

    def add_overlay(project: Project) -> None:
        project.sealed_overlay("mirror", number=2)

    clone.merge(add_overlay)
    env = (clone.root / ".env").read_bytes()
    before = clone.files()
    done = clone.untrusting("seal", "--reseal")
    assert done.code == 2 and "prod: sealed" in done.out and "mirror: sealed" not in done.out
    assert f"run: kubectl ksecret seal mirror --accept {fingerprint(2)}" in done.err
    assert not any("mirror" in name for name in clone.changed_since(before))
    for answer in ("y\n", ""):
        rotated = clone.untrusting("rotate", "prod", "app/token", "--from-stdin", "--yes", stdin=f"new{answer}")
        assert (rotated.code, rotated.out) == (2, "")
        assert "mirror is nothing that this clone has sealed for yet" in rotated.err
    assert (clone.root / ".env").read_bytes() == env
    folder = clone.untrusting("seal", "overlays", "--accept", fingerprint(2))
    assert folder.code == 2 and "mirror is nothing that this clone has sealed for yet" in folder.err


def test_an_overlay_that_is_not_named_is_not_asked_about_either(clone: Clone) -> None:
    """Nobody says yes to it in passing, on a terminal neither."""
    clone.sealed_overlay("mirror", number=2)
    shown = clone.on_terminal("seal", typed=b"y\n")
    assert shown.code == 2 and "[y/N]" not in shown.out
    assert not clone.manifest("app", "mirror").exists()


def test_recipients_are_kept_as_a_certificate_is(tmp_path: Path) -> None:
    """A pull request swaps .sops.yaml, the recipient in the file and the fingerprint in the record."""
    project = sops_shop(tmp_path, "alice")
    project.overlay("prod", {"sops": {}}, **DOTENV)
    project.write(".sops.yaml", f"creation_rules: [{{age: {age('alice').recipient}}}]\n")
    project.done("seal", "prod")
    clone = Clone(tmp_path, project)

    def swap(stranger: Project) -> None:
        for name in (".sops.yaml", f"{SECRETS}/manifests/app.yaml"):
            edit(stranger, name, age("alice").recipient, age("eve").recipient)

    clone.merge(swap)
    before = clone.files()
    done = clone.untrusting("seal", "prod", "--reseal", SOPS_AGE_KEY=age("alice").identity)
    assert (done.code, done.out) == (2, "")
    assert f"for: {age('eve').recipient} (until now {age('alice').recipient})" in done.err
    assert ".sops.yaml: since" in done.err
    assert clone.changed_since(before) == set()
    added = clone.untrusting("seal", "prod", "--accept", age("bob").recipient)
    assert added.code == 2


def test_what_is_typed_says_yes_once_and_for_all_that_was_shown(tmp_path: Path) -> None:
    """The fingerprint of the certificate itself, for the overlay named beside it; afterwards nothing is asked."""
    project = shop(tmp_path)
    refused = project.untrusting("seal", "prod")
    assert refused.code == 2
    assert f"add --accept {fingerprint(1)} or, in a pipeline, set KSECRET_ACCEPT=prod@sha256:" in refused.err
    assert project.untrusting("seal", "prod", "--accept", fingerprint(2)).code == 2
    assert project.untrusting("seal", "--accept", fingerprint(1)).code == 2
    assert project.untrusting("seal", "prod", "--accept", fingerprint(1)).code == 0
    assert project.untrusting("seal", "prod", "--reseal").code == 0


def test_a_pipeline_accepts_by_a_token_that_any_difference_changes(tmp_path: Path) -> None:
    """It stands in the pipeline's own settings; several are separated by spaces, and nothing shorter is taken."""
    project = shop(tmp_path)
    project.sealed_overlay("mirror", number=2)
    refused = project.untrusting("seal", CI="true")
    tokens = re.findall(r"KSECRET_ACCEPT=(\S+)", refused.err)
    assert [token.partition("@")[0] for token in tokens] == ["mirror", "prod"]
    for worthless in (fingerprint(1), "prod", "*", tokens[0], tokens[1][:-1]):
        assert project.untrusting("seal", "prod", CI="true", KSECRET_ACCEPT=worthless).code == 2
    shutil.rmtree(project.root / ".git")
    project.git("init", "--quiet")
    assert project.untrusting("seal", CI="true", KSECRET_ACCEPT=" ".join(tokens)).code == 0
    shutil.rmtree(project.root / ".git")
    project.git("init", "--quiet")
    edit(project, OVERLAY, "namespace: shop-prod", "namespace: shop-other")
    assert project.untrusting("seal", "prod", CI="true", KSECRET_ACCEPT=" ".join(tokens)).code == 2


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 2), (b"\n", 2)])
def test_the_user_is_asked_on_the_terminal_itself(tmp_path: Path, answer: bytes, code: int) -> None:
    """Even when the value comes through a pipe: the answer is not taken from there."""
    project = shop(tmp_path)
    shown = project.on_terminal("seal", "prod", "app/token", "--from-stdin", typed=answer, piped="y\nthe value")
    assert shown.code == code
    for line in (f"for: {fingerprint(1)}", "namespace: shop-prod", "scope: strict", f"{OVERLAY}: not committed"):
        assert line in shown.out
    assert project.manifest("app").exists() is (code == 0)
    if code == 0:
        assert opened_by_kubeseal(project.manifest("app")) == {"token": b"y\nthe value"}
        assert project.untrusting("seal", "prod", "app/token", "--from-stdin", stdin="v").code == 0


def test_a_pipeline_is_not_asked_though_it_has_a_terminal(tmp_path: Path) -> None:
    """CI is set there."""
    shown = shop(tmp_path).on_terminal("seal", "prod", typed=b"y\n", CI="1")
    assert shown.code == 2 and "[y/N]" not in shown.out


def test_what_is_not_asked_is_not_read_either(tmp_path: Path) -> None:
    """No identity is asked for, no command run, before the user has said yes."""
    project = sops_shop(tmp_path, "alice")
    marker = tmp_path / "ran"
    done = project.untrusting("seal", "prod", SOPS_AGE_KEY_CMD=f"touch {marker}")
    assert done.code == 2 and not marker.exists()


def test_without_git_nothing_is_kept(tmp_path: Path) -> None:
    """There is no place that a commit can't write, so it is accepted each time."""
    project = shop(tmp_path)
    shutil.rmtree(project.root / ".git")
    for _ in range(2):
        assert project.untrusting("seal", "prod").code == 2
        assert project.untrusting("seal", "prod", "--accept", fingerprint(1)).code == 0


def test_a_rehearsal_keeps_nothing(tmp_path: Path) -> None:
    """`--dry-run` needs the same yes, which is not remembered."""
    project = shop(tmp_path)
    assert project.untrusting("seal", "prod", "--dry-run", "--accept", fingerprint(1)).code == 0
    assert not (project.root / MEMORY).exists()
    assert project.untrusting("seal", "prod").code == 2


def test_the_memory_is_private_and_holds_no_value(clone: Clone) -> None:
    """It says what is sealed for, and from where; by the path of the overlay, for all work trees of the clone."""
    path = clone.root / MEMORY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        OVERLAY: {
            "backend": "sealedSecret",
            "for": [fingerprint(1)],
            "namespace": "shop-prod",
            "scope": "strict",
            "source": {"dotenv": {"file": "../../../.env"}, "names": "{remoteName}"},
        }
    }
    linked = clone.root.parent / "linked"
    clone.git("worktree", "add", "--quiet", "-b", "other", str(linked))
    clone.root = linked
    clone.write(".env", "TOKEN=a\nPASSWORD=b\n")
    assert clone.untrusting("seal", "prod", "--reseal").code == 0


def test_a_memory_that_cannot_be_read_vouches_for_nothing(clone: Clone) -> None:
    """Whatever stands there, it is asked again."""
    for text in ("", "[]", "{", '{"overlays/prod/secrets/ksecret.yaml": 1}', "[" * 100000):
        clone.write(MEMORY, text)
        assert clone.untrusting("seal", "prod").code == 2


def test_check_never_reads_the_memory(clone: Clone) -> None:
    """Its result is the same on every machine."""
    before = clone.untrusting("check", "-o", "json")
    (clone.root / MEMORY).unlink()
    assert clone.untrusting("check", "-o", "json") == before


def test_init_trusts_what_its_user_typed(tmp_path: Path) -> None:
    """After it nothing is asked; what the repository says, such as recipients in .sops.yaml, was not typed."""
    project = Project(tmp_path)
    project.write("controller.pem", sealing(1).certificate)
    made = project.untrusting(
        "init", "overlays/prod", "--backend", "sealedSecret", "--namespace", "shop", "--certificate", "controller.pem"
    )
    assert made.code == 0
    sealed = project.untrusting("seal", "prod", "app-secrets/api-key", "--from-stdin", stdin="value")
    assert (sealed.code, sealed.err) == (0, "")
    typed = ["--backend", "sops", "--namespace", "shop"]
    assert project.untrusting("init", "overlays/aks", *typed, "--age", age("alice").recipient).code == 0
    assert project.untrusting("seal", "aks", "app-secrets/api-key", "--from-stdin", stdin="value").code == 0
    project.write(".sops.yaml", f"creation_rules: [{{age: {age('eve').recipient}}}]\n")
    assert project.untrusting("init", "overlays/ack", *typed).code == 0
    assert project.untrusting("seal", "ack", "app-secrets/api-key", "--from-stdin", stdin="value").code == 2


def test_the_line_that_import_prints_says_yes_to_the_certificate_at_hand(tmp_path: Path) -> None:
    """Run as it is printed, it seals; ciphertext that is carried over has no record, and nobody is asked for one."""
    project = Project(tmp_path)
    project.write("controller.pem", sealing(1).certificate)
    given = secret_manifest("app", stringData={"token": "the token"})
    given["metadata"]["namespace"] = "shop"
    project.write("old/prod/secrets.yaml", yaml.safe_dump(given))
    imported = project.untrusting("import", "old/prod", "--certificate", "prod=controller.pem", "--into", "new")
    assert imported.code == 0
    (command,) = re.findall(r"note: seal the values of app: kubectl ksecret (.*)", imported.err)
    assert command == f"seal prod --accept {fingerprint(1)} -f old/prod/secrets.yaml"
    assert project.untrusting(*command.split()).code == 0
    assert project.untrusting("seal", "prod", "-f", "old/prod/secrets.yaml").code == 0


def test_the_refusal_names_a_command_that_works(tmp_path: Path) -> None:
    """Of an overlay that was not named; after it, sealing all of them asks nothing."""
    project = shop(tmp_path)
    refused = project.untrusting("seal")
    (command,) = re.findall(r"run: kubectl ksecret (seal prod --accept \S+) ", refused.err)
    assert project.untrusting(*command.split()).code == 0
    assert project.untrusting("seal").code == 0
