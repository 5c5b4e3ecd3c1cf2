"""How a value may stand in a file: as it is, in base64, or URL-encoded."""

import base64
import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

from ..sensitive import Sensitive

How = Literal["as it is", "in base64", "URL-encoded"]

LEAST_BYTES = 8
_WORD = re.compile(rb"[A-Za-z]{1,15}")


def forms(value: Sensitive) -> Iterator[tuple[bytes, How]]:
    """Return the texts to look for; none for a value so short or common that it stands in files by chance."""
    content = value.reveal().strip()
    if len(content) < LEAST_BYTES or _WORD.fullmatch(content):
        return
    yield content, "as it is"
    # `echo VALUE | base64` is how many a Secret was made.
    for whole in dict.fromkeys((value.reveal(), content, content + b"\n")):
        for encoded in (base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
            yield encoded.rstrip(b"="), "in base64"
    for safe in ("", "/"):
        if (encoded := quote(content, safe=safe).encode()) != content:
            yield encoded, "URL-encoded"
