"""How a command ends when it is interrupted, or when nobody reads what it says."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from kubectl_ksecret.cli.commands import COMMANDS

from .forkserver import COMMAND
from .peers import ROOT
from .projects import shop


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["seal", "--help"], ["--version"]], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_error(arguments: list[str]) -> None:
    """A closed pipe ends the command with 0 and without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([COMMAND, *arguments], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_every_help_ends_with_examples(command: str | None) -> None:
    """Each begins as it is typed; what click adds, the options and commands, comes after."""
    done = subprocess.run([COMMAND, *filter(None, [command]), "--help"], capture_output=True, text=True, check=True)
    _, _, examples = done.stdout.partition("\n\n  Examples:\n")
    first, *_ = examples.splitlines()
    assert first.startswith("    kubectl ") and (f" ksecret {command or ''}") in first
    assert examples.split("\n\n", 1)[1].startswith("Options:\n")


def test_an_interrupted_command_ends_with_130(tmp_path: Path) -> None:
    """Ctrl-C while the command waits for Secrets on standard input."""
    project = shop(tmp_path)
    command = [COMMAND, "seal", "prod", "-f", "-"]
    environment = project.environment | project.accepting(*command[1:])
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=project.root, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        time.sleep(2)  # until it reads
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_closed_standard_output_gives_no_traceback() -> None:
    """As a shell closes it with >&-: a listing goes nowhere, and plain values are refused."""
    for arguments, code in ((["list"], 0), (["render", "prod", "--decrypt"], 2)):
        shell = ["sh", "-c", 'exec "$0" "$@" >&-', COMMAND, *arguments]
        done = subprocess.run(shell, cwd=ROOT, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, b"Traceback" in done.stderr) == (code, False)


STREAMS = {
    "$0 seal prod -f - <&-": (2, "error: standard input is closed\nhint: pipe the values in\n"),
    "$0 seal prod app/token --from-stdin <&-": (2, "error: standard input is closed\nhint: pipe the values in\n"),
    "$0 list >/dev/full": (3, "error: No space left on device\n"),
    "$0 --help >/dev/full": (3, "error: No space left on device\n"),
    "$0 render nobody 2>/dev/full": (2, ""),
    "$0 seal prod 2>&-": (0, ""),
    "mkdir gone && cd gone && rmdir ../gone && $0 list": (3, "error: No such file or directory\n"),
}


@pytest.mark.parametrize("script", STREAMS)
def test_a_stream_that_is_closed_or_full_gives_no_traceback(tmp_path: Path, script: str) -> None:
    """Nor does a working directory that is gone."""
    project = shop(tmp_path)
    tokens = [project.accepting("seal", "prod", *typed)["KSECRET_ACCEPT"] for typed in ((), ("-f", "-"))]
    environment = project.environment | {"KSECRET_ACCEPT": " ".join(tokens)}
    shell = ["sh", "-c", script, COMMAND]
    done = subprocess.run(shell, cwd=project.root, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == STREAMS[script]


FUNCTION = str(Path(COMMAND).with_name("ksecret-fn"))
OF_THE_FUNCTION = {
    "$0 <&-": (3, "error: standard input is closed\n"),
    "$0 <list >&-": (3, "error: standard output is closed\n"),
    "$0 <list >/dev/full": (3, "error: No space left on device\n"),
    "$0 <list 2>&- >&-": (3, ""),
    "$0 2>/dev/full": (2, ""),
    'mkfifo p; { exec 3>p; $0 <list >&3; echo "$?" >&2; } & true <p; wait': (0, "0\n"),
    "mkdir gone && cd gone && rmdir ../gone && $0 <../list": (3, "error: No such file or directory\n"),
}


@pytest.mark.parametrize("script", OF_THE_FUNCTION)
def test_a_stream_that_is_closed_or_full_is_one_line_of_the_function(tmp_path: Path, script: str) -> None:
    """Kustomize shows what ksecret-fn says; a reader that has seen enough is no error."""
    project = shop(tmp_path)
    project.done("seal")
    overlay = yaml.safe_load((project.root / "overlays/prod/secrets/ksecret.yaml").read_text())
    overlay["spec"]["declarations"] = ["generators"]
    del overlay["spec"]["source"]
    project.write("list", json.dumps({"kind": "ResourceList", "items": [], "functionConfig": overlay}))
    for name in ("manifests", "sealing.pem"):
        (project.root / name).symlink_to(f"overlays/prod/secrets/{name}")
    shell = ["sh", "-c", script, FUNCTION]
    done = subprocess.run(shell, cwd=project.root, env=project.environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == OF_THE_FUNCTION[script]
