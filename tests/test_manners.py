"""How the commands behave towards the person who runs them: interrupted, waiting, asked, on a narrow terminal."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from .projects import COMMAND, Project, opened_by_kubeseal, sealing, shop

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
    folder = project.root / "overlays/prod/secrets"
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    threading.Timer(2.5, os.close, (descriptor,)).start()
    began = time.monotonic()
    done = project.ksecret("seal", "prod")
    assert done.code == 0 and time.monotonic() - began > 2
    assert done.err.startswith("warning: overlays/prod/secrets is locked by a process that writes there; waiting")


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
