"""Reading of declarations and overlays: files that can't be committed as golden cases, and files that nobody wrote."""

import os
import re
import string
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kubectl_ksecret.backends import render
from kubectl_ksecret.errors import InputError, Mistake
from kubectl_ksecret.files import project as files
from kubectl_ksecret.model.loading import Loader
from kubectl_ksecret.model.resolution import Environment
from kubectl_ksecret.model.validation import sharing
from kubectl_ksecret.yamlio import compose, dump

from .forkserver import COMMAND
from .peers import unprivileged
from .projects import Done, Project

OVERLAY = "overlays/test/secrets/ksecret.yaml"
VAULT = {"source": {"azureKeyVault": {"vaultUrl": "https://app-test.vault.azure.net"}}}
STORE = {"externalSecret": {"store": {"name": "vault"}}}
HEAD = "apiVersion: ksecret.dev/v1alpha1\nkind: SecretDeclaration\nmetadata: {name: app}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one declaration and one overlay that renders."""
    made = Project(tmp_path)
    made.declare("app", {"password": {}})
    made.overlay("test", STORE, **VAULT)
    return made


def refused(*lines: str) -> Done:
    """What a command says that refuses its input with these lines."""
    return Done(2, "", "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("file", ["generators/app.yaml", OVERLAY])
def test_a_file_that_is_not_utf8_is_told_at_its_first_wrong_byte(project: Project, file: str) -> None:
    """Latin-1 is what an editor of another time saves."""
    project.write(file, HEAD.encode() + b"spec:\n  purpose: Schl\xfcssel\n")
    assert project.ksecret("render") == refused(
        f"error: {file}:5:16: not UTF-8",
        "hint: save the file as UTF-8",
    )


@pytest.mark.parametrize("file", ["generators/app.yaml", OVERLAY])
@pytest.mark.parametrize("bracket", ["[", "{a: ", "- ", "? "])
def test_fifty_thousand_nested_brackets_are_refused(project: Project, file: str, bracket: str) -> None:
    """They would overflow the stack of libyaml; nothing of the file is shown."""
    project.write(file, bracket * 50_000)
    done = project.ksecret("render")
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(rf"error: {file}:1:[0-9]+: nested too deeply\n", done.err)


@pytest.mark.parametrize("file", ["generators/app.yaml", OVERLAY])
def test_a_yaml_bomb_is_refused_before_it_grows(project: Project, file: str) -> None:
    """Nine levels of nine aliases would be 387 million nodes."""
    lines = ["labels: &a0 {a: b}"]
    lines += [f"labels{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    kind = "SecretOverlay" if file == OVERLAY else "SecretDeclaration"
    head = HEAD.replace("SecretDeclaration", kind)
    project.write(file, head + "spec:\n" + "".join(f"  {line}\n" for line in lines))
    done = project.ksecret("render")
    assert (done.code, done.out) == (2, "")
    assert f'error: {file}:14:3: unknown field "labels9"\n' in done.err


def test_an_alias_that_holds_itself_is_refused(project: Project) -> None:
    """A walk along it would not end."""
    project.write("generators/app.yaml", HEAD + "spec:\n  keys: &a\n    password: {rules: *a}\n")
    assert project.ksecret("render") == refused(
        "error: generators/app.yaml:5:9: a YAML alias stands for this mapping again, which is not supported",
        "hint: write it out there",
    )


@pytest.mark.parametrize("link", ["generators/link.yaml", "generators/link"])
def test_a_symlink_out_of_the_project_is_refused_where_it_is_reached_from(
    project: Project, tmp_path: Path, link: str
) -> None:
    """A link to a file and a link to a folder; neither is opened."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.yaml").write_text("password: canary\n")
    (project.root / link).symlink_to(outside / "app.yaml" if link.endswith(".yaml") else outside)
    assert project.ksecret("render") == refused(f"error: {OVERLAY}:7:5: {link} lies outside the project")


def test_a_certificate_behind_a_symlink_out_of_the_project_is_refused(project: Project, tmp_path: Path) -> None:
    """It would be read by a later seal; the pull request that brings it is stopped now."""
    project.overlay("prod", {"sealedSecret": {"certificate": "sealing.pem"}})
    (project.root / "overlays/prod/secrets/sealing.pem").symlink_to(tmp_path / "sealing.pem")
    assert project.ksecret("render", "prod") == refused(
        "error: overlays/prod/secrets/ksecret.yaml:11:20: overlays/prod/secrets/sealing.pem lies outside the project"
    )


def test_a_symlink_inside_of_the_project_is_followed(project: Project) -> None:
    """Several services share a folder of declarations that way; a folder that holds itself is read once."""
    project.write("shared/other.yaml", HEAD.replace("app", "other") + "spec: {keys: {token: {}}}\n")
    (project.root / "generators/shared").symlink_to("../shared")
    (project.root / "generators/again").symlink_to(".")
    assert project.done("render", "-o", "name") == (
        "externalsecret.external-secrets.io/app\nexternalsecret.external-secrets.io/other\n"
    )


def test_a_symlink_that_leads_to_itself_is_told(project: Project) -> None:
    """The system's word for it is shown, not a traceback."""
    (project.root / "generators/round.yaml").symlink_to("round.yaml")
    assert project.ksecret("render") == refused(
        f"error: {OVERLAY}:7:5: generators/round.yaml: Too many levels of symbolic links"
    )


def test_a_named_pipe_does_not_hang_a_build(project: Project) -> None:
    """Nobody writes into it, so a plain open would wait for ever."""
    os.mkfifo(project.root / "generators/pipe.yaml")
    assert project.ksecret("render") == refused(f"error: {OVERLAY}:7:5: generators/pipe.yaml: not a regular file")


def test_a_file_name_cannot_move_the_cursor(project: Project) -> None:
    """Git keeps names with control characters and bytes that are no UTF-8, so a stranger can send them."""
    (project.root / "generators/a\x1b[2J\n.yaml").write_text("- a list\n")
    (project.root / os.fsdecode(b"generators/b\xff.yaml")).write_text("- a list\n")
    message = "expected a SecretDeclaration, found another document"
    hint = "hint: the folders that spec.declarations names hold nothing else"
    assert project.ksecret("render") == refused(
        f"error: generators/a?[2J?.yaml:1:1: {message}", hint, f"error: generators/b?.yaml:1:1: {message}", hint
    )


def test_places_count_characters_and_lines_as_editors_do(project: Project) -> None:
    """A byte order mark has no column, a line of Windows is one line, and ü is one character."""
    project.write("generators/app.yaml", "\ufeff" + HEAD.replace("\n", "\r\n") + 'spec: {purpose: "ü…", kyes: {}}\r\n')
    assert project.ksecret("render") == refused(
        'error: generators/app.yaml:4:23: unknown field "kyes"',
        'hint: did you mean "keys"?',
    )


def test_a_project_without_an_overlay_is_told_how_to_make_one(project: Project) -> None:
    """The folder that was searched is named, since it may not be the one that was meant."""
    (project.root / OVERLAY).unlink()
    assert project.ksecret("render") == refused(
        f"error: there is no ksecret.yaml in {project.root.resolve()}",
        "hint: to make one, see: kubectl ksecret init --help",
    )


def test_what_is_not_the_projects_own_is_not_searched(project: Project) -> None:
    """A submodule is a project of its own, and so is a work tree inside; dependencies and test data are none."""
    text = (project.root / OVERLAY).read_text()
    for folder in ("node_modules/a", "tests/testdata/b", "submodule/c", "tree/d"):
        project.write(f"{folder}/ksecret.yaml", text)
    project.write("submodule/.git", "gitdir: ../.git/modules/submodule\n")
    (project.root / "tree" / ".git").mkdir()
    assert project.done("render", "-o", "name") == "externalsecret.external-secrets.io/app\n"


def test_a_folder_that_can_not_be_read_is_told_once(project: Project) -> None:
    """A data volume may be private; that an overlay in it is missed must not go unnoticed."""
    private = project.root / "volume"
    private.mkdir(0o000)
    command = [*unprivileged(), COMMAND, "render", "-o", "name"]
    done = subprocess.run(command, cwd=project.root, env=project.environment, capture_output=True, check=False)
    private.chmod(0o755)
    assert (done.returncode, done.stdout) == (0, b"externalsecret.external-secrets.io/app\n")
    assert done.stderr.decode() == "warning: volume: Permission denied\nhint: no overlay in it is found\n"


def test_without_git_the_project_is_the_folder_that_is_given(project: Project) -> None:
    """Declarations beside it are refused, and the hint says why."""
    (project.root / ".git").rename(project.root / "git")
    folder = project.root.resolve() / "overlays/test"
    assert project.done("render", ".", "-o", "name") == "externalsecret.external-secrets.io/app\n"
    assert project.ksecret("render", "overlays/test") == refused(
        f"error: {OVERLAY}:7:5: generators lies outside the project",
        f"hint: no Git work tree was found around {folder}; the project is that folder alone",
    )


DECLARATION_TEXT = """
apiVersion: ksecret.dev/v1alpha1
kind: SecretDeclaration
metadata: {name: app, labels: {team: platform}, annotations: {note: text}}
spec:
  type: kubernetes.io/basic-auth
  purpose: What the application needs
  labels: {tier: backend}
  annotations: {example.com/note: text}
  keys:
    username: {remoteName: user, property: a.b, encoding: base64, purpose: Name}
    password:
      rules: {minLength: 8, maxLength: 64, pattern: "^a", format: url-safe}
      generate: {length: 32, alphabet: hex}
      rotation: {maxAge: 90d}
    signing-key: {generate: {privateKey: ed25519}}
    shared: {from: other/token}
    url: {template: "app:{{ secret | urlencode }}@{{ parameters.host }}/{{ shared }}"}
  inputs:
    secret: {from: other/chain}
---
apiVersion: ksecret.dev/v1alpha1
kind: SecretDeclaration
metadata: {name: other}
spec: {keys: {token: {}, chain: {from: other/token}}}
"""

OVERLAY_TEXTS = (
    """
apiVersion: ksecret.dev/v1alpha1
kind: SecretOverlay
metadata: {name: test}
spec:
  declarations: [app.yaml]
  namespace: app-test
  kustomization: ..
  parameters: {host: db}
  source: {names: "{remoteName}-{secret}-{key}", azureKeyVault: {vaultUrl: https://app.vault.azure.net}}
  backend:
    externalSecret:
      refreshInterval: 1h
      refreshPolicy: OnChange
      deletionPolicy: Retain
      metadata: {labels: {a: b}, annotations: {c: d}}
      store: {name: vault, kind: ClusterSecretStore, auth: {managedIdentity: {identityId: id}}}
  overrides:
    app: {keys: {username: {remoteName: other, property: c}, url: {omit: Not here}}}
    other: {omit: Not here}
""",
    """
apiVersion: ksecret.dev/v1alpha1
kind: SecretOverlay
metadata: {name: prod}
spec:
  declarations: [app.yaml]
  namespace: app-prod
  parameters: {host: db}
  source: {command: {arguments: [pass, show, "{name}"], timeLimit: 5s}}
  backend: {sealedSecret: {certificate: sealing.pem, scope: strict, metadata: {annotations: {c: d}}}}
""",
)

Change = Callable[[list[yaml.Node]], None]


def containers(roots: list[yaml.Node]) -> list[yaml.CollectionNode]:
    """The mappings and lists of a file that hold anything, each once."""
    containers: dict[int, yaml.CollectionNode] = {}
    todo = list(roots)
    while todo:
        node = todo.pop()
        if isinstance(node, yaml.CollectionNode) and node.value and id(node) not in containers:
            containers[id(node)] = node
            todo += [below for entry in node.value for below in (entry if isinstance(entry, tuple) else (entry,))]
    return list(containers.values())


def changed(text: str, changes: list[tuple[str, int, int, yaml.Node]]) -> str:
    """A file in which fields were removed, doubled, replaced, renamed, or stand a second time as an alias."""
    roots: list[yaml.Node] = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    for change, where, which, node in changes:
        nodes = containers(roots)
        if not nodes:
            break
        container = nodes[where % len(nodes)]
        index = which % len(container.value)
        entry = container.value[index]
        if change == "remove":
            del container.value[index]
        elif change == "double":
            container.value.append(entry)
        elif change == "rename" and isinstance(entry, tuple):
            container.value[index] = (node, entry[1])
        else:
            other = nodes[which % len(nodes)] if change == "alias" else node
            container.value[index] = (entry[0], other) if isinstance(entry, tuple) else other
    return str(yaml.serialize_all(roots, Dumper=yaml.SafeDumper, allow_unicode=True))


def scalar(text: str, tag: str = "tag:yaml.org,2002:str") -> yaml.Node:
    return yaml.ScalarNode(tag, text)


WORDS = (
    "app", "other", "token", "keys", "inputs", "spec", "omit", "template", "from", "environment", "dotenv", "sops",
    "other/token", "app/url", "nowhere/key", "..", "../..", "app.yaml", "/", "{{ url }}", "{{ secret | x }}", "{{",
    "{{ parameters.none }}", "{remoteName", "kubernetes.io/tls", "a\0b", "\x1b[2J", "é\u2028", "x" * 300, "0", "-1", "",
)  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(WORDS).map(scalar),
    st.text(max_size=8).map(scalar),
    st.sampled_from([
        scalar(text, f"tag:yaml.org,2002:{tag}")
        for tag, text in (("null", "~"), ("int", "5"), ("int", "1_0"), ("bool", "on"), ("float", ".5"), ("merge", "<<"))
    ]),
)  # fmt: skip
NODES = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=2).map(lambda nodes: yaml.SequenceNode("tag:yaml.org,2002:seq", nodes)),
        st.lists(st.tuples(below, below), max_size=2).map(
            lambda pairs: yaml.MappingNode("tag:yaml.org,2002:map", pairs)
        ),
    ),
    max_leaves=4,
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["remove", "double", "rename", "replace", "alias"]),
        st.integers(0, 99),
        st.integers(0, 9),
        NODES,
    ),
    max_size=4,
)
LINES = st.lists(
    st.one_of(
        st.sampled_from([line for text in (DECLARATION_TEXT, *OVERLAY_TEXTS) for line in text.splitlines()]),
        st.sampled_from(
            ["---", "...", "%YAML 1.1", "  - ", "  ? a", "  <<: *a", "&a", "|", "!!int x", "\t", "# \x85", "["]
        ),
        st.text(alphabet=string.printable, max_size=12),
        st.text(max_size=12),
    ),
    max_size=25,
)
QUICK = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A project for many examples."""
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / ".git").mkdir()
        yield Path(made).resolve()


def load(folder: Path, declaration: str, overlay: str) -> Environment | InputError:
    """What the loader makes of two files."""
    (folder / "app.yaml").write_bytes(declaration.encode("utf-8", "surrogatepass"))
    (folder / "ksecret.yaml").write_bytes(overlay.encode("utf-8", "surrogatepass"))
    try:
        return Loader(files.Project(str(folder), str(folder))).load(str(folder / "ksecret.yaml"))
    except InputError as error:
        return error


def assert_place(folder: Path, mistake: Mistake) -> None:
    """The place of a mistake lies in one of the two files, lines as YAML counts them."""
    assert mistake.place is not None
    file, line, column = mistake.place
    text = (folder / file).read_bytes().decode("utf-8-sig", "replace")
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", f"{text}\n")  # the end of the file stands below its last line
    assert file in {"app.yaml", "ksecret.yaml"}
    assert 0 <= line <= len(lines)
    assert line == 0 or 1 <= column <= len(lines[line - 1]) + 1


def assert_environment_or_mistakes(folder: Path, declaration: str, overlay: str) -> None:
    """An environment that renders, or mistakes of one printable line, each told once, at its place."""
    environment = load(folder, declaration, overlay)
    if isinstance(environment, InputError):
        assert len(environment.mistakes) == len(set(environment.mistakes)) > 0
        for mistake in environment.mistakes:
            assert_place(folder, mistake)
            assert (mistake.message + mistake.hint).isprintable()
    else:
        assert dump(render(environment, {})) == dump(render(environment, {}))
        for mistake in sharing.mistakes([environment], [environment]):
            assert_place(folder, mistake)


@QUICK
@given(declaration=CHANGES, overlay=CHANGES, backend=st.sampled_from(OVERLAY_TEXTS))
@example(declaration=[], overlay=[], backend=OVERLAY_TEXTS[0])
@example(declaration=[], overlay=[], backend=OVERLAY_TEXTS[1])
def test_changed_files_give_an_environment_or_mistakes_with_places(
    folder: Path,
    declaration: list[tuple[str, int, int, yaml.Node]],
    overlay: list[tuple[str, int, int, yaml.Node]],
    backend: str,
) -> None:
    """Whatever is removed, doubled, replaced or renamed in valid files, no other exception leaves the loader."""
    assert_environment_or_mistakes(folder, changed(DECLARATION_TEXT, declaration), changed(backend, overlay))


@QUICK
@given(lines=LINES, declares=st.booleans())
def test_any_text_gives_an_environment_or_mistakes_with_places(folder: Path, lines: list[str], declares: bool) -> None:
    """Lines of valid files, of YAML and of anything, in any order."""
    text = "\n".join(lines)
    declaration, overlay = (text, OVERLAY_TEXTS[0]) if declares else (DECLARATION_TEXT, text)
    assert_environment_or_mistakes(folder, declaration, overlay)


@pytest.mark.parametrize("overlay", OVERLAY_TEXTS)
def test_the_files_that_are_changed_are_valid_to_begin_with(folder: Path, overlay: str) -> None:
    """Else the tests above would change what is refused anyway."""
    assert isinstance(load(folder, DECLARATION_TEXT, overlay), Environment)


def test_a_valid_file_is_read_the_same_from_what_yaml_writes_of_it() -> None:
    """The changes are made on nodes and written by the YAML library: with no change nothing changes."""
    first, second = (compose(text, "app.yaml") for text in (DECLARATION_TEXT, changed(DECLARATION_TEXT, [])))
    assert [yaml.serialize(node) for node in first] == [yaml.serialize(node) for node in second]


NAMES_OF_ITS_OWN = {"labels", "annotations", "parameters", "keys", "inputs", "overrides"}


def fields(node: yaml.Node, above: str = "") -> Iterator[tuple[yaml.MappingNode, int, str]]:
    """Every entry of every mapping, and the name that its mapping stands under."""
    if isinstance(node, yaml.MappingNode):
        for index, (key, value) in enumerate(node.value):
            yield node, index, above
            yield from fields(value, key.value)


def one_thing_wrong(text: str) -> Iterator[tuple[str, str]]:
    """A file with one field misspelt, or of a wrong type, and what the one mistake must say, for every field."""
    roots: list[yaml.Node] = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    for mapping, index, above in [field for root in roots for field in fields(root)]:
        key, value = mapping.value[index]
        wrong: list[tuple[str, yaml.Node, yaml.Node]] = [
            ("expected", key, yaml.SequenceNode("tag:yaml.org,2002:seq", [yaml.SequenceNode("tag:x", [])]))
        ]
        if isinstance(value, yaml.SequenceNode):
            wrong = [("expected a list", key, scalar("text"))]
        if above not in NAMES_OF_ITS_OWN and key.value not in {"apiVersion", "kind"}:  # without these nothing is read
            wrong.append((f'unknown field "{key.value}x"', scalar(f"{key.value}x"), value))
        for message, *entry in wrong:
            mapping.value[index] = tuple(entry)
            yield message, str(yaml.serialize_all(roots, Dumper=yaml.SafeDumper))
        mapping.value[index] = key, value


@pytest.mark.parametrize("overlay", OVERLAY_TEXTS)
def test_one_field_that_is_wrong_is_one_mistake(folder: Path, overlay: str) -> None:
    """What is misspelt is not missed as well, and nothing that depends on it is told."""
    pairs = [(message, (text, overlay)) for message, text in one_thing_wrong(DECLARATION_TEXT)]
    pairs += [(message, (DECLARATION_TEXT, text)) for message, text in one_thing_wrong(overlay)]
    assert len(pairs) > 100
    for message, texts in pairs:
        loaded = load(folder, *texts)
        assert isinstance(loaded, InputError)
        assert len(loaded.mistakes) == 1, texts
        assert loaded.mistakes[0].message.startswith(message)
