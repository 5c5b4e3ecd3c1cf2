"""How often a request to Key Vault is made again: a vault that throttles is waited out by time, all else by count."""

import time
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import RetryPolicy

from . import patience
from .patience import Throttling, asked_for

_THROTTLED = 429


class Patience(RetryPolicy[Any, Any]):
    """The SDK's policy, which would wait as long as a vault asks for and give up by count, with limits in time."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._throttling = Throttling(url)

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Return whether the SDK makes a request again: a throttled one is made again by `send` below."""
        return response.http_response.status_code != _THROTTLED and super().is_retry(settings, response)

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send a request until the vault no longer throttles it, for a minute at most."""
        options = dict(request.context.options)  # the SDK takes out what it reads
        deadline, attempt = time.monotonic() + patience.PATIENCE, 0
        while True:
            response = super().send(request)
            attempt += 1
            if response.http_response.status_code != _THROTTLED:
                return response
            asked = asked_for(response.http_response.headers.get("Retry-After", ""))
            if not self._throttling.wait(attempt, deadline, asked):
                return response
            request.context.options.clear()
            request.context.options.update(options)
