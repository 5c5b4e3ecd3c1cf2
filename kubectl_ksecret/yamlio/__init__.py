"""YAML in with places, YAML out in one form. The only module that imports PyYAML."""

import operator
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from ..errors import InputError, Mistake, Place

__all__ = [
    "Below",
    "MappingNode",
    "Node",
    "ScalarNode",
    "SequenceNode",
    "compose",
    "dump",
    "load",
    "load_shared",
    "place_of",
]

MAX_DEPTH = 100
MAX_NODES = 1_000_000
_FEW_BRACKETS = 20
_INDENTED = re.compile(r"\n[ \t?:-]{20}")
_OTHER_BREAKS = "\r\x85\u2028\u2029\ufeff"  # lines may begin after these too
_STRING, _SEQUENCE, _MAPPING = (f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))
# What plain text may mean, by its first character.
_PLAIN: dict[str, list[tuple[str, re.Pattern[str]]]] = yaml.resolver.Resolver.yaml_implicit_resolvers


class _Twice(Exception):
    """A key stands twice in one mapping; the argument is its second node."""


def _second(node: MappingNode) -> Node:
    seen: set[object] = set()
    pairs: list[tuple[Node, Node]] = node.value
    for key, _ in pairs:
        if key.value in seen:
            return key
        seen.add(key.value if isinstance(key, ScalarNode) else None)
    return node  # equal by what they mean, as 1 and 0x1


class _Resolver:
    """What PyYAML asks of each node, without paths to nodes and a pattern that every value is tried with."""

    # Both must do nothing; what is not written in Python does it sooner.
    descend_resolver: Any = operator.is_
    ascend_resolver: Any = bool

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """The tag of a node that states none."""
        if kind is not ScalarNode:
            return _MAPPING if kind is MappingNode else _SEQUENCE
        if implicit[0]:  # plain, not in quotes
            for tag, pattern in _PLAIN.get(value[:1], ()):
                if pattern.match(value):
                    return tag
        return _STRING


class _Loader(_Resolver, yaml.CSafeLoader):
    """Composes in C what `_is_shallow`."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """Most of what is read is text, which needs none of what the base class keeps track of."""
        return (
            node.value if node.tag == _STRING and isinstance(node, ScalarNode) else super().construct_object(node, deep)
        )

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Of two equal keys the base class takes the last, without a word: what stands before it would go unread."""
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise _Twice(_second(node))
        return mapping


class _LimitedLoader(_Loader):
    """Composes to a limited depth: libyaml itself overflows the stack on deep nesting."""

    depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=current_node.start_mark)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def _loader(text: str) -> type[_Loader]:
    return _Loader if _is_shallow(text) else _LimitedLoader


def _is_shallow(text: str) -> bool:
    """Whether a look at the text shows that it can't reach MAX_DEPTH, as with nearly all that people write.

    A bracket opens two collections at most: `[a: b]`. Any other collection begins where a line has had nothing but
    spaces and indicators, and in one column no more than a mapping and a list in it: so two for each of 20 brackets
    and 20 columns.
    """
    return (
        text.count("[") + text.count("{") < _FEW_BRACKETS
        and not any(character in text for character in _OTHER_BREAKS)
        and not _INDENTED.search(f"\n{text}")
    )


def compose(text: str, file: str) -> list[Node]:
    """The documents of a file as nodes, empty ones left out.

    Raises InputError with the place of a syntax error; it never quotes the text.
    """
    try:
        return [node for node in yaml.compose_all(text, Loader=_loader(text)) if node.tag != "tag:yaml.org,2002:null"]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        what = "nested too deeply" if error.problem == "nested too deeply" else "not valid YAML"
        raise InputError(Mistake(what, place)) from None
    except yaml.YAMLError:
        raise InputError(Mistake("not valid YAML: a character that YAML does not allow", Place(file))) from None


def load(text: str, file: str) -> list[Any]:
    """The documents of a file as plain Python values, empty ones left out.

    Raises InputError as `compose` does, for a key that stands twice, and for an alias: what a few lines may grow into
    is not known before.
    """
    plain = _plain_mapping(text)
    if plain is not None:
        return [plain]
    if "*" in text and "&" in text:
        _refuse_aliases(text, file)
    return _documents(text, file)


def load_shared(text: str, file: str) -> list[Any]:
    """The same of what other people wrote: an alias stands for the value itself, unless all of it grows too large."""
    if "*" in text and "&" in text:
        for node in compose(text, file):
            if _size(node, {}) > MAX_NODES:
                raise InputError(Mistake("the YAML aliases grow into too much", Place(file)))
    return _documents(text, file)


def _size(node: Node, known: dict[int, int]) -> int:
    """How many nodes there are below, each as often as it is referred to; one that holds itself is endless."""
    if id(node) not in known:
        known[id(node)] = MAX_NODES + 1
        below = node.value if isinstance(node, SequenceNode) else ()
        if isinstance(node, MappingNode):
            below = [each for pair in node.value for each in pair]
        known[id(node)] = 1 + sum(_size(each, known) for each in below)
    return known[id(node)]


def _documents(text: str, file: str) -> list[Any]:
    try:
        return [document for document in yaml.load_all(text, Loader=_loader(text)) if document is not None]
    except _Twice as twice:
        mark = twice.args[0].start_mark
        raise InputError(Mistake("this key stands here twice", Place(file, mark.line + 1, mark.column + 1))) from None
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
    """Compiled where a manifest is read: it takes a millisecond."""
    return re.compile(pattern).match


def _plain_mapping(text: str) -> dict[str, Any] | None:
    """A manifest of mappings and unquoted text alone, in the form that `dump` gives it; None of anything else.

    libyaml reads the same, three times as long: a build reads hundreds of sealed manifests, of 9 KB each.
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
    return word[0] not in _PLAIN or not any(pattern.match(word) for _, pattern in _PLAIN[word[0]])


def _refuse_aliases(text: str, file: str) -> None:
    try:
        alias = next((each for each in yaml.parse(text, Loader=_Loader) if isinstance(each, yaml.AliasEvent)), None)
    except yaml.YAMLError:
        return  # told where it is read
    if alias is not None:
        mark = alias.start_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        raise InputError(Mistake("a YAML alias is not supported here", place, "write the value out"))


def place_of(text: str, file: str, *path: str) -> Place:
    """The place of a field of the first document, or of the deepest mapping on the way to it."""
    documents = compose(text, file)
    if not documents:
        return Place(file)
    node = documents[0]
    for name in path:
        if isinstance(node, MappingNode):
            node = next((value for key, value in node.value if key.value == name), node)
    return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)


class Below(str):
    """Text of one line that stands below its key (`>-`), so that git merges the changes of neighbouring keys."""


class _Dumper(_Resolver, yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: Any, text: str) -> Node:
    style = "|" if "\n" in text else '"' if _reads_otherwise(text) else None
    return ScalarNode("tag:yaml.org,2002:str", text, style=style)


def _reads_otherwise(text: str) -> bool:
    """Go's YAML readers take more texts for numbers and booleans than PyYAML does: 1e3, 0o17, 0XFF, y."""
    numeric = text[:1] in "+-.0123456789" and not text.strip("+-.0123456789_abcdefABCDEFxXoO")
    return numeric or text in {"y", "Y", "n", "N"}


def _below(dumper: Any, text: str) -> Node:
    return ScalarNode("tag:yaml.org,2002:str", str(text), style=">" if text else '"')


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Below, _below)


def dump(objects: Iterable[Any]) -> str:
    """Block YAML, sorted keys, `---` between the documents; text of several lines as a block scalar."""
    documents = (yaml.dump(each, Dumper=_Dumper, width=1 << 20, allow_unicode=True) for each in objects)
    return "---\n".join(documents)
