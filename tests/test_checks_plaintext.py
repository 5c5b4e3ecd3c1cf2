"""Plaintext Secrets in the tree: in all the places where a value can stand, and none where there is none."""

import json
import shutil
from base64 import b64encode
from pathlib import Path

import pytest

from .deployed import OVERLAY, deployed, found, kustomize, line

RULE = "plaintext-secret"
VALUE = "canary-of-this-test"


def secret(field: str, value: str, **more: str) -> str:
    """A Secret with one key."""
    lines = "".join(f"{name}: {value}\n" for name, value in more.items())
    return f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: old\n{lines}{field}:\n  password: {value}\n"


@pytest.mark.parametrize(
    "content",
    [
        secret("stringData", VALUE),
        secret("data", b64encode(VALUE.encode()).decode()),
        secret("data", f"no-base64-{VALUE}"),
        secret("stringData", "4711"),
        secret("stringData", VALUE, sops="{version: 3.10.2}"),
        "apiVersion: v1\nkind: List\nitems:\n- " + secret("stringData", VALUE).replace("\n", "\n  ").rstrip(" "),
        "{apiVersion: v1, kind: Secret, metadata: {name: old}, stringData: {\n password: " + VALUE + "}}\n",
    ],
)
@pytest.mark.parametrize("built", [True, False])
def test_a_value_is_found_in_every_form_built_or_not(tmp_path: Path, content: str, built: bool) -> None:
    """Once, at the line of its key; the value is not shown."""
    project = deployed(tmp_path, *(["old.yaml"] if built else []))
    project.write(f"{OVERLAY}/old.yaml", content)
    assert found(project, RULE) == [line(project, f"{OVERLAY}/old.yaml", "password")]
    printed = project.ksecret("check").out + project.ksecret("check", "-o", "json").out
    assert not any(text in printed for text in (VALUE, b64encode(VALUE.encode()).decode(), "4711"))


@pytest.mark.parametrize(
    "content",
    [
        secret("stringData", '""'),
        secret("data", "null"),
        secret("stringData", "<path:kv/data/shop#password>"),
        secret("stringData", "mongodb://app:<path:kv/data/shop#password>@db/app"),
        secret("data", b64encode(b"<path:kv/data/shop#password>").decode()),
        secret("stringData", "${PASSWORD}"),
        secret("stringData", "'{{ .Values.password }}'"),
        secret("stringData", "ref+azurekeyvault://shop/password"),
        secret("stringData", "<password>").replace(
            "name: old", "name: old\n  annotations: {avp.kubernetes.io/path: kv}"
        ),
        secret("data", "c29tZXRoaW5n", type="kubernetes.io/service-account-token"),
        secret("stringData", VALUE).replace("kind: Secret", "kind: SecretTemplate"),
        secret("stringData", VALUE).replace("v1", "example.org/v1"),
        "apiVersion: v1\nkind: Secret\nmetadata: [odd]\nstringData: [odd]\ndata: odd\n",
        "apiVersion: [odd]\nkind: Secret\nmetadata:\n  annotations: odd\ndata: {1: , ? [2] : }\n",
    ],
)
def test_what_is_no_value_is_not_found(tmp_path: Path, content: str) -> None:
    """Empty, put in by a deployer, of another kind, or odd."""
    project = deployed(tmp_path)
    project.write(f"{OVERLAY}/old.yaml", content)
    assert found(project, RULE) == []


def test_a_placeholder_in_angle_brackets_is_a_value_where_nobody_replaces_it(tmp_path: Path) -> None:
    """Without the plugin's annotation it is deployed as it stands."""
    project = deployed(tmp_path)
    project.write(f"{OVERLAY}/old.yaml", secret("stringData", "<password>"))
    assert found(project, RULE) == [f"{OVERLAY}/old.yaml:6"]


def test_an_inline_patch_that_adds_a_value_is_found(tmp_path: Path) -> None:
    """The Secret that it is added to is named; a patch in a file of its own is found there, once."""
    project = deployed(tmp_path, "old.yaml")
    project.write(f"{OVERLAY}/old.yaml", secret("stringData", '""'))
    patch = json.dumps([{"op": "add", "path": "/stringData/second", "value": VALUE}])
    kustomize(project, patches=[{"target": {"kind": "Secret"}, "patch": patch}])
    assert found(project, RULE) == [f"{OVERLAY}/old.yaml:6"]
    project.write(f"{OVERLAY}/patch.yaml", secret("stringData", VALUE))
    kustomize(project, patches=[{"path": "patch.yaml"}])
    assert found(project, RULE) == [f"{OVERLAY}/patch.yaml:6"]


@pytest.mark.parametrize("file", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_generators_are_found_in_every_kustomization(tmp_path: Path, file: str) -> None:
    """Also of a base without a kind, and under each of the names that kustomize takes."""
    project = deployed(tmp_path, "../../base")
    lines = ["secretGenerator:", "- name: one", "  literals: [empty=]", "- name: two", "  literals:"]
    project.write(f"base/{file}", "\n".join([*lines, f"  - key='{VALUE}'"]))
    assert found(project, RULE) == [line(project, f"base/{file}", "key=")]


def test_a_second_entry_of_a_name_is_found_at_its_own_line(tmp_path: Path) -> None:
    """What kustomize merges was written in two places."""
    project = deployed(tmp_path)
    entry = {"name": "one", "literals": ["first=1"]}
    kustomize(project, secretGenerator=[entry, {"name": "one", "behavior": "merge", "literals": ["second=2"]}])
    shutil.move(project.root / OVERLAY / "kustomization.yaml", project.write(f"{OVERLAY}/more/kustomization.yaml", ""))
    kustomize(project, resources=["secrets"])
    assert found(project, RULE) == [
        line(project, f"{OVERLAY}/more/kustomization.yaml", name) for name in ("first", "second")
    ]


def test_files_of_a_generator_are_found_if_git_tracks_them(tmp_path: Path) -> None:
    """Untracked they are a developer's own; what SOPS has encrypted is for Flux to decrypt."""
    project = deployed(tmp_path)
    for name in ("a.txt", "b.txt", "c.properties"):
        project.write(f"{OVERLAY}/{name}", f"{name[0]}={VALUE}\n")
    project.write(f"{OVERLAY}/d.properties", "d=ENC[AES256_GCM,data:YQ==]\nsops_mac=ENC[AES256_GCM,data:YQ==]\n")
    generator = {"name": "one", "files": ["key=a.txt", "b.txt"], "envs": ["c.properties", "d.properties"]}
    kustomize(project, secretGenerator=[generator])
    assert found(project, RULE) == []
    project.git("add", "--all")
    assert found(project, RULE) == [
        line(project, f"{OVERLAY}/kustomization.yaml", f"- {name}") for name in ("key=a.txt", "b.txt", "c.properties")
    ]


def test_a_generator_with_a_file_of_its_own_is_found(tmp_path: Path) -> None:
    """As `generators: [generator.yaml]` lists it."""
    project = deployed(tmp_path)
    lines = ["apiVersion: builtin", "kind: SecretGenerator", "metadata: {name: one}", "literals:", f"- key={VALUE}"]
    project.write(f"{OVERLAY}/generator.yaml", "\n".join(lines))
    kustomize(project, generators=["generator.yaml"])
    assert found(project, RULE) == [f"{OVERLAY}/generator.yaml:5"]


def test_a_build_from_elsewhere_is_no_tree(tmp_path: Path) -> None:
    """What a deployer has decrypted is not in the repository."""
    project = deployed(tmp_path)
    assert found(project, RULE, arguments=("--built", "-"), stdin=secret("stringData", VALUE)) == []


def test_what_an_overlay_of_sops_left_in_plain_text_is_told_once(tmp_path: Path) -> None:
    """As what is not encrypted; such a Secret beside it is told as plaintext."""
    project = deployed(tmp_path, "old.yaml")
    project.sops_overlay("somebody", name="prod")
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets/manifests/app.yaml]\n")
    project.write("overlays/prod/secrets/manifests/app.yaml", secret("data", "YQ==").replace("old", "app"))
    project.write("overlays/prod/old.yaml", secret("stringData", VALUE))
    assert found(project, RULE, arguments=("prod",)) == ["overlays/prod/old.yaml:6"]
    assert found(project, "not-encrypted", arguments=("prod",)) == ["overlays/prod/secrets/manifests/app.yaml:1"]
