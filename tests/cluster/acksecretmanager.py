"""ack-secret-manager in the test cluster: its kinds, and a stand-in for its controller, of which no build can be had.

As its source (0.5.8) says, it looks at an ExternalSecret whose generation is new, writes no status and no Event, and
leaves a value out that KMS does not have.
"""

import json
import threading
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from ..test_ack_secret_manager import SCHEMAS
from .controlplane import Cluster

GROUP = "alibabacloud.com"
_PLURALS = {"ExternalSecret": "externalsecrets", "SecretStore": "secretstores"}


class AckSecretManager:
    """The controller; `values` is what KMS holds by name."""

    def __init__(self, cluster: Cluster) -> None:
        self.values: dict[str, str] = {}
        self._cluster, self._closing = cluster, threading.Event()
        self._seen: dict[str, int] = {}
        cluster.apply(*(_definition(kind) for kind in _PLURALS))
        for plural in _PLURALS.values():
            cluster.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{GROUP}", "--timeout=30s")
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look at nothing any more, and take the kinds away."""
        self._closing.set()
        self._thread.join()
        self._cluster.kubectl("delete", "crd", *(f"{plural}.{GROUP}" for plural in _PLURALS.values()))

    def _follow(self) -> None:
        while not self._closing.wait(0.3):
            try:
                items = json.loads(self._cluster.get(f"/apis/{GROUP}/v1alpha1/externalsecrets", "controllers"))["items"]
            except OSError:
                continue
            for live in items:
                uid, generation = live["metadata"]["uid"], live["metadata"]["generation"]
                if self._seen.get(uid) != generation:
                    self._copy(live)
                    self._seen[uid] = generation

    def _copy(self, live: Mapping[str, Any]) -> None:
        entries = [entry for entry in live["spec"]["data"] if entry["key"] in self.values]
        data = {entry["name"]: b64encode(self.values[entry["key"]].encode()).decode() for entry in entries}
        metadata = {field: live["metadata"][field] for field in ("name", "namespace")}
        self._cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def _definition(kind: str) -> dict[str, Any]:
    """Return the definition of a kind; a real schema has no `additionalProperties: false`, which holds everywhere."""
    plural = _PLURALS[kind]
    schema = {"type": "object", "properties": {"spec": _structural(SCHEMAS[kind])}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    # By the singular kubectl finds those of External Secrets Operator in other tests.
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": f"ack{kind.lower()}"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _structural(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {field: _structural(value) for field, value in schema.items() if field != "additionalProperties"}
    return [_structural(element) for element in schema] if isinstance(schema, tuple | list) else schema
