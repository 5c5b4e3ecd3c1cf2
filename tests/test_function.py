"""ksecret-fn under the real kustomize and kpt: what it renders, what it refuses, and how it says so."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .builds import (
    ENVIRONMENT,
    Object,
    generated,
    objects,
    of,
    optional,
    switch_to_generator,
    through_function,
    write_kustomization,
)
from .peers import ROOT, run
from .projects import Project

FUNCTION = str(Path(sys.executable).with_name("ksecret-fn"))
REFUSED = (
    "error: ksecret-fn was given a package, whose resources it could only lose\n"
    "hint: it is a generator for kustomize; under kpt, commit what kubectl ksecret render --write writes\n"
)
NO_CONFIG = (
    "error: expected a ResourceList with a functionConfig on standard input\n"
    "hint: ksecret-fn is run by kustomize build --enable-alpha-plugins --enable-exec\n"
)


OVERLAY = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretOverlay
metadata:
  name: shop
  annotations:
    config.kubernetes.io/function: "exec: {path: ksecret-fn}"
spec:
  declarations: [../../generators]
  namespace: shop
  source:
    azureKeyVault: {vaultUrl: https://shop.vault.azure.net}
  backend:
    externalSecret:
      store: {name: vault}
"""
SEALED = OVERLAY.replace(
    "    externalSecret:\n      store: {name: vault}\n", "    sealedSecret:\n      certificate: sealing.pem\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One declaration of one key, and the overlay `shop` in its generator form; all of it is right."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.write("shop/secrets/ksecret.yaml", OVERLAY)
    project.done("render", "--write")
    switch_to_generator(project.root / "shop/secrets")
    write_kustomization(project, "shop", namespace="shop", resources=["secrets"])
    return project


def function(project: Project, given: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run ksecret-fn as kustomize does, beside the overlay."""
    folder = project.root / "shop/secrets"
    return subprocess.run([FUNCTION], cwd=folder, input=given, capture_output=True, check=False, timeout=20)


def resource_list(config: str, *others: Object) -> bytes:
    """What kustomize hands to the generator, and other resources with it."""
    overlay = yaml.safe_load(config)
    head = {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList"}
    return json.dumps({**head, "items": [overlay, *others], "functionConfig": overlay}).encode()


def failed(project: Project) -> str:
    """What ksecret-fn says in a build that prints nothing; kustomize's own line comes after it."""
    done = through_function(project.root / "shop")
    assert (done.returncode, done.stdout) == (1, "")
    message, _, kustomize = done.stderr.partition("Error: ")
    assert "exit status 2" in kustomize
    return message


def test_the_project_that_these_tests_break_builds(project: Project) -> None:
    """An ExternalSecret, as nothing is wrong yet."""
    assert [document["kind"] for document in objects(generated(project.root / "shop"))] == ["ExternalSecret"]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (b"", NO_CONFIG),
        (b"- a\n", NO_CONFIG),
        (b"? [a]\n: b\n", NO_CONFIG),
        (b"kind: ResourceList\nitems: []\n", NO_CONFIG),
        (b"functionConfig: {}\n---\nfunctionConfig: {}\n", NO_CONFIG),
        (b"functionConfig:\n  {", "error: standard input:3:1: not valid YAML\n"),
        (b"a: \xff", "error: standard input:1:4: not UTF-8\nhint: save the file as UTF-8\n"),
        (b"[" * 500, "error: standard input:1:100: nested too deeply\n"),
        (b"functionConfig:\n", "error: functionConfig: expected a SecretOverlay, found another document\n"),
        (b"functionConfig: {kind: ConfigMap}", "error: functionConfig: expected a SecretOverlay, found ConfigMap\n"),
        (
            b"functionConfig: {kind: SecretDeclaration}",
            "error: functionConfig: expected a SecretOverlay, found SecretDeclaration\n",
        ),
    ],
    ids=lambda given: str(given[:40]) if isinstance(given, bytes) else "",
)
def test_what_is_no_overlay_gives_an_error_and_no_output(project: Project, given: bytes, error: str) -> None:
    """Half an output would delete resources; nothing is printed, and the exit code fails the build."""
    done = function(project, given)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (2, b"", error)


def test_other_resources_are_refused_as_they_would_be_lost(project: Project) -> None:
    """A generator under kustomize is given nothing but its configuration."""
    done = function(project, resource_list(OVERLAY, of("apps/v1", "Deployment")))
    assert (done.returncode, done.stdout, done.stderr.decode()) == (2, b"", REFUSED)


@pytest.mark.parametrize("path", ["config.kubernetes.io/path", "internal.config.kubernetes.io/path"])
def test_a_package_of_the_overlay_alone_is_refused(project: Project, path: str) -> None:
    """Under kpt the file would become one line of JSON of something else."""
    done = function(
        project, resource_list(OVERLAY.replace("    config.kub", f"    {path}: ksecret.yaml\n    config.kub"))
    )
    assert (done.returncode, done.stdout, done.stderr.decode()) == (2, b"", REFUSED)


@pytest.mark.parametrize(
    "command",
    [
        ("fn", "eval", "package", "--exec", "ksecret-fn", "--fn-config", "package/ksecret.yaml"),
        ("fn", "render", "package", "--allow-exec"),
    ],
    ids=["eval", "render"],
)
def test_kpt_is_refused_and_its_package_stays_as_it_is(project: Project, command: tuple[str, ...]) -> None:
    """The real kpt would replace the Deployment of its package by what a function prints."""
    project.write("package/ksecret.yaml", OVERLAY)
    project.write("package/deployment.yaml", yaml.safe_dump(of("apps/v1", "Deployment")))
    pipeline = {"mutators": [{"exec": "ksecret-fn", "configPath": "ksecret.yaml"}]}
    kptfile = of("kpt.dev/v1", "Kptfile", pipeline=pipeline)
    project.write("package/Kptfile", yaml.safe_dump(kptfile))
    before = project.files()
    done = subprocess.run(
        [optional("kpt"), *command], cwd=project.root, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "kubectl ksecret render --write" in done.stderr
    assert project.changed_since(before) <= {"package/Kptfile"}  # kpt notes in it that it rendered
    assert "Deployment" in (project.root / "package/deployment.yaml").read_text()


def test_a_key_that_is_not_sealed_fails_the_build_at_its_declaration(project: Project) -> None:
    """The pods would wait for a key that never comes."""
    project.write("shop/secrets/ksecret.yaml", SEALED)
    (project.root / "shop/secrets/manifests/app.yaml").unlink()
    assert failed(project) == (
        "error: generators/app.yaml:7:5: app/token is not sealed in shop\nhint: run: kubectl ksecret seal shop\n"
    )


def test_the_mistakes_of_an_overlay_are_told_with_their_lines(project: Project) -> None:
    """Kustomize hands over the object, not the file; the places are those of the file, from the project's root."""
    wrong = "    externalSecret:\n      refreshIntervall: 1h\n      metadata: {lables: {}}\n"
    project.write("shop/secrets/ksecret.yaml", OVERLAY.replace("    externalSecret:\n", wrong))
    assert failed(project) == (
        'error: shop/secrets/ksecret.yaml:14:7: unknown field "refreshIntervall"\n'
        'hint: did you mean "refreshInterval"?\n'
        'error: shop/secrets/ksecret.yaml:15:18: unknown field "lables"\n'
        'hint: did you mean "labels"?\n'
    )


def test_the_mistakes_of_a_declaration_are_told_with_their_lines(project: Project) -> None:
    """The same sentence as that of the command."""
    project.declare("app", {"token": {"purpos": "x"}})
    error = 'generators/app.yaml:8:7: unknown field "purpos"\nhint: did you mean "purpose"?\n'
    assert failed(project) == f"error: {error}"
    assert project.ksecret("render").err == f"error: {error}"


PATCHED = "/spec/backend/externalSecret/refreshInterval"


def patch_generator(project: Project, value: object) -> None:
    """List the generator as a folder with a kustomization of its own, which patches the object."""
    patch = json.dumps([{"op": "add", "path": PATCHED, "value": value}])
    project.write("shop/secrets/patched/ksecret.yaml", OVERLAY)
    patches = [{"target": {"kind": "SecretOverlay"}, "patch": patch}]
    write_kustomization(project, "shop/secrets/patched", resources=["ksecret.yaml"], patches=patches)
    write_kustomization(project, "shop/secrets", generators=["patched"], configurations=["manifests/_references.yaml"])


def test_an_overlay_that_was_patched_on_the_way_is_rendered_as_patched(project: Project) -> None:
    """The file beside the kustomization says otherwise, and is not what the build is of."""
    patch_generator(project, "5m")
    (built,) = objects(generated(project.root / "shop"))
    assert built["spec"]["refreshInterval"] == "5m0s"
    before = project.files()
    project.done("render", "shop/secrets/ksecret.yaml", "--write")
    assert project.changed_since(before) == set()


def test_a_mistake_that_a_patch_brings_in_has_no_line(project: Project) -> None:
    """It stands in no file that is known here."""
    patch_generator(project, "soon")
    assert failed(project).startswith("error: functionConfig: expected ")


@pytest.mark.parametrize(
    ("declarations", "error"),
    [
        ("../../generators", "../generators lies outside the project\n"),
        ("../declared", "declared does not exist\nhint: paths start at the folder of ksecret.yaml\n"),
    ],
)
def test_a_generator_that_is_listed_elsewhere_is_told_where_to_be(
    project: Project, declarations: str, error: str
) -> None:
    """Kustomize runs it in the folder of the kustomization that lists it, so its paths lead nowhere."""
    project.write("shop/secrets/ksecret.yaml", OVERLAY.replace("../../generators", declarations))
    shutil.copytree(project.root / "generators", project.root / "shop/declared")
    write_kustomization(project, "shop", generators=["secrets/ksecret.yaml"])
    assert failed(project) == (
        f"error: functionConfig: {error}"
        "error: the generator is listed in shop, where its paths start and no ksecret.yaml is\n"
        "hint: list it in the kustomization.yaml beside ksecret.yaml\n"
    )


def test_declarations_outside_of_the_project_are_refused(project: Project) -> None:
    """Kustomize itself confines no function."""
    shutil.copytree(project.root / "generators", project.root.parent / "elsewhere")
    project.write("shop/secrets/ksecret.yaml", OVERLAY.replace("../../generators", "../../../elsewhere"))
    assert failed(project) == "error: shop/secrets/ksecret.yaml:8:18: ../elsewhere lies outside the project\n"


@pytest.mark.parametrize("link", ["generators/more", "generators/more.yaml", "shop/secrets/manifests/app.yaml"])
def test_a_link_out_of_the_project_is_refused(project: Project, link: str) -> None:
    """A pull request can bring a symlink; what it leads to is neither rendered nor quoted."""
    project.write("shop/secrets/ksecret.yaml", SEALED)
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "canary.yaml").write_text("canary: canary\n")
    path = project.root / link
    path.unlink(missing_ok=True)
    path.symlink_to(elsewhere if link == "generators/more" else elsewhere / "canary.yaml")
    message = failed(project)
    assert f"{link} lies outside the project\n" in message
    assert "canary" not in message


def test_without_a_git_work_tree_it_says_what_the_project_is(project: Project) -> None:
    """The folder of the overlay alone is the project then, and the declarations lie outside."""
    shutil.rmtree(project.root / ".git")
    folder = project.root / "shop/secrets"
    assert failed(project) == (
        "error: ksecret.yaml:8:18: ../../generators lies outside the project\n"
        f"hint: no Git work tree was found around {folder}; the project is that folder alone\n"
    )


def test_what_kustomize_notes_on_the_overlay_never_reaches_the_output(project: Project) -> None:
    """With local-config on them, kustomize would drop all objects without a word."""
    noted = "".join(
        f'    {name}: "true"\n'
        for name in (
            "config.kubernetes.io/local-config",
            "config.kubernetes.io/index",
            "config.k8s.io/id",
            "internal.config.kubernetes.io/index",
            "internal.config.kubernetes.io/annotations-migration-resource-id",
        )
    )
    done = function(project, resource_list(OVERLAY.replace("spec:\n", f"{noted}spec:\n", 1)))
    (rendered,) = json.loads(done.stdout)["items"]
    assert rendered["metadata"] == {"name": "app", "namespace": "shop"}
    assert done.stderr == b""


BOMB = "".join(f"  b{n + 1}: &b{n + 1} [*b{n}, *b{n}, *b{n}, *b{n}, *b{n}]\n" for n in range(30))


def test_aliases_that_grow_without_end_end_at_once(project: Project) -> None:
    """Neither in what is given nor in the file beside it is an alias written out to compare the two."""
    bomb = OVERLAY.replace("spec:\n", f"spec:\n  b0: &b0 [1]\n{BOMB}", 1)
    done = function(project, f"functionConfig:\n{bomb}items:\n- {bomb}".replace("\n", "\n  ").encode())
    assert (done.returncode, done.stdout) == (2, b"")
    project.write("shop/secrets/ksecret.yaml", bomb)
    assert function(project, resource_list(OVERLAY)).returncode == 0


LOADED = """
import sys
from kubectl_ksecret.krm import generator
generator.generate(sys.stdin.buffer.read(), sys.argv[1])
print(*sys.modules)
"""
HEAVY = {
    *("azure", "click", "cryptography", "dataclasses", "hashlib", "kubernetes", "pyrage", "re2", "ruamel"),
    *(f"kubectl_ksecret.{floor}" for floor in ("actions", "sealing", "sources", "values")),
}


@pytest.mark.parametrize("overlay", ["test", "prod"])
def test_the_function_starts_without_what_it_does_not_need(overlay: str) -> None:
    """It starts on every build; what it imports is held here, as time can't be."""
    folder = ROOT / "overlays" / overlay / "secrets"
    given = resource_list((folder / "ksecret.yaml").read_text()).decode()
    loaded = run(sys.executable, "-c", LOADED, folder, input=given).split()
    assert "kubectl_ksecret.backends" in loaded
    assert {name for name in loaded if name in HEAVY or name.partition(".")[0] in HEAVY} == set()


def test_two_keys_on_one_name_are_told_in_a_build_too(project: Project) -> None:
    """What the command says of an overlay, the function says as well."""
    project.declare("other", {"token": {}})
    assert failed(project).startswith(
        "error: generators/other.yaml:7:5: other/token and app/token read one name, token"
    )
