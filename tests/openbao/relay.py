"""An HTTP relay in front of a real server: it delays, cuts off, garbles or refuses what a test plans."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from ..keyvault.answers import Request
from ..keyvault.faults import Cut, Faults, Garble, Refuse


class Seen(NamedTuple):
    """A request that reached the relay."""

    method: str
    path: str
    time: float
    """Of its arrival, on the monotonic clock."""


class Relay:
    """A relay of its own for each test, from `with` to its end."""

    def __init__(self, url: str) -> None:
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.meanwhile: Callable[[str, str], None] | None = None
        """What somebody else does before a request, given by its method and path, reaches the server."""
        self.most_at_once = 0
        self._at_once, self._counting = 0, threading.Lock()
        self._ended = threading.Event()
        self._target = urlsplit(url).netloc
        relay = self

        class Exchange(_Exchange):
            def answer(self) -> None:
                relay._answer(self)

        self._server = _Server(("127.0.0.1", 0), Exchange)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def asked(self, method: str, part: str) -> list[str]:
        """Return the paths that were asked for by a method and hold a text."""
        return [seen.path for seen in self.requests if seen.method == method and part in seen.path]

    def _answer(self, exchange: "_Exchange") -> None:
        url = urlsplit(exchange.path)
        body = exchange.rfile.read(int(exchange.headers.get("Content-Length") or 0))
        headers: Any = exchange.headers
        request = Request(exchange.command, url.path, dict(parse_qsl(url.query)), headers, body)
        self.requests.append(Seen(request.method, request.path, time.monotonic()))
        with self._counting:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            delay, fault = self.faults.met(request)
            self._ended.wait(delay)
            if isinstance(fault, Refuse):
                answer = fault.answer
                exchange.send(answer.status, {"Content-Type": answer.content_type, **answer.headers}, answer.content)
            elif not isinstance(fault, Cut) or fault.when != "before":
                self._pass_on(exchange, body, fault)
            else:
                exchange.close_connection = True
        finally:
            with self._counting:
                self._at_once -= 1

    def _pass_on(self, exchange: "_Exchange", body: bytes, fault: Cut | Garble | None) -> None:
        if self.meanwhile is not None:
            self.meanwhile(exchange.command, exchange.path)
        connection = exchange.upstream(self._target)
        headers = {
            name: value for name, value in exchange.headers.items() if name.lower() not in ("host", "connection")
        }
        connection.request(exchange.command, exchange.path, body or None, headers)
        response = connection.getresponse()
        content = response.read()
        if isinstance(fault, Cut) and fault.when == "after":
            exchange.close_connection = True
            return
        kept = {
            name: value for name, value in response.getheaders() if name in ("Content-Type", "Retry-After", "Location")
        }
        if isinstance(fault, Garble):
            content = content[: len(content) // 2]
        exchange.send(response.status, kept, content, cut=isinstance(fault, Cut))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    disable_nagle_algorithm = True
    _upstream: HTTPConnection | None = None

    def upstream(self, target: str) -> HTTPConnection:
        """Return the connection to the server that goes with the client's."""
        if self._upstream is None:
            self._upstream = HTTPConnection(target, timeout=30)
            self._upstream.connect()
            self._upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._upstream

    def answer(self) -> None:
        raise NotImplementedError

    def send(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        if self._upstream is not None:
            self._upstream.close()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _exchange(self) -> None:
        self.answer()

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = _exchange
