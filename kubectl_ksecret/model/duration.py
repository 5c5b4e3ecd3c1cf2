"""Durations in the form in which Go prints them.

External Secrets Operator reads `1h` and writes `1h0m0s` back when it adds its finalizer. It owns the field from then
on, and the next server-side apply of another form would be a conflict.
"""

import re

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SECOND = _UNITS["s"]


def in_go_form(duration: str) -> str:
    """Return a duration, such as 90m, as Go's Duration.String() prints it: 1h30m0s."""
    parts = re.findall(r"([0-9]+)(?:\.([0-9]+))?(ns|us|µs|ms|s|m|h)", duration)
    nanoseconds = sum(_nanoseconds(whole, decimals, unit) for whole, decimals, unit in parts)
    if 0 < nanoseconds < _SECOND:
        unit = next(unit for unit in ("ms", "µs", "ns") if nanoseconds >= _UNITS[unit])
        return _decimal(nanoseconds, _UNITS[unit]) + unit
    minutes, rest = divmod(nanoseconds, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _nanoseconds(whole: str, decimals: str, unit: str) -> int:
    """Return one part of a duration; Go cuts off what is less than a nanosecond."""
    part = int(decimals or 0) * _UNITS[unit] // int("1" + "0" * len(decimals))
    return int(whole) * _UNITS[unit] + part


def _decimal(nanoseconds: int, unit: int) -> str:
    """Return a number of units without zeros at its end."""
    whole, rest = divmod(nanoseconds, unit)
    decimals = f"{rest * 10**9 // unit:09d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)
