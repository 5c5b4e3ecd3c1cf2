"""The two kustomizations of an overlay's folder, edited in place: what is not ours stays byte for byte."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from .. import yamlio
from ..errors import InputError, Mistake, Place
from ..model.reading.reader import NULL
from ..model.types.origin import pairs_of
from ..yamlio import MappingNode, Node, ScalarNode, SequenceNode
from . import references

_HEADER = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
_GENERATOR = "ksecret.yaml"
_MANIFESTS = "manifests"
_REFERENCES = f"{_MANIFESTS}/{references.FILE}"
_COMMITTED_FORM = f"""{_HEADER}resources:
- {_MANIFESTS}
# To render on every build instead of from the committed manifests, with
# kustomize build --enable-alpha-plugins --enable-exec, replace the two lines above by:
# generators:
# - {_GENERATOR}
# configurations:
# - {_REFERENCES}
"""
GENERATOR_FORM = f"""{_HEADER}generators:
- {_GENERATOR}
configurations:
- {_REFERENCES}
"""


def resources(text: str | None, file: str) -> list[str]:
    """What a kustomization lists as resources; nothing of a missing one. Raises InputError if it is not YAML."""
    return list(_List(text or "", "resources", file).names)


def listing(text: str | None, ours: Sequence[str], stale: Collection[str], file: str) -> str:
    """The kustomization of the manifests: lists our files in order among other people's; `text` as it is now."""
    text = _List(text or "", "resources", file).without(stale)
    if _List(text, "resources", file).is_of_nothing:
        text = _below(text, f"{_HEADER}resources: []\n")
    text = _List(text, "resources", file).including(ours)
    return _List(text, "configurations", file).ending_with(references.FILE)


def including(text: str | None, file: str) -> str:
    """The kustomization beside ksecret.yaml: has the manifests, or the generator and its references."""
    text = text or ""
    configurations = _List(text, "configurations", file)
    if configurations.is_of_nothing:
        return _below(text, _COMMITTED_FORM)
    # A generator that is patched on the way here is listed as a folder of any name.
    if _GENERATOR in _List(text, "generators", file).names or _REFERENCES in configurations.names:
        return configurations.ending_with(_REFERENCES)
    return add_resource(text, _MANIFESTS, file)


def add_resource(text: str, name: str, file: str) -> str:
    """A kustomization with one more resource, if it does not list it yet."""
    if _List(text, "resources", file).is_of_nothing:
        return _below(text, f"{_HEADER}resources:\n- {name}\n")
    return _List(text, "resources", file).ending_with(name)


def deployed(namespace: str) -> str:
    """A new kustomization of an overlay's folder, with nothing but its Secrets."""
    return f"{_HEADER}namespace: {namespace}\nresources:\n- secrets\n"


def namespace_of(text: str, file: str) -> str | None:
    """The namespace that a kustomization gives all its objects. Raises InputError if it is not YAML."""
    document = next(iter(yamlio.compose_foreign(text, file)), None)
    return next((str(value.value) for key, value in pairs_of(document) if key.value == "namespace"), None)


def _below(comments: str, content: str) -> str:
    return f"{comments.rstrip()}\n{content}" if comments.strip() else content


class _Edit(NamedTuple):
    """What stands from `start` to `end` becomes `text`."""

    start: int
    end: int
    text: str


class _List:
    """One list of a kustomization, where it stands in the text. Raises InputError if something else stands there.

    The text is edited, not what it means: comments, quotes, indentation and line ends of the rest stay as they are.
    """

    def __init__(self, text: str, field: str, file: str) -> None:
        self._text, self._field, self._file = text, field, file
        self._line_end = "\r\n" if "\r\n" in text else "\n"
        self._lines = text if text.endswith("\n") else text + self._line_end
        documents = yamlio.compose_foreign(self._lines, file)
        root = documents[0] if documents else None
        if len(documents) > 1 or not (root is None or isinstance(root, MappingNode)):
            raise InputError(Mistake("expected one YAML mapping", Place(file)))
        self._root = root
        self._pair = next((pair for pair in pairs_of(root) if pair[0].value == field), None)
        value = self._pair[1] if self._pair else None
        if value is not None and not isinstance(value, SequenceNode) and value.tag != NULL:
            place = Place(file, value.start_mark.line + 1, value.start_mark.column + 1)
            raise InputError(Mistake(f"{field} is not a list", place))
        self._elements: list[Node] = value.value if isinstance(value, SequenceNode) else []
        self._in_brackets = isinstance(value, SequenceNode) and bool(value.flow_style)

    @property
    def is_of_nothing(self) -> bool:
        """Whether there is no kustomization yet, or comments alone."""
        return self._root is None

    @property
    def names(self) -> dict[str, Node]:
        """What is listed, in the shortest form: ./manifests/ is manifests."""
        return {os.path.normpath(each.value): each for each in self._elements if isinstance(each, ScalarNode)}

    def including(self, names: Sequence[str]) -> str:
        """The text with these names in the list too, each behind the one before it."""
        listed = self.names
        missing = [name for name in names if name not in listed]
        if not missing:
            return self._text
        return self._edited(self._behind(names, listed) if self._elements else self._first(missing))

    def ending_with(self, name: str) -> str:
        """The text with this name in the list too, behind all others."""
        return self.including([*self.names, name])

    def without(self, names: Collection[str]) -> str:
        """The text with none of these names in the list."""
        going = [each for name, each in self.names.items() if name in names]
        if not going or self._pair is None:
            return self._text
        if self._in_brackets and self._has_comments:
            return self._edited(edit for each in going for edit in self._without_its_comma(each))
        if self._in_brackets:
            kept = [self._lines[_start(each) : _end(each)] for each in self._elements if each not in going]
            return self._edited([_Edit(_start(self._pair[1]), _end(self._pair[1]), f"[{', '.join(kept)}]")])
        lines = ((self._lines.rindex("\n", 0, _start(each)) + 1, self._line_below(each)) for each in going)
        return self._edited(_Edit(start, end, "") for start, end in lines)

    @property
    def _has_comments(self) -> bool:
        """Whether anything but names, commas and blanks stands in the brackets."""
        assert self._pair is not None
        ends = [_start(self._pair[1]) + 1, *map(_end, self._elements)]
        begins = [*map(_start, self._elements), _end(self._pair[1]) - 1]
        return any(self._lines[end:begin].strip(", \t\r\n") for end, begin in zip(ends, begins, strict=True))

    def _without_its_comma(self, element: Node) -> Iterator[_Edit]:
        """The edits that take one name out and leave what stands around it, comments too."""
        yield _Edit(_start(element), _end(element), "")
        comma = re.compile(r"(?:\s|#[^\n]*\n)*,").match(self._lines, _end(element))
        if comma:
            yield _Edit(comma.end() - 1, comma.end(), "")

    def _behind(self, names: Iterable[str], listed: dict[str, Node]) -> Iterator[_Edit]:
        """The edits that put each name that is not listed behind the one before it."""
        assert self._pair is not None
        key, value = self._pair
        first, before = _start(self._elements[0]), None
        for name in names:
            if name in listed:
                before = listed[name]
            elif not self._in_brackets:
                at = self._line_below(before or key)
                yield _Edit(at, at, self._block([name], value.start_mark.column))
            elif before:
                yield _Edit(_end(before), _end(before), f", {name}")
            else:
                yield _Edit(first, first, f"{name}, ")

    def _first(self, names: Sequence[str]) -> Iterator[_Edit]:
        """The edits that fill a list that is missing or empty."""
        assert self._root is not None
        if self._root.flow_style:
            hint = f"add to {self._field}: {', '.join(names)}"
            raise InputError(Mistake("a kustomization in braces is not edited", Place(self._file), hint))
        if self._pair is None:
            at, column = _end(self._root), self._root.start_mark.column
            yield _Edit(at, at, f"{' ' * column}{self._field}:{self._line_end}{self._block(names, column)}")
            return
        key, value = self._pair
        if self._in_brackets and self._has_comments:
            place = Place(self._file, value.start_mark.line + 1, value.start_mark.column + 1)
            hint = f"write the list in lines, or add to it: {', '.join(names)}"
            raise InputError(Mistake("brackets that hold nothing but a comment are not edited", place, hint))
        below = self._line_below(value)
        yield _Edit(len(self._lines[: _start(value)].rstrip(" ")), _end(value), "")
        yield _Edit(below, below, self._block(names, key.start_mark.column))

    def _block(self, names: Iterable[str], column: int) -> str:
        return "".join(f"{' ' * column}- {name}{self._line_end}" for name in names)

    def _line_below(self, node: Node) -> int:
        """Where the next line begins; a block scalar ends there already."""
        return _end(node) if node.end_mark.column == 0 else self._lines.index("\n", _end(node)) + 1

    def _edited(self, edits: Iterable[_Edit]) -> str:
        value = self._pair[1] if self._pair else None
        if isinstance(value, SequenceNode) and self._lines[_start(value)] not in "-[":
            place = Place(self._file, value.start_mark.line + 1, value.start_mark.column + 1)
            raise InputError(Mistake(f"{self._field} with an anchor or a tag is not edited", place, "write it without"))
        parts, at = [], 0
        for edit in sorted(edits, key=lambda edit: edit.start):
            parts += [self._lines[at : edit.start], edit.text]
            at = edit.end
        return "".join([*parts, self._lines[at:]])


def _start(node: Node) -> int:
    return int(node.start_mark.index)


def _end(node: Node) -> int:
    return int(node.end_mark.index)
