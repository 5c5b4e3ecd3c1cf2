"""What a user gives on the command line: files, Secret manifests, or one value on standard input or at a prompt."""

import sys
from typing import TYPE_CHECKING

import click

from ..errors import InputError, Mistake
from ..sensitive import Sensitive
from ..sources import GivenSecrets, secretfile
from ..values.lines import without_line_end

if TYPE_CHECKING:
    from ..actions.seal import TypedSource


def source(_context: click.Context, _parameter: click.Parameter, text: str | None) -> "TypedSource | None":
    """Return a source that is typed as dotenv=FILE or environment."""
    from ..actions.seal import TypedSource

    if text is None:
        return None
    kind, _, path = text.partition("=")
    if kind == "dotenv" and path:
        return TypedSource(dotenv=path)
    if text == "environment":
        return TypedSource(dotenv=None)
    raise click.BadParameter("expected dotenv=FILE or environment")


def secrets(filename: str) -> GivenSecrets:
    """Return the Secrets in a file, or on standard input where it is `-`."""
    return secretfile.parse(piped_or_content(filename), "standard input" if filename == "-" else filename)


def piped_or_content(filename: str) -> bytes:
    """Return the content of a file that the user names, or of standard input where it is `-`."""
    return _piped() if filename == "-" else content(filename)


def content(filename: str) -> bytes:
    """Return the content of a file that the user names; it may lie anywhere."""
    try:
        with open(filename, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(Mistake(f"{filename}: {error.strerror}")) from None


def value(addresses: tuple[str, ...]) -> GivenSecrets:
    """Return the value of the one addressed key; on a terminal it is asked for without echo."""
    secret, _, key = addresses[0].partition("/")
    return GivenSecrets(values={secret: {key: one(addresses[0])}})


def refuse_several(addresses: tuple[str, ...]) -> None:
    """Raises UsageError if it is not one key that is addressed."""
    if len(addresses) != 1 or "/" not in addresses[0]:
        raise click.UsageError("--from-stdin takes the value of one key: name it as SECRET/KEY.")


def one(address: str) -> Sensitive:
    """Return the value of the key at an address, without the line end that a pipe puts behind it."""
    asked = sys.stdin is not None and sys.stdin.isatty()
    return Sensitive(without_line_end(_typed(address) if asked else _piped()))


def _piped() -> bytes:
    if sys.stdin is None:  # as a shell closes it with <&-
        raise InputError(Mistake("standard input is closed", hint="pipe the values in"))
    return sys.stdin.buffer.read()


def _typed(address: str) -> bytes:
    try:
        text: str = click.prompt(f"Value of {address}", hide_input=True, confirmation_prompt="The same again", err=True)
        return text.encode()
    except UnicodeError:
        raise InputError(Mistake("what was typed is not UTF-8", hint="pipe the value in")) from None
