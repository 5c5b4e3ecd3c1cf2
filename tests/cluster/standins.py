"""Objects that stand in the cluster for programs that run outside of it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

NODE = "fake"


class StandIn(NamedTuple):
    """A StatefulSet of one pod and a Service, both named `name`, that stand for a controller.

    The service proxy takes only an endpoint with a pod behind it and an address that is not loopback. kwok gives the
    pod such an address, and the relay knows on which port the program really listens.
    """

    name: str
    namespace: str
    port: int

    @property
    def pod(self) -> str:
        """The name of the only pod."""
        return f"{self.name}-0"

    @property
    def proxy(self) -> str:
        """The path of the controller's HTTP server behind the API server."""
        return f"/api/v1/namespaces/{self.namespace}/services/http:{self.name}:http/proxy"

    def objects(self) -> dict[str, dict[str, Any]]:
        """Return the objects to create, by the paths of their kinds."""
        labels = {"app.kubernetes.io/name": self.name}
        metadata = {"name": self.name, "namespace": self.namespace, "labels": labels}
        container = {"name": "main", "image": self.name, "ports": [{"containerPort": self.port, "name": "http"}]}
        service = {"selector": labels, "ports": [{"name": "http", "port": self.port}]}
        template = {"metadata": {"labels": labels}, "spec": {"nodeName": NODE, "containers": [container]}}
        pods = {"serviceName": self.name, "selector": {"matchLabels": labels}, "template": template}
        namespace, namespaced = {"name": self.namespace}, f"namespaces/{self.namespace}"
        return {
            "/api/v1/namespaces": {"apiVersion": "v1", "kind": "Namespace", "metadata": namespace},
            f"/api/v1/{namespaced}/services": {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": service,
            },
            f"/apis/apps/v1/{namespaced}/statefulsets": {
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "metadata": metadata,
                "spec": pods,
            },
        }

    def logs(self, log: Path) -> dict[str, Any]:
        """Return the object by which kwok serves the program's log as the pod's."""
        return {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "Logs",
            "metadata": {"name": self.pod, "namespace": self.namespace},
            "spec": {"logs": [{"containers": ["main"], "logsFile": str(log)}]},
        }


SEALED_SECRETS = StandIn("sealed-secrets-controller", "kube-system", 8080)
EXTERNAL_SECRETS = StandIn("external-secrets", "external-secrets", 8082)
ALL = (SEALED_SECRETS, EXTERNAL_SECRETS)


def manager(name: str, namespace: str) -> dict[str, Any]:
    """Return a Deployment that stands for Vault Secrets Operator; what becomes of its pod, the program does not see."""
    labels = {"app.kubernetes.io/name": "vault-secrets-operator"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "manager", "image": "none"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def node() -> dict[str, Any]:
    """Return the only node, which kwok looks after."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "annotations": {"kwok.x-k8s.io/node": "fake"}},
    }


def text(objects: list[dict[str, Any]]) -> str:
    """Return objects as a file of many documents."""
    return "\n---\n".join(json.dumps(document) for document in objects)
