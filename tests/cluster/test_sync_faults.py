"""`sync` while things go wrong around it: it never says that something arrived when it did not, and can go on."""

import json
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kubectl_ksecret.sealing import certificate

from ..forkserver import COMMAND
from .controlplane import Cluster
from .policies import refusing
from .programs import free_ports
from .shops import Shop
from .standins import EXTERNAL_SECRETS, SEALED_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture
def external(shop: Shop) -> Shop:
    shop.external_overlay()
    shop.store(token="one", password="p")
    shop.deploy("test")
    assert shop.ksecret("sync", "test").code == 0
    return shop


@pytest.fixture
def sealed(shop: Shop) -> Shop:
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    shop.deploy("prod")
    assert shop.ksecret("sync", "prod").code == 0
    return shop


def test_an_api_server_that_is_killed_while_the_command_waits_is_asked_again(external: Shop) -> None:
    cluster = external.cluster
    external.store(token="two", password="p")
    cluster.programs[EXTERNAL_SECRETS.name].stop()

    def trouble() -> None:
        time.sleep(3)
        cluster.programs["kube-apiserver"].stop(signal.SIGKILL)
        time.sleep(1)
        for name in ("kube-apiserver", EXTERNAL_SECRETS.name):
            cluster.programs[name].start()
            cluster.wait(name)

    thread = threading.Thread(target=trouble)
    thread.start()
    done = external.ksecret("sync", "test")
    thread.join()
    assert (done.code, done.err) == (0, "")
    assert external.secret()["token"] == "two"


def test_a_cluster_that_is_not_there_is_exit_3(external: Shop, tmp_path: Path) -> None:
    fields = json.loads(external.cluster.kubeconfig.read_text())
    [port] = free_ports(1)
    fields["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(fields))
    done = external.ksecret("sync", "test", KUBECONFIG=str(kubeconfig))
    assert (done.code, done.out) == (3, "")
    assert "did not answer: Connection refused" in done.err


def test_an_interrupted_sync_says_where_it_stands_and_the_next_one_restarts_what_had_to_restart(external: Shop) -> None:
    """The Secret has its new value already when the first run is interrupted, before any restart."""
    before = external.generations()
    external.store(token="two", password="p")
    environment = external.project.environment | {"KUBECONFIG": str(external.cluster.kubeconfig)}
    with external.cluster.without(EXTERNAL_SECRETS.name):
        command, asked_before = [COMMAND, "sync", "test", "--timeout=30s"], request_for_refresh(external)
        with subprocess.Popen(
            command, cwd=external.project.root, env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            wait_until(lambda: request_for_refresh(external) != asked_before)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted after nothing; the same command goes on from there" in error
    wait_until(lambda: external.secret()["token"] == "two")
    done = external.ksecret("sync", "test")
    assert done.code == 0
    assert "deployment.apps/reader restarted" in done.out
    assert external.generations()["reader"] == before["reader"] + 1


def test_a_status_that_is_switched_off_is_made_up_for_by_the_record(sealed: Shop) -> None:
    program = sealed.cluster.programs[SEALED_SECRETS.name]
    program.command.append("--update-status=false")
    try:
        with sealed.cluster.without(SEALED_SECRETS.name):
            pass
        sealed.seal("prod", "app/token", token="two", password="p")
        done = sealed.ksecret("sync", "prod", "--timeout=60s")
        assert (done.code, done.err) == (0, "")
        assert sealed.secret()["token"] == "two"
    finally:
        program.command.pop()
        with sealed.cluster.without(SEALED_SECRETS.name):
            pass


def test_a_sealed_secret_that_somebody_touches_at_the_same_time_still_arrives(sealed: Shop) -> None:
    """The controller's status update conflicts then, and is lost for good."""
    sealed.seal("prod", "app/token", token="two", password="p")
    stop = threading.Event()

    def touch() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            sealed.kubectl("annotate", "--overwrite", "sealedsecret", "app", f"touched={number}")

    thread = threading.Thread(target=touch)
    thread.start()
    done = sealed.ksecret("sync", "prod", "--timeout=60s")
    stop.set()
    thread.join()
    assert (done.code, done.err) == (0, "")
    assert sealed.secret()["token"] == "two"


def test_a_value_in_an_event_of_the_operator_is_not_shown(shop: Shop) -> None:
    """A function of its templates quotes the value whole in the Event, which holds the only cause."""
    shop.external_overlay()
    shop.store(token="canary-value", password="p")
    shop.deploy("test")
    template = {"engineVersion": "v2", "data": {"token": '{{ .token | mustToDate "2006-01-02" }}', "password": "x"}}
    path = shop.project.manifest("app", "test")
    manifest = json.loads(shop.cluster.kubectl("create", "--dry-run=client", "--output=json", f"--filename={path}"))
    manifest["spec"]["target"]["template"] = template
    path.write_text(json.dumps(manifest))
    done = shop.ksecret("sync", "test", "--timeout=20s")
    assert done.code == 1
    assert "mustToDate" in done.err and "canary" not in done.err


def test_a_paused_workload_is_named_with_the_command_that_restarts_it(external: Shop) -> None:
    external.kubectl("rollout", "pause", "deployment/reader")
    external.store(token="two", password="p")
    before = external.generations()["reader"]
    done = external.ksecret("sync", "test")
    assert (done.code, external.generations()["reader"]) == (1, before)
    line = next(line for line in done.err.splitlines() if "deployment.apps/reader failed: it is paused" in line)
    for command in line.partition("old values: ")[2].split(" && "):
        external.cluster.kubectl(*command.split()[1:])
    assert external.generations()["reader"] == before + 2  # spec.paused counts too


def test_pods_that_change_only_when_they_are_deleted_are_named_with_the_command_that_does_it(external: Shop) -> None:
    template = external.object("deployment", "reader")["spec"]["template"]
    template["metadata"] = {"labels": {"app": "set"}}
    spec = {"selector": {"matchLabels": {"app": "set"}}, "serviceName": "set", "template": template}
    spec["updateStrategy"] = {"type": "OnDelete"}
    metadata = {"name": "set", "namespace": external.namespace}
    external.cluster.apply({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec})
    external.kubectl("wait", "--for=condition=Ready", "pod/set-0", "--timeout=60s")
    before = external.object("pod", "set-0")["metadata"]["uid"]
    external.store(token="two", password="p")
    done = external.ksecret("sync", "test")
    assert (done.code, "deployment.apps/reader restarted\n" in done.out) == (1, True)
    [line] = [line for line in done.err.splitlines() if "statefulset.apps/set failed: " in line]
    external.cluster.kubectl(*line.partition("old values: kubectl ")[2].split())
    uid = ("get", "pod", "set-0", "--ignore-not-found", "--output=jsonpath={.metadata.uid}")
    wait_until(lambda: external.kubectl(*uid) not in ("", before))


def test_a_workload_that_may_not_be_restarted_stops_no_other_and_the_next_run_restarts_it(external: Shop) -> None:
    template = external.object("deployment", "reader")["spec"]["template"]
    spec = {"selector": {"matchLabels": {"app": "set"}}, "serviceName": "set", "template": template}
    template["metadata"] = {"labels": {"app": "set"}}
    metadata = {"name": "set", "namespace": external.namespace}
    external.cluster.apply({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec})
    before = external.generations()["reader"]
    external.store(token="two", password="p")
    with refusing(external, "deployments", "apps", "v1") as name:
        done = external.ksecret("sync", "test")
        assert done.code == 3
        assert "statefulset.apps/set restarted\n" in done.out
        assert (
            f"deployment.apps/reader failed: the cluster refused to patch deployments.apps/reader in {name}" in done.err
        )
    done = external.ksecret("sync", "test")
    assert (done.code, "deployment.apps/reader restarted\n" in done.out) == (0, True)
    assert external.generations()["reader"] == before + 1


def test_a_value_that_comes_while_the_workloads_restart_restarts_them_again(external: Shop) -> None:
    external.kubectl("patch", "deployment", "reader", '--patch={"spec": {"minReadySeconds": 10}}')
    external.kubectl("rollout", "status", "deployment/reader")
    external.store(token="two", password="p")
    before = external.generations()["reader"]
    environment = external.project.environment | {"KUBECONFIG": str(external.cluster.kubeconfig)}
    with subprocess.Popen([COMMAND, "sync", "test"], cwd=external.project.root, env=environment) as process:
        wait_until(lambda: external.generations()["reader"] == before + 1)
        time.sleep(1.1)  # managedFields have whole seconds
        external.store(token="three", password="p")
        external.kubectl("annotate", "externalsecret", "app", "force-sync=now")
        wait_until(lambda: external.secret()["token"] == "three")
        assert process.poll() is None
    assert process.returncode == 0
    done = external.ksecret("sync", "test")
    assert (done.code, "deployment.apps/reader restarted\n" in done.out) == (0, True)


def request_for_refresh(shop: Shop) -> str:
    return str(shop.object("externalsecret", "app")["metadata"]["annotations"]["ksecret.dev/force-sync"])


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_an_api_server_that_is_killed_and_stays_away_is_exit_3_and_the_next_run_completes(sealed: Shop) -> None:
    """Killed as soon as the command has asked for anything; nothing is called synced."""
    sealed.seal("prod", "app/token", token="two", password="p")
    cluster = sealed.cluster
    environment = sealed.project.environment | {"KUBECONFIG": str(cluster.kubeconfig)}
    start = cluster.audit_log.stat().st_size
    with cluster.without(SEALED_SECRETS.name):
        with subprocess.Popen(
            [COMMAND, "sync", "prod", "--timeout=2s"],
            cwd=sealed.project.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            wait_until(lambda: bool(cluster.requests(start, "admin")))
            cluster.programs["kube-apiserver"].stop(signal.SIGKILL)
            out, error = process.communicate(timeout=30)
        cluster.programs["kube-apiserver"].start()
        cluster.wait("kube-apiserver")
    assert (process.returncode, out) == (3, "")
    assert "did not answer" in error
    done = sealed.ksecret("sync", "prod")
    assert done.code == 0, done.err
    assert sealed.secret()["token"] == "two"


@pytest.mark.parametrize("backend", ["sealed", "external"])
def test_a_policy_that_refuses_is_named_and_the_next_run_completes(shop: Shop, backend: str) -> None:
    shop.store(token="one", password="p")
    if backend == "sealed":
        shop.sealed_overlay("shop")
        shop.seal("shop", token="one", password="p")
        resource, group, version = "sealedsecrets", "bitnami.com", "v1alpha1"
    else:
        shop.external_overlay("shop")
        resource, group, version = "externalsecrets", "external-secrets.io", "v1"
    assert shop.ksecret("sync", "shop").code == 0
    before = shop.object("secret", "app")["metadata"]["resourceVersion"]
    with refusing(shop, resource, group, version) as name:
        done = shop.ksecret("sync", "shop")
        assert (done.code, done.out) == (3, "")
        assert f"refused to patch {resource}.{group}/app in {shop.namespace}: 422 Invalid" in done.err
        assert f", by the ValidatingAdmissionPolicy {name}" in done.err
        assert shop.object("secret", "app")["metadata"]["resourceVersion"] == before
    assert shop.ksecret("sync", "shop").code == 0


def test_a_namespace_that_is_missing_is_named_with_the_command_that_makes_it(shop: Shop) -> None:
    shop.namespace = "nowhere"
    shop.external_overlay()
    done = shop.ksecret("sync", "test")
    assert (done.code, done.out) == (3, "")
    assert "404 NotFound" in done.err and "kubectl create namespace nowhere, or name the right cluster" in done.err


def test_a_secret_loses_no_key_at_any_moment(shop: Shop) -> None:
    """By a watch from the first to the last resourceVersion: adopted, synced, sealed anew, refreshed, taken over."""
    shop.values(token="one", password="p")
    shop.kubectl("create", "secret", "generic", "app", "--from-literal=token=x", "--from-literal=password=y")
    first = shop.object("secret", "app")["metadata"]["resourceVersion"]
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    for arguments in (["--adopt"], []):
        assert shop.ksecret("sync", "prod", *arguments).code == 0
    fingerprint = certificate.read(shop.cluster.sealing_certificate().encode()).fingerprint
    assert shop.ksecret("seal", "prod", "--reseal", "--accept", fingerprint).code == 0
    assert shop.ksecret("sync", "prod").code == 0
    shop.kubectl("delete", "sealedsecret", "app", "--cascade=orphan")
    shop.store(token="two", password="p")
    shop.external_overlay()
    for arguments in (["--adopt"], []):
        done = shop.ksecret("sync", "test", *arguments)
        assert done.code == 0, done.err
    shop.kubectl("delete", "externalsecret", "app", "--cascade=orphan")
    shop.secret_overlay()
    for arguments in (["--adopt"], []):
        done = shop.ksecret("sync", "manual", *arguments)
        assert done.code == 0, done.err
    events = watched(shop, first)
    assert [event["type"] for event in events] == ["MODIFIED"] * len(events)
    assert len(events) >= 4
    assert {frozenset(event["object"]["data"]) for event in events} == {frozenset({"token", "password"})}


def watched(shop: Shop, version: str) -> list[dict[str, Any]]:
    """Everything that happened to the Secret since a resourceVersion; the API server remembers it."""
    query = f"watch=1&resourceVersion={version}&fieldSelector=metadata.name%3Dapp&timeoutSeconds=1"
    lines = shop.cluster.get(f"/api/v1/namespaces/{shop.namespace}/secrets?{query}").splitlines()
    return [json.loads(line) for line in lines]
