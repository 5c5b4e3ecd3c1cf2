"""Who may read a Secret through the API: the Roles that an overlay asks for."""

from pathlib import Path
from typing import Any

from .projects import Project, shop, sops_shop

ROLE, BINDING = "app-readers_role.yaml", "app-readers_rolebinding.yaml"
CREATE = {"create": True}
KEYS: dict[str, dict[str, Any]] = {"token": {}, "password": {}}


def manifests(project: Project, overlay: str = "prod") -> set[str]:
    folder = project.root / "overlays" / overlay / "secrets" / "manifests"
    listed = (folder / "kustomization.yaml").read_text()
    files = {path.name for path in folder.iterdir()}
    assert all(f"- {name}\n" in listed for name in files - {"kustomization.yaml"})
    return files


def test_sealing_keeps_the_roles_of_readers_and_they_go_with_the_last_of_them(tmp_path: Path) -> None:
    """They are listed among the manifests, so that a build without ksecret-fn has them, and removed as any of ours."""
    project = shop(tmp_path)
    project.declare("app", KEYS, readers=["backend-sa"])
    project.sealed_overlay(access=CREATE)
    assert project.ksecret("seal", "prod").code == 0
    usual = {"_references.yaml", "app.yaml", "kustomization.yaml"}
    assert manifests(project) == {*usual, ROLE, BINDING}
    assert project.ksecret("render", "prod", "--check").code == 0
    project.declare("app", KEYS, readers=[])
    project.sealed_overlay()
    assert project.ksecret("seal", "prod", "app/token").code == 0
    assert manifests(project) == usual


def test_an_overlay_that_commits_no_secret_commits_the_roles_alone(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.declare("app", KEYS, readers=["backend-sa"])
    project.overlay("prod", {"secret": {}}, source={"dotenv": {"file": "../../../.env"}}, access=CREATE)
    assert project.ksecret("render", "prod", "--write").code == 0
    assert manifests(project) == {"_references.yaml", "kustomization.yaml", ROLE, BINDING}


def test_a_role_and_a_secret_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    """A Secret may be named as the Role of another one is."""
    project = sops_shop(tmp_path, "anna")
    project.write(".env", "TOKEN=a\nPASSWORD=b\nKEY=c\n")
    project.declare("app", KEYS, readers=["backend-sa"])
    project.declare("app-readers", {"key": {}})
    project.sops_overlay("anna", access=CREATE)
    assert project.ksecret("seal", "prod").code == 0
    assert project.object("app-readers")["kind"] == "Secret"
    assert project.object("app-readers_role")["kind"] == "Role"
    before = project.files()
    assert project.ksecret("seal", "prod").code == 0
    assert project.changed_since(before) == set()
