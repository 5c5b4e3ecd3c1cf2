"""The test cluster itself: what the tests of live commands build on works as on any cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from ..peers import ROOT, peer, run
from .controlplane import Cluster
from .standins import EXTERNAL_SECRETS, SEALED_SECRETS, StandIn

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]


def kubeseal(cluster: Cluster, *arguments: str, stdin: str | None = None) -> str:
    return run(peer("kubeseal"), f"--kubeconfig={cluster.kubeconfig}", *arguments, input=stdin)


def value(cluster: Cluster, namespace: str, secret: str, key: str) -> str:
    """Wait for a key of a Secret, which a controller makes, and return its value."""
    end = time.monotonic() + 30
    path = f"{{.data.{key}}}"
    while time.monotonic() < end:
        flags = (f"--namespace={namespace}", "--ignore-not-found", f"--output=jsonpath={path}")
        if encoded := cluster.kubectl("get", "secret", secret, *flags):
            return b64decode(encoded).decode()
        time.sleep(0.1)
    raise AssertionError(f"{namespace}/{secret} has no {key}")


def test_kubeseal_fetches_the_certificate_and_seals_for_the_controller_under_its_default_name(
    cluster: Cluster, namespace: str
) -> None:
    assert kubeseal(cluster, "--fetch-cert") == cluster.sealing_certificate()
    metadata = {"name": "app", "namespace": namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": "sealed"}}
    sealed = kubeseal(cluster, "--format=json", stdin=json.dumps(secret))
    cluster.apply(json.loads(sealed))
    assert value(cluster, namespace, "app", "token") == "sealed"


def test_external_secrets_makes_a_secret_of_an_external_secret(cluster: Cluster, namespace: str) -> None:
    version = "external-secrets.io/v1"
    fake = {"provider": {"fake": {"data": [{"key": "name", "value": "from the store"}]}}}
    cluster.apply(
        {"apiVersion": version, "kind": "SecretStore", "metadata": {"name": "s", "namespace": namespace}, "spec": fake},
        {
            "apiVersion": version,
            "kind": "ExternalSecret",
            "metadata": {"name": "app", "namespace": namespace},
            "spec": {"secretStoreRef": {"name": "s"}, "data": [{"secretKey": "token", "remoteRef": {"key": "name"}}]},
        },
    )
    assert value(cluster, namespace, "app", "token") == "from the store"


@pytest.mark.parametrize(
    ("stand_in", "line"), [(SEALED_SECRETS, "HTTP server serving"), (EXTERNAL_SECRETS, "Starting workers")]
)
def test_kubectl_logs_shows_what_the_controllers_print(cluster: Cluster, stand_in: StandIn, line: str) -> None:
    assert line in cluster.kubectl("logs", f"--namespace={stand_in.namespace}", stand_in.pod)


def test_a_deployment_is_scheduled_and_rolled_out(cluster: Cluster, namespace: str) -> None:
    flags = (f"--namespace={namespace}",)
    cluster.kubectl("create", "deployment", "web", "--image=web", "--replicas=2", *flags)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *flags)
    cluster.kubectl("rollout", "restart", "deployment/web", *flags)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *flags)


def test_the_audit_log_tells_who_asked_for_what(cluster: Cluster, namespace: str) -> None:
    start = cluster.audit_log.stat().st_size
    kubeconfig = cluster.user(namespace, "reader")
    with pytest.raises(AssertionError, match='cannot get resource "secrets"'):
        cluster.kubectl("get", "secret", "app", kubeconfig=kubeconfig)
    account = f"system:serviceaccount:{namespace}:reader"
    path = f"/api/v1/namespaces/{namespace}/secrets/app"
    assert (account, "get", path, 403) in cluster.requests(start, account)
    assert cluster.requests(start, "nobody") == []


def test_a_program_stops_with_its_pod_and_starts_again_with_the_next(cluster: Cluster) -> None:
    program = cluster.programs[EXTERNAL_SECRETS.name]
    flags = (f"--namespace={EXTERNAL_SECRETS.namespace}", "statefulset", EXTERNAL_SECRETS.name)
    cluster.kubectl("scale", *flags, "--replicas=0")
    wait_until(lambda: not program.running)
    cluster.kubectl("scale", *flags, "--replicas=1")
    wait_until(lambda: program.running)
    cluster.wait(EXTERNAL_SECRETS.name)


def test_programs_end_with_their_parent_even_if_that_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    """Only those that it started: the cluster of the other tests goes on."""
    start = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.cluster.controlplane import Cluster\n"
        "with Cluster(Path(sys.argv[1]), controllers=[]) as cluster:\n"
        "    print(*(program.pid for program in cluster.programs.values()), flush=True)\n    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", start, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids))
    assert all(program.running for program in cluster.programs.values())


def alive(pid: int) -> bool:
    """Whether there is such a process and it has not ended; whoever inherits it may not have noticed yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_make_cluster_prints_how_to_reach_it_and_ends_on_ctrl_c() -> None:
    """On standard output, and nothing else there; what it started is gone afterwards, and so is its folder."""
    environment = {name: variable for name, variable in os.environ.items() if not name.startswith("MAKE")}
    with subprocess.Popen(
        ["make", "cluster", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as make:
        assert make.stdout is not None
        line = make.stdout.readline()
        path = Path(line.strip().removeprefix("export KUBECONFIG="))
        try:
            ready = run(peer("kubectl"), f"--kubeconfig={path}", "get", "--raw=/readyz")
        finally:
            os.killpg(make.pid, signal.SIGINT)  # as a terminal does: to all processes in the foreground
        rest = make.stdout.read()
    assert (ready, rest) == ("ok", "")
    assert not path.parent.exists()
