"""Evaluates templates; what External Secrets Operator does live, byte for byte."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from ..model.template import Parts
from ..sensitive import Sensitive


def _urlencode(value: bytes) -> bytes:
    return quote(value, safe="").encode()


_FILTERS: Mapping[str, Callable[[bytes], bytes]] = {"urlencode": _urlencode}


def evaluate(parts: Parts, values: Mapping[str, Sensitive], parameters: Mapping[str, str]) -> Sensitive:
    """The resolved value. Every key, input and parameter that the template names must be there."""
    resolved = b""
    for part in parts:
        if isinstance(part, str):
            resolved += part.encode()
            continue
        value = parameters[part.name].encode() if part.parameter else values[part.name].reveal()
        for name in part.filters:
            value = _FILTERS[name](value)
        resolved += value
    return Sensitive(resolved)
