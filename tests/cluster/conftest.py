"""The fixtures of the tests that need a cluster. It is started once, when the first of them runs."""

import re
from collections.abc import Iterator
from zlib import crc32

import pytest

from ..peers import crds, peer
from . import standins
from .acksecretmanager import AckSecretManager
from .controlplane import PEERS, Cluster
from .programs import Program, ended_with_parent, free_ports, starter


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The one cluster of a test run. pytest-xdist gives all tests of the group "cluster" to one worker."""
    for name in PEERS:
        peer(name)
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def vault_secrets_operator(cluster: Cluster) -> Iterator[None]:
    """Vault Secrets Operator, from the first test that needs it."""
    cluster.kubectl("apply", "--server-side", f"--filename={crds('vault-secrets-operator')}")
    cluster.kubectl("create", "namespace", "vault-secrets-operator-system")
    cluster.apply(standins.manager("vault-secrets-operator-controller-manager", "vault-secrets-operator-system"))
    metrics, probes = free_ports(2)
    threads = starter()
    command = [
        peer("vault-secrets-operator"),
        "--leader-elect=false",
        f"--metrics-bind-address=127.0.0.1:{metrics}",
        f"--health-probe-bind-address=127.0.0.1:{probes}",
        "--backoff-initial-interval=200ms",
        "--kube-client-qps=100",
        "--kube-client-burst=200",
    ]
    program = Program(
        "vault-secrets-operator",
        ended_with_parent(command),
        environment={
            "KUBECONFIG": str(cluster.controllers_kubeconfig),
            "OPERATOR_NAMESPACE": "vault-secrets-operator-system",
        },
        log=cluster.folder / "vault-secrets-operator.log",
        starter=threads,
    )
    program.start()
    yield
    program.stop()
    threads.shutdown()


@pytest.fixture
def ack_secret_manager(cluster: Cluster) -> Iterator[AckSecretManager]:
    """The stand-in for ack-secret-manager. Its kinds go with it: they have the names of External Secrets Operator's."""
    controller = AckSecretManager(cluster)
    yield controller
    controller.close()


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own, named after it; a sum makes long names, and those of two modules, differ."""
    cluster.revive(standins.EXTERNAL_SECRETS.name)
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    name = f"{words[:50].strip('-')}-{crc32(request.node.nodeid.encode()):08x}"
    cluster.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name
