"""A double of an API server behind which a Sealed Secrets controller opens what its key opens."""

import json
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kubectl_ksecret.backends.sealedsecret import bound_to, scope_of
from kubectl_ksecret.sealing import sealedsecret

from .projects import Sealing

SERVICE = "/api/v1/namespaces/kube-system/services"
PROXY = f"{SERVICE}/http:sealed-secrets:http/proxy"
NOT_FOUND = {"kind": "Status", "reason": "NotFound"}


class Server(ThreadingHTTPServer):
    """Answers with the objects at their paths, and as the controller of the Helm chart."""

    def __init__(self, key: Sealing) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hold(key)
        self.objects: dict[str, Any] = {
            "/apis/bitnami.com/v1alpha1": {"resources": [{"name": "sealedsecrets"}]},
            f"{SERVICE}/sealed-secrets": {"spec": {"ports": [{"name": "http"}]}},
        }
        self.certificate = key.certificate
        self.asked: list[Mapping[str, Any]] = []

    def hold(self, key: Sealing) -> None:
        """Take another key to open with; the certificate that it gives stays."""
        private_key = load_pem_private_key(key.private_key, None)
        assert isinstance(private_key, RSAPrivateKey)
        self.private_key = private_key

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == f"{PROXY}/v1/cert.pem":
            self._answer(200, self.server.certificate)
        elif path in self.server.objects:
            self._answer(200, json.dumps(self.server.objects[path]).encode())
        else:
            self._answer(404, json.dumps(NOT_FOUND).encode())

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(document)
        metadata = document["metadata"]
        _, label = bound_to(scope_of(document), metadata["namespace"], metadata["name"])
        try:
            for text in document["spec"]["encryptedData"].values():
                sealedsecret.unseal(b64decode(text), [self.server.private_key], label)
        except ValueError:
            self._answer(409, b"")
        else:
            self._answer(200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def sealing_controller(key: Sealing) -> Iterator[Server]:
    """Run the double in a thread."""
    with Server(key) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
