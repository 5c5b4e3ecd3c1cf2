"""Sealed values and what seals them, looked at without a key."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_ksecret.actions.survey import asked, survey
from kubectl_ksecret.backends import implementation
from kubectl_ksecret.checks import rules
from kubectl_ksecret.checks.scope import Build, Repository
from kubectl_ksecret.files.project import Project as Files
from kubectl_ksecret.kustomize import layers
from kubectl_ksecret.model.types.backends import SealedSecret
from kubectl_ksecret.objects.documents import Document

from .projects import DAY, Project, age, certificate, sealing, shop, sops_shop

RULES = ("malformed-ciphertext", "certificate-ended", "certificate-changed", "recipients-changed", "not-encrypted")
OVERLAY = "overlays/prod/secrets/ksecret.yaml"
ROOT = "namespace: shop-prod\nresources: [secrets]\n"


def found(project: Project) -> list[str]:
    """The findings of these rules, without hints."""
    project.write("overlays/prod/kustomization.yaml", ROOT)
    done = project.ksecret("check")
    assert done.err == ""
    return [line for line in done.out.splitlines() if any(line.endswith(f"[{rule}]") for rule in RULES)]


@pytest.mark.parametrize("length", [256, 384, 512])
def test_a_ciphertext_of_each_key_length_has_its_form(length: int) -> None:
    """An empty value is the tag alone; one byte less, or another length, is no ciphertext."""
    whole = length.to_bytes(2, "big") + bytes(length + 16)
    assert malformed(b64encode(whole).decode()) == []
    assert malformed(b64encode(whole[:-1]).decode()) == [("key", "is cut off")]
    other = (length + 1).to_bytes(2, "big") + whole[2:]
    assert malformed(b64encode(other).decode()) == [("key", "does not begin as a sealed value does")]
    assert malformed(b64encode(whole).decode()[:-1] + "!") == [("key", "is not base64")]
    assert malformed("") == [("key", "does not begin as a sealed value does")]


def malformed(ciphertext: str) -> list[tuple[str, str]]:
    return list(implementation(SealedSecret).malformed({"spec": {"encryptedData": {"key": ciphertext}}}))


def test_what_is_sealed_has_its_form(tmp_path: Path) -> None:
    """By this tool, with the key that it was sealed with."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    assert found(project) == []


@pytest.mark.parametrize(
    ("ends", "severity", "message"),
    [(31 * DAY, "", ""), (29 * DAY, "warning", "ends on"), (-timedelta(hours=1), "error", "ended on")],
)
def test_a_certificate_is_told_a_month_before_its_end(
    tmp_path: Path, ends: timedelta, severity: str, message: str
) -> None:
    """As a warning; then as an error."""
    project = shop(tmp_path)
    key = rsa.generate_private_key(65537, 2048)
    pem = project.write("overlays/prod/secrets/sealing.pem", certificate(key))
    project.done("seal", "prod")
    pem.write_bytes(certificate(key, begins=-9 * DAY, ends=ends))
    day = f"{datetime.now(UTC) + ends:%Y-%m-%d}"
    expected = f"{severity}: {OVERLAY}:11:20: the certificate {message} {day} [certificate-ended]"
    assert found(project) == ([expected] if message else [])


def test_what_is_no_certificate_is_told(tmp_path: Path) -> None:
    """At the line that names it."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.write("overlays/prod/secrets/sealing.pem", "no certificate\n")
    assert found(project) == [f"error: {OVERLAY}:11:20: the file holds no PEM certificate [certificate-ended]"]


def test_a_swapped_certificate_is_told_until_something_is_sealed_with_it(tmp_path: Path) -> None:
    """One key that was sealed with it is enough: the controller keeps its older keys."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.write("overlays/prod/secrets/sealing.pem", sealing(2).certificate)
    message = "the certificate is another one than that of the sealed values [certificate-changed]"
    assert found(project) == [f"error: {OVERLAY}:11:20: {message}"]
    hint = project.ksecret("check").out.split("--accept ")[1].split()[0]
    project.done("seal", "prod", "app/token", "--accept", hint)
    assert found(project) == []


def test_recipients_are_compared_with_the_declared_ones(tmp_path: Path) -> None:
    """One who left, one who came; and those in the file with the record, where both agree."""
    project = sops_shop(tmp_path, "alice", "bob")
    project.done("seal", "prod")
    manifest = "overlays/prod/secrets/manifests/app.yaml"
    alice, bob, eve = (f"{age(name).recipient[:16]}…" for name in ("alice", "bob", "eve"))
    assert found(project) == []
    project.sops_overlay("alice", "eve")
    message = f"app is encrypted for {bob}, not declared and is not encrypted for {eve}, declared [recipients-changed]"
    assert found(project) == [f"error: {manifest}:18:3: {message}"]
    text = project.manifest("app").read_text()
    project.manifest("app").write_text(text.replace(age("bob").recipient, age("eve").recipient))
    message = "app names other recipients than those that it was sealed for [recipients-changed]"
    assert found(project) == [f"error: {manifest}:18:3: {message}"]
    assert alice not in message


def test_recipients_of_sops_yaml_are_compared_once(tmp_path: Path) -> None:
    """Rules that name others than the overlay, and rules that can't be used, are told once for all Secrets."""
    project = sops_shop(tmp_path, "alice")
    project.declare("more", {"token": {"from": "app/token"}})
    project.done("seal", "prod")
    project.write(".sops.yaml", f"creation_rules:\n- age: {age('bob').recipient}\n")
    message = "the recipients are not those of .sops.yaml:2:1 [recipients-changed]"
    assert [line.partition(": the")[2] for line in found(project)] == [message.removeprefix("the")]
    project.write(".sops.yaml", "creation_rules:\n- pgp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21\n")
    what = "the creation rule names keys of pgp, which are not supported [recipients-changed]"
    assert found(project) == [f"error: .sops.yaml:2:1: {what}"]


SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "app", "AQID", "shop-prod", "\x00", "ä"])
FIELDS = (
    "name",
    "namespace",
    "annotations",
    "spec",
    "data",
    "stringData",
    "type",
    "target",
    "template",
    "encryptedData",
)
ODD: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from([*FIELDS, "dataFrom", "metadata", "secretKey"]) | st.integers(), below, max_size=4
        )
    ),
    max_leaves=12,
)
KINDS = st.sampled_from(
    [
        ("v1", "Secret"),
        ("bitnami.com/v1alpha1", "SealedSecret"),
        ("external-secrets.io/v1", "ExternalSecret"),
        ("external-secrets.io/v1", "SecretStore"),
    ]
)


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Two environments of one base, as `check` sees them."""
    project = shop(tmp_path_factory.mktemp("odd"), "TOKEN=a\nPASSWORD=b\nTOKEN_TEST=c\nPASSWORD_TEST=d\n")
    project.sealed_overlay("test", source={"names": "{remoteName}-test", "environment": {}})
    for name in ("prod", "test"):
        project.done("seal", name, "--source", "dotenv=.env")
        project.write(f"overlays/{name}/kustomization.yaml", f"namespace: shop-{name}\nresources: [secrets]\n")
    return survey(asked([str(project.root)]), datetime.now(UTC))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    objects=st.lists(st.tuples(KINDS, ODD, ODD, ODD), min_size=1, max_size=4),
    layer=st.dictionaries(st.sampled_from(["namespace", "namePrefix", "resources", "generators", "components"]), ODD),
)
def test_odd_objects_and_kustomizations_give_findings_and_no_traceback(
    landscape: Repository, objects: list[Any], layer: dict[str, Any]
) -> None:
    """Whatever stands in them."""
    documents = [
        Document("odd.yaml", None, {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec, "data": data})
        for (api, kind), metadata, spec, data in objects
    ]

    def odd(root: Build) -> Build:
        layers = {folder: Document("kustomization.yaml", None, layer) for folder in root.layers}
        return root.but(objects=[*root.objects, *documents], layers=layers)

    seen = landscape.but(builds=[odd(root) for root in landscape.builds])
    assert all(finding.rule for finding in seen.check(rules.OF_REPOSITORY))


def test_a_kustomization_that_is_none_has_no_layer(tmp_path: Path) -> None:
    """A list, no YAML, nothing at all."""
    for number, text in enumerate(("- a\n", "a: [\n", "", 'resources: ["\\0", 3]\n')):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "kustomization.yaml").write_text(text)
    files = Files(str(tmp_path))
    assert [len(layers.read(files, str(tmp_path / str(number)))) for number in range(4)] == [0, 0, 0, 1]
