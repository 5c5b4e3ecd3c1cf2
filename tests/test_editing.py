"""A user's YAML edited at its bytes: what is asked for changes, and not one byte beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_ksecret import yamlio
from kubectl_ksecret.actions.accept import with_exceptions
from kubectl_ksecret.errors import InputError, Mend, Place
from kubectl_ksecret.yamlio.editing import encoded, mended, with_field

ENTRY = {"rule": "old", "object": "Secret/x", "reason": "known"}
LINES = ("- rule: old\n", "  object: Secret/x\n", "  reason: known\n")
BRACES = "{rule: old, object: Secret/x, reason: known}"
QUOTED = '{"rule": "old", "object": "Secret/x", "reason": "known"}'


def lines(indentation: str) -> str:
    """The entry in block style."""
    return "".join(f"{indentation}{line}" for line in LINES)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("spec:\n  a: 1\n", f"spec:\n  a: 1\n  exceptions:\n{lines('  ')}"),
        ("spec:\n    a: 1 # one", f"spec:\n    a: 1 # one\n    exceptions:\n{lines('    ')}".rstrip()),
        (
            "spec:\n  b:\n    - c # d\n\n  # end\nkind: x\n",
            f"spec:\n  b:\n    - c # d\n  exceptions:\n{lines('    ')}\n  # end\nkind: x\n",
        ),
        ("spec:\n  a: |\n    t\n# end\n", f"spec:\n  a: |\n    t\n  exceptions:\n{lines('  ')}# end\n"),
        ("spec:\n  a:\nkind: x\n", f"spec:\n  a:\n  exceptions:\n{lines('  ')}kind: x\n"),
        (
            "spec:\n  exceptions:\n    - rule: a # why\n  # more\n  b: 1\n",
            f"spec:\n  exceptions:\n    - rule: a # why\n{lines('    ')}  # more\n  b: 1\n",
        ),
        ("spec:\n  exceptions: [] # none\n  b: 1\n", f"spec:\n  exceptions: # none\n{lines('  ')}  b: 1\n"),
        ("spec:\n  exceptions: [{rule: b}] # b\n", f"spec:\n  exceptions: [{{rule: b}}, {BRACES}] # b\n"),
        ("spec: {a: 1} # a\n", f"spec: {{a: 1, exceptions: [{BRACES}]}} # a\n"),
        ("{spec: {exceptions: [], a: 1}}\n", f"{{spec: {{exceptions: [{QUOTED}], a: 1}}}}\n"),
        ('{\n\t"spec": {\n\t\t"a": 1\n\t}\n}', f'{{\n\t"spec": {{\n\t\t"a": 1, "exceptions": [{QUOTED}]\n\t}}\n}}'),
    ],
)
def test_an_entry_is_added_where_it_belongs(before: str, after: str) -> None:
    """Behind those that are there, or behind the last field; comments stay where they are."""
    assert with_exceptions(before, "a.yaml", [ENTRY]) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("spec:\n  a: 1\n", "spec:\n  a: 1\n  b:\n    c:\n      d: x\n"),
        ("spec:\n  b: {e: 1} # b\n", "spec:\n  b: {e: 1, c: {d: x}} # b\n"),
        ("spec:\n  b: {} # b\n  a: 1\n", "spec:\n  b: # b\n    c:\n      d: x\n  a: 1\n"),
        ("spec:\n  b:\n  a: 1\n", "spec:\n  b:\n    c:\n      d: x\n  a: 1\n"),
        ("spec:\n  b:\n    c:\n      d: w # d\n", "spec:\n  b:\n    c:\n      d: x # d\n"),
        (
            "spec:\n  a:\n    e: 1\n    # of e\n  # of spec\n",
            "spec:\n  a:\n    e: 1\n    # of e\n  b:\n    c:\n      d: x\n  # of spec\n",
        ),
    ],
)
def test_a_field_is_set_with_the_mappings_that_are_missing_on_the_way_to_it(before: str, after: str) -> None:
    """Those that are there stay as they are written."""
    assert with_field(before, "a.yaml", ("spec", "b", "c", "d"), "x") == after


def test_line_ends_and_the_byte_order_mark_stay() -> None:
    """A file from Windows stays one."""
    edited = with_exceptions("spec:\r\n  a: 1\r\n", "a.yaml", [ENTRY])
    assert edited.count("\r\n") == edited.count("\n") == 6
    assert encoded("a", b"\xef\xbb\xbfb") == b"\xef\xbb\xbfa" and encoded("a", b"b") == b"a"


@pytest.mark.parametrize(
    "text", ["spec:\n  exceptions: &x\n  - rule: a\n", "spec:\n  exceptions: 5\n", "spec: 5\n", "[]\n", "", "a: 1\n"]
)
def test_what_can_not_be_edited_is_refused(text: str) -> None:
    """With a hint, never with a guess."""
    with pytest.raises(InputError):
        with_exceptions(text, "a.yaml", [ENTRY])


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.just("\n"), min_size=1))
def test_any_reason_is_written_so_that_it_is_read_again(reason: str) -> None:
    """Quotes, colons, several lines, words that YAML takes for something else."""
    entry = ENTRY | {"reason": reason}
    for before in ("spec:\n  a: 1\n", "spec: {a: 1}\n"):
        edited = with_exceptions(before, "a.yaml", [entry])
        assert yamlio.load(edited, "a.yaml") == [{"spec": {"a": 1, "exceptions": [entry]}}]


def at(line: int, column: int, old: str = "old", new: str = "new") -> Mend:
    """A mend at a place."""
    return Mend(Place("a.yaml", line, column), old, new)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: old\n", "a: new\n"),
        ("a: old", "a: new"),
        ("a: 'old' # old\n", "a: 'new' # old\n"),
        ('a: "old"\r\n', 'a: "new"\r\n'),
        ("é: old#\n", None),
        ("é: old\n", "é: new\n"),
        ("a: old, er\n", None),
        ("a: |\n old\n", None),
        ('a: "\\x6fld"\n', None),
        ("a: older\n", None),
        ("a: old-er\n", None),
        ("a: old er\n", None),
        ("a: other\n", None),
        ("a:", None),
    ],
)
def test_a_mend_is_made_where_the_old_text_still_stands_whole(before: str, after: str | None) -> None:
    """In quotes or without; a longer word is another one."""
    text, done = mended(before, [at(1, 4)])
    assert (text, len(done)) == (after or before, 1 if after else 0)


def test_several_mends_of_one_file_do_not_move_each_other() -> None:
    """In one line too; the same one, found in two overlays, is made once, and of two for one place none is guessed."""
    spans = [at(1, 4, "old", "longer"), at(1, 9), at(1, 9), at(2, 3), at(9, 1)]
    text, done = mended("- {old: old}\n- old: 1\n", spans)
    assert text == "- {longer: new}\n- new: 1\n"
    assert done == [at(1, 4, "old", "longer"), at(1, 9), at(2, 3)]
    assert mended("a: old\n", [at(1, 4), at(1, 4, "old", "other")]) == ("a: old\n", [])
