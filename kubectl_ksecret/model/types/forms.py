"""What a text of the API is called, and what it looks like."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple


class Form(NamedTuple):
    """What a text is called and what it looks like; stands in `Annotated[str, Form(…)]`."""

    what: str
    pattern: str = ""
    max_length: int = 0
    hint: str = ""

    def fits(self, text: str) -> bool:
        """Whether a text has this form."""
        return not self.is_too_long(text) and (not self.pattern or fullmatch(self.pattern)(text) is not None)

    def is_too_long(self, text: str) -> bool:
        """Whether only its length is wrong, or that too."""
        return 0 < self.max_length < len(text)


class OneOf:
    """The records of which exactly one stands in a field, by the names under which they do.

    Stands in `Annotated[Base, OneOf(…)]`. The mapping is looked up when a file is read, never before, so that a record
    that is added to it later is read as well.
    """

    def __init__(self, members: Mapping[str, type]) -> None:
        self.members = members


@cache
def fullmatch(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """Compile a pattern when a text asks for it: most are never asked for."""
    return re.compile(pattern).fullmatch
