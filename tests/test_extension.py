"""The house is open: a source and a backend are added without touching the package (toys.py), and everything works."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .peers import ROOT
from .projects import Done, Project

DECLARED: dict[str, dict[str, Any]] = {
    "token": {"purpose": "Token of the API", "generate": {"length": 24}, "rotation": {"maxAge": "90d"}},
    "url": {"purpose": "Where the API is", "template": "https://app:{{ token | urlencode }}@api.example"},
}
FIRST = "the first token of all"


class Toys(Project):
    """A project in which every command runs with the toys registered."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment["PYTHONPATH"] = str(ROOT)
        self.declare("app", DECLARED)
        source = {"names": "{remoteName}-prod", "jsonFile": {"file": "../../../values.json"}}
        self.overlay("prod", {"box": {"label": "mine"}}, source=source)
        self.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
        self.write("values.json", json.dumps({"token-prod": [{"value": FIRST, "id": "1"}]}))

    def untrusting(self, *arguments: str, stdin: str | bytes = b"", **environment: str) -> Done:
        """Run the real command with the toys."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.toys", *arguments],
            cwd=self.root,
            env=self.environment | environment,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            check=False,
            timeout=60,
            start_new_session=True,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def content(self) -> dict[str, str]:
        """What lies in the committed box, the right way round."""
        sealed = yaml.safe_load(self.manifest("app").read_text())["spec"]["content"]
        script = "import base64, sys; print(base64.b64decode(sys.argv[1])[::-1].decode(), end='')"
        return {key: _output("-c", script, text) for key, text in sealed.items()}

    def token(self) -> str:
        """The newest value in the source."""
        value: str = json.loads((self.root / "values.json").read_text())["token-prod"][-1]["value"]
        return value


def _output(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def toys(tmp_path: Path) -> Toys:
    """A declared Secret of two keys, one of them made from the other; nothing is sealed yet."""
    return Toys(tmp_path)


@pytest.fixture
def sealed(toys: Toys) -> Toys:
    """The same, sealed."""
    toys.done("seal", "prod")
    return toys


def test_list_names_both(toys: Toys) -> None:
    """By the names of their fields."""
    assert toys.done("list").splitlines()[0].endswith("prod (box ← jsonFile)")


def test_seal_reads_the_source_and_fills_the_box(toys: Toys) -> None:
    """A template is resolved, and the versions of the source stand in the record."""
    assert toys.done("seal", "prod").startswith("prod: sealed\n  app/token\n  app/url\n")
    assert toys.content() == {"token": FIRST, "url": "https://app:the%20first%20token%20of%20all@api.example"}
    record = toys.object("app")["metadata"]["annotations"]["ksecret.dev/sealed-keys"]
    assert "by=box:mine" in record and "version=1" in record and "inputs=token=1" in record


def test_sealing_again_changes_no_byte(sealed: Toys) -> None:
    """The version of the source is the recorded one."""
    before = sealed.files()
    sealed.done("seal", "prod")
    assert sealed.changed_since(before) == set()


def test_another_label_is_refused_until_it_is_accepted(sealed: Toys) -> None:
    """What its sealer says of its readers is kept, as a certificate is."""
    sealed.overlay("prod", {"box": {"label": "yours"}}, source={"jsonFile": {"file": "../../../values.json"}})
    refused = sealed.untrusting("seal", "prod")
    assert (refused.code, "--accept box:yours" in refused.err) == (2, True)


def test_render_shows_the_box_and_keeps_its_metadata(sealed: Toys) -> None:
    """`--write` mends the label without any value; the references follow a box through a prefix."""
    before = sealed.content()
    assert yaml.safe_load(sealed.done("render", "prod")) == sealed.object("app")
    spec = {"source": {"names": "{remoteName}-prod", "jsonFile": {"file": "../../../values.json"}}}
    sealed.overlay("prod", {"box": {"label": "mine", "metadata": {"labels": {"team": "shop"}}}}, **spec)
    assert sealed.done("render", "--write") == "overlays/prod/secrets/manifests/app.yaml\n"
    assert sealed.object("app")["metadata"]["labels"] == {"team": "shop"}
    assert sealed.content() == before
    references = (sealed.root / "overlays/prod/secrets/manifests/_references.yaml").read_text()
    assert "- kind: Box\n  group: toys.example.org\n" in references


def test_check_judges_the_box_as_it_judges_ours(sealed: Toys) -> None:
    """It is clean once it is sealed; a key that is not sealed is an error, and so is an overlay that nothing lists."""
    assert sealed.done("check") == ""
    sealed.declare("app", {**DECLARED, "second": {}})
    done = sealed.ksecret("check")
    assert (done.code, "app/second is not sealed in prod [not-sealed]" in done.out) == (1, True)
    sealed.declare("app", DECLARED)
    sealed.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: []\n")
    done = sealed.ksecret("check")
    assert (done.code, "[not-deployed]" in done.out) == (1, True)


def test_status_says_what_is_stale(sealed: Toys) -> None:
    """The versions of the source are compared with the recorded ones."""
    assert sealed.ksecret("status").code == 0
    sealed.write("values.json", json.dumps({"token-prod": [{"value": FIRST, "id": "1"}] * 2}))
    status = sealed.ksecret("status")
    assert (status.code, status.out.count("stale")) == (1, 2)


def test_rotate_writes_to_the_source_and_fills_the_box_anew(sealed: Toys) -> None:
    """The template that uses the key follows."""
    done = sealed.ksecret("rotate", "prod", "app/token", "--yes")
    token = sealed.token()
    assert (done.code, token == FIRST, len(token)) == (0, False, 24)
    assert sealed.content() == {"token": token, "url": f"https://app:{token}@api.example"}


def test_mistakes_of_a_toy_have_their_place(toys: Toys) -> None:
    """The reader, the nearest name and the type's own validation know it as they know ours."""
    toys.overlay("prod", {"box": {"labl": "mine"}}, source={"jsonFile": {"file": "../../../values.json"}})
    done = toys.ksecret("list")
    assert done.code == 2
    assert 'unknown field "labl"\nhint: did you mean "label"?' in done.err
    toys.overlay("prod", {"box": {"label": "mine"}}, source={"names": "_{remoteName}", "jsonFile": {"file": "v"}})
    done = toys.ksecret("list")
    assert "the name of app/token begins with an underscore" in done.err


SOURCE = '''
from collections.abc import Iterable, Iterator
from kubectl_ksecret.errors import Mistake, Place
from kubectl_ksecret.model.types.source import PathBase, Source, SourceUse

class Drawer(Source):
    """A drawer."""

    versioned = False
    writable = False
    lists_names = True
    runs_program = False
    names_are_variables = False

    def identity(self, folder: str) -> tuple[str, ...]:
        return ()

    def same_name(self, name: str) -> str:
        return name

    def shown(self, base: PathBase) -> str:
        return "the drawer"

    def paths(self) -> Iterable[tuple[str, Place]]:
        return ()

    def mistakes(self, use: SourceUse) -> Iterator[Mistake]:
        return iter(())

'''
MADE = "Drawer(origin=None)\n"
# What is taken out of the type, and what mypy calls it then.
MEMBERS = {
    "    versioned = False\n": "versioned",
    "    writable = False\n": "writable",
    "    def same_name(self, name: str) -> str:\n        return name\n": "same_name",
}


def mypy(folder: Path, text: str) -> tuple[int, str]:
    """What mypy makes of a module, under the project's own configuration."""
    (folder / "drawer.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "setup.cfg"), str(folder / "drawer.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_mypy_takes_a_source_that_has_every_member(tmp_path: Path) -> None:
    """The neighbour of the next test: nothing else is wrong with it."""
    assert mypy(tmp_path, SOURCE)[0] == 0


def test_mypy_refuses_a_source_that_lacks_a_member(tmp_path: Path) -> None:
    """An unknown source is a type error, and no silent default."""
    text = SOURCE
    for member in MEMBERS:
        text = text.replace(member, "")
    code, out = mypy(tmp_path, text + MADE)
    assert code == 1
    assert "abstract" in out
    assert [name for name in MEMBERS.values() if f'"{name}"' not in out] == []


@pytest.mark.parametrize("member", MEMBERS)
def test_a_type_that_lacks_a_member_fails_on_import(member: str) -> None:
    """Whoever does not run mypy learns it at the first start."""
    done = subprocess.run(
        [sys.executable, "-c", SOURCE.replace(member, "")], cwd=ROOT, capture_output=True, check=False
    )
    assert f"TypeError: Drawer lacks {MEMBERS[member]}" in done.stderr.decode()


@pytest.mark.parametrize(
    ("room", "registration"),
    [
        ("sources", "sources.SOURCES['drawer'] = sources.Dotenv"),
        ("backends", "backends.BACKENDS['drawer'] = type('Drawer', (backends.Sops,), {})"),
    ],
)
def test_a_type_without_an_implementation_fails_on_import(room: str, registration: str) -> None:
    """A type that nothing opens or renders is found before anybody uses it."""
    script = f"from kubectl_ksecret.model.types import {room}\n{registration}\nimport kubectl_ksecret.{room}\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "drawer" in done.stderr.splitlines()[-1].lower()


def test_a_backend_that_seals_without_a_sealer_fails_on_import() -> None:
    """As does one that nothing seals for."""
    script = (
        "from kubectl_ksecret import backends\n"
        "from kubectl_ksecret.model.types.backends import Sops\n"
        "backends.BACKENDS[type('Drawer', (Sops,), {})] = backends.BACKENDS[Sops]\n"
        "import kubectl_ksecret.sealing\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("no sealer for Drawer")
