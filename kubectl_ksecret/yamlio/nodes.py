"""Text composed to the nodes of a YAML document, with their places. Both readers begin here."""

import operator
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode

from ..errors import InputError, Mistake, Place

MAX_DEPTH = 100
TOO_DEEP = "nested too deeply"
_FEW_BRACKETS = 20
_INDENTED = re.compile(r"\n[ \t?:-]{20}")
_OTHER_BREAKS = "\r\x85\u2028\u2029\ufeff"  # lines may begin after these too

_TAGS = "tag:yaml.org,2002:"
STRING, SEQUENCE, MAPPING, NULL = (_TAGS + name for name in ("str", "seq", "map", "null"))
BOOLEAN, INTEGER, FLOAT, BINARY, MERGE = (_TAGS + name for name in ("bool", "int", "float", "binary", "merge"))
# The tags that plain text may have in YAML 1.1, by its first character.
PLAIN_TAGS: dict[str, list[tuple[str, re.Pattern[str]]]] = yaml.resolver.Resolver.yaml_implicit_resolvers


class Resolver:
    """What PyYAML asks of each node, without paths to nodes and a pattern that every value is tried with."""

    # Both must do nothing; a function that is not written in Python returns sooner.
    descend_resolver: Any = operator.is_
    ascend_resolver: Any = bool

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """Return the tag of a node that states none."""
        if kind is not ScalarNode:
            return MAPPING if kind is MappingNode else SEQUENCE
        return self.tag_of_plain(value) if implicit[0] else STRING  # which is in quotes, or a block

    def tag_of_plain(self, text: str) -> str:
        """Return the tag of plain text as YAML 1.1 has it."""
        for tag, pattern in PLAIN_TAGS.get(text[:1], ()):
            if pattern.match(text):
                return tag
        return STRING


class LimitedDepth:
    """Refuses deep nesting: libyaml itself would overflow the stack. It comes before the loader among the bases."""

    depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        """Count a level that opens."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=TOO_DEEP, problem_mark=current_node.start_mark)

    def ascend_resolver(self) -> None:
        """Count a level that closes."""
        self.depth -= 1


def is_shallow(text: str) -> bool:
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


def without_empty(nodes: Iterable[Node]) -> list[Node]:
    """Return the documents of a file that hold anything but comments."""
    return [node for node in nodes if node.tag != NULL]


def place(node: Node, file: str) -> Place:
    """Return where a node begins."""
    return place_of_mark(node.start_mark, file)


def place_of_mark(mark: Any, file: str) -> Place:
    """Return the place of what libyaml points at; of the file where it points at nothing."""
    return Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)


@contextmanager
def refusing(file: str) -> Iterator[None]:
    """Turn what libyaml says of a file into an InputError with the place, which never quotes the text."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        # From PyYAML 6.0.4 on libyaml may stop first, at 1,000 levels, as it reads ahead of what it has composed.
        too_deep = "nest" in f"{error.problem} {error.context}"
        mistake = TOO_DEEP if too_deep else "not valid YAML"
        raise InputError(Mistake(mistake, place_of_mark(error.problem_mark or error.context_mark, file))) from None
    except yaml.YAMLError:
        raise InputError(Mistake("not valid YAML: a character that YAML does not allow", Place(file))) from None
