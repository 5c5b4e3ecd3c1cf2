"""Whether a change has arrived in its Secret: four outcomes, and waiting for many at once.

Nothing here compares clocks. What was before our write is known by what the API server returned for the write: the
object's generation and status, and the resourceVersions of the Events that existed then.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from ..frozen import Record
from ..model.kubernetes import Object
from .api import Api, Refused, Unreachable
from .resources import EVENTS, Resources

# A controller gets this long to mend a failure by its own retries before it is reported as one.
SETTLING_SECONDS = 2.0
State = Literal["arrived", "failed", "never", "unknown"]


class Outcome(Record):
    """What became of a change.

    `never` is said of what the controller will not look at again; `cause` then holds the way out. `unknown` means that
    no answer came in time. `changed` says whether the Secret's values are other ones than before, and `changed_keys`
    which, as far as that is known. A dry run that can't tell leaves that `undecided`. `version` tells this Secret from
    any later one.
    """

    state: State
    cause: str = ""
    changed: bool = False
    changed_keys: Sequence[str] = ()
    undecided: bool = False
    version: str = ""


def deleted(kind: str) -> Outcome:
    """Return what became of an object that is gone, or is another one of its name."""
    return Outcome(state="failed", cause=f"somebody deleted the {kind}")


def unanswered(controller: str) -> Outcome:
    """Return that a controller said nothing in time."""
    question = "is it running, and does it serve this namespace?"
    return Outcome(state="unknown", cause=f"{controller} did not answer: {question}")


class Deadline:
    """When waiting ends, however many steps it has; without seconds it never does."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds if seconds else 0.0

    @property
    def left(self) -> float:
        """The seconds that are left; a moment at least, since 0 stands for no end."""
        return max(self._end - time.monotonic(), 0.1) if self._end else 0.0


class View(Record):
    """What one look at the cluster showed: the objects of a kind by name, and their Events by the object's UID."""

    objects: Mapping[str, Object]
    events: Mapping[str, Sequence[Object]]

    def new_events(self, uid: str, before: Mapping[str, str], *reasons: str) -> list[Object]:
        """Return Events that appeared or were counted up. Their own resourceVersion tells; times have whole seconds."""
        return [
            event
            for event in self.events.get(uid, ())
            if event.get("reason") in reasons
            and before.get(event["metadata"]["uid"]) != event["metadata"]["resourceVersion"]
        ]

    def event_versions(self, uid: str) -> dict[str, str]:
        """Return the resourceVersions of an object's Events by their UIDs."""
        return {event["metadata"]["uid"]: event["metadata"]["resourceVersion"] for event in self.events.get(uid, ())}


class Expectation(Protocol):
    """One change that is waited for."""

    def look(self, view: View) -> Outcome | None:
        """Return the outcome, or None as long as there is none."""

    def give_up(self, view: View) -> Outcome:
        """Return what is known when the time is over."""


def view(api: Api, resources: Resources, kind: str, namespace: str) -> View:
    """Look at all objects of a kind in a namespace. Without the right to read Events there are none."""
    objects = api.all(resources.among(namespace))
    events = events_of(api, namespace, f"involvedObject.kind={kind}")
    return View(objects={live["metadata"]["name"]: live for live in objects}, events=events)


def events_of(api: Api, namespace: str, fields: str) -> dict[str, list[Object]]:
    """Return the Events that a field selector means, by the UIDs of their objects; none without the right to list."""
    try:
        events = api.all(EVENTS.among(namespace), {"fieldSelector": fields})
    except Refused as refused:
        if refused.status != 403:
            raise
        events = []
    by_uid: dict[str, list[Object]] = {}
    for event in events:
        by_uid.setdefault(event["involvedObject"].get("uid", ""), []).append(event)
    return by_uid


def wait(
    expectations: Mapping[str, Expectation],
    look: Callable[[], View],
    timeout: float,
    report: Callable[[str, Outcome], None],
    waiting: Callable[[Sequence[str]], None] = lambda _names: None,
) -> dict[str, Outcome]:
    """Look again and again until each expectation has its outcome, or the time is over; 0 is no limit.

    Before each pause `waiting` gets the names that are left. A server that is away for a while is asked again. Raises
    Refusal where it refuses, or never answered.
    """
    end = time.monotonic() + timeout if timeout else float("inf")
    outcomes: dict[str, Outcome] = {}
    pause = 0.05
    while len(outcomes) < len(expectations):
        over = time.monotonic() > end
        try:
            seen = look()
            for name, expectation in expectations.items():
                if name in outcomes:
                    continue
                outcome = expectation.look(seen) or (expectation.give_up(seen) if over else None)
                if outcome:
                    outcomes[name] = outcome
                    report(name, outcome)
        except (Unreachable, Refused) as error:
            if over or (isinstance(error, Refused) and not error.is_temporary):
                raise
        if len(outcomes) == len(expectations):
            break
        waiting([name for name in expectations if name not in outcomes])
        time.sleep(pause)
        pause = min(pause * 1.5, 1)
    return outcomes


class Failure:
    """A failure that is believed only when the controller's own retries have not mended it."""

    def __init__(self) -> None:
        self._since, self.cause = float("inf"), ""

    def note(self, cause: str) -> None:
        """Note that there is a failure now."""
        self._since, self.cause = min(self._since, time.monotonic()), cause

    def lasts(self) -> bool:
        """Whether there has been a failure for some time."""
        return time.monotonic() - self._since > SETTLING_SECONDS


def condition(status: Object, type_: str) -> Object:
    """Return a condition of a status; empty if it has none of the type."""
    conditions: Iterable[Object] = status.get("conditions") or ()
    return next((entry for entry in conditions if entry.get("type") == type_), {})
