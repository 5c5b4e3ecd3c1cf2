"""Which overlays belong to a project: what Git tracks or does not ignore, and what the user names."""

import os
import subprocess
from pathlib import Path

import pytest

from .forkserver import COMMAND
from .projects import Done, Project, shop


def names(project: Project, *arguments: str, **environment: str) -> str:
    """The overlays that `list` shows, for the keys of the Secret app."""
    done = project.ksecret("list", *arguments, "-o", "json", **environment)
    assert (done.code, done.err) == (0, ""), done.err
    return done.out


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An overlay `prod` at its usual place, committed."""
    project = shop(tmp_path)
    project.write(".gitignore", "build/\n")
    project.commit()
    return project


def copied(project: Project, folder: str, name: str) -> str:
    """The overlay again under another name, in a folder of the project."""
    text = (project.root / "overlays/prod/secrets/ksecret.yaml").read_text()
    depth = len(folder.split("/"))
    text = text.replace("../../../", "../" * depth).replace("name: prod", f"name: {name}")
    text = text.replace("namespace: shop-prod", f"namespace: shop-{name}").replace(
        "source:\n", f"source:\n    names: '{{remoteName}}-{name}'\n"
    )
    project.write(f"{folder}/sealing.pem", (project.root / "overlays/prod/secrets/sealing.pem").read_bytes())
    project.write(f"{folder}/ksecret.yaml", text)
    return f"{folder}/ksecret.yaml"


@pytest.mark.parametrize("folder", [".pipeline/k8s/prod/secrets", "deploy/.hidden/secrets", "new"])
def test_hidden_folders_and_new_files_count(project: Project, folder: str) -> None:
    """A team keeps its manifests in .pipeline; a file that is not added yet will be."""
    copied(project, folder, "qa")
    assert '"qa"' in names(project)


@pytest.mark.parametrize("folder", ["build/secrets", "node_modules/x", "a/testdata/b"])
def test_ignored_files_test_data_and_dependencies_do_not_count(project: Project, folder: str) -> None:
    """Unless the user names them: the file, or a folder above it."""
    file = copied(project, folder, "qa")
    assert '"qa"' not in names(project)
    assert '"qa"' in names(project, file)
    assert '"qa"' in names(project, folder)


def test_a_deleted_overlay_that_git_still_tracks_does_not_count(project: Project) -> None:
    """The deletion is not committed yet."""
    os.remove(project.root / copied(project, "qa", "qa"))
    copied(project, "qa", "qa")
    project.commit()
    os.remove(project.root / "qa/ksecret.yaml")
    assert '"qa"' not in names(project)


@pytest.mark.parametrize("folder", [".pipeline/k8s/secrets", "build/secrets", "a/testdata/b"])
@pytest.mark.parametrize("by_name", [True, False])
def test_every_command_takes_an_overlay_wherever_it_lies(project: Project, folder: str, by_name: bool) -> None:
    """By its name where a search comes upon it, by its path everywhere: the same code for both."""
    file = copied(project, folder, "qa")
    is_searched = folder.startswith(".pipeline")
    if by_name and not is_searched:
        done = project.ksecret("check", "qa")
        assert (done.code, done.err.splitlines()[0]) == (2, "error: no overlay is named qa")
        return
    overlay = "qa" if by_name else file
    project.write(".env", "TOKEN_QA=the token\nPASSWORD_QA=the password\nTOKEN=a\nPASSWORD=b\n")
    project.write(f"{folder}/../kustomization.yaml", f"namespace: shop-qa\nresources: [{os.path.basename(folder)}]\n")
    fingerprint = project.ksecret("seal", overlay)
    assert "Traceback" not in fingerprint.err
    accepted = [word for word in fingerprint.err.split() if word.startswith("SHA256:")]
    sealed = project.ksecret("seal", overlay, *(["--accept", accepted[0]] if accepted else []))
    assert sealed.code == 0, sealed.err
    for command in (["render", overlay, "--check"], ["status", overlay], ["list", overlay], ["check", overlay]):
        done = project.ksecret(*command)
        assert done.code in (0, 1) and "Traceback" not in done.err, (command, done)
    done = project.ksecret("rotate", overlay, "app/token", "--dry-run")
    assert "Traceback" not in done.err and "reads it" not in done.err, done.err


def test_a_hooks_variables_do_not_mislead(project: Project, tmp_path: Path) -> None:
    """Git sets GIT_DIR and GIT_INDEX_FILE for a hook, of whichever repository is being committed."""
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["git", "init", "--quiet", other], check=True, env=project.environment)
    copied(project, ".pipeline/secrets", "qa")
    assert '"qa"' in names(project, GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other))


def without_git(project: Project, *arguments: str) -> Done:
    """Run the command where there is no git on the PATH."""
    return project.ksecret(*arguments, PATH=str(project.root))


def test_without_the_program_git_the_folders_are_walked_with_a_warning(project: Project) -> None:
    """By the same rules, but that nobody knows what is ignored."""
    for folder in (".pipeline/secrets", "build/secrets", "node_modules/x", "a/testdata/b"):
        copied(project, folder, folder.split("/")[0].strip("."))
    done = without_git(project, "list", "-o", "json")
    assert done.code == 0
    assert ['"pipeline"' in done.out, '"build"' in done.out] == [True, True]
    assert '"node_modules"' not in done.out and '"a"' not in done.out
    assert done.err == (
        "warning: Git can't tell which files are ignored, so all folders are searched\n"
        "hint: see the reason with: git status\n"
    )


def test_where_git_refuses_the_folders_are_walked_with_a_warning(project: Project) -> None:
    """As it does in a work tree of another user's, or one that is damaged."""
    (project.root / ".git/HEAD").write_text("nonsense")
    done = project.ksecret("list")
    assert (done.code, done.err.splitlines()[0]) == (
        0,
        "warning: Git can't tell which files are ignored, so all folders are searched",
    )


def test_git_is_asked_once_and_by_the_function_never(project: Project, tmp_path: Path) -> None:
    """Each question costs a process at every start."""
    log = tmp_path / "log"
    git = tmp_path / "git"
    git.write_text(f'#!/bin/sh\necho "$@" >> {log}\nPATH={project.environment["PATH"]} exec git "$@"\n')
    git.chmod(0o755)
    path = f"{tmp_path}:{project.environment['PATH']}"
    for command in (["list"], ["render", "prod"], ["render", "overlays"]):
        log.write_text("")
        project.ksecret(*command, PATH=path)
        assert log.read_text().count("ls-files") == 1, command
    log.write_text("")
    config = (project.root / "overlays/prod/secrets/ksecret.yaml").read_text()
    items = "".join(f"  {line}\n" for line in config.splitlines())
    text = f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- {items.strip()}\n"
    function = Path(COMMAND).with_name("ksecret-fn")
    subprocess.run(
        [function], input=text.encode(), cwd=project.root, env=project.environment | {"PATH": path}, check=False
    )
    assert log.read_text() == ""
