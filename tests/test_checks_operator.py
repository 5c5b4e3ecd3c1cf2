"""What External Secrets Operator no longer serves or refuses, in unusual places."""

from pathlib import Path

import pytest

from .deployed import OVERLAY, deployed, found, kustomize, line

OLD, REFUSED = "old-api-version", "operator-refuses"
ES = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: old}\nspec:\n"
DATA = "  data: [{secretKey: a, remoteRef: {key: a}}]\n"


@pytest.mark.parametrize("kind", ["ExternalSecret", "SecretStore", "ClusterSecretStore", "ClusterExternalSecret"])
@pytest.mark.parametrize("built", [True, False])
def test_an_old_version_is_found_of_every_kind_built_or_not(tmp_path: Path, kind: str, built: bool) -> None:
    """Once; the same kind of another group is not theirs."""
    project = deployed(tmp_path, *(["old.yaml"] if built else []))
    old = ES.replace("/v1", "/v1beta1").replace("ExternalSecret", kind).replace("spec:\n", "spec: {}\n")
    other = old.replace("external-secrets.io/v1beta1", "kubernetes-client.io/v1alpha1").replace("old", "other")
    project.write(f"{OVERLAY}/old.yaml", f"{old}---\n{other}")
    assert found(project, OLD) == [f"{OVERLAY}/old.yaml:1"]


def test_an_old_version_of_a_build_from_elsewhere_is_found_there(tmp_path: Path) -> None:
    """A chart's templates are in no tree."""
    project = deployed(tmp_path)
    built = ES.replace("/v1", "/v1beta1") + DATA
    assert found(project, OLD, arguments=("--built", "-"), stdin=built) == ["standard input:1"]


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        ("  target: {}\n", 4),
        ("  refreshInterval: 1h\n  data: []\n", 6),
        ("  target:\n    deletionPolicy: Delete\n    creationPolicy: None\n" + DATA, 6),
        ("  target:\n    deletionPolicy: Delete\n    creationPolicy: CreateOrMerge\n" + DATA, 6),
        ("  target:\n    deletionPolicy: Merge\n    creationPolicy: None\n" + DATA, 6),
        ("  data:\n  - {secretKey: a, remoteRef: {key: a}}\n  - {secretKey: b}\n  - {secretKey: a}\n", 8),
        ("  dataFrom:\n  - extract: {key: a}\n  - extract: {key: a}\n    find: {path: a}\n", 7),
        ("  dataFrom:\n  - find: {path: a}\n    sourceRef: {generatorRef: {kind: Password, name: a}}\n", 6),
        ("  dataFrom:\n  - rewrite: []\n", 6),
        ("  dataFrom:\n  - extract: {key: a}\n    sourceRef: {}\n", 7),
    ],
)
def test_what_the_webhook_refuses_is_found_at_its_line(tmp_path: Path, spec: str, number: int) -> None:
    """One finding each."""
    project = deployed(tmp_path, "old.yaml")
    project.write(f"{OVERLAY}/old.yaml", ES + spec)
    assert found(project, REFUSED) == [f"{OVERLAY}/old.yaml:{number}"]


@pytest.mark.parametrize(
    "spec",
    [
        "  dataFrom: [{sourceRef: {generatorRef: {kind: Password, name: a}}}]\n",
        "  target: {deletionPolicy: Merge, creationPolicy: Merge}\n" + DATA,
        "  target: odd\n  data: [odd, {secretKey: [odd]}, {secretKey: [odd]}]\n  dataFrom: odd\n",
        "  target: {deletionPolicy: [odd], creationPolicy: {odd: 1}}\n  data: {odd: 1}\n  dataFrom: [[odd: 1], null]\n",
    ],
)
def test_what_the_webhook_takes_or_is_odd_gives_no_traceback(tmp_path: Path, spec: str) -> None:
    """An entry of dataFrom that is no mapping takes nothing."""
    project = deployed(tmp_path, "old.yaml")
    project.write(f"{OVERLAY}/old.yaml", ES + spec)
    assert found(project, REFUSED) == ([f"{OVERLAY}/old.yaml:7"] * 2 if "null" in spec else [])


def test_a_cluster_external_secret_is_judged_by_what_it_makes(tmp_path: Path) -> None:
    """Its spec stands one level below."""
    project = deployed(tmp_path, "old.yaml")
    spec = "  externalSecretSpec:\n    target: {name: a}\n"
    project.write(f"{OVERLAY}/old.yaml", ES.replace("ExternalSecret", "ClusterExternalSecret") + spec)
    assert found(project, REFUSED) == [f"{OVERLAY}/old.yaml:5"]


TEMPLATE_FROM = (
    "    template:\n      type: %s\n      templateFrom:\n      - target: %s\n        literal: 'a: {{ .a }}'\n"
)
ACCOUNT = "kubernetes.io/service-account-token"
OF_A_SECRET = "    manifest: {apiVersion: v1, kind: Secret}\n"
OF_ANOTHER = "    manifest: {apiVersion: example.org/v1, kind: Client}\n"


@pytest.mark.parametrize(
    ("target", "place", "since"),
    [
        (TEMPLATE_FROM % ("Opaque", "metadata.ownerReferences"), "9:17", "since 2.9 for a Secret"),
        (TEMPLATE_FROM % ("Opaque", "type") + OF_A_SECRET, "9:17", "since 2.9 for a Secret"),
        (TEMPLATE_FROM % (ACCOUNT, "annotations"), "7:13", "since 2.4.1"),
        (TEMPLATE_FROM % ("Opaque", "data"), "", ""),
        (TEMPLATE_FROM % ("Opaque", "Labels"), "", ""),
        (TEMPLATE_FROM % ("Opaque", "Annotations"), "", ""),
        (TEMPLATE_FROM % (ACCOUNT, "Labels"), "", ""),
        (TEMPLATE_FROM % ("Opaque", "spec.client.secret") + OF_ANOTHER, "", ""),
        ("    template: {templateFrom: [odd, {target: [odd]}, {target: null}]}\n", "", ""),
    ],
    ids=["path", "path of a Secret", "annotations of a token", "data", "labels", "annotations", *"abc"],
)
def test_a_template_from_elsewhere_that_newer_versions_refuse_is_a_warning(
    tmp_path: Path, target: str, place: str, since: str
) -> None:
    """With the version that began to; another object than a Secret may be templated at any path."""
    project = deployed(tmp_path, "old.yaml")
    project.write(f"{OVERLAY}/old.yaml", f"{ES}  target:\n{target}{DATA}")
    done = project.ksecret("check", "--min-severity", "warning")
    lines = [text for text in done.err.splitlines() + done.out.splitlines() if f"[{REFUSED}]" in text]
    assert [text.split(": ")[:2] for text in lines] == ([["warning", f"{OVERLAY}/old.yaml:{place}"]] if place else [])
    assert all(since in text for text in lines)


def test_a_patch_is_judged_with_what_it_patches(tmp_path: Path) -> None:
    """It takes nothing itself; what it makes wrong is found in it."""
    project = deployed(tmp_path, "old.yaml")
    project.write(f"{OVERLAY}/old.yaml", ES + "  target: {creationPolicy: Merge}\n" + DATA)
    project.write(f"{OVERLAY}/patch.yaml", ES + "  target:\n    deletionPolicy: Delete\n")
    kustomize(project, patches=[{"path": "patch.yaml"}])
    assert found(project, REFUSED) == [line(project, f"{OVERLAY}/patch.yaml", "Delete")]


def test_what_no_build_holds_is_judged_by_what_it_says(tmp_path: Path) -> None:
    """It may be a patch of another name, so it need not take anything."""
    project = deployed(tmp_path)
    project.write(f"{OVERLAY}/old.yaml", ES + "  target:\n    deletionPolicy: Delete\n    creationPolicy: None\n")
    assert found(project, REFUSED) == [f"{OVERLAY}/old.yaml:6"]


def test_what_newer_versions_refuse_is_a_warning(tmp_path: Path) -> None:
    """A token with which somebody could sign in to the cluster; a Secret of another type is nobody's business."""
    project = deployed(tmp_path, "token.yaml")
    target = "  target:\n    template:\n      type: bootstrap.kubernetes.io/token\n"
    project.write(f"{OVERLAY}/token.yaml", ES + target + DATA)
    assert found(project, REFUSED) == [f"{OVERLAY}/token.yaml:7"]
    assert project.ksecret("check", "--min-severity", "error").out.count(f"[{REFUSED}]") == 0
    project.write(f"{OVERLAY}/token.yaml", ES + target.replace("bootstrap.kubernetes.io/token", "Opaque") + DATA)
    assert found(project, REFUSED) == []


def test_a_secret_has_one_owner(tmp_path: Path) -> None:
    """Merge onto what another ExternalSecret owns fails since 0.11; onto what it leaves an orphan it does not."""
    project = deployed(tmp_path, "both.yaml")
    owner = ES.replace("name: old", "name: owner") + "  target: {name: shared, creationPolicy: Owner}\n" + DATA
    merging = ES + "  target:\n    name: shared\n    creationPolicy: Merge\n" + DATA
    project.write(f"{OVERLAY}/both.yaml", f"{merging}---\n{owner}")
    assert found(project, REFUSED) == [f"{OVERLAY}/both.yaml:7"]
    project.write(f"{OVERLAY}/both.yaml", f"{merging}---\n{owner.replace('Owner', 'Orphan')}")
    assert found(project, REFUSED) == []
