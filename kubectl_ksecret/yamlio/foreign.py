"""The tolerant reader: of YAML that other people wrote for other tools, read as kubectl reads it.

kubectl reads through sigs.k8s.io/yaml and go-yaml v2: dates and 12:30 are text, `yes` and `y` are booleans, a merge
key (`<<`) takes effect where it stands, an anchor may be defined again, and all keys are text. A file's documents are
read one by one, so that a broken one hides no other.
"""

import binascii
import math
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from ..errors import InputError, Mistake, Place
from . import nodes
from .nodes import BINARY, BOOLEAN, FLOAT, INTEGER, MAX_DEPTH, MERGE, NULL, STRING, TOO_DEEP

MAX_NODES = 1_000_000

# sigs.k8s.io/yaml, goyaml.v2/resolve.go.
_TRUE, _FALSE = (
    {form for word in words for form in (word, word.capitalize(), word.upper())}
    for words in (("y", "yes", "true", "on"), ("n", "no", "false", "off"))
)
_WORDS = {
    **dict.fromkeys(_TRUE | _FALSE, BOOLEAN),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), NULL),
    **dict.fromkeys((f"{sign}.{form}" for sign in ("", "+", "-") for form in ("inf", "Inf", "INF")), FLOAT),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), FLOAT),
    "<<": MERGE,
}
_NUMERIC = "+-.0123456789"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*|0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_DIRECTIVES = re.compile(r"(?:\s*[%#][^\n]*\n)*\s*%[^\n]*\n(?:\s*#[^\n]*\n|\s)*", re.ASCII)


class ForeignDocument(NamedTuple):
    """One document: its node, for places, and what it says, as JSON has it."""

    node: Node
    value: Any


class ForeignFile(NamedTuple):
    """The documents of a file that can be read, empty ones left out, and what is wrong with it."""

    documents: list[ForeignDocument]
    mistakes: list[Mistake]


class _Composer(nodes.Resolver, yaml.CBaseLoader):
    """Composes in C, with the tags that go-yaml gives."""

    def tag_of_plain(self, text: str) -> str:
        """Return the tag of plain text as go-yaml v2 has it."""
        if text[:1] in _NUMERIC and text not in _WORDS:
            digits = text.replace("_", "")
            if _INTEGER.fullmatch(digits):
                return INTEGER
            return FLOAT if _FLOAT.fullmatch(digits) else STRING
        return _WORDS.get(text, STRING)


class _LimitedComposer(nodes.LimitedDepth, _Composer):
    """Composes to a limited depth."""


class _PatientComposer(nodes.LimitedDepth, yaml.composer.Composer, _Composer):
    """Composes in Python what libyaml's own composer refuses: an anchor that is defined again."""

    def __init__(self, text: str) -> None:
        _Composer.__init__(self, text)
        yaml.composer.Composer.__init__(self)

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Compose the next node; what its anchor stood for before is forgotten."""
        if not self.check_event(yaml.AliasEvent):
            self.anchors.pop(getattr(self.peek_event(), "anchor", None), None)
        return super().compose_node(parent, index)


def compose_foreign(text: str, file: str) -> list[Node]:
    """Return the documents of a file as nodes, empty ones left out.

    Raises:
        InputError: it is not YAML, or nested too deeply; the message never quotes the text.
    """
    composer = _Composer if nodes.is_shallow(text) else _LimitedComposer
    with nodes.refusing(file):
        try:
            return nodes.without_empty(yaml.compose_all(text, Loader=composer))
        except yaml.composer.ComposerError:
            return nodes.without_empty(yaml.compose_all(text, Loader=_PatientComposer))
        except yaml.YAMLError:
            if "\t" not in text or not text.lstrip().startswith("{"):
                raise
            # JSON may be indented by tabs, and holds none in its texts.
            return nodes.without_empty(yaml.compose_all(text.replace("\t", " "), Loader=composer))


def read_foreign(text: str, file: str) -> ForeignFile:
    """Return the documents of a file, each read by itself."""
    documents: list[ForeignDocument] = []
    mistakes: list[Mistake] = []
    for node in _nodes(text, file, mistakes):
        try:
            _check_growth(node, file)
            value = _Values(file, mistakes).value(node)
        except InputError as error:
            mistakes += error.mistakes
        else:
            documents.append(ForeignDocument(node, value))
    return ForeignFile(documents, mistakes)


def _nodes(text: str, file: str, mistakes: list[Mistake]) -> Iterator[Node]:
    """Yield the documents that can be composed, and note why the others can't."""
    try:
        yield from compose_foreign(text, file)
        return
    except InputError:
        pass
    lines = 0
    for start, end in _parts(text):
        try:
            composed = compose_foreign(text[start:end], file)
        except InputError as error:
            mistakes += [_moved(mistake, lines) for mistake in error.mistakes]
        else:
            _move(composed, lines, start)
            yield from composed
        lines += text.count("\n", start, end)


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each document begins and ends.

    YAML allows no line that begins with `---` inside of a document, not even in a block of text.
    """
    start = 0
    for end in (*(match.start() for match in _SEPARATOR.finditer(text)), len(text)):
        if not _DIRECTIVES.fullmatch(text, start, end):  # which belong to the document behind the separator
            yield start, end
            start = end


def _moved(mistake: Mistake, lines: int) -> Mistake:
    place = mistake.place
    return mistake._replace(place=place._replace(line=place.line + lines)) if place and place.line else mistake


def _move(composed: Iterable[Node], lines: int, characters: int) -> None:
    """Give the nodes of a part the places that they have in the file."""

    def moved(mark: Any) -> Any:
        return yaml.Mark(mark.name, mark.index + characters, mark.line + lines, mark.column, None, 0)

    seen: set[int] = set()
    waiting = list(composed)
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            node.start_mark, node.end_mark = moved(node.start_mark), moved(node.end_mark)
            waiting += _children(node)


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, SequenceNode) else []


def _check_growth(node: Node, file: str) -> None:
    """Raise InputError if the aliases of a document grow into too much, or nest it too deeply."""
    size, height = _measured(node, {})
    if size > MAX_NODES:
        raise InputError(Mistake("the YAML aliases grow into too much", Place(file)))
    if height > MAX_DEPTH:
        raise InputError(Mistake(TOO_DEEP, nodes.place(node, file)))


def _measured(node: Node, measures: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return how many nodes there are below, each as often as it is referred to, and how many levels.

    What an alias stands for is written before it, so that it has been measured: this goes as deep as the text does.
    """
    if id(node) not in measures:
        measures[id(node)] = MAX_NODES + 1, 0  # for an alias below that stands for the node itself: it has no end
        children = [_measured(child, measures) for child in _children(node)]
        size = 1 + sum(size for size, _ in children)
        measures[id(node)] = min(size, MAX_NODES + 1), 1 + max((height for _, height in children), default=0)
    return measures[id(node)]


class _Values:
    """What the nodes of a document say, as JSON has it."""

    def __init__(self, file: str, mistakes: list[Mistake]) -> None:
        self._file, self._mistakes = file, mistakes

    def value(self, node: Node) -> Any:
        """Return what a node says. Raises InputError if kubectl could not say it in JSON."""
        if isinstance(node, MappingNode):
            return self._mapping(node)
        if isinstance(node, SequenceNode):
            return [self.value(element) for element in node.value]
        return node.value if node.tag == STRING else self._scalar(node)

    def _mapping(self, node: MappingNode) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        stated: set[str] = set()
        for key, value in node.value:
            if key.tag == MERGE:
                # go-yaml v2 merges where the key stands: over what is written before it, under what comes after.
                mapping |= self._merged(value)
                continue
            name = self._name(key)
            if name in stated:
                # kubectl takes the last without a word, kustomize refuses the file.
                self._mistakes.append(Mistake("this key stands here twice", nodes.place(key, self._file)))
            stated.add(name)
            mapping[name] = self.value(value)
        return mapping

    def _merged(self, node: Node) -> dict[str, Any]:
        if isinstance(node, MappingNode):
            return self._mapping(node)
        merged: dict[str, Any] = {}
        for element in reversed(node.value if isinstance(node, SequenceNode) else [node]):  # the first one wins
            if not isinstance(element, MappingNode):
                raise self._refusal("a merge (<<) needs a mapping", element)
            merged |= self._mapping(element)
        return merged

    def _name(self, key: Node) -> str:
        """Return a key as the text that JSON needs."""
        value = self.value(key) if isinstance(key, ScalarNode) else None
        if value is None:
            raise self._refusal("expected a name before the colon", key)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def _scalar(self, node: Node) -> Any:
        text: str = node.value
        try:
            if node.tag == NULL:
                return None
            if node.tag == BOOLEAN:
                return _boolean(text)
            if node.tag in (INTEGER, FLOAT):
                return _number(text)
            if node.tag == BINARY:
                return b64decode("".join(text.split()), validate=True).decode(errors="replace")
        except (ValueError, OverflowError, binascii.Error):
            raise self._refusal("this value does not fit its tag, or JSON", node) from None
        return text  # of any other tag

    def _refusal(self, message: str, node: Node) -> InputError:
        return InputError(Mistake(message, nodes.place(node, self._file)))


def _boolean(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise ValueError
    return text in _TRUE


def _number(text: str) -> int | float:
    digits = text.replace("_", "")
    if _INTEGER.fullmatch(digits):
        sign, unsigned = (-1 if digits[0] == "-" else 1), digits.lstrip("+-")
        is_octal = unsigned[0] == "0" and unsigned.isdigit()
        integer = sign * int(unsigned, 8 if is_octal else 0)
        return integer if -(1 << 63) <= integer < 1 << 64 else float(integer)
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError
    # JSON has one kind of number: 1e3 is printed as 1000, and read as an integer.
    return int(number) if number.is_integer() and abs(number) < 1e18 else number
