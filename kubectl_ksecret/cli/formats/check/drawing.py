"""The line of a place, as far as it can hold no value that is secret: names of fields, and what some of them name."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .... import yamlio
from ....errors import InputError, Place
from ....yamlio import MappingNode, Node, ScalarNode, SequenceNode

# What these fields say is a name of an object, a file or a choice, in whatever kind of object; except below _VALUES.
_SAFE = {"apiVersion", "kind", "name", "namespace", "namePrefix", "nameSuffix", "type", "scope", "format", "encoding"}
_SAFE |= {"key", "secretName", "secretKey", "remoteName", "from", "optional", "serviceAccountName", "refreshInterval"}
_SAFE |= {"resources", "components", "generators", "configurations", "declarations", "certificate", "kustomization"}
_VALUES = {"data", "stringData", "binaryData", "literals", "annotations", "labels", "parameters", "args", "command"}
_KINDS_OF_VALUES = {"Secret", "ConfigMap", "SecretList", "ConfigMapList", "List"}
_WIDTH = 100


class Drawing(NamedTuple):
    """A line, and where in it the place is."""

    text: str
    caret: int


class _Drawn(NamedTuple):
    """What a line has of a field: its name, unless that is on another line, and the value where it can be shown."""

    key: ScalarNode | None
    value: Node | None
    is_safe: bool


_Fields = dict[tuple[int, int], _Drawn]  # by line and column, counted from 0


def drawings(read: Callable[[str], str]) -> Callable[[Place], Drawing | None]:
    """Draws places in YAML files, of which `read` gives the text, each once; raises InputError where it has none."""
    files: dict[str, _Fields] = {}

    def draw(place: Place) -> Drawing | None:
        if not place.file.endswith((".yaml", ".yml")):
            return None
        if place.file not in files:
            files[place.file] = _fields(read, place.file)
        field = files[place.file].get((place.line - 1, place.column - 1))
        return _draw(field, place.column - 1) if field else None

    return draw


def _fields(read: Callable[[str], str], file: str) -> _Fields:
    """Return all fields of a file, by the places of their names and of their values."""
    fields: _Fields = {}
    try:
        documents = yamlio.compose_foreign(read(file), file)
    except InputError:  # a rule says what is wrong with it
        return {}
    for document in documents:
        for node, drawn in _below(document, "", True, set()):
            fields.setdefault((node.start_mark.line, node.start_mark.column), drawn)
    return fields


def _below(node: Node, name: str, is_safe: bool, seen: set[int]) -> Iterator[tuple[Node, _Drawn]]:
    """Yield what is drawn at each node below; `name` is that of the nearest field above it."""
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    if isinstance(node, MappingNode):
        is_safe = is_safe and not _holds_values(node)
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                yield from _pair(key, value, is_safe and key.value in _SAFE)
                yield from _below(value, key.value, is_safe and key.value not in _VALUES, seen)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            if isinstance(value, ScalarNode):
                yield value, _Drawn(None, value, is_safe and name in _SAFE)
            yield from _below(value, name, is_safe, seen)


def _holds_values(mapping: MappingNode) -> bool:
    pairs = ((key, value) for key, value in mapping.value if isinstance(value, ScalarNode))
    return any(key.value == "kind" and value.value in _KINDS_OF_VALUES for key, value in pairs)


def _pair(key: ScalarNode, value: Node, is_safe: bool) -> Iterator[tuple[Node, _Drawn]]:
    after, of_value = key.end_mark, value.start_mark
    is_beside = of_value.line == after.line and of_value.column > after.column  # an alias leads elsewhere
    yield key, _Drawn(key, value if is_beside else None, is_safe)
    if is_beside:
        yield value, _Drawn(key, value, is_safe)
    elif isinstance(value, ScalarNode):
        yield value, _Drawn(None, value, is_safe)


def _draw(drawn: _Drawn, caret: int) -> Drawing:
    """Whatever else its line holds is left blank; a value that may be secret is an ellipsis."""
    text = ""
    if drawn.key:
        text = f"{' ' * drawn.key.start_mark.column}{drawn.key.value}:"
    if value := drawn.value:
        is_shown = drawn.is_safe and isinstance(value, ScalarNode) and value.start_mark.line == value.end_mark.line
        text = text.ljust(value.start_mark.column) + (str(value.value) if is_shown else "…")
    cut = max(0, caret - _WIDTH // 2) if len(text) > _WIDTH else 0
    text = "".join(character if character.isprintable() else "?" for character in text[cut : cut + _WIDTH])
    return Drawing(text, caret - cut)
