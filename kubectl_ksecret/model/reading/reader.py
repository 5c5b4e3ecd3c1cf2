"""Reads YAML nodes into the frozen types of this package, by their annotations.

Every mistake is noted with its place and reading goes on: what can't be read is stood in for by what is empty, so
that the checks of what a file says see the rest of it, and a user sees all of its mistakes at once. A record knows
which of its fields were read as they were meant (`Origin.sure_of`), so that no mistake is reported twice.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, cast

from ...errors import SHOWN_LENGTH, Mend, Mistake, nearest, nearest_name, shown, typo
from ...yamlio import MappingNode, Node, ScalarNode, SequenceNode
from ..types.forms import Form, OneOf, fullmatch
from ..types.origin import Origin, Stated

NULL = "tag:yaml.org,2002:null"
STRING = "tag:yaml.org,2002:str"
MERGE = "tag:yaml.org,2002:merge"
INTEGER_PATTERN = r"-?(0|[1-9][0-9]{0,9})"
_TYPES = {
    "null": "nothing",
    "int": "an integer",
    "str": "a string",
    "bool": "a boolean",
    "float": "a number",
    "timestamp": "a date",
}


class Reading:
    """One file being read: its name, and the mistakes found so far."""

    __slots__ = ("file", "mistakes", "placed", "seen")

    def __init__(self, file: str, placed: bool = True) -> None:
        self.file, self.placed = file, placed
        self.mistakes: list[Mistake] = []
        self.seen: set[int] = set()

    def origin(self, node: Node, unsure: Collection[str] = ()) -> Origin:
        """Return where a node of this file stands."""
        return Origin(self.file, node, self.placed, unsure)

    def mistake(self, node: Node, message: str, hint: str = "", mend: Mend | None = None) -> None:
        """Note a mistake; what was to be read never leaves the loader."""
        self.mistakes.append(Mistake(message, self.origin(node).of(node), hint, mend))

    def once(self, node: Node) -> bool:
        """Whether the node is met for the first time: an alias of a mapping or list may be a bomb."""
        if id(node) in self.seen:
            message = f"a YAML alias stands for this {_found(node)[2:]} again, which is not supported"
            self.mistake(node, message, "write it out there")
            return False
        self.seen.add(id(node))
        return True

    def pairs(self, node: Node) -> list[tuple[ScalarNode, Node]] | None:
        """The entries of a mapping, each key once; an empty value is an empty mapping. None if it is something else."""
        if node.tag == NULL:
            return []
        if not isinstance(node, MappingNode):
            self.mistake(node, f"expected a mapping, found {_found(node)}")
            return None
        if not self.once(node):
            return None
        if len({key.value for key, _ in node.value if isinstance(key, ScalarNode)}) == len(node.value):
            entries: list[tuple[ScalarNode, Node]] = node.value
            return entries
        distinct: dict[str, tuple[ScalarNode, Node]] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.mistake(key, f"expected a name, found {_found(key)}")
            elif key.value in distinct:
                self.mistake(key, f'"{shown(key.value)}" stands here twice')
            else:
                distinct[key.value] = key, value
        return list(distinct.values())

    def unknown(self, key: ScalarNode, fields: Iterable[str], beside: Collection[str] = ()) -> Collection[str]:
        """Note an unknown field, and return the fields that may have been meant by it.

        The mend is none of those that stand `beside` it.
        """
        if key.tag == MERGE:
            self.mistake(key, "a YAML merge (<<) is not supported", "write the fields out")
            return set(fields)
        if len(key.value) > SHOWN_LENGTH:
            self.mistake(key, f'unknown field "{shown(key.value)}"')
            return ()
        mend = typo(self.origin(key).at(), key.value, [name for name in fields if name not in beside])
        self.mistake(key, f'unknown field "{shown(key.value)}"', nearest(key.value, fields), mend)
        meant = nearest_name(key.value, fields)
        return {meant} if meant else ()


def _found(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    return _TYPES.get(node.tag.rpartition(":")[2], "a value with a tag of its own")


UNREAD: Final = object()  # what a reader gives for a node that it can't read
Read = Callable[[Node, Reading], Any]
T = TypeVar("T")


def read(kind: type[T], node: Node, reading: Reading) -> T:
    """Return the node as a record; if `reading` has mistakes, with what is empty where they are."""
    return cast(T, reader(cast(Any, kind))(node, reading))


@cache
def reader(kind: Any) -> Read:
    """A function that reads a node as `kind`: a record, union, Mapping, tuple, Literal, Annotated, str or int."""
    origin = getattr(kind, "__origin__", None)
    if is_union(kind):
        return _one_of(kind)
    if is_optional(kind):
        return reader(optional_type(kind))
    if hasattr(kind, "__metadata__"):
        return _text(kind.__metadata__[0])
    if origin is Literal:
        return _choice(kind.__args__)
    if origin is Mapping:
        return _mapping(*kind.__args__)
    if origin is tuple:
        return _list(reader(kind.__args__[0]))
    if is_record(kind):
        return _record(kind)
    scalars: Mapping[type, Read] = {int: _integer, bool: _boolean}
    return scalars.get(kind) or _text(Form("a string"))


def members_of(kind: Any) -> Mapping[str, type]:
    """Return the records of which exactly one stands here, by the names under which they do."""
    if hasattr(kind, "__metadata__"):
        one_of: OneOf = kind.__metadata__[0]
        return one_of.members
    return {member_name(member): member for member in _present(kind)}


def is_union(kind: Any) -> bool:
    """Return whether exactly one of several records stands here."""
    if hasattr(kind, "__metadata__"):
        return isinstance(kind.__metadata__[0], OneOf)
    return len(_present(kind)) > 1


def is_optional(kind: Any) -> bool:
    """Return whether a value of one type stands here, or none."""
    return not hasattr(kind, "__metadata__") and len(_present(kind)) == 1


def optional_type(kind: Any) -> Any:
    """Return the type of an optional value."""
    return _present(kind)[0]


def _present(kind: Any) -> tuple[Any, ...]:
    """Return the members of a union of types, `None` apart; nothing for any other type."""
    # `Annotated[…] | None` is a typing.Union, `int | None` and `A | B` are of types.
    if isinstance(kind, UnionType) or getattr(kind, "__origin__", None) is Union:
        return tuple(member for member in kind.__args__ if member is not NoneType)
    return ()


def is_record(kind: Any) -> bool:
    """Whether a mapping of declared fields stands here."""
    return isinstance(kind, type) and issubclass(kind, Stated)


def _integer(node: Node, reading: Reading) -> Any:
    plain = isinstance(node, ScalarNode) and fullmatch(INTEGER_PATTERN)(node.value)
    if plain and node.tag == "tag:yaml.org,2002:int":
        return int(node.value)
    hint = "leave the quotes out" if plain and node.tag == STRING else ""
    notation = "another notation" if node.tag == "tag:yaml.org,2002:int" else _found(node)
    reading.mistake(node, f"expected an integer such as 32, found {notation}", hint)
    return UNREAD


def _boolean(node: Node, reading: Reading) -> Any:
    # YAML 1.1 has yes, on and others; they are read as kubectl writes them alone, so that nobody wonders.
    if isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:bool" and node.value in ("true", "false"):
        return node.value == "true"
    hint = "leave the quotes out" if isinstance(node, ScalarNode) and node.value in ("true", "false") else ""
    notation = "another notation" if node.tag == "tag:yaml.org,2002:bool" else _found(node)
    reading.mistake(node, f"expected true or false, found {notation}", hint)
    return UNREAD


def _choice(choices: tuple[str, ...]) -> Read:
    def read_choice(node: Node, reading: Reading) -> Any:
        if isinstance(node, ScalarNode) and node.value in choices:
            return node.value
        text = node.value if isinstance(node, ScalarNode) and len(node.value) <= SHOWN_LENGTH else ""
        hint = nearest(text, choices) or nearest(text.lower(), choices)
        reading.mistake(node, f"expected one of {', '.join(choices)}", hint)
        return UNREAD

    return read_choice


def _text(form: Form) -> Read:
    def read_text(node: Node, reading: Reading) -> Any:
        if isinstance(node, ScalarNode) and node.tag == STRING and form.fits(node.value):
            return node.value
        if not isinstance(node, ScalarNode) or node.tag != STRING:
            quotable = isinstance(node, ScalarNode) and node.tag != NULL and form.fits(node.value)
            hint = form.hint or ("put it in quotes" if quotable else "")
            reading.mistake(node, f"expected {form.what}, found {_found(node)}", hint)
        elif form.is_too_long(node.value):
            reading.mistake(node, f"expected {form.what}, at most {form.max_length} characters", form.hint)
        else:
            reading.mistake(node, f"expected {form.what}", form.hint)
        return UNREAD

    return read_text


def _list(element: Read) -> Read:
    def read_list(node: Node, reading: Reading) -> Any:
        if not isinstance(node, SequenceNode):
            hint = "write it as a list: [ … ]" if node.tag == STRING else ""
            reading.mistake(node, f"expected a list, found {_found(node)}", hint)
            return UNREAD
        elements = tuple([element(below, reading) for below in node.value]) if reading.once(node) else (UNREAD,)
        return UNREAD if UNREAD in elements else elements

    return read_list


def _mapping(key: Any, value: Any) -> Read:
    read_key, read_value = reader(key), reader(value)

    def read_mapping(node: Node, reading: Reading) -> Any:
        pairs = reading.pairs(node)
        entries = {}
        for name_node, value_node in pairs or ():
            if name_node.tag == MERGE:
                reading.unknown(name_node, ())
                continue
            # A name is text whatever it looks like: `5:` and `on:` are names of keys.
            name = read_key(ScalarNode(STRING, name_node.value, name_node.start_mark), reading)
            read_as = read_value(value_node, reading)
            if name is not UNREAD:
                entries[name] = blank(value, reading.origin(value_node)) if read_as is UNREAD else read_as
        return entries if entries or pairs == [] else UNREAD

    return read_mapping


def blank(kind: Any, origin: Origin) -> Any:
    """Return what stands in for a value that is missing or can't be read: empty, of its type; no member of a union."""
    if is_record(kind):
        fields = {name: _missing(kind, name, origin) for name in fields_of(kind)}
        return kind(**fields, origin=Origin(origin.file, origin.node, origin.placed, yaml_names(kind)))
    if is_union(kind):
        return None
    origin_type: Any = getattr(kind, "__origin__", None)
    if origin_type is Literal:
        return kind.__args__[0]
    empty: dict[Any, object] = {Mapping: {}, tuple: (), int: 0, bool: False}
    return empty.get(origin_type or kind, "")


def _missing(kind: type[Stated], name: str, origin: Origin) -> Any:
    return kind._defaults[name] if name in kind._defaults else blank(fields_of(kind)[name], origin)


def _one_of(kind: Any) -> Read:
    def read_union(node: Node, reading: Reading) -> Any:
        readers = _readers(kind)
        pairs = reading.pairs(node)
        if pairs is None:
            return UNREAD
        # Any member that is set excludes the one that may have been meant.
        beside = readers.keys() if any(key.value in readers for key, _ in pairs) else ()
        meant: set[str] = set()
        for key, _ in pairs:
            if key.value not in readers:
                meant.update(reading.unknown(key, readers, beside))
        return _member([pair for pair in pairs if pair[0].value in readers], node, readers, meant, reading)

    return read_union


def _readers(kind: Any) -> dict[str, Read]:
    """Return the readers of the records of which one stands in a field."""
    return {name: reader(member) for name, member in members_of(kind).items()}


def _member(
    pairs: list[tuple[ScalarNode, Node]],
    node: Node,
    readers: Mapping[str, Read],
    meant: Collection[str],
    reading: Reading,
) -> Any:
    """Return the one member that is set; one that was `meant` by an unknown field is not reported as missing."""
    members = [readers[key.value](value, reading) for key, value in pairs]
    if len(members) == 1:
        return members[0]
    if members:
        (first, _), *others = pairs
        for other, _ in others:
            reading.mistake(other, f"{other.value} and {first.value} exclude each other", "leave one of them out")
    elif not any(name in meant for name in readers):
        reading.mistake(node, f"one of {', '.join(readers)} is missing")
    return UNREAD


def _record(kind: type[Stated]) -> Read:
    fields = {yaml_name(n): (n, reader(t)) for n, t in fields_of(kind).items() if not is_inline(kind, n)}
    required = [name for name, (attribute, _) in fields.items() if attribute not in kind._defaults]
    # A union among other fields stands inline: source: {names: …, azureKeyVault: {…}}.
    union = next((name for name in fields_of(kind) if is_inline(kind, name)), "")
    needed = bool(union) and union not in kind._defaults

    def read_record(node: Node, reading: Reading) -> Any:
        members = _readers(inline_union(kind, union)) if union else {}
        before = len(reading.mistakes)
        pairs = reading.pairs(node)
        if pairs is None:
            return blank(kind, reading.origin(node))
        values: dict[str, Any] = {}
        inline: list[tuple[ScalarNode, Node]] = []
        meant: set[str] = set()
        odd = False
        beside = {key.value for key, _ in pairs}
        beside |= members.keys() if beside & members.keys() else set()
        for key, value in pairs:
            if key.value in fields:
                attribute, read_field = fields[key.value]
                values[attribute] = read_field(value, reading)
            elif key.value in members:
                inline.append((key, value))
            else:
                odd = True
                meant.update(reading.unknown(key, (*fields, *members), beside))
        if inline or needed:
            values[union] = _member(inline, node, members, meant, reading)
        for name in required:
            if fields[name][0] not in values and name not in meant:
                reading.mistake(node, f'"{name}" is missing')
        if len(reading.mistakes) == before:
            return kind(**values, origin=reading.origin(node))
        return _partial(kind, values, odd, reading.origin(node))

    return read_record


def _partial(kind: type[Stated], read_values: Mapping[str, Any], odd: bool, origin: Origin) -> Stated:
    """Return a record as far as it could be read; an unknown field in it may be any of those that are left out."""
    values = {name: value for name, value in read_values.items() if value is not UNREAD}
    lacking = {name: _missing(kind, name, origin) for name in fields_of(kind) if name not in values}
    unsure = [name for name in lacking if odd or name in read_values or name not in kind._defaults]
    partial = Origin(origin.file, origin.node, origin.placed, [yaml_name(name) for name in unsure])
    return kind(**values, **lacking, origin=partial)


def fields_of(kind: type[Stated]) -> dict[str, Any]:
    """Return the fields of a record and their types, its origin apart."""
    annotations: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        annotations |= getattr(base, "__annotations__", {})
    return {name: annotations[name] for name in kind._fields if name != "origin"}


def yaml_names(kind: type[Stated]) -> list[str]:
    """Return the fields of a record as they are written."""
    return [yaml_name(name) for name in fields_of(kind)]


def is_inline(kind: type[Stated], name: str) -> bool:
    """Whether the union of this field stands among the fields of its record, not below a name of its own."""
    return name in getattr(kind, "_inline", ())


def inline_union(kind: type[Stated], name: str) -> Any:
    """Return the union of such a field, of which one member may be set or, where the field has a default, none."""
    type_ = fields_of(kind)[name]
    return optional_type(type_) if is_optional(type_) else type_


def yaml_name(attribute: str) -> str:
    """remote_name → remoteName, from_ → from, role_arn → roleARN as Alibaba Cloud writes it."""
    first, *rest = attribute.rstrip("_").split("_")
    return first + "".join("ARN" if word == "arn" else word.capitalize() for word in rest)


def member_name(kind: type) -> str:
    """WorkloadIdentity → workloadIdentity: the name of a union's member is its type's."""
    return kind.__name__[0].lower() + kind.__name__[1:]
