"""`sync` while things go wrong around it: it never says that something arrived when it did not, and can go on."""

import json
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ..forkserver import COMMAND
from .controlplane import Cluster
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


def test_a_cluster_that_is_not_there_is_exit_3(external: Shop) -> None:
    with external.cluster.without("kube-apiserver"):
        done = external.ksecret("sync", "test")
    assert (done.code, done.out) == (3, "")
    assert "did not answer: Connection refused" in done.err
    assert external.ksecret("sync", "test").code == 0


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


def test_what_flux_strips_is_not_ours_so_a_change_is_one_roll_out(external: Shop) -> None:
    """Flux takes over what managers own whose names begin with kubectl, and drops it: a second roll-out follows."""
    before = external.generations()["reader"]
    external.store(token="two", password="p")
    assert external.ksecret("sync", "test").code == 0
    live = json.loads(external.kubectl("get", "deployment", "reader", "--show-managed-fields", "--output=json"))
    entries = live["metadata"]["managedFields"]
    restarted_by = [entry["manager"] for entry in entries if "restartedAt" in json.dumps(entry["fieldsV1"])]
    assert restarted_by == ["ksecret"]
    external.kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller",
        "-k", str(external.project.root / "overlays/test"),
    )  # fmt: skip
    assert external.generations()["reader"] == before + 1


@pytest.mark.parametrize(
    "owner",
    [
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux"}},
        {"annotations": {"argocd.argoproj.io/tracking-id": "shop:bitnami.com/SealedSecret:shop/app"}},
    ],
    ids=["Flux", "Argo CD"],
)
def test_what_a_gitops_controller_owns_is_not_applied_but_waited_for_and_its_readers_restart(
    sealed: Shop, owner: dict[str, Any]
) -> None:
    sealed.kubectl("patch", "sealedsecret", "app", "--type=merge", "--patch", json.dumps({"metadata": owner}))
    before = sealed.generations()
    sealed.seal("prod", "app/token", token="two", password="p")
    done = sealed.ksecret("sync", "prod")
    assert (done.code, done.out) == (0, "sealedsecret.bitnami.com/app applied\n")
    assert sealed.secret()["token"] == "one"  # nobody but its owner brings the file to the cluster
    sealed.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=owner", "-k",
                   str(sealed.project.root / "overlays/prod"))  # fmt: skip
    done = sealed.ksecret("sync", "prod")
    assert done.code == 0
    assert sealed.secret()["token"] == "two"
    assert sealed.generations()["reader"] == before["reader"] + 1


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


def test_a_paused_workload_is_named_with_the_command_that_resumes_it(external: Shop) -> None:
    external.kubectl("rollout", "pause", "deployment/reader")
    external.store(token="two", password="p")
    done = external.ksecret("sync", "test")
    assert done.code == 1
    assert "deployment.apps/reader failed: it is paused; kubectl rollout resume deployment/reader comes" in done.err


def request_for_refresh(shop: Shop) -> str:
    return str(shop.object("externalsecret", "app")["metadata"]["annotations"]["ksecret.dev/force-sync"])


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
