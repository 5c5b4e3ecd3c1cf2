"""Golden cases: tests/testdata/COMMAND/CASE.txt holds a project, a command and what it must print (golden.py)."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis.strategies import text

from . import golden


@pytest.mark.parametrize("path", golden.CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_command_prints_exactly_what_its_golden_case_holds(
    path: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """The first line of the case is a sentence of what it shows; the real command runs as a process."""
    case = golden.read(path)
    assert case.sentence[0].isupper() and case.sentence.endswith(".") and len(case.sentence) <= 120
    folder = tmp_path / "project"
    golden.prepare(case, folder)
    outcome = golden.run(case, folder)
    if pytestconfig.getoption("--update-golden"):
        golden.update(path, outcome)
    assert outcome == golden.read(path).expected


def test_every_file_of_testdata_is_a_case_or_a_base() -> None:
    """A file under another name would never run."""
    assert list(golden.orphans()) == []


def test_every_base_is_used() -> None:
    """A base that no case names is a leftover."""
    named = {golden.read(path).base for path in golden.CASES}
    assert {path.stem for path in golden.BASES.iterdir()} == named - {None}


@given(text())
@example("a\r\nb\r\n")
@example("\ufeffkind: Secret\n")
@example("no line end")
@example("a backslash without a line end\\")
@example("\x1b[31mred\x1b[0m \\x1b is not an escape\n")
@example("-- stdout\nlooks like a section\n")
def test_a_section_reads_as_the_text_that_was_written(content: str) -> None:
    """Bytes that a text can't show are escaped, and come back as they were."""
    title, _, body = golden.section("stdout", content).partition("\n")
    assert (golden.unescape(body) if title.endswith(golden.ESCAPED) else body) == content
    assert "\n-- " not in f"\n{body}"
    assert not golden.INVISIBLE.search(body)


def test_an_update_rewrites_the_expected_sections_alone(tmp_path: Path) -> None:
    """What a person wrote above them stays, byte for byte."""
    written = "It prints a name.\n\n-- overlays/a.yaml (escaped)\nkind: A\\r\n\n-- command\nkubectl ksecret list\n"
    path = tmp_path / "case.txt"
    path.write_text(f"{written}-- stdout\nold\n-- stderr\nold\n-- exit 3\n")
    golden.update(path, golden.Outcome(stdout="new\n", stderr="", code=0))
    assert path.read_text() == f"{written}-- stdout\nnew\n-- exit 0\n"
