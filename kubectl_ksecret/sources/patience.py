"""How long a service that throttles is waited for: by time, and not by count."""

import logging
import re
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PATIENCE = 60.0  # seconds for one request; Key Vault counts in windows of 10
LONGEST_PAUSE = 30.0
SHORTEST_PAUSE = 0.25
_NOTICE_EVERY = 10.0

# The command line shows these lines on a terminal, and nobody elsewhere.
_log = logging.getLogger("kubectl_ksecret.sources")


class Throttling:
    """Waits between the attempts of requests that a service throttles; one for all that run side by side.

    A throttled request was not carried out, so a write is made again as well.
    """

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._lock, self._noticed = threading.Lock(), 0.0

    def wait(self, attempt: int, deadline: float, asked: float) -> bool:
        """Wait for as long as the service asks, or longer each time, and return whether there is time for an attempt.

        `attempt` counts from 1, `deadline` is on the monotonic clock.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        pause = min(max(asked or 2.0 ** min(attempt - 1, 5), SHORTEST_PAUSE), LONGEST_PAUSE, left)
        self._notice(pause)
        time.sleep(pause)
        return True

    def _notice(self, pause: float) -> None:
        """Say once for all requests that run side by side why nothing happens."""
        with self._lock:
            now = time.monotonic()
            if self._noticed and now - self._noticed < _NOTICE_EVERY:
                return
            self._noticed = now
        _log.info("%s is throttling: trying again in %d s, for a minute at most", self._shown, max(round(pause), 1))


def asked_for(retry_after: str) -> float:
    """Return the seconds that a service asks to wait, in Retry-After as a number or a date; 0 if it does not say."""
    if re.fullmatch(r"\s*[0-9]+(\.[0-9]+)?\s*", retry_after):  # float() would take "nan" and "inf", too
        return float(retry_after)
    try:
        return max((parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0
