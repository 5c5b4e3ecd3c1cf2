"""Rules of a declaration applied to a value; what breaks one is named, never shown."""

from collections.abc import Iterator

from ..model.declaration import Rules
from ..sensitive import Sensitive


def broken(rules: Rules | None, value: Sensitive) -> Iterator[str]:
    """What a value should be and is not, as `minLength: 32`; lengths are in bytes."""
    if rules is None:
        return
    length = len(value.reveal())
    if rules.min_length is not None and length < rules.min_length:
        yield f"minLength: {rules.min_length}"
    if rules.max_length is not None and length > rules.max_length:
        yield f"maxLength: {rules.max_length}"
