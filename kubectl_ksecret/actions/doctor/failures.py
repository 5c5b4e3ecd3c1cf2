"""Why External Secrets Operator fails with an object: by its Events, or by the controller's log where they run out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from ...cluster.api import Refused
from ...cluster.arrival import condition
from ...cluster.messages import names_of, scrubbed
from ...cluster.resources import PODS
from ...frozen import Record
from ...model.kubernetes import Object
from .examination import Examination
from .operator import EXTERNAL_SECRETS_OPERATOR

# Where the operator signs in to Azure: the hosts that its SDK knows, which stand in no store.
AUTHORITIES = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
    }
)
# Longer than any controller repeats itself within a refresh interval, and read in one request.
_LINES = 2000


class _LoggedError(Record):
    """An error in the controller's log. `message` may hold values."""

    time: datetime
    message: str


class LastFailure(Record):
    """Why an object fails, free of values. `hints` name the rights without which more can't be found out."""

    cause: str
    hints: Sequence[str] = ()


def last_failure(examination: Examination, live: Object, reasons: Sequence[str]) -> LastFailure:
    """Return the last failure of an object, from its Events or from the controller's log, whichever is newer.

    Events are gone after an hour, and after 25 of one object there are no more for a while.
    """
    refusals: list[Refused] = []
    events: list[Object] = []
    error = None
    try:
        events = [event for event in examination.events(live) if event.get("reason") in reasons]
    except Refused as refused:
        refusals.append(refused)
    try:
        error = _logged_error(examination, live)
    except Refused as refused:
        refusals.append(refused)
    names = names_of(live) | hosts_of(live) | AUTHORITIES
    if events and (error is None or not _before(events[-1].get("lastTimestamp"), error.time)):
        return LastFailure(cause=scrubbed(events[-1]["message"], names))
    if error:
        return LastFailure(cause=f"{scrubbed(error.message, names)} (from the controller's log)")
    message = scrubbed(condition(live.get("status") or {}, "Ready").get("message") or "", names)
    if not refusals:
        return LastFailure(cause=f"{message}; no Event and no line of the controller's log says more")
    mistakes = [refused.mistakes[0] for refused in refusals]
    return LastFailure(
        cause="; ".join((message, *(mistake.message for mistake in mistakes))),
        hints=[mistake.hint for mistake in mistakes if mistake.hint],
    )


def hosts_of(live: Object) -> frozenset[str]:
    """Return the hosts of the URLs in an object's spec, with and without their ports, as Go names them."""
    hosts = set()
    for word in names_of(live):
        if word.startswith(("https://", "http://")):
            with suppress(ValueError):
                hosts |= {urlsplit(word).netloc, urlsplit(word).hostname or ""}
    return frozenset(hosts)


def _before(stamp: object, time: datetime) -> bool:
    """Whether an Event is older than a line of the log; Events have whole seconds."""
    try:
        return moment(str(stamp)) + timedelta(seconds=1) < time
    except ValueError:
        return True


def _logged_error(examination: Examination, live: Object) -> _LoggedError | None:
    """Return the last error about an object in the controller's log, if there is one."""
    lines = [line for pod in EXTERNAL_SECRETS_OPERATOR.pods(examination) for line in _log(examination, pod)]
    metadata = live["metadata"]
    names = (metadata.get("namespace", ""), metadata["name"])
    errors = [error for line in lines if names in set(_subjects(line)) and (error := _error(line))]
    return max(errors, key=lambda error: error.time, default=None)


def _log(examination: Examination, pod: Object) -> Iterator[Mapping[str, Any]]:
    """Yield the structured lines of a pod's log."""
    metadata, containers = pod["metadata"], [container["name"] for container in pod["spec"]["containers"]]
    # A mesh adds containers of its own, after the pod's.
    parameters = {"tailLines": str(_LINES), "container": containers[0]}
    for line in examination.text(PODS.among(metadata["namespace"], metadata["name"], "log"), parameters).splitlines():
        if '"level":"error"' not in line:
            continue
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            yield content


def _subjects(line: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the namespaces and names of the objects that a line is about."""
    for field in (line, *line.values()):
        if isinstance(field, dict) and isinstance(field.get("name"), str):
            yield str(field.get("namespace") or ""), field["name"]


def _error(line: Mapping[str, Any]) -> _LoggedError | None:
    message = line.get("error")
    return _LoggedError(time=_time(line.get("ts")), message=message) if isinstance(message, str) else None


def _time(stamp: object) -> datetime:
    """Return the time of a line. The operator writes it as its flag --zap-time-encoding says, by default in seconds."""
    try:
        if isinstance(stamp, int | float):
            while stamp > 1e11:  # milliseconds or nanoseconds
                stamp /= 1000
            return datetime.fromtimestamp(stamp, UTC)
        return moment(str(stamp))
    except (ValueError, OverflowError, OSError):
        return datetime.min.replace(tzinfo=UTC)


def moment(text: str) -> datetime:
    """Return a time that a controller wrote. Raises ValueError for what is none."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
