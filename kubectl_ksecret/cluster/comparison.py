"""Objects compared as far as a file states them: what a server or a controller fills in is no difference."""

from itertools import zip_longest
from typing import Any

from ..model.kubernetes import Object
from ..model.types.names import seconds

# Maps whose names people choose: nothing fills them in, so that a name too many is a difference.
_CHOSEN_NAMES = ("encryptedData", "data")


def as_far_as(stated: Any, live: Any, field: str = "") -> Any:
    """Return of a live value what the stated one speaks of, in the stated form where both mean the same.

    What is left out is filled in by a server, but for the maps whose names people choose, and lists. What is stated and
    empty a controller leaves out when it writes the object itself, as ESO does when it adds its finalizer.
    """
    if isinstance(stated, dict) and isinstance(live, dict):
        names = live if field in _CHOSEN_NAMES else [name for name in live if name in stated]
        lost = {name: value for name, value in stated.items() if name not in live and _is_empty(value)}
        return {name: as_far_as(stated.get(name), live[name], name) for name in names} | lost
    if isinstance(stated, list) and isinstance(live, list):
        pairs = zip_longest(stated, live)
        return [as_far_as(element, live_element) for element, live_element in pairs if live_element is not None]
    if isinstance(stated, str) and isinstance(live, str) and _same_duration(stated, live):
        return stated
    return live


def has_form(live: Object, manifest: Object) -> bool:
    """Whether a live object has the specification of a manifest."""
    stated = manifest.get("spec") or {}
    return bool(as_far_as(stated, live.get("spec") or {}) == stated)


def _is_empty(value: Any) -> bool:
    """Whether a value is an empty mapping or list, or a mapping of nothing else."""
    return value in ({}, []) or (isinstance(value, dict) and all(map(_is_empty, value.values())))


def _same_duration(one: str, other: str) -> bool:
    """Whether two texts are the same time, such as 1h and 1h0m0s, which is how ESO writes it anew."""
    return one[-1:] in "hms" and other[-1:] in "hms" and 0 < seconds(one) == seconds(other)
