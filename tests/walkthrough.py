"""Walk through a Markdown file as a reader does: run its blocks as printed, in order, and compare what they print.

A block's language says what it is:

console    a command after each `$ `, and what it prints; a command that shows no output may print anything. It runs
           on a terminal of its own, and each question gets the answer that the text shows, else y or a made-up value
yaml       where the first line is a comment with a path: a file, or fields that are set in the file that is there
sh, text   is not run: it needs a network, or is no session; the test lists each with its reason

`<!-- test: COMMAND -->` does what the text asks the reader to do by hand.
"""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

BLOCK = re.compile(r"^<!-- test: (?P<step>.*?) -->$|^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
PATH = re.compile(r"\A# (\S+/?\S*\.\w+)\n")
PROGRESS = re.compile(r"\w+ +\[[#-]*\] +\d+%")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
VALUE = "a made-up value of some length"


class Block(NamedTuple):
    """A block of a Markdown file, or a step that the text asks for; `line` is where it stands."""

    language: str
    text: str
    line: int


class Step(NamedTuple):
    """A command, and the lines that it must print; none where the text shows none."""

    command: str
    expected: Sequence[str]
    line: int


def blocks(markdown: str) -> Iterator[Block]:
    """Yield the blocks of a Markdown file, in order."""
    for match in BLOCK.finditer(markdown):
        line = markdown.count("\n", 0, match.start()) + 1
        if match["step"]:
            yield Block("step", match["step"], line)
        else:
            yield Block(match["language"], match["text"], line)


def sections(markdown: str) -> Mapping[str, str]:
    """Return the sections by their headings, each at the line where it stands in the whole."""
    heading, fenced = "", False
    lines: dict[str, list[str]] = {heading: []}
    for number, line in enumerate(markdown.splitlines(keepends=True)):
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            heading = line.strip("# \n")
            lines[heading] = ["\n"] * number
        lines[heading].append(line)
    return {heading: "".join(texts) for heading, texts in lines.items()}


def steps(block: Block) -> Iterator[Step]:
    """Yield the commands of a console block with what they print."""
    command, begin = "", block.line
    expected: list[str] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            if command:
                yield Step(command, expected, begin)
            command, expected, begin = line[2:], [], number
        elif command.endswith("\\"):
            command += f"\n{line}"
        else:
            expected.append(line)
    if command:
        yield Step(command, expected, begin)


class Walk:
    """A reader at work in a folder; `shown` turns what a command printed into what the text shows of it."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], shown: Callable[[str], str], meant: Callable[[str], str]
    ) -> None:
        self.folder, self._environment, self._shown, self._meant = folder, dict(environment), shown, meant
        self.differing: list[tuple[Step, Sequence[str]]] = []
        """The steps that printed something else, with what they printed."""

    def take(self, block: Block) -> None:
        """Do what a block says."""
        if block.language == "step":
            self.run(Step(block.text, [], block.line))
        elif block.language == "console":
            for step in steps(block):
                self.run(step)
        elif block.language == "yaml":
            self.edit(self._meant(block.text))
        else:
            assert block.language in ("sh", "text"), f"line {block.line}: what is a block of {block.language}?"

    def edit(self, text: str) -> None:
        """Write a file, or set fields in the one that is there; a block without a path must be YAML all the same."""
        content = yaml.safe_load(text)
        path = PATH.match(text)
        if path is None:
            return
        file = self.folder / path[1]
        assert file.exists() or "kind" in content, f"{path[1]} is not there yet"
        file.parent.mkdir(parents=True, exist_ok=True)
        if "kind" in content:
            file.write_text(text[path.end() :])
        else:
            file.write_text(yaml.safe_dump(merged(yaml.safe_load(file.read_text()), content), sort_keys=False))

    def run(self, step: Step) -> None:
        """Run a command, and note if it prints something else than the text shows."""
        code, screen = self._on_terminal(self._meant(step.command), step.expected)
        printed = [line.rstrip() for line in self._shown(screen).splitlines() if not PROGRESS.fullmatch(line)]
        if step.expected:
            as_written = {self._shown(line): line for line in step.expected}
            if printed != [self._shown(line) for line in step.expected]:
                self.differing.append((step, [as_written.get(line, line) for line in printed]))
        else:
            assert code == 0, f"line {step.line}: {step.command}: exit {code}\n" + "\n".join(printed)

    def _on_terminal(self, command: str, expected: Sequence[str]) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        # The terminal must be the process's own: a prompt opens /dev/tty. It is wide, so that no line is broken.
        script = "set -o pipefail; stty cols 220; " + command
        enter = "import os, sys; os.login_tty(0); os.execvp('bash', ['bash', '-c', sys.argv[1]])"
        with subprocess.Popen(
            [sys.executable, "-c", enter, script], cwd=self.folder, env=self._environment, stdin=theirs
        ) as process:
            os.close(theirs)
            screen = ""
            try:
                while part := os.read(ours, 4096):
                    screen += part.decode()
                    if screen.endswith(": "):
                        os.write(ours, f"{answer(screen, expected)}\n".encode())
            except OSError:
                pass  # Linux's way to say that nobody has the terminal any more
        os.close(ours)
        lines = ESCAPES.sub("", screen).replace("\r\n", "\n").split("\n")
        return process.returncode, "\n".join(line.rsplit("\r", 1)[-1] for line in lines)


def answer(screen: str, expected: Sequence[str]) -> str:
    """Return what a reader types: what the text shows after the question, else y or a value."""
    question = screen.rsplit("\n", 1)[-1].strip("\r")
    for line in expected:
        if line.startswith(question):
            return line.removeprefix(question)
    return "y" if "[y/N]" in question else VALUE


def updated(markdown: str, differing: Iterable[tuple[Step, Sequence[str]]]) -> str:
    """Return the file with what its steps print now."""
    lines = markdown.splitlines()
    for step, printed in sorted(differing, key=lambda difference: difference[0].line, reverse=True):
        begin = step.line + step.command.count("\n")
        lines[begin : begin + len(step.expected)] = printed
    return "\n".join(lines) + "\n"


def merged(old: Any, new: Any) -> Any:
    """Return a document with fields set as a reader sets them: mappings grow, everything else is replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}
    return new
