"""What the double says over HTTP, and the real services' way to say no."""

import json
from collections.abc import Mapping
from typing import NamedTuple


class Request(NamedTuple):
    """A request as the double read it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """An answer in JSON, or the page of something else on the way."""

    status: int
    body: Mapping[str, object] | str
    headers: Mapping[str, str] = {}

    @property
    def content(self) -> bytes:
        """What is sent."""
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()

    @property
    def content_type(self) -> str:
        """Of what is sent."""
        return f"{'text/html' if isinstance(self.body, str) else 'application/json'}; charset=utf-8"

    @property
    def carries_value(self) -> bool:
        """A secret's value is in it; a listing has a `value` too, which is a list."""
        return isinstance(self.body, Mapping) and isinstance(self.body.get("value"), str)


class Refusal(Exception):
    """The vault refuses; it carries the answer in Key Vault's own shape."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.answer = refusal(status, code, message, inner)


def refusal(status: int, code: str, message: str, inner: str | None = None) -> Answer:
    """The answer in which Key Vault says no: a code, and for a 403 or 409 the reason in `innererror`."""
    error: dict[str, object] = {"code": code, "message": message}
    if inner is not None:
        error["innererror"] = {"code": inner}
    return Answer(status, {"error": error})
