"""Hard cases for the editor of YAML: what the edit did not mean keeps its bytes, or nothing is edited."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_ksecret.errors import InputError
from kubectl_ksecret.yamlio.editing import with_field

from .projects import shop

# Each case is a text with marks: {+what the edit adds+} and {-what it takes away-}.
CASES = {
    "comments between elements": "# top\nr:\n# of a\n- a # one\n# of b\n- b\n{+- c\n+}\n# tail\nz: 1\n",
    "a comment that belongs to an element deeper": "r:\n  - a\n    # more of a\n  - b # two\n{+  - c\n+}# tail\n",
    "behind blank lines": "r:\n\n- a\n\n\n- b\n{+- c\n+}\n\nz:   1\n",
    "odd spacing": "z  :   1\nr :\n-   a\n-  b\n{+- c\n+}y:   [ 1,2 ,3 ]\n",
    "deeply indented": "r:\n        - a\n        - b\n{+        - c\n+}z: {a:   1}\n",
    "other lists are indented otherwise": "x:\n    - 1\nr:\n- a\n- b\n{+- c\n+}y:\n  - 2\n",
    "a flow list": "r: [a, b{+, c+}]   # c\n",
    "a flow list with odd spaces": "r: [ a ,b{+, c+} ]\n",
    "a flow list in lines": "r: [\n  a, # one\n  b{+, c+} # two\n  # tail\n]\nz: 1\n",
    "a flow list with a comma at its end": "r: [\n  a,\n  b{+, c+},\n]\n",
    "windows": "r:\r\n- a # x\r\n- b\r\n{+- c\r\n+}# y\r\nz: 1\r\n",
    "windows, without an end": "z: 1\r\nr:\r\n- a\r\n- b{+\r\n- c+}",
    "no final line end": "r:\n- a\n- b{+\n- c+}",
    "a document that is marked": "%YAML 1.1\n# top\n---   # here\nr:\n- a\n- b\n{+- c\n+}...\n",
    "anchors elsewhere": "x: &x {a: 1}\ny: {<<: *x, b: 2}\nr:\n- a\n- b\n{+- c\n+}",
    "an anchor that is defined twice": "x: &x 1\ny: &x 2\nz: *x\nr:\n- a\n- b\n{+- c\n+}",
    "an element in quotes": "r:\n- 'a'\n- \"b\"\n{+- c\n+}",
    "a text with what looks like a comment": "x: |\n  # no comment\n\n  - a\nr:\n- a\n- b\n{+- c\n+}y: 'a # b'\n",
    "folded text": "x: >-\n   one\n   two\n\n   three\nr:\n- a\n- b\n{+- c\n+}y: one\n   two\n",
    "text in several lines": 'x: "one\n  two \\\n  three"\nr:\n- a\n- b\n{+- c\n+}',
    "words of YAML 1.1": "x: [yes, 012, 0o17, 1_000, 12:30, 2024-01-01, 1e3, =]\nr:\n- a\n- b\n{+- c\n+}on: off\n",
    "nothing, written in three ways": "x: ~\ny: null\nz:\nr:\n- a\n- b\n{+- c\n+}w: [~, null]\n",
    "tags": "x: !!str 5\ny: !other {a: 1}\nr:\n- a\n- b\n{+- c\n+}",
    "an explicit key": "? x\n: 1\nr:\n- a\n- b\n{+- c\n+}",
    "lists in lists": "x:\n- - 1\n  - 2\n-   - 3\nr:\n- a\n- b\n{+- c\n+}",
    "emoji and accents": "é: ☃ # 😀\nr:\n- a\n- b\n{+- c\n+}",
    "json": '{\n  "r": [\n    "a",\n    "b"{+, "c"+}\n  ],\n  "z": 1\n}\n',
    "json with tabs": '{\n\t"r": [\n\t\t"a",\n\t\t"b"{+, "c"+}\n\t]\n}',
    "json in a line": '{"r":["a","b"{+, "c"+}]}',
    "a patch below": "r:\n- a\n- b\n{+- c\n+}patches:\n- target: {kind: A}\n  patch: |-\n    - path: /r\n",
    "a very long line": f"x: {'word ' * 2000}end\nr:\n- a\n- b\n{{+- c\n+}}",
}
MARKS = re.compile(r"\{\+(.*?)\+\}", re.DOTALL)


@pytest.mark.parametrize("marked", CASES.values(), ids=CASES)
def test_an_element_is_added_and_taken_away_again(marked: str) -> None:
    """The one is exactly what the marks say, the other gives back the text as it was."""
    before, after = MARKS.sub("", marked), MARKS.sub(r"\1", marked)
    assert with_field(before, "a.yaml", ("r",), ["a", "b", "c"]) == after
    assert with_field(after, "a.yaml", ("r",), ["a", "b"]) == before


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("r:\n# of a\n- a\n# of b\n- b # two\n# tail\n", ["r"], ["b"], "r:\n# of a\n# of b\n- b # two\n# tail\n"),
        ("r:\n- a # one\n# tail\nz: 1\n", ["r"], [], "r:\n# tail\nz: 1\n"),
        ("r:\n- a # one\n- b # two\n", ["r"], ["x", "b", "z"], "r:\n- x\n- b # two\n- z\n"),
        ("r: [a, b]\n", ["r"], [], "r: []\n"),
        ("r: [a]\n", ["r"], ["b"], "r:\n- b\n"),
        ("r: [] # none\nz: 1\n", ["r"], ["a"], "r: # none\n- a\nz: 1\n"),
        ("r: ~ # none\nz: 1\n", ["r"], ["a"], "r: # none\n- a\nz: 1\n"),
        ("z: 1 # one\n# tail\n", ["r"], ["a"], "z: 1 # one\n# tail\nr:\n- a\n"),
        (
            "a:\n    b:  1 # one\n    # tail\nz: 1\n",
            ["a", "c"],
            ["x"],
            "a:\n    b:  1 # one\n    c:\n    - x\n    # tail\nz: 1\n",
        ),
        ("a:\n  b: 1 # one\n", ["a", "b"], "two", "a:\n  b: two # one\n"),
        ("a:\n  b: '1'   # one\n", ["a", "b"], "yes", 'a:\n  b: "yes"   # one\n'),
        ("a: {b: 1} # one\n", ["a", "c"], "d", "a: {b: 1, c: d} # one\n"),
        (
            "r:\n- {a: 1}\n-   a: 2   # two\n",
            ["r"],
            [{"a": 1}, {"a": 2}, {"a": 3, "b": "x: y"}],
            'r:\n- {a: 1}\n-   a: 2   # two\n- a: 3\n  b: "x: y"\n',
        ),
    ],
)
def test_other_edits(before: str, path: list[str], value: Any, after: str) -> None:
    """Comments stay, but for the one in the line of an element that goes."""
    assert with_field(before, "a.yaml", path, value) == after


@pytest.mark.parametrize(
    "text",
    [
        "r: &r\n- a\nx: *r\n",
        "x: &r [a]\nr: *r\n",
        "r:\n- a\n- |+\n  text\n\n# tail\n",
        "  r:\n  - a\n",
        "r: [ # a comment alone\n]\n",
        "z: 1\n---\n",
        "r: !tagged\n- a\nr2: 1\n---\nr: 1\n",
        "r:\n- a\nr:\n- b\n",
        "r: [\n",
    ],
)
def test_what_can_not_be_edited_without_a_risk_is_refused(text: str) -> None:
    """With the lines to write by hand, wherever the file can be read."""
    with pytest.raises(InputError) as caught:
        with_field(text, "a.yaml", ["r"], ["a", "x", "m"])
    if "risk" in str(caught.value):
        assert re.search("^hint: (add to|take out of) r: ", str(caught.value), re.MULTILINE)


ELEMENTS = st.sampled_from(["a", "b.yaml", "../c", "'d e'", '"f#g"', "h-i"])
COMMENTS = st.sampled_from(["", "", " # c", "   # - x: y", "\t# [z]"])
FIELDS = st.sampled_from(
    [
        "x:   1  # one",
        "x: {a: 1,   b: [2,3 ]}",
        "x: |\n  # text\n\n   - more",
        "x: >-\n  text\n  more\n",
        "x:\n    - 1\n    -   y: 2\n        z: 3",
        "x: ~",
        "x: 'it''s'\n\n# a comment",
        "x: &x {a: 1}\nz: *x",
        "# only a comment",
        "",
        "x: [yes, 012, 12:30]",
        "x: one\n  two",
    ]
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A mapping with a list of distinct texts among other fields, in many forms, and what is in the list."""
    elements = draw(st.lists(ELEMENTS, unique=True, max_size=5))
    indentation = " " * draw(st.integers(0, 5))
    if draw(st.booleans()):
        comma = draw(st.sampled_from([", ", ",", " ,  ", ",\n   ", ", # c\n "]))
        listed = f"r:  [{comma.join(elements)}]{draw(COMMENTS)}\n"
    else:
        gap = draw(st.sampled_from([" ", "   "]))
        listed = f"r:{draw(COMMENTS)}\n"
        for element in elements:
            listed += draw(st.sampled_from(["", "", "# of it\n", "   # deeper\n"]))
            listed += f"{indentation}-{gap}{element}{draw(COMMENTS)}\n"
    before, after = draw(FIELDS), draw(FIELDS).replace("x", "w").replace("z", "v")
    text = draw(st.sampled_from(["", "# top\n", "---\n"])) + f"{before}\n{listed}{after}\n"
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return (text if draw(st.booleans()) else text.rstrip("\r\n")), [yaml.safe_load(element) for element in elements]


def loaded(text: str) -> Any:
    """What libyaml reads: PyYAML's own scanner takes no tab before a comment."""
    return yaml.load(text, yaml.CSafeLoader)


@given(documents(), st.data())
@settings(deadline=None, max_examples=300)
def test_any_insertion_leaves_every_other_byte(document: tuple[str, list[str]], data: st.DataObject) -> None:
    """Without the lines or words that it adds, the text is the one from before; what can't be is refused."""
    text, elements = document
    new = data.draw(st.lists(st.sampled_from(["NEW1", "NEW2", "NEW3"]), unique=True, min_size=1))
    value = list(elements)
    for name in new:
        value.insert(data.draw(st.integers(0, len(value))), name)
    try:
        edited = with_field(text, "a.yaml", ["r"], value)
    except InputError as error:
        assert "hint: add to r: " in str(error)
        return
    meant = loaded(text) | {"r": value}
    assert loaded(edited) == meant
    if "r:  [" in text:  # the spaces around a new word are free
        without = re.sub(r",NEW\d(?=[],])|(?<=\[)(NEW\d,)+|NEW\d", "", edited.replace(" ", ""))
        assert without == text.replace(" ", "") or not elements
    elif elements:  # what is empty gets lines
        assert re.sub(r"\r?\n *- *NEW\d", "", edited) == text


@given(documents(), st.data())
@settings(deadline=None, max_examples=300)
def test_any_removal_takes_its_own_lines_alone(document: tuple[str, list[str]], data: st.DataObject) -> None:
    """Every other line and every other field stay as they were."""
    text, elements = document
    remaining = [element for element in elements if data.draw(st.booleans())]
    try:
        edited = with_field(text, "a.yaml", ["r"], remaining)
    except InputError as error:
        assert "hint: take out of r: " in str(error)
        return
    before, after = loaded(text), loaded(edited)
    assert after | {"r": after["r"] or []} == before | {"r": remaining}
    lines = iter(text.splitlines())
    if "[" not in text.partition("r:")[2].partition("\n")[0]:
        assert all(line in lines for line in edited.splitlines())  # whole lines go, the others keep their order


def test_a_long_list_is_edited_in_a_second() -> None:
    """An overlay of 1,000 Secrets: one more of them in the middle."""
    names = [f"secret-{number:04}.yaml" for number in range(1000)]
    text = "r:\n# first\n" + "".join(f"  -   {name}   # {name}\n" for name in names) + "z:  1\n"
    began = time.process_time()
    edited = with_field(text, "a.yaml", ["r"], [*names[:500], "new.yaml", *names[500:]])
    assert time.process_time() - began < 2  # on a machine that does other things too
    assert edited == text.replace("  -   secret-0500", "  - new.yaml\n  -   secret-0500", 1)


def test_an_unchanged_overlay_is_written_without_the_editor(tmp_path: Path) -> None:
    """ruamel.yaml takes as long to load as all the rest of `render --write`: only an edit pays for it."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    assert "ruamel.yaml" not in project.ksecret("render", "prod", "--write", PYTHONPROFILEIMPORTTIME="1").err
    project.declare("mail", {"secret": {}})
    project.write(".env", "TOKEN=the token\nPASSWORD=the password\nSECRET=the secret\n")
    assert "ruamel.yaml" in project.ksecret("seal", "prod", PYTHONPROFILEIMPORTTIME="1").err
