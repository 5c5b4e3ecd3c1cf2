"""`sync` while the API server fails, at each of its writes, for each backend.

Nothing is called delivered that was not, the exit code is 3, and the same command completes: the values are there, what
reads them has restarted since, and a third run has nothing left to do.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .mockcluster import Fault, MockCluster, mock_cluster
from .projects import Done, Project, age, sealing

BACKENDS = ("secret", "sops", "sealedSecret", "externalSecret", "vaultSecretsOperator")
VAULT = {
    "names": "shop/{secret}",
    "property": "{remoteName}",
    "vault": {"address": "https://vault.example", "mount": "secret"},
}
SIGN_IN = {"kubernetes": {"mountPath": "kubernetes", "role": "shop", "serviceAccountName": "shop"}}
STORE = {"name": "vault", "auth": {"workloadIdentity": {"serviceAccountName": "shop"}}}


class Landscape:
    """Two Secrets of one backend, which the cluster has with their first values; `app` is what a workload reads."""

    def __init__(self, folder: Path, cluster: MockCluster, backend: str) -> None:
        self.project, self.cluster, self._backend = Project(folder), cluster, backend
        self.project.declare("app", {"token": {}})
        self.project.declare("mail", {"password": {}})
        dotenv = {"dotenv": {"file": "../../../.env"}}
        vault = {"azureKeyVault": {"vaultUrl": "https://shop.vault.azure.net"}}
        self.project.write("overlays/prod/secrets/sealing.pem", sealing(1).certificate)
        self.project.environment["SOPS_AGE_KEY"] = age("anna").identity
        spec, source = {
            "secret": ({}, dotenv),
            "sops": ({"age": [age("anna").recipient]}, dotenv),
            "sealedSecret": ({"certificate": "sealing.pem"}, dotenv),
            "externalSecret": ({"store": STORE}, vault),
            "vaultSecretsOperator": ({"auth": SIGN_IN}, VAULT),
        }[backend]
        self.project.overlay("prod", {backend: spec}, source=source)
        self.project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
        self.value("one")
        self.project.done("render", "prod", "--write")
        done = self.sync()
        assert (done.code, done.err) == (0, "")
        cluster.restarts.clear()

    def value(self, value: str) -> None:
        """Give both keys a value, as far as it takes no sync."""
        self.project.write(".env", f"TOKEN={value}\nPASSWORD={value}\n")
        self.cluster.values = {"token": value, "password": value}
        if self._backend in ("sops", "sealedSecret"):
            self.project.done("seal", "prod", "app/token", "mail/password")
        elif self._backend == "vaultSecretsOperator":
            self.cluster.look()  # as it does every refreshAfter

    def sync(self) -> Done:
        return self.project.ksecret("sync", "prod", "--timeout=1s", KUBECONFIG=self.cluster.kubeconfig)

    @property
    def is_delivered(self) -> bool:
        """Whether both Secrets have the second value."""
        return self.cluster.secrets() == {"app": {"token": "two"}, "mail": {"password": "two"}}

    @property
    def restarts_with_new_value(self) -> int:
        """How often the reader restarted and found the second value."""
        return sum(restart.values["app"] == {"token": "two"} for restart in self.cluster.restarts)


@pytest.fixture(params=BACKENDS)
def landscape(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Landscape]:
    with mock_cluster(tmp_path) as cluster:
        landscape = Landscape(tmp_path, cluster, request.param)
        landscape.value("two")
        yield landscape


def writes(landscape: Landscape) -> int:
    """How many writes a sync makes to which nothing happens."""
    with landscape.cluster.tried():
        landscape.cluster.recover()
        assert landscape.sync().code == 0
        return len(landscape.cluster.writes)


@pytest.mark.parametrize("fault", ["lost", "gone", "denied"])
def test_a_write_that_fails_is_never_called_done_and_the_next_run_completes(landscape: Landscape, fault: Fault) -> None:
    cluster = landscape.cluster
    for number in range(1, writes(landscape) + 1):
        with cluster.tried():
            cluster.fail(number, fault)
            first = landscape.sync()
            assert first.code == 3, (number, first)
            delivered = {line.split()[0].partition("/")[2] for line in first.out.splitlines() if "error" not in line}
            for name in delivered & {"app", "mail"}:
                assert set(cluster.secrets()[name].values()) == {"two"}, (number, first)
            cluster.recover()
            second = landscape.sync()
            assert (second.code, second.err, landscape.is_delivered) == (0, "", True), (number, first, second)
            assert landscape.restarts_with_new_value >= 1, (number, first, second)
            restarts = len(cluster.restarts)
            third = landscape.sync()
            assert (third.code, len(cluster.restarts)) == (0, restarts), (number, third)


def test_a_server_that_is_busy_or_meets_another_write_is_asked_again(landscape: Landscape) -> None:
    """Each write is answered by 429 and 503, both with Retry-After, and by a conflict, before it is carried out."""
    landscape.cluster.fail(0, "busy", "overloaded", "conflict")
    done = landscape.sync()
    assert (done.code, done.err, landscape.is_delivered) == (0, "", True)
    assert (landscape.restarts_with_new_value, len(landscape.cluster.restarts)) == (1, 1)


def test_what_a_webhook_says_is_not_shown(landscape: Landscape) -> None:
    """It quotes what it refuses; its name and the object are shown, and the other Secret is delivered."""
    landscape.cluster.deny("/app")
    done = landscape.sync()
    assert (done.code, "two" in done.err, "dHdv" in done.err) == (3, False, False)
    assert "403 Forbidden, by the admission webhook policy.example.org" in done.err
    assert set(landscape.cluster.secrets()["mail"].values()) == {"two"}


@pytest.mark.parametrize("policy", ["CreatedOnce", "Periodic"])
def test_what_was_synced_before_the_request_came_has_arrived(tmp_path: Path, policy: str) -> None:
    """The operator may look between the two writes of a sync, and with CreatedOnce it looks no second time."""
    with mock_cluster(tmp_path) as cluster:
        project = Project(tmp_path)
        project.declare("app", {"token": {}})
        vault = {"azureKeyVault": {"vaultUrl": "https://shop.vault.azure.net"}}
        project.overlay("prod", {"externalSecret": {"store": {"name": "vault"}, "refreshPolicy": policy}}, source=vault)
        project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
        project.done("render", "prod", "--write")
        cluster.values = {"token": "one"}
        done = project.ksecret("sync", "prod", "--timeout=2s", KUBECONFIG=cluster.kubeconfig)
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[0] == (
            "externalsecret.external-secrets.io/app refreshed, with other values than before"
        )
        assert cluster.secrets() == {"app": {"token": "one"}}
