"""`render --write` in kustomizations that people wrote: it adds and removes its own lines and touches no other."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubectl_ksecret.manifests import kustomization

from .builds import from_manifests, objects
from .projects import Project

FOLDER = "overlays/test/secrets"
INNER = f"{FOLDER}/manifests/kustomization.yaml"
OUTER = f"{FOLDER}/kustomization.yaml"
MARKER = "# Rendered by kubectl ksecret from ../ksecret.yaml; changes are overwritten.\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An overlay of two Secrets and a store; nothing is written yet."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.declare("mail", {"password": {}})
    store = {"name": "vault", "auth": {"managedIdentity": {}}}
    source = {"azureKeyVault": {"vaultUrl": "https://shop.vault.azure.net"}}
    project.overlay("test", {"externalSecret": {"store": store}}, source=source)
    return project


def rewritten(project: Project, name: str, text: str) -> str:
    """A file after `render --write`; a second run finds nothing to do."""
    path = project.write(name, text)
    project.done("render", "--write")
    after = project.files()
    assert project.done("render", "--write") == ""
    assert project.changed_since(after) == set()
    return path.read_bytes().decode()


def test_lines_of_others_stay_byte_for_byte_in_the_list_of_manifests(project: Project) -> None:
    """Comments, quotes, indentation, odd spaces and order; a stale file of ours goes from among them."""
    project.write(f"{FOLDER}/manifests/gone.yaml", f"{MARKER}kind: ExternalSecret\n")
    project.write(f"{FOLDER}/manifests/theirs.yaml", "kind: ConfigMap\n")
    before = """\
# Ours and theirs.

---
kind:   Kustomization   # no apiVersion
commonAnnotations:
    note:   'kept'
resources:
    # theirs come first
    - "theirs.yaml"   # by hand
    - gone.yaml
    - mail.yaml
    - ../../../other
    # the end of the list
images: [ { name: app,  newTag: "1.10" } ]
patches:
  - target: {kind: Deployment}
    patch: |-
      - op: remove
        path: /spec
empty: ~
# the end
"""
    after = before.replace("    - gone.yaml\n", "").replace(
        "resources:\n", "resources:\n    - _store.yaml\n    - app.yaml\n"
    )
    assert rewritten(project, INNER, before) == f"{after}configurations:\n    - _references.yaml\n"
    assert not (project.root / FOLDER / "manifests/gone.yaml").exists()
    assert (project.root / FOLDER / "manifests/theirs.yaml").read_text() == "kind: ConfigMap\n"


@pytest.mark.parametrize("listed", ["theirs.yaml", "../marked.yaml", "below/marked.yaml"])
def test_a_file_that_is_not_ours_is_neither_removed_nor_unlisted(project: Project, listed: str) -> None:
    """Ours are those in the folder itself that carry the marker."""
    path = project.write(f"{FOLDER}/manifests/{listed}", f"{MARKER if 'marked' in listed else ''}kind: ConfigMap\n")
    assert f"- {listed}\n" in rewritten(project, INNER, f"resources:\n- {listed}\n")
    assert path.exists()


def test_a_listed_file_that_is_missing_just_now_stays_listed(project: Project) -> None:
    """It may be on another branch, or written by another tool; only what we removed ourselves is unlisted."""
    folder = f"{FOLDER}/manifests"
    project.write(f"{folder}/.gone.yaml.ksecret-tmp", f"{MARKER}kind: ExternalSecret\n")  # as a kill leaves it
    listed = "resources:\n- gone.yaml\n- other-people.yaml\n"
    project.write(INNER, listed)
    assert project.ksecret("render", "--check").code == 1
    assert project.files()[INNER].decode() == listed
    after = rewritten(project, INNER, listed)
    assert ("- other-people.yaml\n" in after, "gone" in after) == (True, False)
    assert list((project.root / folder).glob(".*")) == []


def test_an_object_of_another_kind_is_not_overwritten(project: Project) -> None:
    """It is somebody's, under a name that a Secret of ours has; one that carries our marker is ours whatever it is."""
    path = project.write(f"{FOLDER}/manifests/app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n")
    before = project.files()
    for command in (["render", "--write"], ["render", "--check"]):
        done = project.ksecret(*command)
        assert (done.code, done.out, project.changed_since(before)) == (2, "", set())
        assert done.err == (
            f"error: {FOLDER}/manifests/app.yaml:2:7: a ConfigMap stands where the Secret app is to be written\n"
            "hint: move it to a file of another name\n"
        )
    path.write_text(MARKER + path.read_text())
    project.done("render", "--write")
    assert "kind: ExternalSecret\n" in path.read_text()


def test_a_file_of_ours_that_nobody_lists_is_left_alone(project: Project) -> None:
    """It may be one that somebody took out of the list on purpose."""
    path = project.write(f"{FOLDER}/manifests/unlisted.yaml", MARKER)
    rewritten(project, INNER, "resources: []\n")
    assert path.exists()


@pytest.mark.parametrize("new", ["_store.yaml", "app.yaml", "mail.yaml"])
def test_a_new_manifest_is_listed_where_it_would_have_been_from_the_start(new: str) -> None:
    """The list does not depend on the order in which Secrets were declared."""
    ours = ["_store.yaml", "app.yaml", "mail.yaml"]
    whole = kustomization.listing(None, ours, (), "f")
    assert whole == f"{HEAD}resources:\n- _store.yaml\n- app.yaml\n- mail.yaml\nconfigurations:\n- _references.yaml\n"
    assert kustomization.listing(whole.replace(f"- {new}\n", ""), ours, (), "f") == whole


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[\n  a, # of a\n  x, # of x\n  b, # of b\n]", "[\n  a, # of a\n   # of x\n  b, # of b\n]"),
        ("[a, # of a\n  x # of x\n]", "[a # of a\n   # of x\n]"),
        ("[x # of x\n  , a]", "[ # of x\n   a]"),
        ("[\n  # both\n  x, 'y', a\n]", "[\n  # both\n   a\n]"),
        ("[\n  a,\n  x,\n]", "[\n  a,\n]"),
        ("[\n  x,\n  a\n]", "[\n  a\n]"),
        ("[ x, a ]", "[ a ]"),
        ("[x, 'a#b']", "['a#b']"),
    ],
)
def test_comments_in_brackets_stay_when_a_stale_name_goes(before: str, after: str) -> None:
    """They may be of the whole list, or worth a look."""
    head, tail = "resources: ", "\nconfigurations: [_references.yaml]\n"
    assert kustomization.listing(f"{head}{before}{tail}", [], {"x", "y"}, "f") == f"{head}{after}{tail}"


HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
FRESH = f"""{HEAD}resources:
- manifests
# To render on every build instead of from the committed manifests, with
# kustomize build --enable-alpha-plugins --enable-exec, replace the two lines above by:
# generators:
# - ksecret.yaml
# configurations:
# - manifests/_references.yaml
"""
GENERATOR = "generators:\n- ksecret.yaml\n"
REFERENCES = "configurations:\n- manifests/_references.yaml\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", FRESH),
        ("# mine\n", f"# mine\n{FRESH}"),
        (HEAD, f"{HEAD}resources:\n- manifests\n"),
        (f"{HEAD}# end", f"{HEAD}# end\nresources:\n- manifests"),
        ("namespace: a\n...\n", "namespace: a\nresources:\n- manifests\n...\n"),
        ("resources:\n- a\n- b", "resources:\n- a\n- b\n- manifests"),
        ("resources:\n  - a # x\n\n  # y\nz: []\n", "resources:\n  - a # x\n  - manifests\n\n  # y\nz: []\n"),
        ("resources:\r\n- a # x\r\n# y\r\nz: []\r\n", "resources:\r\n- a # x\r\n- manifests\r\n# y\r\nz: []\r\n"),
        ("namespace: a\r\n", "namespace: a\r\nresources:\r\n- manifests\r\n"),
        ("resources: [a, 'b'] # x\n", "resources: [a, 'b', manifests] # x\n"),
        ("resources: [\n  a,\n  b, # x\n]\n", "resources: [\n  a,\n  b, manifests, # x\n]\n"),
        ('{"resources": ["a"]}\n', '{"resources": ["a", "manifests"]}\n'),
        ("resources: []  # none\nz: []\n", "resources:  # none\n- manifests\nz: []\n"),
        ("resources:  # none\nz: []\n", "resources:  # none\n- manifests\nz: []\n"),
        ("resources: ~\n", "resources:\n- manifests\n"),
        ("resources:\n- |\n  kind: ConfigMap\n\n# x\n", "resources:\n- |\n  kind: ConfigMap\n- manifests\n\n# x\n"),
        ("{namespace: a}\n", '{namespace: a, "resources": ["manifests"]}\n'),
        ('{\n  "namespace": "a"\n}\n', '{\n  "namespace": "a", "resources": ["manifests"]\n}\n'),
        ("resources:\n- ./manifests/\n", "resources:\n- ./manifests/\n"),
        ("x: &x [1]\ny: *x\nresources:\n- a\n", "x: &x [1]\ny: *x\nresources:\n- a\n- manifests\n"),
        (GENERATOR, GENERATOR + REFERENCES),
        ("generators: [./ksecret.yaml]\n", f"generators: [./ksecret.yaml]\n{REFERENCES}"),
        (f"generators:\n- patched\n{REFERENCES}", f"generators:\n- patched\n{REFERENCES}"),
        (f"configurations: [a]\n{GENERATOR}", f"configurations: [a, manifests/_references.yaml]\n{GENERATOR}"),
    ],
)
def test_the_kustomization_beside_the_overlay_gets_one_line(before: str, after: str) -> None:
    """Whatever form it is written in, by whatever editor; a second time it gets nothing."""
    assert kustomization.including(before, "f") == after
    assert kustomization.including(after, "f") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("resources:\r\n- a # x\r\nz: []\r\n", "resources:\r\n- a # x\r\n- manifests\r\nz: []\r\n"),
        ("resources: [a, b]\n", "resources: [a, b, manifests]\n"),
        ("namespace: a\n", "namespace: a\nresources:\n- manifests\n"),
    ],
)
def test_the_command_edits_it_in_place(project: Project, before: str, after: str) -> None:
    """Windows' line ends, a list in brackets, no list at all: the bytes of the file."""
    assert rewritten(project, OUTER, before) == after


@pytest.mark.parametrize("name", ["kustomization.yml", "Kustomization"])
def test_a_kustomization_is_edited_under_the_name_that_it_has(project: Project, name: str) -> None:
    """Kustomize refuses a folder that has two."""
    before = "configurations: [_references.yaml]\n"
    listed = "resources:\n- _store.yaml\n- app.yaml\n- mail.yaml\n"
    assert rewritten(project, f"{FOLDER}/manifests/{name}", before) == before + listed
    (project.root / OUTER).unlink()
    assert rewritten(project, f"{FOLDER}/{name}", "namespace: a\n") == "namespace: a\nresources:\n- manifests\n"
    assert len(objects(from_manifests(project.root / FOLDER))) == 3


RISK = "resources can't be edited here without a risk for what stands around it\nhint: add to resources: manifests\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("resources: a\n", f"{OUTER}:1:12: resources is not a list\n"),
        ("resources:\n  a: b\n", f"{OUTER}:2:3: resources is not a list\n"),
        ("a: b\n---\nc: d\n", f"{OUTER}: expected one YAML mapping\n"),
        ("- a\n", f"{OUTER}: expected one YAML mapping\n"),
        ("a: [\n", f"{OUTER}:2:1: not valid YAML\n"),
        (
            "resources: &all\n- a\nx: *all\n",
            f"{OUTER}:1:12: {RISK}",
        ),
        (
            "resources: [ # none\n]\n",
            f"{OUTER}:1:12: {RISK}",
        ),
        ("resources:\n- |+\n  kind: ConfigMap\n\n# x\n", f"{OUTER}:2:1: {RISK}"),
        ("  namespace: a\n  resources:\n  - b\n", f"{OUTER}:3:3: {RISK}"),
    ],
)
def test_what_can_not_be_edited_is_refused_and_nothing_is_written(project: Project, text: str, error: str) -> None:
    """Not the manifests either: half of the work would not build."""
    project.write(OUTER, text)
    before = project.files()
    done = project.ksecret("render", "--write")
    assert (done.code, done.out, done.err) == (2, "", f"error: {error}")
    assert project.changed_since(before) == set()


OURS = st.sampled_from(["a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"])
NAMES = st.one_of(OURS, st.sampled_from(["../f", "https://example.org/x"]))
COMMENTS = st.sampled_from(["", "", "# said", "  # indented"])
LISTS = st.lists(st.tuples(NAMES, st.sampled_from(["{}", "'{}'", '"{}"']), COMMENTS), unique_by=lambda entry: entry[0])


@st.composite
def kustomizations(draw: st.DrawFn) -> str:
    """A kustomization with a list of resources among other things, in many forms."""
    listed = [(quotes.format(name), comment) for name, quotes, comment in draw(LISTS)]
    indent = " " * draw(st.integers(0, 4))
    if draw(st.booleans()):
        body = [f"resources: [{', '.join(name for name, _ in listed)}]"]
    else:
        body = ["resources:" + ("" if listed else " []")]
        for name, comment in listed:
            body += [comment] * bool(comment.strip()) + [f"{indent}- {name} {comment}".rstrip()]
    lines = [*draw(st.sampled_from([[], ["# head", ""], ["---"], ["namespace:   x # y"]])), *body]
    lines += draw(st.sampled_from([[], ["", "# end"], ["images:", "    - name: 'i'"], ["configurations: [x.yaml]"]]))
    return draw(st.sampled_from(["\n", "\r\n"])).join([*lines, ""] if draw(st.booleans()) else lines)


def is_part_of(some: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether all of these lines stand in the others, in their order."""
    others = iter(whole)
    return all(line in others for line in some)


@given(kustomizations(), st.sets(OURS), st.sets(OURS))
def test_any_list_ends_up_with_ours_and_without_what_is_stale(text: str, ours: set[str], stale: set[str]) -> None:
    """All other lines stay, all other fields mean the same, and there is nothing left to do."""
    stale -= ours
    before = yaml.safe_load(text)
    edited = kustomization.listing(text, sorted(ours), stale, "f")
    after = yaml.safe_load(edited)
    staying = [name for name in before["resources"] if name not in stale]
    assert set(after.pop("resources") or ()) == {*staying, *ours}
    assert after.pop("configurations") == [*before.pop("configurations", []), "_references.yaml"]
    assert after == {name: value for name, value in before.items() if name != "resources"}
    lines = [line for line in text.splitlines() if not any(name in line for name in (*stale, "resources", "config"))]
    assert is_part_of(lines, edited.splitlines())
    assert ("\r" in edited) == ("\r\n" in text)
    assert kustomization.listing(edited, sorted(ours), stale, "f") == edited
