"""A stand-in for a cluster and its operators, as far as `sync` asks for them, which fails in the way that a test wants.

It stores what is applied as an API server does, as far as that matters here: versions, generations, managedFields. The
operators look at an object as soon as its specification has changed, which of External Secrets Operator an annotation
is enough for; what they say about it is what the real ones write. Of ack-secret-manager no build can be had, so that
this is all there is to try it with: written after its source (0.5.8).
"""

import copy
import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kubectl_ksecret.backends.sealedsecret import bound_to, scope_of
from kubectl_ksecret.sealing import sealedsecret

from .mockapi import kubeconfig
from .projects import sealing

Object = dict[str, Any]
NAMESPACE = "shop-prod"
_SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
_DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
# So many parts has the path of a list.
_PARTS = {"api": 6, "apis": 7}
# What happens to one write. `lost` is carried out, and its answer never comes; from `gone` on nobody answers; `denied`
# is what a webhook says, to every write of that object; `busy` and `conflict` pass when the write is made again.
Fault = Literal["lost", "gone", "denied", "busy", "overloaded", "conflict"]
_PASSING = ("busy", "overloaded", "conflict")
_ANSWERS: Mapping[str, tuple[int, str]] = {
    "busy": (429, "TooManyRequests"),
    "overloaded": (503, "ServiceUnavailable"),
    "conflict": (409, "Conflict"),
    "denied": (403, "Forbidden"),
}


class Restart(NamedTuple):
    """A restart of a workload, and what the Secrets held then."""

    workload: str
    values: Mapping[str, Mapping[str, str]]


class MockCluster:
    """The cluster; `values` is what the vaults hold by remote name.

    `runs` says whether the operators do, and `delay` how long they take.
    """

    def __init__(self, folder: Path, server: str) -> None:
        self.kubeconfig = str(kubeconfig(folder, server))
        self.values: dict[str, str] = {}
        self.runs, self.delay = True, 0.0
        self.objects: dict[str, Object] = {}
        self.restarts: list[Restart] = []
        self.writes: list[str] = []
        self._faults: Mapping[int, Sequence[Fault]] = {}
        self._denied: tuple[str, ...] = ()
        self._tried = 0
        self.gone = False
        self._version = 0
        self._operators: Mapping[str, Callable[[Object], None]] = {
            "/apis/external-secrets.io/": self._external_secrets,
            "/apis/bitnami.com/": self._sealed_secrets,
            "/apis/secrets.hashicorp.com/": self._vault_secrets,
            "/apis/alibabacloud.com/": self._ack_secret_manager,
        }
        metadata = {"name": NAMESPACE, "namespace": NAMESPACE}
        self.put(f"/api/v1/namespaces/{NAMESPACE}", {"kind": "Namespace", "metadata": metadata})

    def workload(self, name: str, secret: str) -> None:
        """Let a Deployment read a Secret. It has no pods, so that a roll-out is complete at once."""
        container = {"name": "main", "envFrom": [{"secretRef": {"name": secret}}]}
        spec = {"replicas": 0, "template": {"metadata": {}, "spec": {"containers": [container]}}}
        metadata = {"name": name, "namespace": NAMESPACE}
        fields = {"kind": "Deployment", "metadata": metadata, "spec": spec, "status": {"replicas": 0}}
        self.put(f"{_DEPLOYMENTS}/{name}", fields)

    def put(self, path: str, patch: Object, manager: str = "operator") -> Object:
        """Store an object, and return it as it was before an operator looked; None for a field removes it."""
        self._version += 1
        before = self.objects.get(path, {})
        stored = _merged(before, patch)
        touched = before.get("spec") != stored.get("spec")
        generation = before.get("metadata", {}).get("generation", 0) + touched
        stored["metadata"] |= {"uid": path, "resourceVersion": str(self._version), "generation": generation}
        if before.get("data") != stored.get("data"):
            written: Object = {f"f:{key}": {} for key in stored.get("data", {})}
            time = f"2026-01-01T{self._version // 3600:02}:{self._version // 60 % 60:02}:{self._version % 60:02}Z"
            entry = {"manager": manager, "operation": "Apply", "time": time, "fieldsV1": {"f:data": written}}
            stored["metadata"]["managedFields"] = [entry]
        if path.startswith(_DEPLOYMENTS):
            stored["status"] |= {"observedGeneration": generation}
            if before and touched:
                self.restarts.append(Restart(stored["metadata"]["name"], self.secrets()))
        self.objects[path] = stored
        annotations = stored["metadata"].get("annotations") != before.get("metadata", {}).get("annotations")
        answer = copy.deepcopy(stored)
        if self.runs and (touched or (annotations and "/external-secrets.io/" in path)):
            if self.delay:
                threading.Timer(self.delay, self.look, [path]).start()
            else:
                self.look(path)
        return answer

    def look(self, path: str = "") -> None:
        """Let the operators look at an object, or at all."""
        for name in [path] if path else [*self.objects]:
            for group, operator in self._operators.items():
                if name.startswith(group):
                    operator(self.objects[name])

    def secret(self, name: str) -> dict[str, str]:
        """The data of a Secret."""
        data: dict[str, str] = self.objects[f"{_SECRETS}/{name}"]["data"]
        return data

    def secrets(self) -> dict[str, dict[str, str]]:
        """The values of all Secrets by their names."""
        return {
            path.removeprefix(f"{_SECRETS}/"): {key: b64decode(text).decode() for key, text in live["data"].items()}
            for path, live in self.objects.items()
            if path.startswith(_SECRETS)
        }

    def fail(self, at: int, *faults: Fault) -> None:
        """Let the write of this number fail, counted from now on, once for each fault; 0 is every one."""
        self.writes.clear()
        self._faults, self._denied = {at: faults}, ()
        self._tried, self.gone = 0, False

    def deny(self, end: str) -> None:
        """Let a webhook refuse every write of the objects whose paths end so."""
        self._denied = (end,)

    def recover(self) -> None:
        """Let nothing fail any more."""
        self.fail(0)

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Put all back as it was at the end of the block."""
        objects, values = copy.deepcopy(self.objects), dict(self.values)
        yield
        self.objects, self.values = objects, values
        self.recover()
        self.restarts.clear()

    def fault(self, path: str) -> Fault | None:
        """Return what happens to a write."""
        pending = self._faults.get(len(self.writes) + 1, self._faults.get(0, ()))
        fault = pending[self._tried] if self._tried < len(pending) else None
        if fault in _PASSING:
            self._tried += 1
            return fault
        self._tried = 0
        self.writes.append(path)
        if fault == "denied":
            self._denied = (path,)
        self.gone = self.gone or fault == "gone"
        return "gone" if self.gone else "denied" if path.endswith(self._denied) else fault

    def answer(self, path: str) -> tuple[int, Object]:
        """Return an object, or all below a path."""
        if path in self.objects:
            return 200, self.objects[path]
        parts = path.split("/")
        if len(parts) != _PARTS.get(parts[1]):
            return 404, {"kind": "Status", "reason": "NotFound", "message": "not found"}
        return 200, {"items": [value for name, value in self.objects.items() if name.startswith(f"{path}/")]}

    def _write(self, maker: Object, name: str, data: Mapping[str, str], **metadata: Any) -> None:
        """Make a Secret, if it is to hold other values than it does."""
        encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
        path = f"{_SECRETS}/{name}"
        owner = {"apiVersion": maker["apiVersion"], "kind": maker["kind"], "name": maker["metadata"]["name"]}
        stated = {"name": name, "namespace": NAMESPACE, "ownerReferences": [owner], **metadata}
        before = self.objects.get(path, {})
        annotations = before.get("metadata", {}).get("annotations")
        if before.get("data") != encoded or metadata.get("annotations", annotations) != annotations:
            self.put(path, {"kind": "Secret", "type": "Opaque", "metadata": stated, "data": encoded})

    def _external_secrets(self, live: Object) -> None:
        ready = {"type": "Ready", "status": "True", "reason": "SecretSynced"}
        if live["kind"] == "SecretStore":
            live["status"] = {"conditions": [ready]}
            return
        if live["spec"].get("refreshPolicy") == "CreatedOnce" and "status" in live:
            return
        data = {entry["secretKey"]: self.values[entry["remoteRef"]["key"]] for entry in live["spec"]["data"]}
        self._write(live, live["spec"]["target"].get("name", live["metadata"]["name"]), data)
        version = f"{live['metadata']['generation']}-{self._version}"
        live["status"] = {"conditions": [ready], "syncedResourceVersion": version}

    def _sealed_secrets(self, live: Object) -> None:
        key = load_pem_private_key(sealing(1).private_key, None)
        assert isinstance(key, RSAPrivateKey)
        _, label = bound_to(scope_of(live), NAMESPACE, live["metadata"]["name"])
        encrypted = live["spec"]["encryptedData"]
        data = {name: sealedsecret.unseal(b64decode(text), [key], label).reveal() for name, text in encrypted.items()}
        annotations = live["spec"]["template"]["metadata"]["annotations"]
        texts = {name: value.decode() for name, value in data.items()}
        self._write(live, live["metadata"]["name"], texts, annotations=annotations)
        synced = {"type": "Synced", "status": "True"}
        live["status"] = {"conditions": [synced], "observedGeneration": live["metadata"]["generation"]}

    def _vault_secrets(self, live: Object) -> None:
        if live["kind"] != "VaultStaticSecret":
            live["status"] = {"valid": True}
            return
        destination = live["spec"]["destination"]
        data = {key: self.values[key] for key in destination["transformation"]["templates"]}
        self._write(live, destination["name"], data)
        live["status"] = {"lastGeneration": live["metadata"]["generation"]}

    def _ack_secret_manager(self, live: Object) -> None:
        """A value that is missing is left out, and whatever else the Secret holds is overwritten."""
        if live["kind"] == "SecretStore":
            return
        entries = [entry for entry in live["spec"]["data"] if entry["key"] in self.values]
        data = {entry["name"]: self.values[entry["key"]] for entry in entries}
        self._write(live, live["metadata"]["name"], data)


def _merged(before: Object, patch: Object) -> Object:
    """Return an object with what a patch states; a list, and what a Secret holds, is replaced as a whole."""
    merged = dict(before)
    for field, value in patch.items():
        whole = field in ("data", "encryptedData", "templates")
        both = isinstance(value, dict) and isinstance(before.get(field), dict) and not whole
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = _merged(before[field], value) if both else value
    return merged


class _Exchange(BaseHTTPRequestHandler):
    """One request to the stand-in that the server serves."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        if self.server.cluster.gone:
            self._hang_up()
        else:
            self._reply(*self.server.cluster.answer(self.path.partition("?")[0]))

    def do_PATCH(self) -> None:
        cluster, path = self.server.cluster, self.path.partition("?")[0]
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = cluster.fault(path)
        if fault is not None and fault in _ANSWERS:
            code, reason = _ANSWERS[fault]
            message = f'admission webhook "policy.example.org" denied the request: {json.dumps(fields)}'
            self._reply(code, {"kind": "Status", "reason": reason, "message": message})
            return
        if fault != "gone":
            stored = cluster.put(path, fields, manager="ksecret")
        if fault is None:
            self._reply(200, stored)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True

    def _reply(self, status: int, body: Object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status in (429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    """The server of one stand-in."""

    daemon_threads = True
    cluster: MockCluster


@contextmanager
def mock_cluster(folder: Path) -> Iterator[MockCluster]:
    """Run the stand-in until the end of the block, with a Deployment that reads the Secret `app`."""
    with _Server(("127.0.0.1", 0), _Exchange) as server:
        server.cluster = MockCluster(folder, f"http://127.0.0.1:{server.server_port}")
        server.cluster.workload("reader", "app")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.cluster
        finally:
            server.shutdown()
            thread.join()
