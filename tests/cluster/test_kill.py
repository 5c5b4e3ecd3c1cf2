"""A command that is killed, at whatever moment, leaves neither a value nor a key on the disk, and no half of a file."""

import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from kubectl_ksecret.sealing import certificate

from ..forkserver import COMMAND
from ..openbao import OpenBao
from ..projects import LEFTOVER, age
from ..test_canary import CANARY, STORED, traces
from .acksecretmanager import AckSecretManager
from .controlplane import Cluster
from .shops import Shop
from .test_vault import Vault

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("vault_secrets_operator"),
]
# Counts what a program does in the world, requests and files and other programs, and ends it at one of these moments.
MOMENTS = """
import os, signal, sys
end, count = int(os.environ["KILL_AT"]), 0
moments = os.open(os.environ["MOMENTS"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
names = ("http.client.send", "socket.connect", "subprocess.Popen", "os.rename", "os.remove", "tempfile.mkdtemp",
         "tempfile.mkstemp", "os.mkdir")
def watch(event, arguments):
    global count
    opens = event == "open" and isinstance(arguments[0], str) and not arguments[0].endswith((".py", ".pyc"))
    if event in names or (opens and not arguments[0].startswith((sys.prefix, sys.base_prefix, "/proc", "/usr"))):
        count += 1
        os.write(moments, b".")
        if count == end:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
"""
MOST = 4
VALUES: Mapping[str, str] = {"TOKEN": CANARY, "PASSWORD": CANARY}
OF_SEALED_SECRETS = ("get", "secrets", "--namespace=kube-system")


class Command:
    """A command that is killed, with its variables, in a shop where all that it needs is trusted.

    `unsettle` gives it something to do again, `is_done` says whether it has done it; `files` are those of the user in
    which a value or a key stands.
    """

    def __init__(self, shop: Shop, *arguments: str, **variables: str) -> None:
        self.shop, self.arguments, self.variables = shop, arguments, variables
        self.files: tuple[Path, ...] = ()
        self.unsettle: Callable[[], object] = lambda: None
        self.is_done: Callable[[], bool] = lambda: True

    def complete(self) -> None:
        """Run it to its end."""
        done = self.shop.ksecret(*self.arguments, **self.variables)
        assert done.code == 0, done.err
        assert self.is_done()


def sync_of_secret(shop: Shop) -> Command:
    shop.secret_overlay("prod", environment={})
    return syncing(Command(shop, "sync", "prod", **VALUES))


def sync_of_sops(shop: Shop) -> Command:
    sops_shop(shop)
    return syncing(Command(shop, "sync", "prod", SOPS_AGE_KEY=age("me").identity))


def diff_of_secret(shop: Shop) -> Command:
    sync_of_secret(shop)
    return Command(shop, "diff", "prod", **VALUES)


def diff_of_sops(shop: Shop) -> Command:
    sync_of_sops(shop)
    return Command(shop, "diff", "prod", SOPS_AGE_KEY=age("me").identity)


def sync_of_sealed_secret(shop: Shop) -> Command:
    sealed_shop(shop)
    return syncing(Command(shop, "sync", "prod"))


def sync_of_external_secret(shop: Shop) -> Command:
    shop.store(token=CANARY, password=CANARY)
    shop.external_overlay("prod")
    return syncing(Command(shop, "sync", "prod"))


def certificate_fetch(shop: Shop) -> Command:
    sealed_shop(shop)
    command, pem = Command(shop, "certificate", "prod", "--fetch"), "overlays/prod/secrets/sealing.pem"
    certificate = (shop.project.root / pem).read_text()
    command.unsettle = lambda: shop.project.write(pem, "no certificate\n")
    command.is_done = lambda: (shop.project.root / pem).read_text() == certificate
    return command


def import_and_seal(shop: Shop) -> Command:
    literals = [f"--from-literal={key}={CANARY}" for key in ("token", "password")]
    shop.kubectl("create", "secret", "generic", "app", *literals)
    for path in (shop.project.root / "generators", shop.project.root / "overlays"):
        shutil.rmtree(path)
    fingerprint = certificate.read(shop.cluster.sealing_certificate().encode()).fingerprint
    options = ("--from-cluster", f"--namespace={shop.namespace}", "app", "--seal", "--accept", fingerprint)
    command = Command(shop, "import", "live", *options)
    command.is_done = lambda: set(shop.project.object("app", "live")["spec"]["encryptedData"]) == {"token", "password"}
    return command


def reseal(shop: Shop) -> Command:
    sealed_shop(shop)
    before = shop.project.object("app")["spec"]["encryptedData"]
    command = Command(shop, "seal", "prod", "--reseal", "--source", "environment", **VALUES)
    command.is_done = lambda: (
        not set(before.values()) & set(shop.project.object("app")["spec"]["encryptedData"].values())
    )
    return command


def migrate_to_sops(shop: Shop) -> Command:
    sealed_shop(shop)
    done = shop.ksecret("sync", "prod")
    assert done.code == 0, done.err
    backend = f"sops: {{age: [{age('me').recipient}]}}"
    command = Command(shop, "migrate", "prod", "--to", backend, "--from-cluster")
    command.is_done = lambda: set(shop.project.object("app")["data"]) == {"token", "password"}
    return command


def unseal(shop: Shop) -> Command:
    sealed_shop(shop)
    label = "--selector=sealedsecrets.bitnami.com/sealed-secrets-key=active"
    keys = shop.project.root.parent / "keys.yaml"
    keys.write_text(shop.cluster.kubectl(*OF_SEALED_SECRETS, label, "--output=yaml"))
    manifest = str(shop.project.manifest("app").relative_to(shop.project.root))
    command = Command(shop, "unseal", manifest, "--private-key", str(keys))
    command.files = (keys,)
    return command


COMMANDS = (
    *(sync_of_secret, sync_of_sops, diff_of_secret, diff_of_sops, sync_of_sealed_secret, sync_of_external_secret),
    *(certificate_fetch, import_and_seal, reseal, migrate_to_sops, unseal),
)


def sealed_shop(shop: Shop) -> None:
    shop.sealed_overlay("prod")
    done = shop.ksecret("seal", "prod", "--source", "environment", **VALUES)
    assert done.code == 0, done.err


def sops_shop(shop: Shop) -> None:
    shop.sops_overlay(age("me").recipient, "prod")
    done = shop.ksecret("seal", "prod", "--source", "environment", **VALUES)
    assert done.code == 0, done.err


def syncing(command: Command) -> Command:
    """Deliver it once, and let somebody change a value by hand before each of the next runs."""
    shop = command.shop
    command.is_done = lambda: shop.secret()["token"] == CANARY
    command.complete()
    command.unsettle = lambda: shop.kubectl("patch", "secret", "app", "--patch", '{"data": {"token": "eA=="}}')
    return command


class Killed:
    """A shop whose commands are killed; its kubeconfig, in a folder of its own, has the key of a client certificate."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self._places = shop, [shop.project.root, Path(shop.project.environment["HOME"])]
        self._moments = folder / "moments"
        pair = shop.cluster.client_certificate("admin")
        self._key = "".join(pair.key.splitlines()[5:8])
        user = {
            "client-certificate-data": b64encode(pair.certificate.encode()).decode(),
            "client-key-data": b64encode(pair.key.encode()).decode(),
        }
        given = folder / "given"
        given.mkdir()
        kubeconfig = shop.cluster.write_kubeconfig(given / "kubeconfig", user)
        watching, temporary = folder / "watching", folder / "temporary"
        for made in (watching, temporary):
            made.mkdir()
        self._places += [temporary, Path("/dev/shm")]
        (watching / "sitecustomize.py").write_text(MOMENTS)
        self._environment = shop.project.environment | {
            "TMPDIR": str(temporary),
            "PYTHONPATH": str(watching),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KUBECONFIG": str(kubeconfig),
            "MOMENTS": str(folder / "moments"),
        }

    def run(self, at: int, command: Command) -> subprocess.CompletedProcess[str]:
        """Run a command, and kill it at a moment; 0 is none."""
        return subprocess.run(
            [COMMAND, *command.arguments],
            cwd=self.shop.project.root,
            env=self._environment | command.variables | {"KILL_AT": str(at)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def moments(self, command: Command) -> list[int]:
        """Some of the moments of a whole run, from the first to the last."""
        done = self.run(0, command)
        assert done.returncode in (0, 1), done.stderr
        count = self._moments.stat().st_size
        return sorted({1 + number * (count - 1) // (MOST - 1) for number in range(MOST)})

    def leftovers(self, *given: Path) -> Iterator[str]:
        """Files in which a value or the key stands; those that the user gave are none."""
        for place in self._places:
            for path in place.rglob("*"):
                if path.is_file() and path not in given:
                    content = path.read_bytes()
                    if traces(content, STORED) or self._key.encode() in content or b"PRIVATE KEY" in content:
                        yield str(path)

    def halves(self, before: Mapping[str, bytes]) -> Iterator[str]:
        """Files that are neither what they were nor whole; what was to be renamed to one is none yet."""
        for name, content in self.shop.project.files().items():
            if LEFTOVER in name or before.get(name) == content:
                continue
            try:
                whole = content.endswith(b"\n") and yaml.safe_load(content) is not None
            except yaml.YAMLError:
                whole = False
            if not whole:
                yield name


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    shop = Shop(tmp_path, cluster, namespace)
    subject = {"kind": "User", "name": "admin", "apiGroup": "rbac.authorization.k8s.io"}
    cluster.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [subject],
        }
    )
    return shop


def assert_kills_leave_nothing(command: Command, folder: Path) -> None:
    """Kill it at some of its moments; after each the same command completes from what was left."""
    folder.mkdir(exist_ok=True)
    shop, killed, kept = command.shop, Killed(command.shop, folder), folder / "kept"
    shutil.copytree(shop.project.root, kept)

    def again() -> None:
        shutil.rmtree(shop.project.root)
        shutil.copytree(kept, shop.project.root)
        command.unsettle()

    again()
    codes = []
    for moment in killed.moments(command):
        again()
        before = shop.project.files()
        done = killed.run(moment, command)
        codes.append(done.returncode)
        assert list(killed.leftovers(*command.files)) == [], (moment, done.stderr)
        assert list(killed.halves(before)) == [], moment
        command.complete()
        assert [name for name in shop.project.files() if LEFTOVER in name] == []
    # A run that has to wait for less asks less often, and may be at its end before the last of these moments.
    assert codes[:-1] == [-9] * (len(codes) - 1)


@pytest.mark.parametrize("prepared", COMMANDS, ids=lambda prepared: prepared.__name__)
def test_a_kill_leaves_nothing_and_the_next_run_completes(
    shop: Shop, tmp_path: Path, prepared: Callable[[Shop], Command]
) -> None:
    assert_kills_leave_nothing(prepared(shop), tmp_path)


def test_nor_does_one_of_the_operators_that_read_vault_and_kms(
    shop: Shop, tmp_path: Path, bao: OpenBao, ack_secret_manager: AckSecretManager
) -> None:
    """They make the Secret themselves; `sync` reads it, to see whether its values are others."""
    vault = Vault(bao, shop)
    bao.ask("POST", f"{vault.mount}/data/shop/prod/app", {"data": {"token": CANARY, "password": CANARY}})
    shop.vault_overlay(vault.source, vault.kubernetes())
    command = Command(shop, "sync", "vso")
    command.is_done = lambda: shop.secret() == {"token": CANARY, "password": CANARY}
    command.complete()
    assert_kills_leave_nothing(command, tmp_path)
    shop.kubectl("delete", "vaultstaticsecret", "app", "--cascade=orphan")
    ack_secret_manager.values |= {"token": CANARY, "password": CANARY}
    shop.ack_overlay()
    command.arguments = ("sync", "ack", "--adopt")
    # Else nothing tells when it has read KMS, and twenty seconds have to pass.
    command.unsettle = lambda: shop.kubectl("patch", "secret", "app", "--patch", '{"data": {"token": "eA=="}}')
    assert_kills_leave_nothing(command, tmp_path / "ack")


def test_the_search_finds_what_a_program_leaves(shop: Shop, tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    killed = Killed(shop, tmp_path)
    (tmp_path / "temporary" / "left").write_text(f"x{CANARY}")
    assert list(killed.leftovers()) == [str(tmp_path / "temporary" / "left")]
