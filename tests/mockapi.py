"""A mock of an API server, which answers as a test says: for faults that a real server shows only when it is broken."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kmock
from kmock._internal.rendering import Response

# The answer of a server that has too much to do, and says when to ask again.
OVERLOADED = Response(status=429, headers={"Retry-After": "0"}, payload={"kind": "Status", "reason": "TooManyRequests"})


@contextmanager
def mock_api(folder: Path) -> Iterator[tuple[Any, Path]]:
    """Run kmock in a thread with an event loop of its own; yields its handler, and a kubeconfig that leads to it.

    What no test mocks is an error of the server.
    """
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    running: dict[str, Any] = {}

    async def serve() -> None:
        async with kmock.RawHandler() as handler, kmock.Server(handler) as server:
            running.update(handler=handler, url=str(server.url))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        ready.wait(10)
        yield running["handler"], kubeconfig(folder, running["url"])
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def kubeconfig(folder: Path, server: str, **user: Any) -> Path:
    """Write a kubeconfig for a server and a user."""
    path = folder / "kubeconfig"
    fields = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mock",
        "clusters": [{"name": "mock", "cluster": {"server": server}}],
        "users": [{"name": "mock", "user": user or {"token": "mock-token"}}],
        "contexts": [{"name": "mock", "context": {"cluster": "mock", "user": "mock"}}],
    }
    path.write_text(json.dumps(fields))
    return path
