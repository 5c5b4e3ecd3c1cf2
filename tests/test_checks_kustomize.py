"""What kustomize makes of the overlays' Secrets, in less usual places."""

from pathlib import Path

import pytest

from .landscapes import VAULT
from .peers import peer, run
from .projects import Project, shop

FUNCTION = {"config.kubernetes.io/function": "exec: {path: ksecret-fn}"}
READER = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: reader}
spec:
  schedule: "@daily"
  jobTemplate:
    spec:
      template:
        spec:
          volumes:
          - name: secrets
            projected: {sources: [{secret: {name: app}}]}
"""
OURS = (
    "not-deployed",
    "generator-skipped",
    "namespace-missing",
    "manifests-out-of-date",
    "secret-twice",
    "strict-scope-broken",
    "malformed-ciphertext",
    "foreign-field",
    "sealed-for-another-place",
    "manifest-out-of-date",
)


def found(project: Project, *arguments: str) -> list[str]:
    """The findings of these rules, without hints."""
    done = project.ksecret("check", *arguments)
    assert done.err == ""
    lines = done.out.splitlines()
    return [line for line in lines if any(line.endswith(f"[{rule}]") for rule in OURS)]


def fetched(folder: Path, **spec: object) -> Project:
    """An overlay `test` of ExternalSecrets, deployed with a CronJob that reads its Secret."""
    project = Project(folder)
    project.declare("app", {"token": {}})
    source = {"azureKeyVault": {"vaultUrl": "https://shop.vault.azure.net"}}
    project.overlay("test", {"externalSecret": {"store": {"name": "store"}}}, source=source, **spec)
    project.write("overlays/test/reader.yaml", READER)
    project.write("overlays/test/kustomization.yaml", "namespace: shop-test\nresources: [reader.yaml, secrets]\n")
    project.done("render", "--write")
    return project


def sealed(folder: Path, root: str = "namespace: shop-prod\nresources: [secrets]\n") -> Project:
    """An overlay `prod` of SealedSecrets."""
    project = shop(folder)
    project.write("overlays/prod/kustomization.yaml", root)
    project.done("seal", "prod")
    return project


def test_what_is_deployed_from_another_folder_is_followed(tmp_path: Path) -> None:
    """The root is two folders away, sets the namespace, and lists the manifests themselves."""
    project = fetched(tmp_path, kustomization="../../../deploy")
    project.write("deploy/kustomization.yaml", "namespace: shop-test\nresources: [middle]\n")
    project.write("deploy/middle/kustomization.yaml", "resources: [../../overlays/test/secrets/manifests]\n")
    assert found(project) == []


def test_a_root_without_a_kustomization_deploys_nothing(tmp_path: Path) -> None:
    """Told at the line of spec.kustomization."""
    project = fetched(tmp_path, kustomization="../../../deploy")
    where = "overlays/test/secrets/ksecret.yaml:16:18"
    message = "test is deployed by no kustomization: deploy has none"
    assert found(project) == [f"error: {where}: {message} [not-deployed]"]


def test_a_secret_that_a_patch_removes_is_not_deployed(tmp_path: Path) -> None:
    """The others are."""
    project = fetched(tmp_path)
    project.declare("more", {"key": {}})
    project.done("render", "--write")
    patch = "patches:\n- patch: |\n    $patch: delete\n    apiVersion: external-secrets.io/v1\n"
    patch += "    kind: ExternalSecret\n    metadata: {name: more, namespace: shop-test}\n"
    root = "namespace: shop-test\nresources: [reader.yaml, secrets]\n"
    project.write("overlays/test/kustomization.yaml", root + patch)
    assert found(project) == ["error: generators/more.yaml:4:9: more of test is not in what is built [not-deployed]"]


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (
            "resources: [reader.yaml, secrets]\n",
            "note: {file}:1:1: the kustomization sets no namespace, test has shop-test",
        ),
        (
            "namespace: other\nresources: [reader.yaml, secrets]\n",
            "error: {file}:1:12: the namespace of the kustomization is not that of test, shop-test",
        ),
        ("resources: [reader.yaml, secrets]\ncomponents: [place]\n", None),
    ],
)
def test_the_namespace_is_that_of_the_outermost(tmp_path: Path, root: str, expected: str | None) -> None:
    """None is a note, another is an error, and that of a component counts."""
    project = fetched(tmp_path)
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamespace: shop-test\n"
    project.write("overlays/test/place/kustomization.yaml", component)
    project.write("overlays/test/kustomization.yaml", root)
    file = "overlays/test/kustomization.yaml"
    assert found(project) == ([f"{expected.format(file=file)} [namespace-missing]"] if expected else [])


def test_workloads_that_say_their_namespace_need_none_of_the_kustomization(tmp_path: Path) -> None:
    """References are followed in one namespace."""
    project = fetched(tmp_path)
    project.write("overlays/test/reader.yaml", READER.replace("name: reader", "name: reader, namespace: shop-test"))
    project.write("overlays/test/kustomization.yaml", "resources: [reader.yaml, secrets]\n")
    assert found(project) == []


def test_a_suffix_above_is_an_error_without_a_namespace(tmp_path: Path) -> None:
    """It stands in the kustomization of the secrets themselves."""
    project = fetched(tmp_path)
    project.write("overlays/test/kustomization.yaml", "resources: [reader.yaml, secrets]\n")
    inner = project.root / "overlays/test/secrets/kustomization.yaml"
    inner.write_text(inner.read_text() + "nameSuffix: -v2\n")
    message = "the kustomization sets no namespace, test has shop-test: references are not renamed with their Secret"
    assert found(project) == [f"error: overlays/test/kustomization.yaml:1:1: {message} [namespace-missing]"]


def test_a_file_that_render_would_remove_is_out_of_date(tmp_path: Path) -> None:
    """And the kustomization that lists it; --built changes nothing about that."""
    project = fetched(tmp_path)
    project.declare("more", {"key": {}})
    project.done("render", "--write")
    (project.root / "generators/more.yaml").unlink()
    folder = "overlays/test/secrets/manifests"
    message = "not what render --write makes of the declarations [manifests-out-of-date]"
    expected = [f"error: {folder}/{name}.yaml: {message}" for name in ("more", "kustomization")]
    assert found(project) == expected
    project.write("built.txt", run("kubectl", "kustomize", "overlays/test", folder=project.root))
    assert found(project, "--built", "built.txt") == expected


def test_a_manifest_that_is_no_yaml_is_told_once(tmp_path: Path) -> None:
    """As an unreadable file, not as one that is out of date too; one that is no object as that."""
    project = fetched(tmp_path)
    project.write("built.txt", run("kubectl", "kustomize", "overlays/test", folder=project.root))
    project.manifest("app", "test").write_text("a: [\n")
    assert found(project, "--built", "built.txt") == []
    project.manifest("app", "test").write_text("- a\n")
    message = "overlays/test/secrets/manifests/app.yaml: expected one Kubernetes object [manifests-out-of-date]"
    assert found(project, "--built", "built.txt") == [f"error: {message}"]


def test_a_generator_without_its_annotation_or_in_another_folder_is_skipped(tmp_path: Path) -> None:
    """Not deployed is not told once more."""
    project = fetched(tmp_path)
    project.write("built.txt", "")
    outer, inner = "overlays/test/kustomization.yaml", "overlays/test/secrets/kustomization.yaml"
    project.write(inner, "configurations: [manifests/_references.yaml]\ngenerators:\n- ./ksecret.yaml\n")
    message = "ksecret.yaml lacks the annotation that makes it a generator [generator-skipped]"
    assert found(project, "--built", "built.txt") == [f"error: {inner}:3:3: {message}"]
    project.write(inner, "configurations: [manifests/_references.yaml]\n")
    project.write(outer, "namespace: shop-test\nresources: [reader.yaml]\ngenerators: [secrets/ksecret.yaml]\n")
    message = "ksecret.yaml is listed from another folder, where its paths start [generator-skipped]"
    assert f"error: {outer}:3:14: {message}" in found(project, "--built", "built.txt")


def test_a_generated_secret_of_the_same_name_is_made_twice(tmp_path: Path) -> None:
    """The hash that kustomize appends is no other name; the rendered manifest is not to blame."""
    project = fetched(tmp_path)
    root = "namespace: shop-test\nresources: [reader.yaml, secrets]\nsecretGenerator:\n- {name: app, literals: [a=b]}\n"
    project.write("overlays/test/kustomization.yaml", root)
    (line,) = found(project)
    other = "overlays/test/secrets/manifests/app.yaml:2:1"
    message = f"app is made twice, by this Secret and by the ExternalSecret of {other} [secret-twice]"
    assert line == f"error: overlays/test/kustomization.yaml: {message}"


@pytest.mark.parametrize("more", ["target: {name: app, creationPolicy: Merge}", "target: {name: other}"])
def test_what_adds_to_a_secret_or_makes_another_is_not_twice(tmp_path: Path, more: str) -> None:
    """An ExternalSecret says so itself."""
    project = fetched(tmp_path)
    external = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: more}\nspec:\n"
    project.write("overlays/test/more.yaml", f"{external}  {more}\n  secretStoreRef: {{name: store}}\n")
    project.write("overlays/test/kustomization.yaml", "namespace: shop-test\nresources: [more.yaml, secrets]\n")
    assert found(project) == []


def test_a_prefix_on_the_way_breaks_the_strict_scope(tmp_path: Path) -> None:
    """In the build of another builder, which names no file, too; a wider scope keeps."""
    project = sealed(tmp_path, "namespace: shop-prod\nresources: [middle]\n")
    project.write("overlays/prod/middle/kustomization.yaml", "nameSuffix: -v2\nresources: [../secrets]\n")
    message = "app is sealed for its name, and is app-v2 in the build [strict-scope-broken]"
    place = "overlays/prod/secrets/manifests/app.yaml:5:9"
    assert found(project) == [f"error: {place}: {message}"]
    project.write("built.txt", run(str(peer("kustomize")), "build", "overlays/prod", folder=project.root))
    assert found(project, "--built", "built.txt") == [f"error: built.txt:4:9: {message}"]
    project.sealed_overlay(scope="namespace-wide")
    project.done("seal", "prod")
    assert found(project) == []


def test_a_prefix_without_a_namespace_breaks_references(tmp_path: Path) -> None:
    """Kustomize renames the Secret, and not what names it in no namespace; without a prefix it is a note."""
    project = fetched(tmp_path)
    message = "overlays/test/kustomization.yaml:1:1: the kustomization sets no namespace, test has shop-test"
    project.write("overlays/test/kustomization.yaml", "resources: [reader.yaml, secrets]\n")
    assert found(project) == [f"note: {message} [namespace-missing]"]
    project.write("overlays/test/kustomization.yaml", "namePrefix: my-\nresources: [reader.yaml, secrets]\n")
    assert found(project) == [f"error: {message}: references are not renamed with their Secret [namespace-missing]"]


def test_another_namespace_is_told_once(tmp_path: Path) -> None:
    """As that of the kustomization, not for each SealedSecret."""
    project = sealed(tmp_path, "namespace: shop-other\nresources: [secrets]\n")
    message = "the namespace of the kustomization is not that of prod, shop-prod [namespace-missing]"
    assert found(project) == [f"error: overlays/prod/kustomization.yaml:1:12: {message}"]


def test_a_sealed_secret_by_hand_keeps_its_name_and_structure(tmp_path: Path) -> None:
    """One that nobody declares is looked at too: its prefix, and its ciphertext."""
    project = sealed(tmp_path, "namespace: shop-prod\nresources: [more, secrets]\n")
    project.write("overlays/prod/more/kustomization.yaml", "namePrefix: x-\nresources: [more.yaml]\n")
    text = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: more, namespace: shop-prod}\n"
    project.write(
        "overlays/prod/more/more.yaml", text + "spec:\n  encryptedData:\n    a: AQID\n    b: [1]\n    c: '?'\n"
    )
    file = "overlays/prod/more/more.yaml"
    assert found(project) == [
        f"error: {file}:6:8: x-more/a does not begin as a sealed value does [malformed-ciphertext]",
        f"error: {file}:7:8: x-more/b is no text [malformed-ciphertext]",
        f"error: {file}:8:8: x-more/c is not base64 [malformed-ciphertext]",
        f"error: {file}:3:18: more is sealed for its name, and is x-more in the build [strict-scope-broken]",
    ]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (
            "metadata:\n",
            "metadata:\n  finalizers: [a]\n",
            "5:3: app has a field that no SealedSecret of ours has: metadata.finalizers",
        ),
        ("spec:\n", "spec:\n  data: {a: b}\n", "8:3: app has a field that no SealedSecret of ours has: spec.data"),
    ],
)
def test_a_field_of_its_own_is_refused_in_metadata_and_spec(tmp_path: Path, old: str, new: str, place: str) -> None:
    """It is no output of render, whose --write drops it."""
    project = sealed(tmp_path)
    manifest = project.manifest("app")
    manifest.write_text(manifest.read_text().replace(old, new, 1))
    file = "overlays/prod/secrets/manifests/app.yaml"
    assert found(project) == [f"error: {file}:{place} [foreign-field]"]
    done = project.ksecret("render", "prod")
    assert (done.code, done.out) == (1, "")
    project.done("render", "prod", "--write")
    assert found(project) == []


def test_where_only_a_build_with_plugins_works_the_hint_has_its_command(tmp_path: Path) -> None:
    """It can be pasted as it is, however many overlays there are."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    for name in ("prod", "test"):
        source = {"names": f"{{remoteName}}-{name}", **VAULT}
        project.overlay(name, {"externalSecret": {"store": {"name": "vault"}}}, source=source)
        project.write(f"overlays/{name}/kustomization.yaml", f"namespace: shop-{name}\nresources: [secrets]\n")
        project.write(f"overlays/{name}/secrets/kustomization.yaml", "generators: [ksecret.yaml]\n")
    done = project.ksecret("check")
    build = "kustomize build --enable-alpha-plugins --enable-exec overlays/prod"
    assert (done.code, done.err, done.out.count("[not-buildable]")) == (1, "", 2)
    assert f"\nhint: {build} | kubectl ksecret check prod --built -\n" in done.out


def test_a_symlink_out_of_the_project_is_a_finding_among_others(tmp_path: Path) -> None:
    """It is not read, and what else there is to say is said."""
    (tmp_path / "outside.yaml").write_text("a: b\n")
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.overlay("test", {"externalSecret": {"store": {"name": "vault"}}}, source=VAULT)
    project.write("overlays/test/kustomization.yaml", "resources: [secrets]\n")
    project.done("render", "--write")
    (project.root / "overlays/test/linked.yaml").symlink_to("../../../outside.yaml")
    done = project.ksecret("check")
    assert (done.code, done.err) == (1, "")
    assert "error: overlays/test/linked.yaml lies outside the project [unreadable-file]\n" in done.out
    (project.root / "overlays/test/folder").symlink_to("/")
    assert "error: overlays/test/folder lies outside the project [unreadable-file]\n" in project.ksecret("check").out
    assert "[namespace-missing]" in done.out


def test_the_templates_of_a_helm_chart_are_no_yaml_yet(tmp_path: Path) -> None:
    """They are nobody's mistake; what stands beside them in the chart is looked at."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.overlay("test", {"externalSecret": {"store": {"name": "vault"}}}, source=VAULT)
    project.write("overlays/test/kustomization.yaml", "namespace: shop-test\nresources: [secrets]\n")
    project.done("render", "--write")
    chart = "overlays/test/charts/cache"
    project.write(f"{chart}/Chart.yaml", "name: cache\n")
    project.write(f"{chart}/templates/deep/app.yaml", "name: {{ .Values.name }}\n{{- if .Values.on }}\n")
    project.write(f"{chart}/values.yaml", "name: [\n")
    lines = [line for line in project.ksecret("check").out.splitlines() if line.endswith("[unreadable-file]")]
    assert [line.split(":")[1].strip() for line in lines] == [f"{chart}/values.yaml"]
