"""A repository may come from a stranger: nothing outside of it is read or written, and nothing that it names runs."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .builds import switch_to_generator, through_function
from .peers import run
from .projects import DOTENV, LEFTOVER, Done, Project, age, opened_by_kubeseal, shop

SECRETS = "overlays/prod/secrets"
COMMANDS = {
    "list": ["list"],
    "render": ["render", "prod"],
    "check": ["render", "prod", "--check"],
    "write": ["render", "prod", "--write"],
    "seal": ["seal", "prod"],
    "reseal": ["seal", "prod", "--reseal"],
}
MARK = "what-lies-outside"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that is sealed; beside it, outside, all that a path of it could lead to."""
    made = Project(tmp_path)
    made.declare("app", {"token": {}})
    made.sealed_overlay()
    made.write(".env", "TOKEN=value\n")
    made.done("seal", "prod")
    shutil.copytree(made.root, tmp_path / "outside", ignore=shutil.ignore_patterns(".git"))
    for name in ("generators/app.yaml", f"{SECRETS}/manifests/kustomization.yaml", f"{SECRETS}/manifests/app.yaml"):
        path = tmp_path / "outside" / name
        path.write_text(path.read_text().replace("token", MARK))
    (tmp_path / "outside" / ".env").write_text(f"TOKEN={MARK}\n")
    (tmp_path / "outside" / ".sops.yaml").write_text(f"creation_rules: [{{age: {age('eve').recipient}}}]\n")
    return made


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def link(project: Project, name: str, target: str = "") -> None:
    """Put a link in place of a file or folder, to what lies outside under the same name."""
    path = project.root / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(project.root.parent / "outside" / (target or name))


def name_other_paths(**spec: Any) -> Callable[[Project], None]:
    """Say other paths in the overlay."""
    stated: dict[str, Any] = {"backend": {"sealedSecret": {"certificate": "sealing.pem"}}, **DOTENV, **spec}
    return lambda project: project.overlay("prod", **stated)


def link_to(name: str, target: str = "") -> Callable[[Project], None]:
    return lambda project: link(project, name, target)


def link_and_name_it(project: Project) -> None:
    link(project, "linked", "generators")
    name_other_paths(declarations=["../../../linked"])(project)


def encrypt_by_rules_outside(project: Project) -> None:
    project.overlay("prod", {"sops": {}}, **DOTENV)
    link(project, ".sops.yaml")


OUT = "../../../../outside"
ALL = {"list", "render", "write", "seal"}
READING = {"render", "check", "write", "seal"}
WRITING = {"check", "write", "seal"}
WAYS_OUT: dict[str, tuple[Callable[[Project], None], set[str]]] = {
    # what the repository does, and the commands that would follow it
    "declarations": (name_other_paths(declarations=[f"{OUT}/generators"]), ALL),
    "a file of declarations": (name_other_paths(declarations=[f"{OUT}/generators/app.yaml"]), ALL),
    "one of several": (name_other_paths(declarations=["../../../generators", f"{OUT}/generators"]), ALL),
    "what is not there": (name_other_paths(declarations=[f"{OUT}/nothing"]), ALL),
    "an absolute path": (name_other_paths(declarations=["/"]), ALL),
    "a named link": (link_and_name_it, ALL),
    "a link to a folder": (link_to("generators/more", "generators"), ALL),
    "a link to a file": (link_to("generators/app.yaml"), ALL),
    "certificate": (name_other_paths(backend={"sealedSecret": {"certificate": f"{OUT}/{SECRETS}/sealing.pem"}}), ALL),
    "a link to a certificate": (link_to(f"{SECRETS}/sealing.pem"), ALL),
    "dotenv": (name_other_paths(source={"dotenv": {"file": f"{OUT}/.env"}}), ALL),
    "a link to a dotenv": (link_to(".env"), ALL),
    "a link to an overlay": (link_to(f"{SECRETS}/ksecret.yaml"), ALL),
    "a link to manifests": (link_to(f"{SECRETS}/manifests"), READING),
    "a link to a manifest": (link_to(f"{SECRETS}/manifests/app.yaml"), READING),
    "a link to nothing": (link_to(f"{SECRETS}/manifests/app.yaml", "nothing"), READING),
    "a link to a kustomization": (link_to(f"{SECRETS}/manifests/kustomization.yaml"), WRITING),
    "a link to the other one": (link_to(f"{SECRETS}/kustomization.yaml"), WRITING),
    "a link to references": (link_to(f"{SECRETS}/manifests/_references.yaml"), WRITING),
    "a link to .sops.yaml": (encrypt_by_rules_outside, {"seal"}),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_path_and_no_link_leads_out_of_the_project(project: Project, way: str) -> None:
    """It is refused by each command that would follow it; nothing outside is shown or changed."""
    go, refused_by = WAYS_OUT[way]
    go(project)
    inside, outside = project.files(), contents(project.root.parent / "outside")
    for name in sorted(refused_by):
        done = project.ksecret(*COMMANDS[name])
        assert (name, done.code, done.out) == (name, 2, "")
        assert "outside the project" in done.err or "no overlay is named prod" in done.err
        assert MARK not in done.err
    assert contents(project.root.parent / "outside") == outside
    assert project.changed_since(inside) == set()


@pytest.mark.parametrize("way", [way for way, (_, refused_by) in WAYS_OUT.items() if "render" in refused_by])
def test_nor_does_it_through_kustomize(project: Project, way: str) -> None:
    """ksecret-fn refuses what the command refuses: kustomize itself does not confine a function."""
    switch_to_generator(project.root / SECRETS)
    overlay = project.root / SECRETS / "ksecret.yaml"
    WAYS_OUT[way][0](project)
    if way != "a link to an overlay":
        function = "  annotations:\n    config.kubernetes.io/function: 'exec: {path: ksecret-fn}'\n"
        overlay.write_text(overlay.read_text().replace("metadata:\n", f"metadata:\n{function}", 1))
    outside = contents(project.root.parent / "outside")
    done = through_function(project.root / SECRETS)
    assert (done.returncode, done.stdout) == (1, "")
    # Two that kustomize reads itself, and refuses itself.
    assert "outside the project" in done.stderr or way in ("a link to an overlay", "a link to manifests")
    assert MARK not in done.stderr
    assert contents(project.root.parent / "outside") == outside


def test_links_within_the_project_are_followed(project: Project) -> None:
    """Sharing a folder by a link is a user's right."""
    (project.root / "base").symlink_to(project.root / "generators")
    (project.root / SECRETS / "link.pem").symlink_to("sealing.pem")
    name_other_paths(declarations=["../../../base"], backend={"sealedSecret": {"certificate": "link.pem"}})(project)
    project.done("seal", "prod", "--reseal")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"value"}


@pytest.mark.parametrize("target", ["generators/app.yaml", "nothing"])
@pytest.mark.parametrize("command", ["reseal", "write"])
def test_nothing_is_written_through_a_link_under_the_name_of_a_leftover(
    project: Project, target: str, command: str
) -> None:
    """The link goes, what it led to stays."""
    project.declare("app", {"token": {}}, labels={"changed": "yes"})
    for name in ("manifests/.app.yaml", ".kustomization.yaml", "manifests/.kustomization.yaml"):
        link(project, f"{SECRETS}/{name}{LEFTOVER}", target)
    outside = contents(project.root.parent / "outside")
    project.done(*COMMANDS[command])
    assert contents(project.root.parent / "outside") == outside
    assert list(project.root.rglob(f"*{LEFTOVER}")) == []
    assert not project.manifest("app").is_symlink()
    assert "changed: 'yes'" in project.manifest("app").read_text()


def test_without_git_the_project_is_the_folder_that_is_given(project: Project) -> None:
    """So the shared base lies outside of it, and the hint says why."""
    shutil.rmtree(project.root / ".git")
    done = project.ksecret("render", "overlays/prod")
    assert (done.code, done.out) == (2, "")
    assert "generators lies outside the project\nhint: no Git work tree was found" in done.err
    assert project.ksecret("render").code == 0


PIPES = {
    "generators/app.yaml": ALL,
    f"{SECRETS}/ksecret.yaml": ALL,
    f"{SECRETS}/manifests/app.yaml": READING,
    f"{SECRETS}/manifests/kustomization.yaml": WRITING,
    f"{SECRETS}/kustomization.yaml": WRITING,
    f"{SECRETS}/manifests": READING,
    f"{SECRETS}/sealing.pem": {"seal"},
    ".env": {"seal"},
    ".sops.yaml": {"seal"},
}


@pytest.mark.parametrize("name", PIPES)
def test_a_named_pipe_in_place_of_a_file_does_not_hang(project: Project, name: str) -> None:
    """It is refused at once: nobody will ever write into it."""
    if name == ".sops.yaml":
        project.overlay("prod", {"sops": {}}, **DOTENV)
    if name == ".env":  # read only if something has to be sealed
        project.manifest("app").unlink()
    path = project.root / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    for command in sorted(PIPES[name]):
        begin = time.monotonic()
        done = project.ksecret(*COMMANDS[command])
        assert (command, done.code, done.err[:6]) == (command, 2, "error:")
        assert time.monotonic() - begin < 20


def test_a_named_pipe_under_the_name_of_a_leftover_is_removed(project: Project) -> None:
    """As a link is."""
    os.mkfifo(project.root / SECRETS / "manifests" / f".app.yaml{LEFTOVER}")
    project.done("seal", "prod", "--reseal")
    assert list(project.root.rglob(f"*{LEFTOVER}")) == []


# The command source


def with_command(project: Project, *arguments: str, **source: object) -> None:
    command = {"arguments": list(arguments), **source}
    project.sealed_overlay(source={"command": command})


def test_a_command_runs_in_seal_alone(project: Project) -> None:
    """Neither a render, a list nor a build runs it, though a stranger's overlay names it."""
    with_command(project, "sh", "-c", "touch ran; echo value", "{name}")
    for name in ("list", "render", "check", "write"):
        assert project.ksecret(*COMMANDS[name]).code == 0
    switch_to_generator(project.root / SECRETS)
    overlay = project.root / SECRETS / "ksecret.yaml"
    function = "  annotations:\n    config.kubernetes.io/function: 'exec: {path: ksecret-fn}'\n"
    overlay.write_text(overlay.read_text().replace("metadata:\n", f"metadata:\n{function}", 1))
    assert through_function(project.root / SECRETS).returncode == 0
    # Nor does a seal that has nothing to read.
    project.done("seal", "prod")
    assert list(project.root.rglob("ran")) == []
    project.done("seal", "prod", "--reseal")
    assert (project.root / "ran").exists()


def test_a_command_is_no_shell_command(project: Project) -> None:
    """What a shell would run or replace is an argument like any other, in the overlay and in a name."""
    project.declare("app", {"token": {"remoteName": "a; touch three $(touch four)"}})
    with_command(project, "printf", "%s|", "; touch one", "$(touch two)`touch two`", "*", "$HOME", "<{name}>")
    project.done("seal", "prod", "--reseal")
    expected = b"; touch one|$(touch two)`touch two`|*|$HOME|<a; touch three $(touch four)>|"
    assert opened_by_kubeseal(project.manifest("app")) == {"token": expected}
    assert [name for name in ("one", "two", "three", "four") if (project.root / name).exists()] == []


REFUSED_COMMANDS: dict[str, tuple[str, list[str], dict[str, object], str]] = {
    # the name in the source, the command, more of it, and what is said
    "an option": ("-rf", ["touch", "ran", "{name}"], {}, "-rf would be an option of touch"),
    "a long option": ("--output=x", ["touch", "ran", "{name}"], {}, "--output=x would be an option of touch"),
    "too slow": ("a", ["sleep", "30", "{name}s"], {"timeLimit": "300ms"}, "sleep gave no answer for a in 300ms"),
    "not there": ("a", ["no-such-program", "{name}"], {}, "no-such-program: No such file or directory"),
    "no program": ("a", ["/", "{name}"], {}, "/: Permission denied"),
}


@pytest.mark.parametrize("case", REFUSED_COMMANDS)
def test_a_command_that_gives_no_sure_value_is_refused(project: Project, case: str) -> None:
    """Exit code 3, at the line of its arguments, and nothing is written."""
    name, arguments, more, message = REFUSED_COMMANDS[case]
    project.declare("app", {"token": {"remoteName": name}})
    with_command(project, *arguments, **more)
    if case == "too slow":
        with_command(project, "sh", "-c", "exec sleep 30", "{name}", **more)
        message = message.replace("sleep", "sh", 1)
    before, begin = project.files(), time.monotonic()
    done = project.ksecret("seal", "prod", "--reseal")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"error: {SECRETS}/ksecret.yaml:")
    assert message in done.err
    assert time.monotonic() - begin < 20
    assert project.changed_since(before) == set()


def test_a_command_gets_no_input(project: Project) -> None:
    """What is piped into seal is not for it, and it does not wait for more."""
    with_command(project, "sh", "-c", "cat; echo end", "{name}")
    project.done("seal", "prod", "--reseal", stdin="piped in")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"end"}


def test_no_core_file_is_left_while_values_are_held(project: Project) -> None:
    """What a crash would leave behind is forbidden before the first value is read."""
    with_command(project, "sh", "-c", "ulimit -c", "{name}")
    project.done("seal", "prod", "--reseal")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"0"}


# Git


def test_the_variables_of_git_do_not_hide_a_tracked_file(project: Project, tmp_path: Path) -> None:
    """A hook is given the index of a commit in the making; a dotenv file is judged by its own work tree."""
    run("git", "init", "--quiet", tmp_path / "other")
    other = str(tmp_path / "other" / ".git")
    hiding: list[dict[str, str]] = [
        {"GIT_DIR": other},
        {"GIT_DIR": other, "GIT_WORK_TREE": str(project.root)},
        {"GIT_INDEX_FILE": str(tmp_path / "no-index")},
        {"GIT_CEILING_DIRECTORIES": str(project.root.parent)},
        {"GIT_LITERAL_PATHSPECS": "0", "GIT_ICASE_PATHSPECS": "1", "GIT_OBJECT_DIRECTORY": other},
    ]
    for variables in hiding:
        project.done("seal", "prod", "--reseal", **variables)
    project.git("add", "--force", ".env")
    for variables in hiding:
        done: Done = project.ksecret("seal", "prod", "--reseal", **variables)
        assert (done.code, ".env is tracked by Git" in done.err) == (2, True)


def test_a_folder_that_looks_like_a_repository_runs_nothing(project: Project) -> None:
    """Git takes a folder with HEAD, objects and refs for a repository, and its configuration may name programs."""
    for name, content in {
        "HEAD": "ref: refs/heads/main\n",
        "objects/info/none": "",
        "refs/none": "",
        "config": f"[core]\nbare = false\nworktree = {project.root}/fake\nfsmonitor = touch {project.root}/ran;\n",
        ".env": "TOKEN=value\n",
    }.items():
        project.write(f"fake/{name}", content)
    project.sealed_overlay(source={"dotenv": {"file": "../../../fake/.env"}})
    project.done("seal", "prod", "--reseal")
    project.git("add", "--force", "fake/.env")
    done = project.ksecret("seal", "prod", "--reseal")
    assert (done.code, "fake/.env is tracked by Git" in done.err) == (2, True)
    assert not (project.root / "ran").exists()


IDENTITY = {
    "a path": ("  name: app\n", "  name: ../../../../generators/app\n"),
    "another name": ("  name: app\n", "  name: other\n"),
    "no name": ("  name: app\n", ""),
    "another kind": ("kind: SealedSecret\n", "kind: SecretStore\n"),
}


@pytest.mark.parametrize("change", IDENTITY)
def test_what_a_manifest_calls_itself_leads_to_no_other_file(tmp_path: Path, change: str) -> None:
    """A manifest that is none of this Secret is told, and stays where it is; sealing mends it."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    text = project.manifest("app").read_text()
    assert IDENTITY[change][0] in text
    project.manifest("app").write_text(text.replace(*IDENTITY[change]))
    before = project.files()
    assert project.done("render", "--check") == ""
    assert project.done("render", "--write") == ""
    assert (project.changed_since(before), project.ksecret("render", "prod").code) == (set(), 1)
    project.done("seal", "prod")
    assert project.changed_since(before) == {"overlays/prod/secrets/manifests/app.yaml"}
    assert project.ksecret("render", "prod").code == 0
