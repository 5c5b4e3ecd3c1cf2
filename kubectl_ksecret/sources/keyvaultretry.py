"""How often a request to Key Vault is made again: a vault that throttles is waited out by time, all else by count."""

import logging
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import RetryPolicy

PATIENCE = 60.0  # seconds for one request; Key Vault counts in windows of 10
LONGEST_PAUSE = 30.0
SHORTEST_PAUSE = 0.25
_THROTTLED = 429
_NOTICE_EVERY = 10.0

# The command line shows these lines on a terminal, and nobody elsewhere.
_log = logging.getLogger("kubectl_ksecret.sources")


class Patience(RetryPolicy[Any, Any]):
    """The SDK's policy, which would wait as long as a vault asks for and give up by count, with limits in time."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._url = url
        self._lock, self._noticed = threading.Lock(), 0.0

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Return whether the SDK makes a request again: a throttled one is made again by `send` below."""
        return response.http_response.status_code != _THROTTLED and super().is_retry(settings, response)

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send a request until the vault no longer throttles it, for a minute at most.

        A throttled request was not carried out, so a write is made again as well.
        """
        options = dict(request.context.options)  # the SDK takes out what it reads
        deadline, attempt = time.monotonic() + PATIENCE, 0
        while True:
            response = super().send(request)
            left = deadline - time.monotonic()
            if response.http_response.status_code != _THROTTLED or left <= 0:
                return response
            attempt += 1
            pause = min(max(_asked_for(response) or 2.0 ** min(attempt - 1, 5), SHORTEST_PAUSE), LONGEST_PAUSE, left)
            self._notice(pause)
            time.sleep(pause)
            request.context.options.clear()
            request.context.options.update(options)

    def _notice(self, pause: float) -> None:
        """Say once for all requests that run side by side why nothing happens."""
        with self._lock:
            now = time.monotonic()
            if self._noticed and now - self._noticed < _NOTICE_EVERY:
                return
            self._noticed = now
        _log.info("%s is throttling: trying again in %d s, for a minute at most", self._url, max(round(pause), 1))


def _asked_for(response: PipelineResponse[Any, Any]) -> float:
    """Return the seconds that a vault asks to wait, given as a number or as a date; 0 if it does not say."""
    text = response.http_response.headers.get("Retry-After", "")
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0
