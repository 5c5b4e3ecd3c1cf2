"""The audit log of the API server: who asked for what."""

import json
from pathlib import Path
from typing import NamedTuple


class Request(NamedTuple):
    """A request as the log has it."""

    user: str
    verb: str
    uri: str
    status: int


def requests(path: Path, since: int) -> list[Request]:
    """Return what was asked after a byte of the log."""
    with path.open("rb") as log:
        log.seek(since)
        events = [json.loads(line) for line in log if line.endswith(b"\n")]
    return [
        Request(
            event["user"].get("username", ""),
            event["verb"],
            event["requestURI"],
            event.get("responseStatus", {}).get("code", 0),
        )
        for event in events
    ]
