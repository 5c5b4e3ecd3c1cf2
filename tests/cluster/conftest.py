"""The fixtures of the tests that need a cluster. It is started once, when the first of them runs."""

import re
from collections.abc import Iterator
from zlib import crc32

import pytest

from ..peers import peer
from .controlplane import PEERS, Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The one cluster of a test run. pytest-xdist gives all tests of the group "cluster" to one worker."""
    for name in PEERS:
        peer(name)
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own, named after it; a sum makes long names differ."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    name = f"{words[:50].strip('-')}-{crc32(request.node.name.encode()):08x}"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name
