"""HTTPS on 127.0.0.1: a thread for each connection, its TLS handshake included; connections are kept alive."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from .answers import Answer, Request


class Reply(NamedTuple):
    """What goes out, and how much of it."""

    answer: Answer
    sent: Literal["whole", "nothing", "half", "garbled"] = "whole"


class Server(ThreadingHTTPServer):
    """Asks `respond` for each reply; what `respond` waits for holds up its own connection only."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, respond: Callable[[Request], Reply], context: Callable[[], ssl.SSLContext]) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.respond = respond
        self.connections = 0
        self._context = context
        self._open: set[ssl.SSLSocket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, the connections that are kept alive too."""
        self.shutdown()
        self.server_close()
        self._thread.join()
        for connection in list(self._open):
            _end(connection)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, then answer until either side ends the connection."""
        self.connections += 1
        try:
            connection = self._context().wrap_socket(request, server_side=True)
        except OSError:  # the client went away, for instance since it does not know the CA
            return
        self._open.add(connection)
        try:
            with contextlib.suppress(OSError):  # a client that was killed amid an answer
                super().finish_request(connection, client_address)
        finally:
            self._open.discard(connection)
            _end(connection)
            connection.close()


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet; with two, and Nagle's algorithm, each answer takes 40 ms
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _exchange(self) -> None:
        target = urlsplit(self.path)
        reply = self.server.respond(
            Request(
                method=self.command,
                path=target.path.rstrip("/"),
                query=dict(parse_qsl(target.query)),
                headers=self.headers,  # type: ignore[arg-type]  # a Message: get ignores the case of names
                body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            )
        )
        if reply.sent == "nothing":
            self.close_connection = True
            return
        content = b"" if reply.answer.status == 204 else reply.answer.content
        if reply.sent == "garbled":
            content = content[: len(content) // 2]
        self.send_response(reply.answer.status)
        for name, value in reply.answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.answer.content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if reply.sent == "half":
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = _exchange


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
