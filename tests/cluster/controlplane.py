"""A Kubernetes control plane without containers: every program listens on a free port of 127.0.0.1.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the real ones; kwok says of every pod that it
runs. The Sealed Secrets controller and External Secrets Operator are the real ones too; a pod stands in for each.
"""

import json
import re
import secrets
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from ..peers import crds, peer, run
from . import audit, certificates, standins
from .programs import Program, ended_with_parent, etcd_flags, free_ports, starter
from .relay import Relay

CONTROLLERS = (
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    standins.SEALED_SECRETS.name,
    standins.EXTERNAL_SECRETS.name,
)
PEERS = ("etcd", "kube-apiserver", *CONTROLLERS, "kubectl", "setpriv", "unshare")
SECONDS_TO_START = 120
# The Sealed Secrets controller knows in-cluster configuration alone. A mount namespace of its own has the files of it.
IN_CLUSTER = (
    "mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount && "
    'cp "$0"/* /run/secrets/kubernetes.io/serviceaccount/ && exec "$@"'
)


class Cluster:
    """The programs of one cluster. `kubeconfig` is an administrator's; `user` makes one for anybody else.

    `flags` are further ones of programs, by their names.
    """

    def __init__(
        self,
        folder: Path,
        controllers: Sequence[str] = CONTROLLERS,
        flags: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.folder, self.controllers, self._flags = folder, controllers, flags or {}
        self.kubeconfig, self.audit_log = folder / "kubeconfig", folder / "audit.log"
        # Of the programs: what they ask for is not taken for a test's own requests.
        self.controllers_kubeconfig = folder / "controllers.kubeconfig"
        self.certificate = folder / "certificates" / "apiserver.crt"
        # Whom External Secrets Operator trusts when it starts; a test that has a vault of its own writes it.
        self.vault_authorities = folder / "vault-authorities.crt"
        self.programs: dict[str, Program] = {}
        self._starter, self._clients = starter(), certificates.Authority()
        self._closing = threading.Event()
        # Tests tell their own requests from those of the controllers by the user in the audit log.
        self._tokens = {user: secrets.token_hex(16) for user in ("admin", "controllers")}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        threading.Thread(target=self._follow_pods, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for program in reversed(self.programs.values()):
            program.stop()
        if hasattr(self, "relay"):
            self.relay.close()
        self._starter.shutdown()

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """Stop programs for a while. They run again afterwards, and the API server answers."""
        for name in names:
            self.programs[name].stop()
        try:
            yield
        finally:
            for name in names:
                self.programs[name].start()
                self.wait(name)

    def revive(self, name: str) -> None:
        """Start a program that has ended by itself, as a kubelet does."""
        if not self.programs[name].running:
            self.programs[name].start()
            self.wait(name)

    def wait(self, name: str, condition: Callable[[], bool] | None = None) -> None:
        """Wait until a program is ready. Its end is an error that shows the end of its log."""
        program, end = self.programs[name], time.monotonic() + SECONDS_TO_START
        condition = condition or self._ready[name]
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass
            if not program.running or time.monotonic() > end:
                log = program.log.read_text(errors="replace") if program.log.exists() else ""
                raise RuntimeError(f"{name} did not start:\n{log[-2000:]}")
            time.sleep(0.1)

    def get(self, path: str, user: str = "admin") -> str:
        """Return what the API server answers. A refusal is an OSError."""
        return self._ask(path, user, None)

    def create(self, path: str, body: Mapping[str, object]) -> None:
        """Create an object among those of a path, if it is missing, in a tenth of the time that kubectl takes."""
        try:
            self._ask(path, "admin", json.dumps(body).encode())
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise

    def kubectl(self, *arguments: str, stdin: str | None = None, kubeconfig: Path | None = None) -> str:
        """Return what kubectl prints; it must succeed."""
        flags = (f"--kubeconfig={kubeconfig or self.kubeconfig}", f"--cache-dir={self.folder / 'cache'}")
        return run(peer("kubectl"), *flags, *arguments, input=stdin)

    def apply(self, *objects: Mapping[str, object], user: Path | None = None) -> None:
        """Apply objects as an administrator does who forces conflicts."""
        documents = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=documents, kubeconfig=user)

    def user(self, namespace: str, account: str) -> Path:
        """Return a kubeconfig that signs in as a ServiceAccount, which is made if it is missing."""
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}}
        )
        token = self.kubectl("create", "token", account, f"--namespace={namespace}").strip()
        path = self.folder / f"{namespace}-{account}.kubeconfig"
        return self.write_kubeconfig(path, {"token": token}, namespace)

    def client_certificate(self, user: str) -> certificates.Pair:
        """Return a certificate by which the API server knows a user, and its key."""
        return self._clients.client(user)

    def write_kubeconfig(self, path: Path, user: Mapping[str, object], namespace: str = "default") -> Path:
        """Write a kubeconfig for a user that signs in in a way of its own."""
        server = {"server": self.url, "certificate-authority": str(self.certificate)}
        return _write_json(
            path,
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": server}],
                "users": [{"name": "test", "user": user}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
            },
        )

    def requests(self, since: int = 0, user: str | None = None) -> list[audit.Request]:
        """Return what was asked after a byte of the audit log, by one user or by all."""
        return [request for request in audit.requests(self.audit_log, since) if user in (None, request.user)]

    def sealing_certificate(self) -> str:
        """Return the certificate of the Sealed Secrets controller, PEM."""
        return self.get(standins.SEALED_SECRETS.proxy + "/v1/cert.pem")

    def _ask(self, path: str, user: str, body: bytes | None, form: str = "application/json") -> str:
        headers = {"Authorization": f"Bearer {self._tokens[user]}", "Content-Type": form}
        context = ssl.create_default_context(cafile=self.certificate)
        request = urllib.request.Request(self.url + path, body, headers)
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return str(answer.read().decode())

    def _start(self) -> None:
        self._start_api_server()
        steps: Mapping[str, Callable[[], None]] = {
            "kube-controller-manager": self._start_controller_manager,
            "kube-scheduler": self._start_scheduler,
            "kwok": self._start_kwok,
            standins.SEALED_SECRETS.name: self._start_sealed_secrets,
            standins.EXTERNAL_SECRETS.name: self._start_external_secrets,
        }
        for name in self.controllers:
            steps[name]()
        # One waits for all: while one program starts, the others do too.
        for name in self.controllers:
            self.wait(name)

    def _start_api_server(self) -> None:
        client, peers, port = free_ports(3)
        self.url = f"https://127.0.0.1:{port}"
        self._write("accounts.key", certificates.private_key())
        self._write("clients.crt", self._clients.certificate)
        self._write(
            "tokens.csv", "".join(f'{token},{user},{user},"system:masters"\n' for user, token in self._tokens.items())
        )
        _write_json(
            self.folder / "audit.yaml",
            {
                "apiVersion": "audit.k8s.io/v1",
                "kind": "Policy",
                "omitStages": ["RequestReceived"],
                "rules": [{"level": "Metadata"}],
            },
        )
        connection = {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": str(self.folder / "relay")}}}
        _write_json(
            self.folder / "egress.yaml",
            {
                "apiVersion": "apiserver.k8s.io/v1beta1",
                "kind": "EgressSelectorConfiguration",
                "egressSelections": [{"name": "cluster", "connection": connection}],
            },
        )
        self.relay = Relay(self.folder / "relay")
        self._add("etcd", *etcd_flags(self.folder / "etcd", client, peers))
        self._add(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{client}",
            f"--cert-dir={self.certificate.parent}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            f"--client-ca-file={self.folder / 'clients.crt'}",
            f"--service-account-key-file={self.folder / 'accounts.key'}",
            f"--service-account-signing-key-file={self.folder / 'accounts.key'}",
            f"--service-account-issuer={self.url}",
            # Pods would wait for the tokens of their ServiceAccounts, which kwok does not mount.
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={self.folder / 'audit.yaml'}",
            f"--audit-log-path={self.audit_log}",
            f"--egress-selector-config-file={self.folder / 'egress.yaml'}",
        )
        self.wait("kube-apiserver")
        self.write_kubeconfig(self.kubeconfig, {"token": self._tokens["admin"]})
        self.write_kubeconfig(self.controllers_kubeconfig, {"token": self._tokens["controllers"]})
        # Without kubectl, which asks a server that has just begun for all that it serves, and takes ten seconds.
        for name in ("sealed-secrets", "external-secrets"):
            for definition in re.split(r"^---\n", crds(name).read_text(), flags=re.MULTILINE):
                if "kind: CustomResourceDefinition" in definition:
                    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
                    self._ask(path, "admin", definition.encode(), "application/yaml")

    def _start_controller_manager(self) -> None:
        self._add_of_kubernetes(
            "kube-controller-manager",
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            f"--root-ca-file={self.certificate}",
            "--use-service-account-credentials",
        )

    def _start_scheduler(self) -> None:
        self._add_of_kubernetes("kube-scheduler")

    def _add_of_kubernetes(self, name: str, *flags: str) -> None:
        [port] = free_ports(1)
        kubeconfigs = [
            f"--{purpose}kubeconfig={self.controllers_kubeconfig}"
            for purpose in ("", "authentication-", "authorization-")
        ]
        address = ("--bind-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={self.folder / name}")
        self._add(name, *kubeconfigs, *address, "--leader-elect=false", *flags)

    def _start_kwok(self) -> None:
        [port] = free_ports(1)
        self._write("kwok.yaml", standins.text([stand_in.logs(self._log(stand_in.name)) for stand_in in standins.ALL]))
        self._add(
            "kwok",
            f"--kubeconfig={self.controllers_kubeconfig}",
            "--manage-all-nodes=true",
            f"--server-address=127.0.0.1:{port}",
            "--node-ip=127.0.0.1",
            f"--node-port={port}",
            # With kwok's default the node is lost after some minutes.
            "--node-lease-duration-seconds=40",
            f"--config={self.folder / 'kwok.yaml'}",
        )
        self.create("/api/v1/nodes", standins.node())

    def _start_sealed_secrets(self) -> None:
        port, metrics = free_ports(2)
        account = self.folder / "in-cluster"
        account.mkdir()
        self._write("in-cluster/token", self._tokens["controllers"])
        self._write("in-cluster/ca.crt", self.certificate.read_text())
        self._write("in-cluster/namespace", standins.SEALED_SECRETS.namespace)
        host, _, api_port = self.url.removeprefix("https://").partition(":")
        self._stand_in(standins.SEALED_SECRETS, port)
        self._add(
            standins.SEALED_SECRETS.name,
            "--key-size=2048",
            "--key-renew-period=0",
            # By default it answers two questions a second; test_doctor_sealed.py shows how the command waits then.
            "--rate-limit=100",
            "--rate-limit-burst=100",
            "--kubeclient-qps=-1",
            f"--listen-addr=127.0.0.1:{port}",
            f"--listen-metrics-addr=127.0.0.1:{metrics}",
            within=(peer("unshare"), "--map-root-user", "--mount", "sh", "-c", IN_CLUSTER, str(account)),
            environment={
                "KUBERNETES_SERVICE_HOST": host,
                "KUBERNETES_SERVICE_PORT": api_port,
                "POD_NAMESPACE": standins.SEALED_SECRETS.namespace,
            },
        )

    def _start_external_secrets(self) -> None:
        metrics, live = free_ports(2)
        self._stand_in(standins.EXTERNAL_SECRETS, live)
        self._add(
            standins.EXTERNAL_SECRETS.name,
            f"--metrics-addr=127.0.0.1:{metrics}",
            f"--live-addr=127.0.0.1:{live}",
            # One alone would wait for the vaults of earlier tests, which are gone.
            "--concurrent=10",
            # The stores of all tests at once, every five minutes, end it now and then: its provider `fake` writes a map
            # without a lock (0.20.4: "fatal error: concurrent map writes" in fake.NewClient).
            "--store-requeue-interval=24h",
            environment={
                "KUBECONFIG": str(self.controllers_kubeconfig),
                "SSL_CERT_FILE": str(self.vault_authorities),
            },
        )

    @property
    def _ready(self) -> Mapping[str, Callable[[], bool]]:
        sealed, external = standins.SEALED_SECRETS, standins.EXTERNAL_SECRETS
        return {
            "kube-apiserver": lambda: self.get("/readyz") == "ok",
            "kube-controller-manager": lambda: '"default"' in self.get("/api/v1/namespaces/default/serviceaccounts"),
            "kube-scheduler": lambda: True,
            "kwok": lambda: '"KubeletReady"' in self.get(f"/api/v1/nodes/{standins.NODE}"),
            sealed.name: lambda: "CERTIFICATE" in self.sealing_certificate(),
            external.name: lambda: "ok" in self.get(external.proxy + "/healthz"),
        }

    def _add(
        self, name: str, *flags: str, within: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a program; `within` is a command that runs it in surroundings of its own."""
        command = [*within, *ended_with_parent([peer(name), *flags, *self._flags.get(name, ())])]
        self.programs[name] = Program(
            name, command, environment=environment or {}, log=self._log(name), starter=self._starter
        )
        self.programs[name].start()

    def _stand_in(self, stand_in: standins.StandIn, port: int) -> None:
        self.relay.routes[stand_in.port] = port
        for path, body in stand_in.objects().items():
            self.create(path, body)

    def _follow_pods(self) -> None:
        """Do to a program what was done to its pod: scaled away it stops, deleted or rolled out it starts again."""
        uids: dict[str, str] = {}
        while not self._closing.wait(0.5):
            for stand_in in standins.ALL:
                program = self.programs.get(stand_in.name)
                try:
                    pod = self.get(f"/api/v1/namespaces/{stand_in.namespace}/pods/{stand_in.pod}", user="controllers")
                    uid = json.loads(pod)["metadata"]["uid"]
                except urllib.error.HTTPError as error:
                    uid = "" if error.code == 404 else uids.get(stand_in.name, "")
                except OSError:
                    continue
                if program and uids.setdefault(stand_in.name, uid) != uid and not self._closing.is_set():
                    program.stop()
                    if uid:
                        program.start()
                uids[stand_in.name] = uid

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _write(self, name: str, content: str) -> Path:
        return _write(self.folder / name, content)


def _write(path: Path, content: str) -> Path:
    """Write a file that only its owner reads."""
    path.touch(mode=0o600)
    path.write_text(content)
    return path


def _write_json(path: Path, content: Mapping[str, object]) -> Path:
    return _write(path, json.dumps(content))
