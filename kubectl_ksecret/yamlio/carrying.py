"""Carries a change of one text over into another that says the same, spaced and commented by a person."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any, NamedTuple

import yaml

_FARTHEST = 200  # tokens that may be passed over where two texts differ
_COMMENT_LINE = re.compile(r"\r?\n( *)#[^\r\n]*")
_AGREEING = 3  # tokens in a row that show that two texts have come together again


class UnsureError(Exception):
    """It can't be told where a change belongs in the person's text."""


class _Token(NamedTuple):
    """A piece of YAML that has text: what it is, where it begins and ends, and its first and its last line."""

    meaning: tuple[str, ...]
    start: int
    end: int
    first_line: int
    last_line: int


class _Splice(NamedTuple):
    """What stands from `start` to `end` becomes `text`."""

    start: int
    end: int
    text: str


class _Tokens:
    """The tokens of a text, and its lines that hold any: comments and blank lines are left out."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.all: list[_Token] = []
        for token in yaml.scan(text, Loader=yaml.CSafeLoader):
            start, end = token.start_mark.index, token.end_mark.index
            end = start + len(text[start:end].rstrip())  # a block of text ends where the next token begins
            # ruamel.yaml writes nothing where a person may have written ~ or null.
            is_null = getattr(token, "plain", False) and text[start:end] in ("~", "null", "Null", "NULL")
            if end > start and not is_null:
                meaning = tuple(str(getattr(token, name, "")) for name in ("id", "value"))
                last_line = token.start_mark.line + text.count("\n", start, end)
                self.all.append(_Token(meaning, start, end, token.start_mark.line, last_line))
        starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text) + 1]
        self._ends = [end - 1 for end in starts[1:]]  # of every line
        self._starts = starts
        numbers = {line for token in self.all for line in range(token.first_line, token.last_line + 1)}
        self._numbers = sorted(numbers)
        self.lines = [self._without_comment(number) for number in self._numbers]

    def _without_comment(self, number: int) -> str:
        """Return a line up to the end of its last token."""
        start, end = self.span(number)
        last = self.all[bisect_left(self.all, end, key=lambda token: token.start) - 1]
        return self.text[start : min(last.end, end)]

    def span(self, number: int) -> tuple[int, int]:
        """Return where a line of the text begins and ends, without its line end."""
        start, end = self._starts[number], self._ends[number]
        return start, end - self.text.endswith("\r", start, end)

    def within(self, first: int, last: int) -> range:
        """Return which tokens begin in these lines of `lines`."""
        bounds = (self._numbers[number] if number < len(self._numbers) else len(self._ends) for number in (first, last))
        start, end = (bisect_left(self.all, bound, key=lambda token: token.first_line) for bound in bounds)
        return range(start, end)

    def written(self, first: int, last: int) -> str:
        """Return the text behind one token up to the end of another, without comments."""
        start, end = self.all[first], self.all[last]
        if start.last_line == end.last_line:
            return self.text[start.end : end.end]
        lines = dict(zip(self._numbers, self.lines, strict=True))
        head = lines[start.last_line][start.end - self._starts[start.last_line] :]
        below = [line for number, line in lines.items() if start.last_line < number < end.last_line]
        return "\n".join([head, *below, self.text[self._starts[end.last_line] : end.end]])


def carried_over(unchanged: str, changed: str, own: str) -> str:
    """Return the person's text with the lines in which the two outputs differ."""
    carrier = _Carrier(_Tokens(unchanged), _Tokens(changed), _Tokens(own))
    text, last = own, len(own)
    for splice in sorted(carrier.splices(), reverse=True):
        if splice.end > last:
            raise UnsureError
        text = text[: splice.start] + splice.text + text[splice.end :]
        last = splice.start
    return text


class _Carrier:
    """Carries the differences of two outputs of ruamel.yaml over into the person's text."""

    def __init__(self, before: _Tokens, after: _Tokens, own: _Tokens) -> None:
        self._before, self._after, self._own = before, after, own
        self._own_numbers = dict(_aligned(_meanings(before), _meanings(own)))
        self._line_end = "\r\n" if "\r\n" in own.text else "\n"

    def splices(self) -> Iterator[_Splice]:
        """Yield the splices of the person's text. Raises UnsureError."""
        for operation, start, end, new_start, new_end in differences(self._before.lines, self._after.lines):
            before, after = self._before.within(start, end), self._after.within(new_start, new_end)
            if operation == "insert":
                yield self._insertion(before.start, self._after.lines[new_start:new_end])
            elif operation == "delete":
                yield from self._deletion(before)
            else:
                yield from self._replacement(before, after)

    def _own_number(self, number: int) -> int:
        """Return the number of the person's token that is this one of ruamel.yaml's."""
        if number not in self._own_numbers:
            raise UnsureError
        return self._own_numbers[number]

    def _insertion(self, number: int, lines: list[str]) -> _Splice:
        """Put whole lines before a token, behind the line that stands before it: comments there come after them.

        Comments that are indented further than the new lines are of what stands above, and stay with it.
        """
        own_number = self._own_number(number - 1)
        previous, following = self._own.all[own_number], self._own.all[own_number + 1 : own_number + 2]
        if any(token.first_line == previous.last_line for token in following):
            raise UnsureError
        _, end = self._own.span(previous.last_line)
        if number == len(self._before.all) and lines[0][0] not in " -":
            # A new field stands behind all comments.
            end = len(self._own.text[: following[0].start if following else None].rstrip())
        indent = len(lines[0]) - len(lines[0].lstrip(" "))
        while (comment := _COMMENT_LINE.match(self._own.text, end)) and len(comment[1]) > indent:
            end = comment.end()
        return _Splice(end, end, "".join(f"{self._line_end}{line}" for line in lines))

    def _deletion(self, numbers: range) -> Iterator[_Splice]:
        """Take out whole lines; the comments between them stay."""
        own = [self._own_number(number) for number in numbers]
        tokens = [self._own.all[number] for number in own]
        lines = {line for token in tokens for line in range(token.first_line, token.last_line + 1)}
        around = [*self._own.all[: own[0]][-1:], *self._own.all[own[-1] + 1 :][:1]]
        if own != list(range(own[0], own[-1] + 1)) or any(
            line in lines for token in around for line in (token.first_line, token.last_line)
        ):
            raise UnsureError  # something else stands in the same lines
        for line in lines:
            yield self._without_line(*self._own.span(line))

    def _without_line(self, start: int, end: int) -> _Splice:
        below = self._own.text.find("\n", end) + 1
        # Of a last line without a line end, the one before it goes.
        return _Splice(start, below, "") if below else _Splice(len(self._own.text[:start].rstrip("\r\n")), end, "")

    def _replacement(self, before: range, after: range) -> Iterator[_Splice]:
        """Change tokens within lines."""
        old, new = _meanings(self._before)[before.start : before.stop], _meanings(self._after)[after.start : after.stop]
        for operation, start, end, new_start, new_end in differences(old, new):
            removed = [self._own_number(number) for number in before[start:end]]
            if operation == "delete":
                yield from self._removal(removed)
            else:
                written = self._after.written(after.start + new_start - 1, after.start + new_end - 1)
                yield from self._exchange(self._own_number(before.start + start - 1), removed, written)

    def _exchange(self, previous: int, removed: list[int], written: str) -> Iterator[_Splice]:
        """Write a text behind a token, in the place of those that follow it."""
        start = self._own.all[previous].end
        last = self._own.all[removed[-1] if removed else previous]
        if removed != list(range(previous + 1, previous + 1 + len(removed))) or "#" in self._between(previous, removed):
            raise UnsureError  # a comment would be lost
        if written.lstrip().startswith(","):  # in brackets, where lines mean nothing
            written = re.sub(r"\n\s*", " ", written).lstrip()
        if written.endswith(",") and not self._own.text[last.end : last.end + 1].isspace():
            written += " "
        head, line_end, below = written.partition("\n")
        yield _Splice(start, last.end, head)
        if line_end:
            _, end = self._own.span(last.last_line)  # behind the comment that stands in this line
            if self._own.text[last.end : end].lstrip()[:1] not in ("", "#"):
                raise UnsureError
            yield _Splice(end, end, (line_end + below).replace("\n", self._line_end))

    def _between(self, previous: int, numbers: list[int]) -> str:
        """Return all that stands between these tokens and is none."""
        pairs = pairwise([previous, *numbers])
        return "".join(self._own.text[self._own.all[one].end : self._own.all[other].start] for one, other in pairs)

    def _removal(self, numbers: list[int]) -> Iterator[_Splice]:
        """Take tokens out of their lines; comments between them stay."""
        text = self._own.text
        runs: list[list[int]] = []
        for number in numbers:
            if runs and number == runs[-1][-1] + 1 and not self._between(runs[-1][-1], [number]).strip():
                runs[-1].append(number)
            else:
                runs.append([number])
        for run in runs:
            start, end = self._own.all[run[0]].start, self._own.all[run[-1]].end
            before, behind = text[:start].rpartition("\n")[2], text[end:].partition("\n")[0]
            if not before.strip() and not behind.strip():
                yield self._without_line(*self._own.span(self._own.all[run[0]].first_line))
            elif before[-1:] in ("[", "{") and not behind.lstrip().startswith("#"):
                yield _Splice(start, end + len(behind) - len(behind.lstrip()), "")
            else:
                yield _Splice(start - len(before) + len(before.rstrip()) if before.strip() else start, end, "")


def _meanings(tokens: _Tokens) -> list[tuple[str, ...]]:
    return [token.meaning for token in tokens.all]


def _aligned(before: Sequence[Any], own: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of the tokens that are the same in both texts.

    The texts differ little and seldom, so they are walked through side by side: difflib would take a second for
    1,000 elements of a list, which have thousands of tokens in common.
    """
    number, own_number = 0, 0
    while number < len(before) and own_number < len(own):
        if before[number] == own[own_number]:
            yield number, own_number
            number, own_number = number + 1, own_number + 1
        else:
            number, own_number = _next_agreement(before, own, number, own_number)


def _next_agreement(before: Sequence[Any], own: Sequence[Any], number: int, own_number: int) -> tuple[int, int]:
    for distance in range(1, _FARTHEST):
        for skipped in range(distance + 1):
            start, own_start = number + skipped, own_number + distance - skipped
            agreeing = before[start : start + _AGREEING]
            if agreeing and agreeing == own[own_start : own_start + _AGREEING]:
                return start, own_start
    return len(before), len(own)


Difference = tuple[str, int, int, int, int]


def differences(before: Sequence[Any], after: Sequence[Any]) -> list[Difference]:
    """Return the steps from one sequence to another, as difflib does, which looks only at what is not the same."""
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    rest = min(len(before), len(after)) - same
    end = 0
    while end < rest and before[len(before) - 1 - end] == after[len(after) - 1 - end]:
        end += 1
    middle, new_middle = before[same : len(before) - end], after[same : len(after) - end]
    return [
        (operation, same + start, same + stop, same + new_start, same + new_stop)
        for operation, start, stop, new_start, new_stop in SequenceMatcher(
            None, middle, new_middle, autojunk=False
        ).get_opcodes()
        if operation != "equal"
    ]
