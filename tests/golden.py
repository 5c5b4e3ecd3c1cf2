"""Golden cases: one text file each, with a project, a command, and what the command must print.

    A declared key is not sealed.

    -- base: prod
    -- generators/app.yaml
    apiVersion: ksecret.dev/v1alpha1
    …
    -- command
    kubectl ksecret check
    -- stdout
    error: generators/app.yaml:9:5: app/second is not sealed in prod [not-sealed]
    -- exit 1

The sentence says what the case shows. A line that begins with `-- ` opens a section:

base: NAME      the files of testdata/bases/NAME.txt come first; a file of the case replaces one of the base
before          commands that prepare the project; the files of the case are written once more after them
PATH            a file of the project, which is a Git work tree in which everything is added
command         the command line; the real command runs as a process
stdout, stderr  what it must print; without the section, nothing
exit N          the exit code

`(escaped)` after a section's name is for what a text can't show: `\\r`, `\\x1b`, `\\ufeff` and a backslash (`\\\\`) are
written as in Python, and a backslash at the very end stands for a last line without a line end.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from kubectl_ksecret.cli.commands import group

from . import forkserver, hints

TESTDATA = Path(__file__).parent / "testdata"
BASES = TESTDATA / "bases"
CASES = sorted(path for path in TESTDATA.glob("*/*.txt") if path.parent != BASES)
PREFIX = ["kubectl", "ksecret"]
ESCAPED = " (escaped)"
# What an editor or a terminal would not show: control characters, and the invisible ones of Unicode.
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]")


class Outcome(NamedTuple):
    """What a command printed, and its exit code."""

    stdout: str
    stderr: str
    code: int


class Case(NamedTuple):
    """A golden case as it is written."""

    sentence: str
    base: str | None
    files: Mapping[str, str]
    before: str
    command: str
    expected: Outcome


def read(path: Path) -> Case:
    """Read a case, or a base, which has neither a command nor an outcome."""
    return parse(path.read_bytes().decode())


def parse(content: str) -> Case:
    """Read the text of a case."""
    head, *parts = re.split("^-- ", content, flags=re.MULTILINE)
    own, sections, base, code = {}, {"before": "", "command": "", "stdout": "", "stderr": ""}, None, 0
    for part in parts:
        title, _, text = part.partition("\n")
        name = title.removesuffix(ESCAPED)
        if name != title:
            text = unescape(text)
        if name.startswith("base: "):
            base = name.removeprefix("base: ")
        elif name.startswith("exit "):
            code = int(name.removeprefix("exit "))
        elif name in sections:
            sections[name] = text
        else:
            own[name] = text
    expected = Outcome(sections["stdout"], sections["stderr"], code)
    return Case(
        sentence=head.partition("\n")[0],
        base=base,
        files=own,
        before=sections["before"],
        command=sections["command"].strip(),
        expected=expected,
    )


def base_of(case: Case) -> Case:
    """Return the base of a case that has one."""
    return read(BASES / f"{case.base}.txt")


def files(case: Case) -> Mapping[str, str]:
    """Return the files of a case, those of its base included."""
    return {**base_of(case).files, **case.files} if case.base else case.files


def prepare(case: Case, folder: Path) -> None:
    """Write the project of a case, and run what comes before its command."""
    write(files(case), folder)
    before = base_of(case).before if case.base else ""
    for line in (before + case.before).splitlines():
        # In this process: starting one for each case would cost more than the commands themselves.
        with chdir(folder):
            result = CliRunner().invoke(group, arguments(line))
        assert result.exit_code == 0, result.output
    write(case.files, folder)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "add", "--all"], check=True)


def run(case: Case, folder: Path) -> Outcome:
    """Run the command of a case in its project."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "LANG": "C.UTF-8"}
    code, out, err = forkserver.run(arguments(case.command), folder, environment)
    outcome = Outcome(out.decode(), err.decode(), code)
    assert list(hints.wrong(arguments(case.command), outcome.stdout + outcome.stderr)) == []
    return outcome


def arguments(line: str) -> list[str]:
    """The arguments of a command line; only commands of ours are run."""
    words = shlex.split(line)
    assert words[:2] == PREFIX, f"not a command of ours: {line}"
    return words[2:]


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Write files, with the folders above them."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def update(path: Path, outcome: Outcome) -> None:
    """Write what a case expects; everything above its `-- stdout` stays as it is, byte for byte."""
    text = path.read_bytes().decode()
    path.write_bytes((text[: text.index("\n-- stdout") + 1] + expected_sections(outcome)).encode())


def expected_sections(outcome: Outcome) -> str:
    """Return the sections of an outcome; the one of standard output is always there."""
    parts = [section("stdout", outcome.stdout)]
    if outcome.stderr:
        parts.append(section("stderr", outcome.stderr))
    return "".join([*parts, f"-- exit {outcome.code}\n"])


def section(name: str, text: str) -> str:
    """Return a section that reads as this text."""
    if not INVISIBLE.search(text) and not re.search("^-- ", text, re.MULTILINE) and (not text or text[-1] == "\n"):
        return f"-- {name}\n{text}"
    return f"-- {name}{ESCAPED}\n{escape(text)}"


def escape(text: str) -> str:
    """Write a text so that every character can be seen."""
    visible = INVISIBLE.sub(lambda match: _escape(match[0]), text.replace("\\", "\\\\"))
    # A line that looks like the beginning of a section.
    visible = re.sub("^-- ", r"\\x2d- ", visible, flags=re.MULTILINE)
    return visible if visible.endswith("\n") else visible + "\\\n"


def _escape(character: str) -> str:
    if character == "\r":
        return "\\r"
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def unescape(text: str) -> str:
    """Return the text that was escaped."""
    body = text.removesuffix("\n")
    backslashes = len(body) - len(body.rstrip("\\"))
    if backslashes % 2:
        text = body[:-1]
    return re.sub(r"\\(\\|r|x[0-9a-f]{2}|u[0-9a-f]{4})", lambda match: _unescape(match[1]), text)


def _unescape(name: str) -> str:
    return {"\\": "\\", "r": "\r"}.get(name) or chr(int(name[1:], 16))


def orphans() -> Iterable[Path]:
    """Files below testdata that are neither a case nor a base."""
    return (path for path in TESTDATA.rglob("*") if path.is_file() and path not in CASES and path.parent != BASES)
