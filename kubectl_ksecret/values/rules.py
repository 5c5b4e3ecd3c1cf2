"""Rules of a declaration applied to a value; what breaks one is named, never shown."""

from collections.abc import Iterable, Iterator
from typing import Any

import re2

from ..errors import Mistake, shown
from ..model.resolution import Environment
from ..model.types.declaration import Rules
from ..sensitive import Sensitive
from . import formats


def broken(rules: Rules | None, value: Sensitive) -> Iterator[str]:
    """Find what a value should be and is not, as `minLength: 32`; lengths are in bytes."""
    if rules is None:
        return
    content = value.reveal()
    if rules.min_length is not None and len(content) < rules.min_length:
        yield f"minLength: {rules.min_length}"
    if rules.max_length is not None and len(content) > rules.max_length:
        yield f"maxLength: {rules.max_length}"
    if rules.pattern is not None and _compiled(rules.pattern).search(content) is None:
        yield f"pattern: {shown(rules.pattern)}"
    if rules.format is not None and not formats.has(rules.format, content):
        yield f"format: {rules.format}"


def pattern_mistakes(environments: Iterable[Environment]) -> Iterator[Mistake]:
    """Patterns that RE2 can't read. Ask before any value is read: `broken` takes them for granted."""
    for environment in environments:
        for declaration in environment.declarations.values():
            for key in declaration.spec.entries.values():
                if key.rules is not None and key.rules.pattern is not None:
                    yield from _pattern_mistakes(key.rules, key.rules.pattern)


def _pattern_mistakes(rules: Rules, pattern: str) -> Iterator[Mistake]:
    try:
        _compiled(pattern)
    except re2.error as error:
        reason = shown(error.args[0].decode(errors="replace"))
        lookaround = reason.startswith(("invalid perl operator", "invalid escape sequence", "invalid named"))
        hint = "RE2 has no lookaround and no backreferences" if lookaround else ""
        yield Mistake(f"not a regular expression of RE2: {reason}", rules.origin.at("pattern"), hint)


def _compiled(pattern: str) -> Any:
    # RE2 takes time linear in the value, whatever pattern a stranger's pull request holds; it keeps what it compiled.
    options = re2.Options()
    options.log_errors = False  # it would write the pattern to standard error by itself
    return re2.compile(pattern.encode(), options)
