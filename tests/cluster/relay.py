"""The API server's way to pods that are really programs on 127.0.0.1.

The proxies of an API server refuse loopback addresses, and it dials kubelets and webhooks by their addresses in the
cluster. With an EgressSelectorConfiguration all of these connections go through one HTTP CONNECT proxy: the relay.
"""

import socket
import threading
from pathlib import Path


class Relay:
    """An HTTP CONNECT proxy on a Unix socket. `routes` maps the port of a pod to the port of the program behind it."""

    def __init__(self, path: Path) -> None:
        self.routes: dict[int, int] = {}
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no further connection."""
        # Closing alone would not wake the thread that waits in accept.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(connection,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        """Read one CONNECT request and join both sides. Whatever host it names, the program is on 127.0.0.1."""
        with client, client.makefile("rb") as lines:
            request = lines.readline().split()
            while lines.readline().strip():
                pass
            if len(request) < 2:
                return
            port = int(request[1].rpartition(b":")[2])
            try:
                server = socket.create_connection(("127.0.0.1", self.routes.get(port, port)))
            except OSError:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                return
            with server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                answers = threading.Thread(target=_copy, args=(server, client), daemon=True)
                answers.start()
                _copy(client, server)
                answers.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Hand bytes over until one of the sides is closed."""
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
