"""Reads YAML nodes into the frozen types of this package, by their annotations.

Every mistake is noted with its place and reading goes on, so that a user sees all of a file's mistakes at once.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, cast

from ..errors import Mistake, Place, nearest
from ..frozen import Record
from ..yamlio import MappingNode, Node, ScalarNode, SequenceNode

NULL = "tag:yaml.org,2002:null"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,9})")


class Form(NamedTuple):
    """What a text is called and what it looks like; stands in `Annotated[str, Form(…)]`."""

    what: str
    pattern: str
    max_length: int = 0


class Origin:
    """The node that a record was read from; places are worked out only when asked for."""

    __slots__ = ("file", "node", "placed")

    def __init__(self, file: str, node: Node, placed: bool = True) -> None:
        self.file, self.node, self.placed = file, node, placed

    def at(self, *path: str) -> Place:
        """The place of a field below, or of the deepest node on the way to it."""
        node = self.node
        for name in path:
            node = _below(node, name)
        return self.of(node)

    def key(self, *path: str) -> Place:
        """The place of the key of a field below, or of the mapping that lacks it."""
        *above, name = path
        node = self.node
        for step in above:
            node = _below(node, step)
        return self.of(next((key for key, _ in pairs_of(node) if key.value == name), node))

    def element(self, name: str, index: int) -> Place:
        """The place of an element of a list below."""
        node = _below(self.node, name)
        return self.of(node.value[index] if isinstance(node, SequenceNode) else node)

    def of(self, node: Node) -> Place:
        """The place of a node of the same file."""
        mark = node.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1) if self.placed else Place(self.file)


def pairs_of(node: Node | None) -> list[tuple[Node, Node]]:
    """The entries of a mapping node; none of another."""
    return node.value if isinstance(node, MappingNode) else []


def _below(node: Node, name: str) -> Node:
    return next((value for key, value in pairs_of(node) if key.value == name), node)


class Stated(Record):
    """A record that a user wrote, with the place where."""

    origin: Origin


class Reading:
    """One file being read: its name, and the mistakes found so far."""

    __slots__ = ("file", "mistakes", "placed", "seen")

    def __init__(self, file: str, placed: bool = True) -> None:
        self.file, self.placed = file, placed
        self.mistakes: list[Mistake] = []
        self.seen: set[int] = set()

    def origin(self, node: Node) -> Origin:
        """Where a node of this file stands."""
        return Origin(self.file, node, self.placed)

    def mistake(self, node: Node, message: str, hint: str = "") -> None:
        """Note a mistake; what was to be read becomes None and never leaves the loader."""
        self.mistakes.append(Mistake(message, self.origin(node).of(node), hint))

    def once(self, node: Node) -> bool:
        """Whether the node is met for the first time: an alias of a mapping or list may be a bomb."""
        if id(node) in self.seen:
            self.mistake(node, "a YAML alias of a mapping or list is not supported", "write it out")
            return False
        self.seen.add(id(node))
        return True

    def pairs(self, node: Node) -> Iterator[tuple[ScalarNode, Node]]:
        """The entries of a mapping, each key once; an empty value is an empty mapping."""
        if node.tag == NULL:
            return
        if not isinstance(node, MappingNode):
            return self.mistake(node, f"expected a mapping, found {_found(node)}")
        if not self.once(node):
            return
        names = set()
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.mistake(key, "expected a name")
            elif key.value in names:
                self.mistake(key, f'"{key.value}" stands here twice')
            else:
                names.add(key.value)
                yield key, value


def _found(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    names = {"null": "nothing", "int": "an integer", "str": "a string", "bool": "a boolean", "float": "a number"}
    return names.get(node.tag.rpartition(":")[2], "a value with a tag of its own")


Read = Callable[[Node, Reading], Any]
T = TypeVar("T")


def read(kind: type[T], node: Node, reading: Reading) -> T:
    """The node as a record; not to be used if `reading` has mistakes."""
    return cast(T, reader(cast(Any, kind))(node, reading))


@cache
def reader(kind: Any) -> Read:
    """A function that reads a node as `kind`: a record, union, Mapping, tuple, Literal, Annotated, str or int."""
    origin = getattr(kind, "__origin__", None)
    if isinstance(kind, UnionType) or origin is Union:
        members = members_of(kind)
        return reader(members[0]) if len(members) == 1 else _one_of(members)
    if hasattr(kind, "__metadata__"):
        return _text(kind.__metadata__[0])
    if origin is Literal:
        return _choice(kind.__args__)
    if origin is Mapping:
        return _mapping(*map(reader, kind.__args__))
    if origin is tuple:
        return _list(reader(kind.__args__[0]))
    if isinstance(kind, type) and issubclass(kind, Stated):
        return _record(kind)
    return _integer if kind is int else _text(Form("a string", ""))


def members_of(kind: Any) -> tuple[Any, ...]:
    """The members of a union, `None` apart."""
    return tuple(member for member in kind.__args__ if member is not NoneType)


def is_union(kind: Any) -> bool:
    """Whether exactly one of several records stands here."""
    return isinstance(kind, UnionType) and len(members_of(kind)) > 1


def _integer(node: Node, reading: Reading) -> Any:
    if isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:int" and _INTEGER.fullmatch(node.value):
        return int(node.value)
    return reading.mistake(node, f"expected an integer, found {_found(node)}")


def _choice(choices: tuple[str, ...]) -> Read:
    def read_choice(node: Node, reading: Reading) -> Any:
        if isinstance(node, ScalarNode) and node.value in choices:
            return node.value
        found = node.value if isinstance(node, ScalarNode) else ""
        return reading.mistake(node, f"expected one of {', '.join(choices)}", nearest(found, choices))

    return read_choice


def _text(form: Form) -> Read:
    def read_text(node: Node, reading: Reading) -> Any:
        if not isinstance(node, ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            quotable = isinstance(node, ScalarNode) and node.tag != NULL
            return reading.mistake(
                node, f"expected {form.what}, found {_found(node)}", "put it in quotes" if quotable else ""
            )
        if (form.pattern and not re.fullmatch(form.pattern, node.value)) or 0 < form.max_length < len(node.value):
            return reading.mistake(node, f"expected {form.what}")
        return node.value

    return read_text


def _list(element: Read) -> Read:
    def read_list(node: Node, reading: Reading) -> Any:
        if not isinstance(node, SequenceNode):
            return reading.mistake(node, f"expected a list, found {_found(node)}")
        return tuple([element(each, reading) for each in node.value]) if reading.once(node) else None

    return read_list


def _mapping(key: Read, value: Read) -> Read:
    def read_mapping(node: Node, reading: Reading) -> Any:
        # A name is text whatever it looks like: `5:` and `on:` are names of keys.
        return {key(_as_text(k), reading): value(v, reading) for k, v in reading.pairs(node)}

    return read_mapping


def _as_text(node: ScalarNode) -> ScalarNode:
    return ScalarNode("tag:yaml.org,2002:str", node.value, node.start_mark, node.end_mark)


def _one_of(members: tuple[Any, ...]) -> Read:
    readers = {member_name(member): reader(member) for member in members}

    def read_union(node: Node, reading: Reading) -> Any:
        return _member(list(reading.pairs(node)), node, readers, reading)

    return read_union


def _member(pairs: list[tuple[ScalarNode, Node]], node: Node, readers: Mapping[str, Read], reading: Reading) -> Any:
    found = [readers[key.value](value, reading) for key, value in pairs if key.value in readers]
    _unknown((key for key, _ in pairs), readers, reading)
    if len(found) != 1:
        reading.mistake(node, f"exactly one of {', '.join(readers)} must stand here, found {len(found) or 'none'}")
    return found[0] if found else None


def _unknown(keys: Iterable[ScalarNode], known: Iterable[str], reading: Reading) -> None:
    known = list(known)
    for key in keys:
        if key.value not in known:
            reading.mistake(key, f'unknown field "{key.value}"', nearest(key.value, known))


def _record(kind: type[Stated]) -> Read:
    fields = fields_of(kind)
    readers = {yaml_name(name): (name, reader(type_)) for name, type_ in fields.items() if not is_union(type_)}
    # A union among other fields stands inline: source: {names: …, azureKeyVault: {…}}.
    inline = next(
        (
            (name, {member_name(m): reader(m) for m in members_of(t)})
            for name, t in fields.items()
            if is_inline(kind, name)
        ),
        None,
    )
    readers |= {yaml_name(n): (n, reader(t)) for n, t in fields.items() if is_union(t) and not is_inline(kind, n)}
    required = {yaml_name(name): name for name in fields if name not in kind._defaults and not is_inline(kind, name)}

    def read_record(node: Node, reading: Reading) -> Any:
        mistakes = len(reading.mistakes)
        values: dict[str, Any] = {"origin": reading.origin(node)}
        rest = []
        for key, value in reading.pairs(node):
            if (field := readers.get(key.value)) is None:
                rest.append((key, value))
            else:
                values[field[0]] = field[1](value, reading)
        if inline:
            known = [key for key, _ in rest if key.value in inline[1]]
            _unknown((key for key, _ in rest if key not in known), (*readers, *inline[1]), reading)
            values[inline[0]] = _member([pair for pair in rest if pair[0] in known], node, inline[1], reading)
        else:
            _unknown((key for key, _ in rest), readers, reading)
        for name, attribute in required.items():
            if attribute not in values:
                reading.mistake(node, f'"{name}" is missing')
        return kind(**values) if len(reading.mistakes) == mistakes else None

    return read_record


def fields_of(kind: type[Stated]) -> dict[str, Any]:
    """The fields of a record and their types, its origin apart."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        found |= getattr(base, "__annotations__", {})
    return {name: found[name] for name in kind._fields if name != "origin"}


def is_inline(kind: type[Stated], name: str) -> bool:
    """Whether the union of this field stands among the fields of its record, not below a name of its own."""
    return name in getattr(kind, "_inline", ())


def yaml_name(attribute: str) -> str:
    """remote_name → remoteName, from_ → from."""
    first, *rest = attribute.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def member_name(kind: type) -> str:
    """AzureKeyVault → azureKeyVault: the name of a union's member is its type's."""
    return kind.__name__[0].lower() + kind.__name__[1:]
