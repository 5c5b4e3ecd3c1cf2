"""`kubectl ksecret check --fix`: what has one safe mend is mended in place, comments kept, and the rest is told."""

import json
import os
from pathlib import Path

import pytest

from kubectl_ksecret.actions.mend import mend
from kubectl_ksecret.errors import Mend, Place, typo

from .projects import Project

OVERLAY = "overlays/test/secrets/ksecret.yaml"
TEXT = """\
# The overlay of test.
apiVersion: ksecret.dev/v1alpha1
kind: SecretOverlay
metadata: {name: test}
spec:
  declarations: [../../../generators]
  namespace: shop-test
  source:
    azureKeyVault: {vaultUrl: https://shop-test.vault.azure.net}
  backend:
    externalSecret:
      store: {name: vault}   # exists
  overrides:
    "backend":
      keys:
        token: {omit: Not in test}   # not here
        password: {remoteName: shared-password}
"""


def shop(folder: Path, text: str = TEXT) -> Project:
    """An overlay of ExternalSecrets and its declaration."""
    project = Project(folder)
    project.declare("backend", {"token": {}, "password": {}})
    project.write(OVERLAY, text)
    project.write("overlays/test/kustomization.yaml", "namespace: shop-test\nresources: [secrets]\n")
    return project


def fix(project: Project) -> list[str]:
    """What a fix says on standard error."""
    return project.ksecret("check", "--fix").err.splitlines()


def test_typos_in_an_overlay_are_mended_and_nothing_else(tmp_path: Path) -> None:
    """Fields, Secrets and keys, one behind the other; each is told, and the overlay is then what was meant."""
    wrong = (
        TEXT.replace("vaultUrl", "vaultURL")
        .replace('"backend"', '"bakend"')
        .replace("token:", "tokn:")
        .replace("remoteName", "remotName")
    )
    project = shop(tmp_path, wrong)
    printed = fix(project)
    assert (project.root / OVERLAY).read_text() == TEXT
    assert printed[:4] == [
        f"{OVERLAY}:9:21: vaultURL is now vaultUrl",
        f"{OVERLAY}:14:5: bakend is now backend",
        f"{OVERLAY}:17:20: remotName is now remoteName",
        f"{OVERLAY}:16:9: tokn is now token",
    ]


def test_manifests_that_are_out_of_date_are_rendered(tmp_path: Path) -> None:
    """As `render --write` does; a second fix has nothing to do."""
    project = shop(tmp_path)
    assert "overlays/test/secrets/manifests/backend.yaml: rendered" in fix(project)
    assert project.done("render", "--check") == ""
    before = project.files()
    assert not [line for line in fix(project) if "rendered" in line or "is now" in line]
    assert project.changed_since(before) == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        token: {omit", "        tok: {omit: x}\n        token: {omit"),
        ("password: {remoteName", "passwor: {omit: x}\n        password: {remoteName"),
        ("  source:", "  sourc: {}\n  source:"),
        ("    azureKeyVault", "    dotenf: {file: x}\n    azureKeyVault"),
        ('"backend":', '"nothing-like-it":'),
    ],
)
def test_what_is_not_certain_is_left_to_the_user(tmp_path: Path, old: str, new: str) -> None:
    """Where the name that is near stands already, or none is near: nothing is written, and the mistake is told."""
    assert old in TEXT
    project = shop(tmp_path, TEXT.replace(old, new))
    before = project.files()
    done = project.ksecret("check", "--fix")
    assert done.code == 2 and "is now" not in done.err and done.err.startswith("error: ")
    assert project.changed_since(before) == set()


def test_two_names_that_are_near_are_no_mend() -> None:
    """One is a mend; two are a question."""
    place = Place("a.yaml", 1, 1)
    assert typo(place, "jwt-secrt", ["jwt-secret", "other"]) == Mend(place, "jwt-secrt", "jwt-secret")
    assert typo(place, "jwt-secrt", ["jwt-secret", "jwt-secret-2"]) is None
    assert typo(Place("a.yaml"), "jwt-secrt", ["jwt-secret"]) is None


def test_what_is_wrong_behind_a_mend_is_told(tmp_path: Path) -> None:
    """A mend that is made is told, even if the command then fails."""
    project = shop(tmp_path, TEXT.replace("remoteName", "remotName").replace('"backend"', '"nothing-like-it"'))
    done = project.ksecret("check", "--fix")
    first, second = done.err.splitlines()
    assert first == f"{OVERLAY}:17:20: remotName is now remoteName"
    assert second == f"error: {OVERLAY}:14:5: no declaration is named nothing-like-it"
    assert done.code == 2


def test_the_mend_of_a_finding_is_made_and_the_rest_is_found_again(tmp_path: Path) -> None:
    """An exception whose rule is misspelt: then it is one of a rule, and silences."""
    exceptions = "  exceptions:\n  - {rule: unreadble-file, object: File/overlays/test/old.yaml, reason: Old}  # why\n"
    project = shop(tmp_path, TEXT + exceptions)
    project.write("overlays/test/old.yaml", "a: [\n")
    printed = fix(project)
    assert f"{OVERLAY}:19:12: unreadble-file is now unreadable-file" in printed
    assert (project.root / OVERLAY).read_text() == TEXT + exceptions.replace("unreadble", "unreadable")
    assert "1 finding is silenced by an exception" in printed
    left = [e["rule"] for e in json.loads(project.ksecret("check", "-o", "json").out)["items"]]
    assert not {"unreadable-file", "exception-unknown-rule"} & set(left)


STORES = """\
apiVersion: external-secrets.io/v1beta1 # old
kind: SecretStore
---
kind: ExternalSecret
apiVersion: "external-secrets.io/v1beta1"
"""


def test_an_api_version_is_mended_at_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a rule gives it, by the name of the file that messages show; a link to the file stays one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "stores.yaml").write_text(STORES)
    (tmp_path / "stores.yaml").symlink_to("base/stores.yaml")
    old, new = "external-secrets.io/v1beta1", "external-secrets.io/v1"
    mends = [Mend(Place("stores.yaml", line, 13), old, new) for line in (1, 5)]
    assert mend(mends) == mends
    assert (tmp_path / "base" / "stores.yaml").read_text() == STORES.replace("v1beta1", "v1")
    assert os.path.islink("stores.yaml")
    assert mend(mends) == []


def test_what_is_gone_or_no_longer_yaml_is_not_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have changed the file since it was read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text("old: [\n")
    mends = [Mend(Place(file, 1, 1), "old", "new") for file in ("broken.yaml", "gone.yaml")]
    assert mend(mends) == []
    assert (tmp_path / "broken.yaml").read_text() == "old: [\n"


def test_a_misspelt_key_and_secret_of_a_workload_are_mended(tmp_path: Path) -> None:
    """Where one name alone is near; what is in a patch within the kustomization is left, and reported."""
    project = shop(tmp_path)
    job = """\
apiVersion: batch/v1
kind: Job
metadata: {name: NAME}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: main:1
        envFrom:
        - secretRef: {name: backend}
        env:
        - name: PASSWORD
          valueFrom: {secretKeyRef: {name: backend, key: KEY}}  # as the mailer has it
"""
    right = job.replace("NAME", "job").replace("KEY", "password")
    project.write(
        "overlays/test/job.yaml", right.replace("key: password", "key: pasword").replace("backend}", "bakend}")
    )
    project.write("overlays/test/kustomization.yaml", "namespace: shop-test\nresources: [secrets, job.yaml]\n")
    printed = fix(project)
    assert "overlays/test/job.yaml:15:58: pasword is now password" in printed
    assert "overlays/test/job.yaml:12:29: bakend is now backend" in printed
    assert (project.root / "overlays/test/job.yaml").read_text() == right
