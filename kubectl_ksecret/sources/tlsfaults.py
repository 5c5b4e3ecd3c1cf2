"""What is wrong with a server's certificate, though its CA is trusted, by the words of OpenSSL and of Python's ssl."""

from collections.abc import Mapping
from typing import Literal

Kind = Literal["other-host", "certificate-expired", "not-yet-valid"]

_KINDS: Mapping[str, Kind] = {
    "Hostname mismatch": "other-host",
    "IP address mismatch": "other-host",
    "certificate has expired": "certificate-expired",
    "certificate is not yet valid": "not-yet-valid",
}
# What is behind the server's name in a message, and the hint.
REPORTS: Mapping[str, tuple[str, str]] = {
    "other-host": (
        ": its certificate is for another host",
        "name the server as its certificate does; a proxy on the way may be at fault",
    ),
    "certificate-expired": (": its certificate has expired", "renew it, or correct the clock of this machine"),
    "not-yet-valid": (": its certificate is not valid yet", "correct the clock of this machine"),
}


def kind(text: str) -> Kind | None:
    """Return what the text of an error says of a certificate; None where it is about something else."""
    return next((kind for words, kind in _KINDS.items() if words in text), None)
