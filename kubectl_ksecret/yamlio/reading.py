"""The strict reader: of the objects and files that this tool defines, or has written itself."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode

from ..errors import InputError, Mistake, Place
from . import nodes
from .nodes import PLAIN_TAGS, STRING, Resolver, is_shallow


class _Twice(Exception):
    """A key stands twice in one mapping; the argument is its second node."""


def _second(node: MappingNode) -> Node:
    names: set[object] = set()
    pairs: list[tuple[Node, Node]] = node.value
    for key, _ in pairs:
        if key.value in names:
            return key
        names.add(key.value if isinstance(key, ScalarNode) else None)
    return node  # equal by what they mean, as 1 and 0x1


class _Loader(Resolver, yaml.CSafeLoader):
    """Composes in C a text that `is_shallow`."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """Construct text at once: most of a file is text, and needs none of what the base class keeps track of."""
        is_text = node.tag == STRING and isinstance(node, ScalarNode)
        return node.value if is_text else super().construct_object(node, deep)

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice: the base class takes the last, and what stands before it goes unread."""
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise _Twice(_second(node))
        return mapping


class _LimitedLoader(nodes.LimitedDepth, _Loader):
    """Composes any other text, to a limited depth."""


def _loader(text: str) -> type[_Loader]:
    return _Loader if is_shallow(text) else _LimitedLoader


def compose(text: str, file: str) -> list[Node]:
    """Return the documents of a file as nodes, empty ones left out.

    Raises:
        InputError: it is not YAML, or nested too deeply; the message never quotes the text.
    """
    with nodes.refusing(file):
        return nodes.without_empty(yaml.compose_all(text, Loader=_loader(text)))


def load(text: str, file: str) -> list[Any]:
    """Return the documents of a file as plain Python values, empty ones left out.

    Raises:
        InputError: as for `compose`, and for a key that stands twice and an alias, which this tool never writes and
            which may grow into anything.
    """
    plain = _plain_mapping(text)
    if plain is not None:
        return [plain]
    if "*" in text and "&" in text:
        _refuse_aliases(text, file)
    try:
        return [document for document in yaml.load_all(text, Loader=_loader(text)) if document is not None]
    except _Twice as twice:
        raise InputError(Mistake("this key stands here twice", nodes.place(twice.args[0], file))) from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError):  # a tag that its text does not fit
        compose(text, file)
        raise InputError(Mistake("not valid YAML", Place(file))) from None


_WORD = r"[A-Za-z][A-Za-z0-9_./-]{0,252}"
_COMMENTS = r"(?:#[ -~]*\n)*"
# An entry of a mapping: its indentation, its name, and a text in one of three styles, or nothing, for a mapping.
_ENTRY = (
    rf"((?:  ){{0,9}})({_WORD}):"
    rf"(?: ({_WORD})\n| >-\n\1  ([!-~]+)\n| \|\n(\1  [!-~][ -~]*\n(?:\1   *[!-~][ -~]*\n)*)|\n)"
)


@cache
def _at(pattern: str) -> Callable[[str, int], re.Match[str] | None]:
    """Compile a pattern where a manifest is read: it takes a millisecond."""
    return re.compile(pattern).match


def _plain_mapping(text: str) -> dict[str, Any] | None:
    """Return a manifest of mappings and unquoted text alone, in the form that `dump` gives it; None of anything else.

    libyaml reads the same, but takes three times as long: a build reads hundreds of sealed manifests, of 9 KB each.
    """
    comments, entry_at = _at(_COMMENTS)(text, 0), _at(_ENTRY)
    end = comments.end() if comments else 0
    mappings: list[dict[str, Any]] = [{}]  # the open ones, each in the one before
    while entry := entry_at(text, end):
        indentation, name, word, line, block = entry.groups()
        depth = len(indentation) // 2
        if depth >= len(mappings) or name in mappings[depth] or not (_is_text(name) and _is_text(word or name)):
            return None
        if depth < len(mappings) - 1 and not mappings[-1]:  # nothing stands in it: it is null
            return None
        del mappings[depth + 1 :]
        value = word or line or (block and block[len(indentation) + 2 :].replace(f"\n{indentation}  ", "\n"))
        mappings[depth][name] = {} if value is None else value
        if value is None:
            mappings.append(mappings[depth][name])
        end = entry.end()
    return mappings[0] if end == len(text) and mappings[-1] else None


def _is_text(word: str) -> bool:
    """Whether a plain word is no null, boolean or number."""
    return word[0] not in PLAIN_TAGS or not any(pattern.match(word) for _, pattern in PLAIN_TAGS[word[0]])


def _refuse_aliases(text: str, file: str) -> None:
    try:
        events = yaml.parse(text, Loader=_Loader)
        alias = next((event for event in events if isinstance(event, yaml.AliasEvent)), None)
    except yaml.YAMLError:
        return  # reading it says so
    if alias is not None:
        place = nodes.place_of_mark(alias.start_mark, file)
        raise InputError(Mistake("a YAML alias is not supported here", place, "write the value out"))


def place_of(text: str, file: str, *path: str) -> Place:
    """Return the place of a field of the first document, or of the deepest mapping on the way to it."""
    documents = compose(text, file)
    if not documents:
        return Place(file)
    node = documents[0]
    for name in path:
        if isinstance(node, MappingNode):
            node = next((value for key, value in node.value if key.value == name), node)
    return nodes.place(node, file)
