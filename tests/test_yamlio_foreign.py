"""Other people's YAML is read as the real kubectl reads it, a document at a time, and nothing of it is dangerous."""

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_ksecret.errors import Mistake, Place
from kubectl_ksecret.yamlio import compose_foreign, read_foreign

from .peers import peer, run

OBJECT = "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\nspec:\n"


def as_kubectl(spec: str) -> Any:
    """What kubectl reads of the spec of an object."""
    command = [peer("kubectl"), "label", "--local", "--dry-run=client", "-f", "-", "a=b", "-o", "json"]
    return json.loads(run(*command, input=OBJECT + spec))["spec"]


def as_we(spec: str) -> Any:
    """What we read of it."""
    documents, _ = read_foreign(OBJECT + spec, "a.yaml")
    return documents[0].value["spec"]


SPECS = {
    "a merge with an override": "  a: &a {b: 1, c: 2}\n  d: {<<: *a, c: 3}\n",
    "a merge behind a field": "  a: &a {b: 1, c: 2}\n  d: {c: 3, <<: *a}\n",
    "a merge of several": "  a: &a {b: 1, c: 2}\n  b: &b {b: 3, d: 4}\n  d: {<<: [*a, *b], e: 5}\n",
    "a merge through a merge": "  a: &a {b: 1}\n  b: &b {<<: *a, c: 2}\n  d:\n    <<: *b\n    b: 9\n",
    "a quoted merge is a name": "  a: {'<<': {b: 1}}\n",
    "an anchor that is defined twice": "  a: &a {b: 1}\n  c: *a\n  d: &a [2]\n  e: *a\n",
    "a lone equals sign": "  a: =\n  b: [=, '=']\n",
    "dates and times": "  a: 2024-01-01\n  b: 12:30\n  c: 1:30:00\n  d: 2001-12-14t21:59:43.10-05:00\n  e: -1:30\n",
    "octal, hexadecimal, binary": "  a: [017, 0o17, 08, 0x1F, 0b11, -0b1, 00, 0777, +017]\n",
    "floats": "  a: [1e3, 1.e5, .5, 1_000, 1.5_0, 6.02E+23, 1.0, -0.0, 1e400x, ., +, -, 1.2.3]\n",
    "booleans": "  a: [y, Y, yes, on, n, No, OFF, true, True, TRUE, tRUE, yEs]\n",
    "nothing": "  a: [~, null, Null, NULL, nULL, ]\n  b:\n",
    "tags": '  a: !!binary aGVsbG8=\n  b: !Ref c\n  c: !!str 5\n  d: !!int "5"\n  e: !!set {f, g}\n  h: !!float 3\n',
    "names that are no text": "  1: a\n  on: b\n  1.5: c\n  0x10: d\n  12:30: e\n  2024-01-01: f\n  true: g\n",
    "large numbers": "  a: [9223372036854775807, -9223372036854775808, 123456789012345678901234567890]\n",
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_kubectl_reads_the_same(spec: str) -> None:
    """Each of these is a way in which PyYAML by itself reads something else, or refuses the file."""
    assert as_we(spec) == as_kubectl(spec)


@given(st.lists(st.text("0123456789+-._eExXoObBnNyYaAiIfF:~<=", min_size=1, max_size=7), min_size=40, max_size=80))
@settings(max_examples=12, deadline=None)
def test_any_plain_word_means_what_it_means_to_kubectl(words: list[str]) -> None:
    """Numbers in all bases, with and without sign and exponent, and what only looks like them."""
    readable = []
    for word in words:
        documents, mistakes = read_foreign(f"a:\n- {word}\n", "a.yaml")
        if documents and not mistakes and isinstance(documents[0].value["a"][0], str | int | float | None):
            readable.append(word)
    spec = "  a:\n" + "".join(f"  - {word}\n" for word in readable)
    ours, kubectls = as_we(spec), as_kubectl(spec)
    assert [(word, value) for word, value in zip(readable, ours["a"] or [], strict=True)] == [
        (word, value) for word, value in zip(readable, kubectls["a"] or [], strict=True)
    ]


def test_a_broken_document_hides_no_other_and_has_its_place() -> None:
    """Its neighbours keep their places too, also behind a directive."""
    text = "a: 1\n---\nb: [\n--- # c\n---\n d: 2\n---\ne: 3\ne: 4\n"
    documents, mistakes = read_foreign("%YAML 1.1\n---\n" + text, "a.yaml")
    assert [document.value for document in documents] == [{"a": 1}, {"d": 2}, {"e": 4}]
    assert [document.node.start_mark.line for document in documents] == [2, 7, 9]
    assert mistakes == [
        Mistake("not valid YAML", Place("a.yaml", 6, 1)),
        Mistake("this key stands here twice", Place("a.yaml", 11, 1)),
    ]
    for document in documents:
        key = document.node.value[0][0]
        assert ("%YAML 1.1\n---\n" + text)[key.start_mark.index :].startswith(f"{key.value}: ")


def test_json_may_be_indented_by_tabs() -> None:
    """The kind that editors write; its texts hold no tab."""
    documents, mistakes = read_foreign('{\n\t"a":\t"b\\tc",\n\t"d": [\n\t\t1\n\t]\n}\n', "a.json")
    assert (documents[0].value, mistakes) == ({"a": "b\tc", "d": [1]}, [])


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 300))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "the YAML aliases grow into too much"),
        ("a: &a [*a]\n", "the YAML aliases grow into too much"),
        ("a: &a {<<: *a}\n", "the YAML aliases grow into too much"),
        (CHAIN, "nested too deeply"),
        ("- " * 5000 + "x", "nested too deeply"),
        ("[" * 5000 + "]" * 5000, "nested too deeply"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "nested too deeply"),
        ("a: &a x\nb: &a " + "[" * 300 + "]" * 300, "nested too deeply"),
        ("hunter2: *hunter2\n", "not valid YAML"),
        ("a: !!int hunter2\n", "this value does not fit its tag, or JSON"),
        ("a: .inf\n", "this value does not fit its tag, or JSON"),
        ("a: !!binary hunter2!\n", "this value does not fit its tag, or JSON"),
        ("~: hunter2\n", "expected a name before the colon"),
        ("[hunter2]: hunter2\n", "expected a name before the colon"),
        ("<<: hunter2\n", "a merge (<<) needs a mapping"),
        ("hunter2: [\n", "not valid YAML"),
        ("a: \x07hunter2", "not valid YAML: a character that YAML does not allow"),
    ],
)
def test_what_is_dangerous_or_no_json_is_refused_quickly_and_not_quoted(text: str, message: str) -> None:
    """A file of a stranger costs neither time nor the stack, and the message says nothing of its content."""
    began = time.monotonic()
    documents, mistakes = read_foreign(text, "a.yaml")
    assert time.monotonic() - began < 2
    assert (documents, [mistake.message for mistake in mistakes]) == ([], [message])
    assert "hunter2" not in str(mistakes)


@given(st.lists(st.sampled_from(["a: &a 1", "b: *a", "a: &a [2]", "c: {<<: {d: 1}}", "---", "e: [", "", "# f"])))
def test_the_quick_composer_and_the_patient_one_see_the_same(lines: list[str]) -> None:
    """PyYAML composes the same documents wherever it takes them at all."""
    text = "\n".join(lines)
    try:
        expected = [yaml.serialize(node) for node in yaml.compose_all(text, yaml.CSafeLoader) if node.value != ""]
    except yaml.YAMLError:
        return
    assert [yaml.serialize(node) for node in compose_foreign(text, "a.yaml")] == expected
