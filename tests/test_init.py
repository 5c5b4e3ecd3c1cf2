"""`init`: one overlay that builds at once, into a project as it is; nothing of anybody is overwritten."""

import shlex
from pathlib import Path

import pytest
import yaml

from .builds import by_kubectl, from_manifests, generated, objects
from .peers import ROOT
from .projects import Project, age, sealing

TEST = ["init", "overlays/test", "--backend", "externalSecret", "--namespace", "shop-test"]
VAULT = ["--vault-url", "https://shop.vault.azure.net"]
KMS = ["--source", "alibabaKms: {region: cn-hangzhou}"]
PROD = ["init", "overlays/prod", "--backend", "sealedSecret", "--namespace", "shop", "--certificate", "sealing.pem"]


def certified(folder: Path) -> Project:
    """An empty project with a certificate at its root."""
    project = Project(folder)
    project.write("sealing.pem", sealing(1).certificate)
    return project


def test_an_empty_project_gets_a_declaration_and_an_overlay_that_renders(tmp_path: Path) -> None:
    """The files are named; the overlay is up to date, and builds with no plugin."""
    project = Project(tmp_path)
    assert project.done(*TEST, *VAULT).splitlines() == [
        "generators/app-secrets.yaml",
        "overlays/test/secrets/ksecret.yaml",
        "overlays/test/kustomization.yaml",
        "overlays/test/secrets/manifests/app-secrets.yaml",
        "overlays/test/secrets/manifests/_references.yaml",
        "overlays/test/secrets/manifests/kustomization.yaml",
        "overlays/test/secrets/kustomization.yaml",
    ]
    assert project.done("render", "test", "-o", "name") == "externalsecret.external-secrets.io/app-secrets\n"
    assert project.done("render", "--check") == ""
    (built,) = objects(from_manifests(project.root / "overlays/test"))
    assert (built["kind"], built["metadata"]) == ("ExternalSecret", {"name": "app-secrets", "namespace": "shop-test"})
    assert objects(by_kubectl(project.root / "overlays/test")) == [built]


def test_the_generator_form_builds_the_same(tmp_path: Path) -> None:
    """--generator renders on every build."""
    project = Project(tmp_path)
    project.done(*TEST, *VAULT, "--generator")
    (built,) = objects(generated(project.root / "overlays/test"))
    assert (built["kind"], built["metadata"]["name"]) == ("ExternalSecret", "app-secrets")


def test_an_overlay_of_sealed_secrets_builds_empty_and_takes_its_first_value(tmp_path: Path) -> None:
    """A certificate in the project is named where it lies; one from elsewhere is copied."""
    project = certified(tmp_path)
    project.done(*PROD)
    assert "certificate: ../../../sealing.pem\n" in (project.root / "overlays/prod/secrets/ksecret.yaml").read_text()
    assert from_manifests(project.root / "overlays/prod") == ""
    project.done("seal", "prod", "app-secrets/api-key", "--from-stdin", stdin="x")
    assert [document["kind"] for document in objects(from_manifests(project.root / "overlays/prod"))] == [
        "SealedSecret"
    ]
    elsewhere = tmp_path / "other.pem"
    elsewhere.write_bytes(sealing(2).certificate)
    project.done("init", "overlays/dr", *PROD[2:-1], str(elsewhere))
    assert (project.root / "overlays/dr/secrets/sealing.pem").read_bytes() == sealing(2).certificate


def test_an_overlay_of_sops_names_its_recipients_or_leaves_them_to_the_creation_rules(tmp_path: Path) -> None:
    """Without either, nothing is made."""
    project = Project(tmp_path)
    sops = ["--backend", "sops", "--namespace", "shop"]
    done = project.ksecret("init", "overlays/a", *sops)
    assert (done.code, done.err) == (
        2,
        "error: no age recipient\nhint: give --age, or a creation rule in .sops.yaml\n",
    )
    assert project.files() == {}
    project.done("init", "overlays/a", *sops, "--age", age("ann").recipient)
    project.write(".sops.yaml", f"creation_rules:\n- age: {age('bob').recipient}\n")
    project.done("init", "overlays/b", *sops)
    project.done("seal", "b", "app-secrets/api-key", "--from-stdin", stdin="x")
    assert project.object("app-secrets", "b")["sops"]["age"][0]["recipient"] == age("bob").recipient


def test_an_overlay_of_ack_secret_manager_names_the_region_of_kms(tmp_path: Path) -> None:
    """It renders at once; the same source goes with the backends that seal."""
    project = Project(tmp_path)
    made = ["init", "overlays/ack", "--backend", "ackSecretManager", "--namespace", "shop", *KMS]
    assert "overlays/ack/secrets/manifests/app-secrets.yaml" in project.done(*made).splitlines()
    assert project.done("render", "ack", "-o", "name") == "externalsecret.alibabacloud.com/app-secrets\n"
    assert project.done("list").splitlines()[0].endswith("ack (ackSecretManager ← alibabaKms)")
    assert not (project.root / ".gitignore").exists()


def test_an_overlay_of_a_store_that_exists_may_have_patterns_without_a_source(tmp_path: Path) -> None:
    """The operator reads the store, of whatever provider; the patterns say the names in it."""
    project = Project(tmp_path)
    backend = "externalSecret: {store: {name: onepassword, kind: ClusterSecretStore}}"
    patterns = ("--names", "shop/{secret}", "--property", "{key}")
    project.done("init", "overlays/prod", "--namespace", "shop", "--backend", backend, *patterns)
    spec = yaml.safe_load((project.root / "overlays/prod/secrets/ksecret.yaml").read_text())["spec"]
    assert spec["source"] == {"names": "shop/{secret}", "property": "{key}"}
    assert "shop/app-secrets#api-key" in project.done("list")
    done = project.ksecret("init", "overlays/more", "--namespace", "shop", "--backend", "secret", *patterns)
    assert (done.code, done.err) == (
        2,
        "error: --names and --property go with --source\nhint: or with --backend externalSecret, whose store exists\n",
    )


def test_the_commands_of_the_guide_to_choosing_make_overlays(tmp_path: Path) -> None:
    """Each way of docs/choosing.md, as it is printed there, in a project of its own."""
    text = (ROOT / "docs" / "choosing.md").read_text().replace("\\\n", "")
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith("kubectl ksecret init ")]
    assert len(commands) == 3
    for number, command in enumerate(commands):
        folder = tmp_path / str(number)
        folder.mkdir()
        project = Project(folder)
        assert "overlays/prod/secrets/ksecret.yaml" in project.done(*command[2:]).splitlines()
        assert project.done("render", "--check") == ""


def test_the_declarations_of_the_project_are_taken_over(tmp_path: Path) -> None:
    """Wherever they lie: the second overlay shares the base of the first."""
    project = certified(tmp_path)
    project.declare("db", {"password": {}})
    (project.root / "generators").rename(project.root / "secrets")
    project.overlay(
        "test", {"sealedSecret": {"certificate": "../../../sealing.pem"}}, declarations=["../../../secrets"]
    )
    project.done(*PROD)
    assert "declarations: [../../../secrets]\n" in (project.root / "overlays/prod/secrets/ksecret.yaml").read_text()
    assert not (project.root / "generators").exists()


def test_what_the_declarations_still_need_is_noted(tmp_path: Path) -> None:
    """A template's parameter is the user's to say: the overlay is there, and the note leads on."""
    project = certified(tmp_path)
    project.declare("app", {"token": {}, "url": {"template": "{{ parameters.host }}/{{ token }}"}})
    done = project.ksecret(*PROD)
    assert (done.code, done.out) == (0, "overlays/prod/secrets/ksecret.yaml\noverlays/prod/kustomization.yaml\n")
    assert done.err == (
        "note: before it renders: generators/app.yaml:9:17: overlays/prod/secrets/ksecret.yaml sets no parameter host\n"
        "hint: add it to spec.parameters there\n"
        "note: then run: kubectl ksecret render prod --write\n"
    )


def test_an_existing_kustomization_keeps_its_comments_and_gets_no_namespace(tmp_path: Path) -> None:
    """A namespace would move its other objects; the line is printed instead."""
    project = Project(tmp_path)
    project.write("overlays/test/kustomization.yaml", "# ours\nresources:\n  - ../base  # all of it\n")
    done = project.ksecret(*TEST, *VAULT)
    assert (project.root / "overlays/test/kustomization.yaml").read_text() == (
        "# ours\nresources:\n  - ../base  # all of it\n  - secrets\n"
    )
    assert (done.code, done.err) == (
        0,
        "note: overlays/test/kustomization.yaml has no namespace; it would move its other objects too, "
        "so add it yourself:\nnamespace: shop-test\n",
    )


@pytest.mark.parametrize("before", ["", "# ours, to be filled\n"])
def test_an_empty_kustomization_is_filled(tmp_path: Path, before: str) -> None:
    """As `touch` makes it; the namespace stays its owner's to say."""
    project = Project(tmp_path)
    path = project.write("overlays/test/kustomization.yaml", before)
    done = project.ksecret(*TEST, *VAULT)
    assert (done.code, path.read_text()) == (
        0,
        f"{before}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- secrets\n",
    )


def test_a_kustomization_of_another_namespace_is_noted(tmp_path: Path) -> None:
    """References do not cross namespaces."""
    project = Project(tmp_path)
    project.write("overlays/test/kustomization.yml", "namespace: other\nresources: [../base]\n")
    done = project.ksecret(*TEST, *VAULT)
    assert (project.root / "overlays/test/kustomization.yml").read_text() == (
        "namespace: other\nresources: [../base, secrets]\n"
    )
    assert done.err == (
        "note: overlays/test/kustomization.yml has the namespace other; "
        "references reach a Secret in shop-test only if they are one\n"
    )


def test_without_git_overlays_share_the_declarations_below_the_working_directory(tmp_path: Path) -> None:
    """The second one finds those of the first, though its own folder's nearest parent is overlays/ by then."""
    project = certified(tmp_path)
    (project.root / ".git").rename(tmp_path / "no-git")
    project.done(*TEST, *VAULT)
    project.done(*PROD)
    assert [name for name in project.files() if "generators" in name] == ["generators/app-secrets.yaml"]
    assert project.done("list").count("app-secrets") == 1


def test_without_git_nothing_is_made_outside_of_the_working_directory(tmp_path: Path) -> None:
    """No project is there to be found: the nearest folder that exists may be anybody's, and hold anything."""
    project = Project(tmp_path)
    (project.root / ".git").rename(tmp_path / "no-git")
    for folder in ("../elsewhere/overlays/test", "..", "/"):
        done = project.ksecret("init", folder, *TEST[2:], *VAULT)
        assert (done.code, "lies neither in a Git work tree nor in the working directory" in done.err) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "no-git", "project"]


@pytest.mark.parametrize("folder", ["file", "file/below", "link", "shop", "overlays/test"])
def test_a_path_below_a_file_is_wrong_usage(tmp_path: Path, folder: str) -> None:
    """The file is named; nothing is made."""
    project = Project(tmp_path)
    project.write("file", "")
    project.write("shop/secrets", "")
    (project.root / "overlays/test").mkdir(parents=True)
    (project.root / "overlays/test/secrets").symlink_to("/nowhere")
    (project.root / "link").symlink_to("file")
    before = project.files()
    done = project.ksecret("init", folder, *TEST[2:], *VAULT)
    named = {"shop": "shop/secrets", "overlays/test": "overlays/test/secrets"}.get(folder, "file")
    assert (done.code, done.err) == (2, f"error: {named} is not a folder\n")
    assert project.changed_since(before) == set()


def test_a_link_to_nothing_in_place_of_a_kustomization_is_not_replaced(tmp_path: Path) -> None:
    """Its target may come back."""
    project = Project(tmp_path)
    link = project.write("overlays/test/kustomization.yaml", "")
    link.unlink()
    link.symlink_to("shared.yaml")
    done = project.ksecret(*TEST, *VAULT)
    assert (done.code, done.err) == (2, "error: overlays/test/kustomization.yaml: No such file or directory\n")
    assert (link.is_symlink(), project.files()) == (True, {})


@pytest.mark.parametrize("name", ["ksecret.yaml", "kustomization.yaml"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """A file that is there already is named, and no other is made."""
    project = Project(tmp_path)
    project.write(f"overlays/test/secrets/{name}", "# somebody's\n")
    before = project.files()
    done = project.ksecret(*TEST, *VAULT, "--generator")
    message = f"error: overlays/test/secrets/{name} exists already\nhint: nothing is overwritten\n"
    assert (done.code, done.err, project.files()) == (2, message, before)


def test_a_name_that_another_overlay_has_is_refused(tmp_path: Path) -> None:
    """The folder's name becomes the overlay's, which is unique in the project."""
    project = Project(tmp_path)
    project.done(*TEST, *VAULT)
    done = project.ksecret("init", "shop/test", *TEST[2:], *VAULT)
    assert done.code == 2
    assert done.err.startswith("error: overlays/test/secrets/ksecret.yaml is named test already\n")


def test_a_link_out_of_the_project_is_not_written_through(tmp_path: Path) -> None:
    """As a pull request may have laid it there."""
    project = Project(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (project.root / "overlays/test").mkdir(parents=True)
    (project.root / "overlays/test/secrets").symlink_to(outside)
    done = project.ksecret(*TEST, *VAULT)
    assert (done.code, list(outside.iterdir())) == (2, [])
    assert "overlays/test/secrets lies outside the project" in done.err


def test_names_that_yaml_reads_as_something_else_stand_in_quotes(tmp_path: Path) -> None:
    """A namespace may be a number, and a folder have any name."""
    project = certified(tmp_path)
    project.declare("db", {"password": {}})
    (project.root / "generators").rename(project.root / "it's, #1: [ü]")
    certificate = str(project.write("a: b #c.pem", sealing(1).certificate))
    project.overlay("true", {"sealedSecret": {"certificate": "x"}}, declarations=["../../../it's, #1: [ü]"])
    project.done("init", "overlays/0123", *PROD[2:5], "1e3", "--certificate", certificate)
    project.done("seal", "0123", "db/password", "--from-stdin", stdin="x")
    (built,) = objects(from_manifests(project.root / "overlays/0123"))
    assert built["metadata"]["namespace"] == "1e3"
    assert objects(by_kubectl(project.root / "overlays/0123")) == [built]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([*TEST[:-1], "a: b", *VAULT], "error: --namespace: expected a namespace (lower case letters, digits and -)\n"),
        ([*TEST, "--vault-url", 'https://"}'], "error: --vault-url: expected an https:// URL of a host\n"),
        (
            ["init", "overlays/a: b\nc", *TEST[2:], *VAULT],
            "error: DIR: expected a Kubernetes name (lower case letters,",
        ),
        (
            [*TEST[:-1], "Shop_Test", *VAULT],
            "error: --namespace: expected a namespace (lower case letters, digits and -)\n",
        ),
        ([*TEST, "--vault-url", "http://shop"], "error: --vault-url: expected an https:// URL of a host\n"),
        (
            [*TEST[:3], "ackSecretManager", *TEST[4:]],
            "error: --backend: ackSecretManager needs a source that ack-secret-manager reads\n",
        ),
        (
            [*TEST, *KMS],
            "error: --source: externalSecret needs a source that External Secrets Operator reads, not alibabaKms\n",
        ),
        (
            [*TEST, *VAULT, *KMS],
            "error: --vault-url and --source name two sources; an overlay has",
        ),
        (
            [*TEST[:3], "secret", *TEST[4:], "--source", "alibabaKms: {region: Hangzhou}"],
            "error: --source: expected a region such as",
        ),
        (["init", "overlays/Test", *TEST[2:], *VAULT], "error: DIR: expected a Kubernetes name (lower case letters,"),
        (TEST, "error: "),
        (["init", "", *TEST[2:], *VAULT], "Usage: "),
        ([*PROD[:-1], "nowhere.pem"], "error: nowhere.pem: No such file or directory\n"),
    ],
)
def test_what_can_not_be_is_told_and_nothing_is_made(tmp_path: Path, arguments: list[str], error: str) -> None:
    """Each ends with 2 and leaves the project as it was."""
    project = Project(tmp_path)
    done = project.ksecret(*arguments)
    assert (done.code, done.err[: len(error)], project.files()) == (2, error, {})
