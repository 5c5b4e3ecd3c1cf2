"""Where a record was written: the node that it was read from, and the places of what stands in it."""

from collections.abc import Collection

from ...errors import Place
from ...frozen import Record
from ...yamlio import MappingNode, Node, ScalarNode, SequenceNode


class Origin:
    """The node that a record was read from; places are worked out only when asked for."""

    __slots__ = ("file", "node", "placed", "unsure")

    def __init__(self, file: str, node: Node, placed: bool = True, unsure: Collection[str] = ()) -> None:
        self.file, self.node, self.placed, self.unsure = file, node, placed, unsure

    def sure_of(self, *fields: str) -> bool:
        """Whether these fields are as the user meant them: read without a mistake, or left out.

        Where an unknown field stands, a field that is left out may be the one that was meant.
        """
        return not any(field in self.unsure for field in fields)

    def at(self, *path: str) -> Place:
        """Return the place of a field below, or of the deepest node on the way to it."""
        node = self.node
        for name in path:
            node = _below(node, name)
        return self.of(node)

    def key(self, *path: str) -> Place:
        """Return the place of the key of a field below, or of the mapping that lacks it."""
        *above, name = path
        node = self.node
        for step in above:
            node = _below(node, step)
        return self.of(next((key for key, _ in pairs_of(node) if key.value == name), node))

    def element(self, name: str, index: int) -> Place:
        """Return the place of an element of a list below."""
        node = _below(self.node, name)
        return self.of(node.value[index] if isinstance(node, SequenceNode) else node)

    def of(self, node: Node) -> Place:
        """Return the place of a node of the same file."""
        mark = node.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1) if self.placed else Place(self.file)


def pairs_of(node: Node | None) -> list[tuple[ScalarNode, Node]]:
    """Return the entries of a mapping node whose key is a text; none of another node."""
    if not isinstance(node, MappingNode):
        return []
    return [(key, value) for key, value in node.value if isinstance(key, ScalarNode)]


def _below(node: Node, name: str) -> Node:
    return next((value for key, value in pairs_of(node) if key.value == name), node)


class Stated(Record):
    """A record that a user wrote, with the place where."""

    origin: Origin


class Alternative(Stated):
    """One of several types of record that may stand in a field.

    A type that lacks a member which its base leaves abstract is refused when its module is imported.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        members = {name: getattr(cls, name, None) for base in cls.__mro__ for name in vars(base)}
        lacking = sorted(name for name, member in members.items() if getattr(member, "__isabstractmethod__", False))
        if lacking and cls.__base__ is not Alternative:
            raise TypeError(f"{cls.__name__} lacks {', '.join(lacking)}")
