"""The JSON Schema says what the reader reads: both fall out of the same types."""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kubectl_ksecret.model.reading.reader import (
    Reading,
    fields_of,
    is_inline,
    is_record,
    is_union,
    members_of,
    read,
    yaml_name,
)
from kubectl_ksecret.model.reading.schema import described, schema
from kubectl_ksecret.model.types.declaration import SecretDeclaration
from kubectl_ksecret.model.types.origin import Stated
from kubectl_ksecret.model.types.overlay import SecretOverlay
from kubectl_ksecret.yamlio import compose

from . import golden
from .peers import ROOT
from .test_reader import DECLARATION_TEXT, OVERLAY_TEXTS

OBJECTS = {"SecretDeclaration": SecretDeclaration, "SecretOverlay": SecretOverlay}
VALIDATOR = Draft202012Validator(schema())
VALIDATORS = {kind: Draft202012Validator(part) for kind, part in zip(OBJECTS, schema()["oneOf"], strict=True)}
VALID = [yaml.safe_load(text) for text in (*DECLARATION_TEXT.split("---"), *OVERLAY_TEXTS)]


def types(kind: Any) -> Iterator[type[Stated]]:
    """A type and all types of its fields."""
    if is_record(kind):
        yield kind
        for below in fields_of(kind).values():
            yield from types(below)
    if is_union(kind):
        for member in members_of(kind).values():
            yield from types(member)
    for below in getattr(kind, "__args__", ()):
        yield from types(below)


@pytest.mark.parametrize(
    "kind", [*dict.fromkeys(types(SecretDeclaration | SecretOverlay))], ids=lambda kind: kind.__name__
)
def test_every_field_of_every_type_is_documented(kind: type[Stated]) -> None:
    """The lines of its docstring are the fields' descriptions, in the order of the fields, and nothing more."""
    fields = [yaml_name(name) for name in fields_of(kind) if not is_inline(kind, name)]
    assert list(described(kind)) == fields


def test_the_schema_is_a_schema() -> None:
    """By the metaschema of its draft."""
    Draft202012Validator.check_schema(schema())


def test_the_committed_schema_is_that_of_the_types() -> None:
    """Editors read docs/ksecret.schema.json; make docs writes it."""
    assert json.loads((ROOT / "docs" / "ksecret.schema.json").read_text()) == schema()


def yaml_texts(files: Mapping[str, str]) -> list[str]:
    """Return the texts of the files that hold declarations or overlays and are read, by their names."""
    ours = {name: text for name, text in files.items() if "apiVersion: ksecret.dev/" in text}
    return [text for name, text in ours.items() if name.endswith((".yaml", ".yml")) and "/.hidden/" not in name]


def sample() -> list[str]:
    """Return the YAML files of the sample."""
    paths = [path for folder in ("generators", "overlays") for path in (ROOT / folder).rglob("*.yaml")]
    return yaml_texts({str(path): path.read_text() for path in paths})


def is_valid(case: golden.Case) -> bool:
    """Whether the declarations and overlays of a golden case can be read."""
    return case.expected.code < 2


def valid_cases() -> Iterator[Any]:
    """The golden cases with their YAML files."""
    for path in golden.CASES:
        case = golden.read(path)
        texts = yaml_texts(golden.files(case)) if is_valid(case) else []
        if texts:  # some cases are about trees without an overlay
            yield pytest.param(texts, id=f"{path.parent.name}/{path.stem}")


@pytest.mark.parametrize("texts", [pytest.param(sample(), id="sample"), *valid_cases()])
def test_the_schema_accepts_what_the_commands_accept(texts: Sequence[str]) -> None:
    """Every declaration and overlay of the sample and of the golden cases that are no mistakes of a file."""
    documents = [document for text in texts for document in yaml.safe_load_all(text) if document]
    assert documents != []
    for document in documents:
        VALIDATOR.validate(json.loads(json.dumps(document)))  # JSON's names are texts: 5: is "5":


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every mapping with each of its names, and every list with each index."""
    for name, below in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield node, name
        yield from places(below)


TEXTS = st.text("aZ09-_./{}:@ é…漢", max_size=6)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-99, 99), st.just(0.5), TEXTS,
    st.sampled_from(["a/b", "app", "a.b", "A", "1h", "..", " ", "strict", "hex", "a\x00", "x" * 64, "x" * 254]),
    st.sampled_from([[], {}, [[]], ["a"], {"a": "b"}, {"remoteName": "a"}, {"sops": {}}, {"environment": None}]),
)  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.sampled_from(["remove", "replace", "rename"]), st.integers(0, 99), VALUES, TEXTS), max_size=3
)


def changed(valid: Any, changes: list[tuple[str, int, Any, str]]) -> Any:
    """A valid object in which something was removed, replaced or renamed."""
    document = deepcopy(valid)
    for change, where, value, name in changes:
        options = list(places(document))
        container, key = options[where % len(options)]
        if change == "replace":
            container[key] = deepcopy(value)
        else:
            old = container.pop(key)
            if change == "rename" and isinstance(container, dict):
                container[name] = old
    return document


def assert_agreement(kind: str, document: Any) -> None:
    """The reader and the schema of an object both refuse it, or neither does."""
    node, *_ = compose(json.dumps(document, ensure_ascii=False), "file")
    reading = Reading("file")
    read(OBJECTS[kind], node, reading)
    refused = [error.message for error in VALIDATORS[kind].iter_errors(document)]
    assert (refused == []) == (reading.mistakes == []), (refused, reading.mistakes)


@pytest.mark.parametrize("value", ["", "a b\x00", "a", 5, None, True, [], ["a"], {}, {"a": "b"}], ids=repr)
@pytest.mark.parametrize("valid", VALID, ids=lambda valid: valid["metadata"]["name"])
def test_the_schema_refuses_in_every_field_what_the_reader_refuses(valid: Any, value: Any) -> None:
    """A text, a number, nothing, a list, a mapping in each field in turn: a mistake for both, or for neither."""
    for where in range(len(list(places(valid)))):
        assert_agreement(valid["kind"], changed(valid, [("replace", where, value, "")]))


@settings(max_examples=200, deadline=None)
@given(valid=st.sampled_from(VALID), changes=CHANGES)
@example(valid=VALID[0], changes=[])
@example(valid=VALID[2], changes=[])
def test_the_schema_refuses_what_the_reader_refuses(valid: Any, changes: list[tuple[str, int, Any, str]]) -> None:
    """An unknown field, a field removed, a bad name, a second member of a union, several at once."""
    assert_agreement(valid["kind"], changed(valid, changes))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("owner",), "platform"),
        (("spec", "keys", "username", "remotName"), "user"),
        (("spec", "keys", "username", "rules"), {"minLength": "8"}),
        (("spec", "keys", "a key"), {}),
        (("spec", "keys"), ["username"]),
        (("spec", "type"), 5),
        (("kind",), "SecretOverlay"),
        (("apiVersion",), "v1"),
    ],
)
def test_the_schema_refuses_unknown_fields_and_wrong_types(path: tuple[str, ...], value: Any) -> None:
    """An editor underlines them while they are typed."""
    document = deepcopy(VALID[0])
    below = document
    for name in path[:-1]:
        below = below[name]
    below[path[-1]] = value
    assert VALIDATOR.is_valid(VALID[0])
    assert not VALIDATOR.is_valid(document)
