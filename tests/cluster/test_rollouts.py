"""Rollouts of Argo: restarted by spec.restartAt, and waited for until Argo says that all pods are new ones."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
VERSION = "argoproj.io/v1alpha1"
# The fields that matter here, as Argo's own definition has them; observedGeneration is text there.
STATUS = {
    "type": "object",
    "properties": {
        "observedGeneration": {"type": "string"},
        "phase": {"type": "string"},
        "restartedAt": {"type": "string", "format": "date-time"},
    },
}
SPEC = {
    "type": "object",
    "properties": {
        "paused": {"type": "boolean"},
        "restartAt": {"type": "string", "format": "date-time"},
        "template": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "rollouts.argoproj.io"},
    "spec": {
        "group": "argoproj.io",
        "names": {"kind": "Rollout", "listKind": "RolloutList", "plural": "rollouts", "singular": "rollout"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": SPEC, "status": STATUS},
                    }
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def argo(cluster: Cluster) -> Iterator[None]:
    """Argo's Rollouts are served; the tests of other modules don't have them."""
    cluster.apply(DEFINITION)
    cluster.kubectl("wait", "--for=condition=Established", "crd/rollouts.argoproj.io", "--timeout=30s")
    yield
    cluster.kubectl("delete", "crd", "rollouts.argoproj.io")


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str, argo: None) -> Shop:
    """A plain Secret that a Rollout reads, and another one does not."""
    shop = Shop(tmp_path, cluster, namespace)
    shop.secret_overlay()
    shop.values(token="one", password="p")
    assert shop.ksecret("sync", "manual").code == 0
    for name, secret in {"reader": "app", "other": "mail"}.items():
        environment = [{"secretRef": {"name": secret}}]
        template = {"spec": {"containers": [{"name": "main", "image": "main", "envFrom": environment}]}}
        metadata = {"name": name, "namespace": namespace}
        cluster.apply({"apiVersion": VERSION, "kind": "Rollout", "metadata": metadata, "spec": {"template": template}})
    return shop


def report(shop: Shop, **status: Any) -> None:
    """Write the status of the Rollout, as Argo's controller does."""
    patch = json.dumps({"status": status})
    shop.kubectl("patch", "rollout", "reader", "--subresource=status", "--type=merge", f"--patch={patch}")


@pytest.mark.parametrize("phase", ["Healthy", "Paused"])
def test_a_rollout_restarts_at_a_time_and_is_done_when_argo_says_so(shop: Shop, phase: str) -> None:
    """One that waits at a step of its strategy has new pods all the same."""
    shop.values(token="two", password="p")
    restarted = threading.Event()

    def play_argo() -> None:
        while not restarted.wait(0.1):
            live = shop.object("rollout", "reader")
            if at := live["spec"].get("restartAt"):
                report(shop, observedGeneration=str(live["metadata"]["generation"]), restartedAt=at, phase=phase)
                return

    thread = threading.Thread(target=play_argo)
    thread.start()
    done = shop.ksecret("sync", "manual", "--timeout=20s")
    restarted.set()
    thread.join()
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1:] == ["rollout.argoproj.io/reader restarted"]
    assert "restartAt" not in shop.object("rollout", "other")["spec"]


def test_a_rollout_that_argo_does_not_restart_is_not_called_restarted(shop: Shop) -> None:
    report(shop, observedGeneration="1", phase="Healthy")
    shop.values(token="two", password="p")
    done = shop.ksecret("sync", "manual", "--timeout=1s")
    assert done.code == 1
    assert "error: rollout.argoproj.io/reader failed: the roll-out is not complete: it was restarted" in done.err
