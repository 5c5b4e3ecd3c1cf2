"""A stand-in for a cluster with ack-secret-manager, as its source (0.5.8) says that it works: no build can be had.

It serves what `sync` asks for. When the specification of an ExternalSecret changes, and then alone, the Secret of its
name is made of what `kms` holds: a value that is missing there is left out.
"""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .mockapi import kubeconfig

_EXTERNAL = "/apis/alibabacloud.com/v1alpha1/namespaces/shop-prod/externalsecrets"
_SECRETS = "/api/v1/namespaces/shop-prod/secrets"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/shop-prod/deployments"


class AckManager:
    """The cluster; `kms` is what KMS holds by name, `runs` whether the operator does, `delay` how long it takes."""

    def __init__(self, folder: Path, server: str) -> None:
        self.kubeconfig = str(kubeconfig(folder, server))
        self.kms: dict[str, str] = {}
        self.runs, self.delay = True, 0.0
        self.objects: dict[str, dict[str, Any]] = {}
        self._version = 0

    def put(self, path: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Store an object as an API server does, with a version, and a generation that counts the specifications."""
        self._version += 1
        before = self.objects.get(path, {})
        stored = _merged(before, patch)
        touched = before.get("spec") != stored.get("spec")
        stored["metadata"] |= {
            "uid": path,
            "resourceVersion": str(self._version),
            "generation": before.get("metadata", {}).get("generation", 0) + touched,
        }
        if "status" in stored:
            stored["status"] |= {"observedGeneration": stored["metadata"]["generation"]}
        self.objects[path] = stored
        if path.startswith(_EXTERNAL) and touched and self.runs:
            if self.delay:
                threading.Timer(self.delay, self._copy, [stored]).start()
            else:
                self._copy(stored)
        return stored

    def secret(self, name: str) -> dict[str, str]:
        """The data of a Secret."""
        data: dict[str, str] = self.objects[f"{_SECRETS}/{name}"]["data"]
        return data

    def _copy(self, external: dict[str, Any]) -> None:
        entries = [entry for entry in external["spec"]["data"] if entry["key"] in self.kms]
        data = {entry["name"]: b64encode(self.kms[entry["key"]].encode()).decode() for entry in entries}
        path = f"{_SECRETS}/{external['metadata']['name']}"
        if self.objects.get(path, {}).get("data") != data:
            metadata = {"name": external["metadata"]["name"], "namespace": "shop-prod"}
            self.put(path, {"kind": "Secret", "type": external["spec"]["type"], "metadata": metadata, "data": data})

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return an object, or all below a path."""
        if path in self.objects:
            return 200, self.objects[path]
        if path.count("/") > _EXTERNAL.count("/") or (path.startswith(_SECRETS) and path != _SECRETS):
            return 404, {"kind": "Status", "reason": "NotFound", "message": "not found"}
        return 200, {"items": [value for name, value in self.objects.items() if name.startswith(f"{path}/")]}


def _merged(before: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Return an object with what a patch states; a list is replaced as a whole."""
    merged = dict(before)
    for field, value in patch.items():
        both = isinstance(value, dict) and isinstance(before.get(field), dict) and field != "data"
        merged[field] = _merged(before[field], value) if both else value
    return merged


@contextmanager
def ack_manager(folder: Path) -> Iterator[AckManager]:
    """Run the stand-in until the end of the block, with a Deployment that reads the Secret `app`."""
    running: dict[str, AckManager] = {}

    class Exchange(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(*running["it"].answer(self.path.partition("?")[0]))

        def do_PATCH(self) -> None:
            fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(200, running["it"].put(self.path.partition("?")[0], fields))

        def _reply(self, status: int, body: dict[str, Any]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    running["it"] = AckManager(folder, f"http://127.0.0.1:{server.server_port}")
    reads = {"name": "app", "envFrom": [{"secretRef": {"name": "app"}}]}
    running["it"].put(
        f"{_DEPLOYMENTS}/reader",
        {
            "kind": "Deployment",
            "metadata": {"name": "reader", "namespace": "shop-prod"},
            "spec": {"replicas": 0, "template": {"metadata": {}, "spec": {"containers": [reads]}}},
            "status": {"replicas": 0},
        },
    )
    try:
        yield running["it"]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
