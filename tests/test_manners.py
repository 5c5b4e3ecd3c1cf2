"""How the commands behave towards the person who runs them: interrupted, waiting, asked, on a narrow terminal."""

import configparser
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from .forkserver import COMMAND
from .peers import ROOT
from .projects import Project, opened_by_kubeseal, sealing, secret_manifest, shop

FUNCTION = str(Path(COMMAND).with_name("ksecret-fn"))


@pytest.mark.parametrize(
    ("command", "module"), [([COMMAND, "list"], "click"), ([COMMAND, "list"], "yaml"), ([FUNCTION], "yaml")]
)
def test_an_interruption_while_it_starts_is_130_without_a_traceback(
    tmp_path: Path, command: list[str], module: str
) -> None:
    """Nobody who presses Ctrl-C at once wants to read Python."""
    project = shop(tmp_path)
    (tmp_path / f"{module}.py").write_text("raise KeyboardInterrupt\n")
    environment = project.environment | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=project.root, env=environment, capture_output=True, input=b"", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_lock_that_somebody_holds_is_named(tmp_path: Path) -> None:
    """The command waits, and says for what; then it goes on."""
    project = shop(tmp_path)
    environment = project.environment | project.accepting("seal", "prod")
    descriptor = os.open(project.root / "overlays/prod/secrets", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    command = [COMMAND, "seal", "prod"]
    with subprocess.Popen(
        command, cwd=project.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        warning = process.stderr.readline()
        assert process.poll() is None
        os.close(descriptor)
    assert warning == b"warning: overlays/prod/secrets is locked by a process that writes there; waiting for it\n"
    assert process.returncode == 0 and project.manifest("app").exists()


def test_unseal_reads_a_pipe(tmp_path: Path) -> None:
    """As `kubectl get sealedsecret -o yaml` gives it."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.write("key.pem", sealing(1).private_key)
    opened = project.done("unseal", "-", "--private-key", "key.pem", stdin=project.manifest("app").read_bytes())
    assert "name: app" in opened
    assert opened == project.done("unseal", "overlays/prod/secrets/manifests/app.yaml", "--private-key", "key.pem")


def test_a_typed_value_is_asked_for_twice(tmp_path: Path) -> None:
    """Nobody sees what is typed, so a slip would be sealed."""
    project = shop(tmp_path)
    trusted = project.accepting("seal", "prod", "app/token", "--from-stdin")
    done = project.on_terminal("seal", "prod", "app/token", "--from-stdin", typed=b"typed twice\n", **trusted)
    assert done.code == 0 and "The same again: " in done.out
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"typed twice"


def test_table_and_markdown_show_what_is_written_and_nothing_else(tmp_path: Path) -> None:
    """A purpose is a person's text: it neither moves the cursor nor becomes a link, a column or a tag."""
    project = shop(tmp_path)
    purpose = "a|b <img src=x> [c](d) *e* `f` _g_ h_i \x1b[2J \\"
    project.declare("app", {"token": {"purpose": purpose}, "password": {}})
    markdown = project.done("list", "-o", "markdown")
    assert r"a\|b \<img src=x\> \[c\](d) \*e\* \`f\` \_g\_ h_i ?\[2J \\" in markdown
    assert len({line.replace("\\|", "").count("|") for line in markdown.splitlines()}) == 1
    assert "\x1b" not in project.done("list") + markdown


def test_help_is_as_wide_as_the_terminal(tmp_path: Path) -> None:
    """Up to 120 columns, beyond which lines are hard to read."""
    project = shop(tmp_path)
    widths = {}
    for columns in (60, 110, 300):
        help_ = project.done("check", "--help", COLUMNS=str(columns))
        text, _, _ = help_.partition("Examples:")
        widths[columns] = max(map(len, text.splitlines()))
    assert widths[60] <= 60 < widths[110] <= 110 < widths[300] <= 120


def test_an_extra_that_is_missing_is_named_so_that_it_can_be_installed(tmp_path: Path) -> None:
    """No index has the package: the hint is about where this one came from."""
    project: Project = shop(tmp_path)
    project.sealed_overlay(source={"azureKeyVault": {"vaultUrl": "https://a.vault.azure.net"}})
    (tmp_path / "azure").mkdir()
    (tmp_path / "azure/__init__.py").write_text("raise ImportError\n")
    done = project.ksecret("seal", "prod", PYTHONPATH=str(tmp_path))
    hint = done.err.rpartition("hint: ")[2]
    assert "[azure]'" in hint or "azure-identity azure-keyvault-secrets" in hint, done.err
    assert "'kubectl-ksecret[azure]'" not in hint
    lines = (
        "import sys; sys.prefix = sys.argv[1]",
        "from kubectl_ksecret.files.installation import extra",
        "print(extra('azure'))",
    )
    code = "\n".join(lines)
    (tmp_path / "pipx_metadata.json").touch()
    printed = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True).stdout
    assert printed == "pipx inject kubectl-ksecret azure-identity azure-keyvault-secrets\n"


def ignoring_nothing(project: Project) -> None:
    """Git ignores no file of the project any more."""
    (project.root / ".git/info/exclude").unlink()


def test_a_dotenv_file_that_git_does_not_ignore_is_a_warning(tmp_path: Path) -> None:
    """One `git add .` later its values are in the history of every clone."""
    project = shop(tmp_path)
    ignoring_nothing(project)
    done = project.ksecret("seal", "prod")
    assert done.code == 0
    assert ".env is not ignored by Git: the next commit may hold it\nhint: add a line for it to .gitignore" in done.err
    project.write(".gitignore", ".env*\n")
    assert project.ksecret("seal", "prod", "--reseal").err == ""


def test_init_ignores_the_dotenv_files_that_an_overlay_is_sealed_from(tmp_path: Path) -> None:
    """Behind what stands in .gitignore, and once; an overlay of a vault needs none."""
    project = shop(tmp_path)
    ignoring_nothing(project)
    project.write(".gitignore", "build/")
    project.write("new.pem", sealing(2).certificate)
    arguments = ("--backend", "sealedSecret", "--certificate", "new.pem")
    assert ".gitignore\n" in project.done("init", "overlays/a", "--namespace", "a", *arguments)
    assert (project.root / ".gitignore").read_text() == "build/\n.env\n.env.*\n!.env.example\n"
    assert ".gitignore" not in project.ksecret("init", "overlays/b", "--namespace", "b", *arguments).out
    ignoring = (project.root / ".gitignore").read_text()
    assert ignoring.count(".env\n") == 1


def test_init_names_the_option_that_is_wrong_and_writes_nothing_in_a_dry_run(tmp_path: Path) -> None:
    """The file in which the mistake would stand is not there."""
    project = shop(tmp_path)
    before = project.files()
    vault = ("--backend", "externalSecret", "--vault-url")
    done = project.ksecret("init", "overlays/a", "--namespace", "A_b", *vault, "https://a.vault.azure.net")
    assert done.err.startswith("error: --namespace: ")
    assert project.ksecret("init", "overlays/a", "--namespace", "a", *vault, "nonsense").err.startswith(
        "error: --vault-url: "
    )
    assert project.ksecret("init", "A_b", "--namespace", "a", *vault, "https://a.vault.azure.net").err.startswith(
        "error: DIR: "
    )
    good = ("init", "overlays/a", "--namespace", "a", *vault, "https://a.vault.azure.net", "--dry-run")
    assert "overlays/a/secrets/ksecret.yaml\n" in project.ksecret(*good).out
    assert project.changed_since(before) == set()


def test_values_of_a_tracked_manifest_are_to_be_changed(tmp_path: Path) -> None:
    """To seal them does not take them out of the history."""
    project = shop(tmp_path)
    project.write("old.yaml", json.dumps(secret_manifest("app", stringData={"token": "a", "password": "b"})))
    assert "history" not in project.ksecret("seal", "prod", "-f", "old.yaml").err
    project.commit()
    done = project.ksecret("seal", "prod", "-f", "old.yaml")
    assert done.code == 0
    assert done.err == "warning: Git tracks old.yaml: change these values, they are in Git's history\n"


def test_an_address_in_the_place_of_the_overlay_is_recognised(tmp_path: Path) -> None:
    """The hint says what comes first."""
    done = shop(tmp_path).ksecret("seal", "app/token")
    assert (done.code, done.err) == (
        2,
        "error: no overlay is named app/token\nhint: the overlay comes first: kubectl ksecret seal OVERLAY app/token\n",
    )


def test_render_check_says_what_to_run(tmp_path: Path) -> None:
    """Once for each overlay that differs."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    manifest = project.manifest("app")
    manifest.write_text(manifest.read_text().replace("type: Opaque", "type: another"))
    done = project.ksecret("render", "--check")
    assert (done.code, done.err) == (1, "hint: run: kubectl ksecret render --write\n")
    assert project.ksecret("render", "prod", "--write").code == 0
    assert project.done("render", "--check") == ""


@pytest.mark.parametrize("command", ["list", "status"])
def test_tables_fit_the_terminal(tmp_path: Path, command: str) -> None:
    """Cut where they are widest; -o wide, and a pipe, get all of it."""
    project = shop(tmp_path)
    project.declare("app", {"token": {"purpose": "word " * 60}, "password": {}, "k" * 90: {}})
    project.write(".env", f"TOKEN=a\nPASSWORD=b\n{'K' * 90}=c\n")
    project.done("seal", "prod")
    narrow = project.on_terminal(command, COLUMNS="90").out.replace("\r", "")
    wide = project.on_terminal(command, "-o", "wide", COLUMNS="90").out.replace("\r", "")
    assert max(map(len, narrow.splitlines()[:4])) <= 90 and "…" in narrow
    assert "k" * 90 in wide and wide == project.ksecret(command).out


def test_a_rotation_can_be_looked_at_first(tmp_path: Path) -> None:
    """The plan on standard output, and nothing else."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    before = project.files()
    done = project.ksecret("rotate", "prod", "app/token", "--dry-run")
    assert done.code == 0 and "app/token" in done.out and project.changed_since(before) == set()


def test_a_wheel_holds_the_schema_and_the_rules() -> None:
    """An editor needs the one, and whoever reads a finding the other, without a clone."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    files = setup["options.data_files"]["share/kubectl-ksecret"].split()
    assert files == ["docs/ksecret.schema.json", "docs/rules.md"]
    assert all((ROOT / file).is_file() for file in files)


def test_every_rule_in_sarif_points_to_what_is_said_of_it(tmp_path: Path) -> None:
    """The address is of a file that is there, and of a heading in it."""
    project = shop(tmp_path)
    log = json.loads(project.ksecret("check", "-o", "sarif").out)
    for rule in log["runs"][0]["tool"]["driver"]["rules"]:
        address = urlsplit(rule["helpUri"])
        assert f"\n## {address.fragment}\n" in Path(unquote(address.path)).read_text()


def test_many_collisions_are_one_mistake_with_the_pattern_that_ends_them(tmp_path: Path) -> None:
    """900 lines that say the same hide the one thing to do; the pattern is the right one."""
    project = shop(tmp_path)
    keys: dict[str, dict[str, str]] = {f"key-{number}": {} for number in range(30)}
    for secret in ("one", "two"):
        project.declare(secret, keys)
    done = project.ksecret("render", "prod")
    assert (done.code, done.err.count("error: "), done.err.count("hint: ")) == (2, 1, 1)
    assert "and 29 others collide like this" in done.err and 'names: "{secret}-{key}" in spec.source' in done.err
    project.sealed_overlay(source={"names": "{secret}-{key}", "dotenv": {"file": "../../../.env"}})
    assert "collide" not in project.ksecret("render", "prod").err


def test_check_shows_what_it_would_change(tmp_path: Path) -> None:
    """--fix and --write-exceptions name the same changes with --dry-run, and make none."""
    project = shop(tmp_path)
    project.write("overlays/prod/kustomization.yaml", "resources: [secrets]\nnamespace: shop-prod\n")
    project.done("seal", "prod")
    manifest = project.manifest("app")
    manifest.write_text(manifest.read_text().replace("type: Opaque", "type: another"))
    before = project.files()
    for option in (["--fix"], ["--write-exceptions", "--reason", "old"]):
        dry = project.ksecret("check", *option, "--dry-run")
        assert project.changed_since(before) == set()
        done = project.ksecret("check", *option)
        assert project.changed_since(before) != set()
        assert "app.yaml: rendered" in dry.err or dry.out == done.out != ""
        for name, content in before.items():
            project.write(name, content)
    assert project.ksecret("check", "--dry-run").code == 2
