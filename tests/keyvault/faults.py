"""What can go wrong on the way to a secret, and for which requests it does.

```python
vault.faults.add(no_role(), *LISTINGS)                          # get is allowed, list is not
vault.faults.add(throttled(retry_after=1), beyond_per_second=200)
met = vault.faults.add(cut("after"), "PUT /secrets/jwt-key", times=1)
…
assert met.count == 1
```
"""

import re
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from .answers import Answer, Request, refusal

LISTINGS = ("GET /secrets", "GET /secrets/*/versions")
_CALLER = "appid=11111111-1111-1111-1111-111111111111;oid=22222222-2222-2222-2222-222222222222;iss=https://sts.test/"


@dataclass(frozen=True)
class Refuse:
    """This answer, and the vault is not asked."""

    answer: Answer


@dataclass(frozen=True)
class Stall:
    """The vault does what it is asked; the answer is late by these seconds."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """The connection ends: before the vault did anything, after it did but unanswered, or amid the answer."""

    when: Literal["before", "after", "within"]


@dataclass(frozen=True)
class Garble:
    """The vault does what it is asked; its answer arrives as half a JSON text, with nothing wrong in its headers."""


Fault = Refuse | Stall | Cut | Garble


def token_refused() -> Refuse:
    """401: the vault does not accept the token, say of another tenant."""
    return Refuse(
        refusal(401, "Unauthorized", "AKV10032: Invalid issuer. Expected one of https://sts.test/, found another.")
    )


def no_role() -> Refuse:
    """403 of a vault with Azure's roles."""
    message = (
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
        f"definitions were changed recently, please observe propagation time.\r\nCaller: {_CALLER}\r\n"
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\nAssignment: (not found)\r\n"
        "DenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: double;location=westeurope\r\n"
    )
    return Refuse(refusal(403, "Forbidden", message, inner="ForbiddenByRbac"))


def no_policy() -> Refuse:
    """403 of a vault with access policies."""
    message = (
        f"The user, group or application '{_CALLER}' does not have secrets get permission on key vault "
        "'double;location=westeurope'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287"
    )
    return Refuse(refusal(403, "Forbidden", message, inner="AccessDenied"))


def firewall() -> Refuse:
    """403: the vault does not accept the client's address."""
    message = (
        "Client address is not authorized and caller is not a trusted service.\r\nClient address: 203.0.113.7\r\n"
        f"Caller: {_CALLER}\r\nVault: double;location=westeurope"
    )
    return Refuse(refusal(403, "Forbidden", message, inner="ForbiddenByFirewall"))


def not_found() -> Refuse:
    """404, whatever the vault holds."""
    return Refuse(refusal(404, "SecretNotFound", "A secret with (name/id) it was not found in this key vault."))


def throttled(retry_after: float | None = 1) -> Refuse:
    """429; the real vault often leaves Retry-After out. A fraction of a second is the double's own, for short tests."""
    answer = refusal(
        429,
        "Throttled",
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
    )
    return Refuse(answer if retry_after is None else answer._replace(headers={"Retry-After": f"{retry_after:g}"}))


def broken(status: Literal[500, 502, 503, 504] = 503) -> Refuse:
    """The service itself fails."""
    return Refuse(refusal(status, "InternalServerError", "An internal error occurred. Please retry your request."))


def stall(seconds: float) -> Stall:
    """A late answer; longer than the client's read timeout, it is one that never comes."""
    return Stall(seconds)


def cut(when: Literal["before", "after", "within"] = "before") -> Cut:
    """A cut connection; `after` on a PUT leaves a new version of which the client does not learn."""
    return Cut(when)


def garbled() -> Garble:
    """Half a JSON text under a 200: the SDK's message quotes it, the beginning of a value included."""
    return Garble()


@dataclass
class Planned:
    """A fault, the requests that it meets, and how many it has met."""

    fault: Fault
    patterns: list[re.Pattern[str]]
    times: int | None
    after: int
    rate: "Rate | None"
    count: int = 0
    _passed: int = 0

    def meets(self, request: Request) -> bool:
        """The fault happens to this request, and is counted."""
        if self.times is not None and self.count >= self.times:
            return False
        if not any(pattern.fullmatch(f"{request.method} {request.path}") for pattern in self.patterns):
            return False
        if self._passed < self.after or (self.rate is not None and self.rate.allows(time.monotonic())):
            self._passed += 1
            return False
        self.count += 1
        return True


@dataclass
class Rate:
    """A token bucket that holds one second's requests."""

    per_second: float
    _tokens: float = field(init=False)
    _filled: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._tokens = max(1.0, self.per_second)

    def allows(self, now: float) -> bool:
        """There is a token for this request."""
        if self._filled:
            self._tokens = min(max(1.0, self.per_second), self._tokens + (now - self._filled) * self.per_second)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Faults:
    """The faults that are planned, in the order in which they were added."""

    def __init__(self) -> None:
        self.latency = 0.0
        """Seconds that every answer takes, the authority's too."""
        self.unknown_ca = False
        """New connections get a certificate of a CA that the client does not know."""
        self._lock = threading.Lock()
        self._planned: list[Planned] = []

    def add(
        self,
        fault: Fault,
        *requests: str,
        times: int | None = None,
        after: int = 0,
        beyond_per_second: float | None = None,
    ) -> Planned:
        """Plan a fault for requests such as "GET /secrets/*", where * is within and ** across segments of a path.

        Without any it is for all of the vault; the authority's are named: "POST /adfs/**". It begins after
        so many requests that are spared, happens so many times, or to those alone that exceed the rate.
        """
        rate = None if beyond_per_second is None else Rate(beyond_per_second)
        patterns = [_pattern(request) for request in requests or ("* /secrets", "* /secrets/**")]
        planned = Planned(fault, patterns, times, after, rate)
        with self._lock:
            self._planned.append(planned)
        return planned

    def clear(self) -> None:
        """All is well again."""
        with self._lock:
            self._planned.clear()
        self.latency = 0.0
        self.unknown_ca = False

    def met(self, request: Request) -> tuple[float, Refuse | Cut | Garble | None]:
        """The delay of this request's answer, and the first fault that decides it."""
        delay = self.latency
        with self._lock:
            for planned in self._planned:
                if planned.meets(request):
                    if not isinstance(planned.fault, Stall):
                        return delay, planned.fault
                    delay += planned.fault.seconds
        return delay, None


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*?)", text)
    wild = {"*": "[^/]*", "**": ".*"}
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts), re.IGNORECASE)
