"""The one editor of YAML that people wrote: what an edit does not mean keeps its bytes.

ruamel.yaml knows where a change belongs, but it writes the rest of the file in its own way: it re-indents lists,
respaces values and moves comments. So it writes the document twice, with the change and without it, and only the
lines in which those two differ are carried over into the person's own text. The result is read again and compared
with what was meant; an edit that can't be made without a risk is refused, with the lines to add by hand.
"""

import json
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from ..errors import InputError, Mend, Mistake, Place
from . import nodes
from .carrying import carried_over, differences
from .foreign import ForeignDocument, compose_foreign, read_foreign
from .writing import dump

Path = Sequence[str]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Text that needs no quotes, in a list in brackets neither, unless it is read as something else.
_PLAIN = re.compile(r"[\w./][\w ./@()+'-]*")
# In the place of a value: the field goes.
_GONE = object()
# Long enough that no text is folded.
_WIDTH = 1 << 20


def encoded(text: str, before: bytes) -> bytes:
    """Return the bytes of an edited text, which begins with a byte order mark if it did before."""
    return (_BYTE_ORDER_MARK if before.startswith(_BYTE_ORDER_MARK) else b"") + text.encode()


def only_document(text: str, file: str) -> ForeignDocument | None:
    """Return the one mapping of a file; None where there are comments alone.

    Raises:
        InputError: the file is not YAML, or holds something else.
    """
    documents, mistakes = read_foreign(text, file)
    if mistakes:
        raise InputError(*mistakes)
    if len(documents) > 1 or any(not isinstance(document.value, dict) for document in documents):
        raise InputError(Mistake("expected one YAML mapping", Place(file)))
    return documents[0] if documents else None


def with_field(text: str, file: str, path: Path, value: Any) -> str:
    """Return the text with this value in a field of its one mapping; of lists and mappings only what differs is edited.

    Mappings that are missing or empty on the way to the field are made. ruamel.yaml is imported only if the field has
    another value yet.

    Raises:
        InputError: the change can't be made without a risk for the rest; the hint says what to write by hand.
    """
    document = only_document(text, file)
    if document is None:
        raise InputError(Mistake("expected one YAML mapping", Place(file)))
    before = value_at(document.value, path)
    if before == value or (before is None and value == []):
        return text
    while len(path) > 1 and value_at(document.value, path[:-1]) in (None, {}):
        path, value = path[:-1], {path[-1]: value}
    if isinstance(before, dict) and isinstance(value, dict) and before and value:
        return _with_members(text, file, path, before, value)
    if isinstance(before, list) and isinstance(value, list):
        remaining = [element for element in before if element in value]
        # What goes and what comes are two edits, so that a comment of the one is not left to the other.
        if remaining not in (before, value):
            return with_field(with_field(text, file, path, remaining), file, path, value)
    by_hand = _by_hand(path, before, value)
    if value == [] and _is_in_lines(document.node, path):
        value = None  # where lines were, brackets would be a new text
    meant = _with(document.value, path, value)
    try:
        edited = _edited(text, document.node, path, value)
    except Exception:  # ruamel.yaml fails in ways of its own on what PyYAML reads
        edited = ""
    if not edited or [document.value for document in read_foreign(edited, file).documents] != [meant]:
        place = place_of(document.node, path, file)
        message = f"{'.'.join(path)} can't be edited here without a risk for what stands around it"
        raise InputError(Mistake(message, place, by_hand))
    return edited


def _with_members(text: str, file: str, path: Path, before: dict[str, Any], value: dict[str, Any]) -> str:
    """Return the text with other members in a mapping; new ones come first, so that it is never empty."""
    for name, member in value.items():
        if name not in before or before[name] != member:
            text = with_field(text, file, (*path, name), member)
    for name in before:
        if name not in value:
            text = with_field(text, file, (*path, name), _GONE)
    return text


def value_at(document: Any, path: Path) -> Any:
    """Return the value of a field of a document; None if it has none."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _with(document: Any, path: Path, value: Any) -> Any:
    """Return a document with another value in a field."""
    if not path:
        return value
    fields = document if isinstance(document, dict) else {}
    if len(path) == 1 and value is _GONE:
        return {name: field for name, field in fields.items() if name != path[0]}
    return fields | {path[0]: _with(fields.get(path[0]), path[1:], value)}


def place_of(root: Node, path: Path, file: str) -> Place:
    """Return the place of a field, or of the deepest mapping on the way to it."""
    return nodes.place(_nearest_node(root, path), file)


def _nearest_node(node: Node, path: Path) -> Node:
    """Return the node of a field, or the deepest one on the way to it."""
    for name in path:
        pairs = node.value if isinstance(node, MappingNode) else ()
        node = next((value for key, value in pairs if key.value == name), node)
    return node


def _by_hand(path: Path, before: Any, after: Any) -> str:
    if after is _GONE:
        return f"take out there: {path[-1]}"
    if not isinstance(after, list):
        return f"write there: {path[-1]}: {_on_one_line(after)}"
    listed = before if isinstance(before, list) else []
    added = ", ".join(_on_one_line(element) for element in after if element not in listed)
    removed = ", ".join(_on_one_line(element) for element in listed if element not in after)
    parts = (f"add to {path[-1]}: {added}" if added else "", f"take out of {path[-1]}: {removed}" if removed else "")
    return "; ".join(filter(None, parts))


def _on_one_line(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value, ensure_ascii=False)


# What ruamel.yaml does.


def _edited(text: str, root: Node, path: Path, value: Any) -> str:
    text = _without_null(text, _nearest_node(root, path))
    editor = _ruamel(text, root, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an anchor that is defined again, for one
        document = editor.load(text.replace("\r\n", "\n"))
        unchanged = _written(editor, document)
        _change(document, path, value, is_json=text.lstrip().startswith("{"))
        changed = _written(editor, document)
    return carried_over(unchanged, changed, text)


def _without_null(text: str, node: Node) -> str:
    """Return the text without a `~` or `null` that stands in the field: ruamel.yaml writes nothing there."""
    if node.tag != nodes.NULL:
        return text
    return text[: node.start_mark.index].rstrip(" ") + text[node.end_mark.index :] if node.value else text


def _ruamel(text: str, root: Node, path: Path) -> Any:
    """Return ruamel.yaml, set to indent what is added as the neighbours of the field are indented."""
    from ruamel.yaml import YAML

    editor = YAML()
    editor.preserve_quotes = True
    editor.width = _WIDTH
    editor.brace_single_entry_mapping_in_flow_sequence = True
    editor.explicit_start = bool(re.search(r"^---", text, re.MULTILINE))
    parents = [_nearest_node(root, path[:depth]) for depth in range(len(path))]
    step = parents[-1].start_mark.column - parents[-2].start_mark.column if len(parents) > 1 else 0
    offset = _list_offset(parents[-1], path[-1])
    if offset is None:
        offset = next((found for mapping in _mappings(root) if (found := _list_offset(mapping)) is not None), 0)
    editor.indent(mapping=step if step > 1 else 2, sequence=offset + 2, offset=offset)
    return editor


def _mappings(root: Node) -> Iterator[Node]:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop(0)
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting += [child for pair in node.value for child in pair] if isinstance(node, MappingNode) else []


def _list_offset(mapping: Node, field: str = "") -> int | None:
    """Return how far the lists in a mapping are indented, or the one of that name; None if there is none in lines."""
    for key, value in mapping.value if isinstance(mapping, MappingNode) else ():
        if isinstance(value, SequenceNode) and not value.flow_style and field in ("", key.value):
            return max(int(value.start_mark.column - key.start_mark.column), 0)
    return None


def _is_in_lines(root: Node, path: Path) -> bool:
    """Whether a field is a list without brackets."""
    node = _nearest_node(root, path)
    return isinstance(node, SequenceNode) and not node.flow_style


def _written(editor: Any, document: Any) -> str:
    stream = StringIO()
    editor.dump(document, stream)
    return stream.getvalue()


def _change(document: Any, path: Path, value: Any, is_json: bool) -> None:
    for name in path[:-1]:
        document = document[name]
    field = path[-1]
    before = document.get(field)
    if value is _GONE:
        del document[field]
        return
    if not isinstance(before, list) or not before or not isinstance(value, list):
        document[_styled(field, is_json)] = _styled(value, is_json)
        return
    texts, new_texts = ([json.dumps(element, default=str, sort_keys=True) for element in it] for it in (before, value))
    for _, start, end, new_start, new_end in reversed(differences(texts, new_texts)):
        del before[start:end]
        for position in reversed(range(new_start, new_end)):
            before.insert(start, _styled(value[position], is_json))


def _styled(value: Any, is_json: bool) -> Any:
    """Return a value that ruamel.yaml writes so that every reader of YAML reads it again."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, dict):
        return {_styled(name, is_json): _styled(below, is_json) for name, below in value.items()}
    if isinstance(value, list):
        return [_styled(element, is_json) for element in value]
    if isinstance(value, str) and (is_json or not _PLAIN.fullmatch(value) or dump([[value]]) != f"- {value}\n"):
        return DoubleQuotedScalarString(value)
    return value


# Single texts, which need no ruamel.yaml: they are changed where they stand.


def mended(text: str, mends: Iterable[Mend]) -> tuple[str, list[Mend]]:
    """Return the text with these changes, and those that were made: none where something else stands by now.

    Nor where two mends ask for something different. Raises InputError if the text is not YAML.
    """
    by_place: dict[tuple[int, int], set[Mend]] = {}
    for mend in mends:
        by_place.setdefault((mend.place.line, mend.place.column), set()).add(mend)
    made: list[Mend] = []
    # From the end, so that the places before it stay right.
    for node in sorted(scalars(compose_foreign(text, "")), key=lambda node: int(node.start_mark.index), reverse=True):
        asked = by_place.get((node.start_mark.line + 1, node.start_mark.column + 1), set())
        only = next(iter(asked)) if len(asked) == 1 else None
        if only is not None and node.value == only.old:
            start = node.start_mark.index + (1 if node.style in ("'", '"') else 0)
            end = start + len(only.old)
            if text[start:end] == only.old:  # not by an escape or a block
                text = text[:start] + only.new + text[end:]
                made.append(only)
    return text, made[::-1]


def scalars(documents: Sequence[Node]) -> list[ScalarNode]:
    """Return every text of these documents, once."""
    texts: list[ScalarNode] = []
    seen: set[int] = set()
    waiting = list(documents)
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # by an alias
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode):
            texts.append(node)
        elif isinstance(node, MappingNode):
            waiting += [child for pair in node.value for child in pair]
        else:
            waiting += node.value
    return texts
