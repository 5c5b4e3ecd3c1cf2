"""Reading of YAML: what is not read the slow way is read as the slow way reads it."""

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubectl_ksecret.errors import InputError
from kubectl_ksecret.yamlio import MAX_DEPTH, Below, MappingNode, Node, ScalarNode, compose, dump, load


def depth(node: Node) -> int:
    """Of the deepest node."""
    below = [part for pair in node.value for part in pair] if isinstance(node, MappingNode) else node.value
    return 1 if isinstance(node, ScalarNode) else 1 + max(map(depth, below), default=0)


def block(indicators: list[str], line_break: str) -> str:
    """Collections of the block form, one begun in the other."""
    text, column = "", 0
    for indicator in indicators:
        if indicator == "a:":  # what it holds stands one column further, a list may stand in the same one
            column += 1
            text += f"a:{line_break}{' ' * column}"
        elif indicator == "a: -":
            text += f"a:{line_break}{' ' * column}- "
            column += 2
        else:
            text += f"{indicator} "
            column += 2
    return text


@given(
    st.lists(st.sampled_from(["a:", "a: -", "-", "?"]), max_size=120),
    st.lists(st.sampled_from(["[", "{a: ", "[a: "]), max_size=60),
    st.sampled_from(["\n", "\r", "\r\n", "\x85", "\u2028"]),
)
@example(["-"] * 110, [], "\n")
@example(["a:"] * 110, [], "\r")
@example([], ["[a: "] * 60, "\n")
def test_nothing_deeper_than_the_limit_is_composed(indicators: list[str], brackets: list[str], line_break: str) -> None:
    """Whether the depth is counted or seen from the text."""
    flow = "".join(brackets) + "b" + "".join("}" if bracket == "{a: " else "]" for bracket in reversed(brackets))
    text = block(indicators, line_break) + flow
    quick = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    if depth(quick[0]) > MAX_DEPTH:
        with pytest.raises(InputError, match="nested too deeply"):
            compose(text, "file")
    else:
        assert depth(compose(text, "file")[0]) == depth(quick[0])


WORDS = st.sampled_from(["a", "b/c", "true", "y", "null", "e1", "key-0", "5", "", "x y", "a: b", "- a", "#a", "é"])
TEXTS = WORDS | WORDS.map(Below) | st.lists(WORDS, min_size=1).map("\n".join)
MANIFESTS = st.recursive(TEXTS, lambda below: st.dictionaries(WORDS, below, max_size=4), max_leaves=12)
PIECES = [
    "",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\n  ",
    "\n    a: b\n",
    ":",
    "#",
    "-",
    "---\n",
    "\t",
    "\r",
    ">-",
    "|",
    "a:\n",
    "&a ",
    "*a",
    "~",
]


def has_a_key_twice(node: yaml.Node | None) -> bool:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        return len(keys) > len(set(map(str, keys))) or any(
            has_a_key_twice(part) for pair in node.value for part in pair
        )
    return isinstance(node, yaml.SequenceNode) and any(map(has_a_key_twice, node.value))


@given(
    st.dictionaries(WORDS, MANIFESTS, min_size=1),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES)), max_size=2),
)
@settings(max_examples=500)
def test_a_manifest_reads_as_libyaml_reads_it(document: dict[str, object], edits: list[tuple[float, str]]) -> None:
    """Also where it is not quite in the form that is read without libyaml."""
    text = f"# a comment\n{dump([document])}"
    for where, piece in edits:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + (len(piece) == 0) :]
    try:
        expected = [document for document in yaml.load_all(text, yaml.CSafeLoader) if document is not None]
        if any(map(has_a_key_twice, yaml.compose_all(text, yaml.CSafeLoader))):
            raise ValueError
    except (yaml.YAMLError, ValueError, TypeError):
        with pytest.raises(InputError):
            load(text, "file")
        return
    try:
        assert load(text, "file") == expected
    except InputError as error:
        assert "a YAML alias is not supported here" in str(error)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: b\na: c\n", "2:1"),
        ('a:\n  b: c\n  "b": d\n', "3:3"),
        ("{a: [1, {b: 2, c: 3, b: 4}]}", "1:22"),
        ("1: a\n0x1: b\n", "1:1"),
        ("<<: {a: b}\na: c\n", "2:1"),
        ("x: {y: z}\n---\na: b\na: b\n", "4:1"),
    ],
)
def test_a_key_that_stands_twice_is_refused_where_it_does(text: str, place: str) -> None:
    """Kustomize refuses it too; to take the last would hide what stands before it."""
    with pytest.raises(InputError, match=f"^error: file:{place}: this key stands here twice$"):
        load(text, "file")
