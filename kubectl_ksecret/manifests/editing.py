"""Small changes of a user's YAML at its bytes: comments, quotes, indentation and line ends of the rest stay."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import yamlio
from ..errors import InputError, Mend, Mistake, Place
from ..model.types.origin import pairs_of
from ..yamlio import MappingNode, Node, ScalarNode, SequenceNode

Entry = Mapping[str, str]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def encoded(text: str, before: bytes) -> bytes:
    """The bytes of an edited text; it begins as what it was before."""
    return (_BYTE_ORDER_MARK if before.startswith(_BYTE_ORDER_MARK) else b"") + text.encode()


def mended(text: str, mends: Iterable[Mend]) -> tuple[str, list[Mend]]:
    """The text with these changes, and those that were made: none where something else stands by now.

    Nor where two want something different. Raises InputError if the text is not YAML.
    """
    wanted: dict[tuple[int, int], set[Mend]] = {}
    for each in mends:
        wanted.setdefault((each.place.line, each.place.column), set()).add(each)
    done: list[Mend] = []
    # From the end, so that the places before it stay right.
    for node in sorted(scalars(yamlio.compose_foreign(text, "")), key=_start, reverse=True):
        found = wanted.get((node.start_mark.line + 1, node.start_mark.column + 1), set())
        mend = next(iter(found)) if len(found) == 1 else None
        if mend is not None and node.value == mend.old:
            start = _start(node) + (1 if node.style in ("'", '"') else 0)
            end = start + len(mend.old)
            if text[start:end] == mend.old:  # not by an escape or a block
                text = text[:start] + mend.new + text[end:]
                done.append(mend)
    return text, done[::-1]


def scalars(documents: Sequence[Node]) -> list[ScalarNode]:
    """Every text of these documents, once."""
    found: dict[int, ScalarNode] = {}
    seen, todo = set(), list(documents)
    while todo:
        node = todo.pop()
        if id(node) in seen:  # by an alias
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            todo += [each for pair in node.value for each in pair]
        elif isinstance(node, SequenceNode):
            todo += node.value
        elif isinstance(node, ScalarNode):
            found[id(node)] = node
    return list(found.values())


def with_exceptions(text: str, file: str, entries: Sequence[Entry]) -> str:
    """The text of an overlay with further entries in spec.exceptions.

    Raises InputError if it is written in a way in which they can't be added without a risk for the rest.
    """
    documents = yamlio.compose_foreign(text, file)
    spec = next((value for key, value in pairs_of(documents[0]) if key.value == "spec"), None) if documents else None
    place = _place(spec, file) if spec else Place(file)
    if not isinstance(spec, MappingNode) or not spec.value:
        raise InputError(Mistake("expected a SecretOverlay", place))
    lines = text if text.endswith("\n") else text + _line_end(text)
    edited = _with(lines, spec, entries)
    if not _holds(edited, text, entries):
        hint = "add one entry by hand, in lines below each other and without anchors"
        raise InputError(Mistake("exceptions can't be added to what is written here", place, hint))
    return edited


def _with(text: str, spec: MappingNode, entries: Sequence[Entry]) -> str:
    value = next((value for key, value in pairs_of(spec) if key.value == "exceptions"), None)
    column = spec.value[0][0].start_mark.column
    if value is None and spec.flow_style:
        return _inserted(text, _end(spec.value[-1][1]), f', "exceptions": [{_in_brackets(entries)}]')
    if value is None:
        title = f"{' ' * column}exceptions:{_line_end(text)}"
        return _inserted(text, _line_below(text, _last(spec)), title + _in_lines(entries, column, text))
    if not isinstance(value, SequenceNode):
        return text
    if value.flow_style and value.value:
        return _inserted(text, _end(value.value[-1]), f", {_in_brackets(entries)}")
    if spec.flow_style:
        return _inserted(text, _start(value) + 1, _in_brackets(entries))
    if value.value:
        written = _in_lines(entries, value.start_mark.column, text)
        return _inserted(text, _line_below(text, _last(value)), written)
    below, before = _line_below(text, value), text[: _start(value)].rstrip()
    return before + text[_end(value) : below] + _in_lines(entries, column, text) + text[below:]


def _inserted(text: str, at: int, more: str) -> str:
    return text[:at] + more + text[at:]


def _in_brackets(entries: Iterable[Entry]) -> str:
    return ", ".join(json.dumps(dict(entry), ensure_ascii=False) for entry in entries)


def _in_lines(entries: Iterable[Entry], column: int, text: str) -> str:
    written = []
    for entry in entries:
        lines = "".join(yamlio.dump([{name: value}]) for name, value in entry.items()).splitlines()
        written += [f"{'  ' if number else '- '}{line}" for number, line in enumerate(lines)]
    return "".join(f"{' ' * column}{line}{_line_end(text)}" for line in written)


def _holds(edited: str, text: str, entries: Sequence[Entry]) -> bool:
    """Whether the entries are all that the edited text says more."""
    try:
        wanted, found = (
            [document.value for document in yamlio.read_foreign(each, "").documents] for each in (text, edited)
        )
    except InputError:
        return False
    spec: dict[str, Any] = wanted[0]["spec"]
    stated = spec.get("exceptions", [])
    spec["exceptions"] = [*stated, *map(dict, entries)] if isinstance(stated, list) else stated
    return edited != text and found == wanted


def _last(node: Node) -> Node:
    """The last node that has text of its own: a block ends only where the next thing begins, below its comments."""
    while isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        node = node.value[-1][1] if isinstance(node, MappingNode) else node.value[-1]
    return node


def _line_below(text: str, node: Node) -> int:
    """Where the next line begins; a block scalar ends there already."""
    ended = node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line
    return _end(node) if ended else text.index("\n", _end(node)) + 1


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _start(node: Node) -> int:
    return int(node.start_mark.index)


def _end(node: Node) -> int:
    return int(node.end_mark.index)


def _place(node: Node, file: str) -> Place:
    return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
