"""A command that is killed, at whatever moment, leaves neither a value nor a key on the disk."""

import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ..forkserver import COMMAND
from ..projects import age
from ..test_canary import CANARY, STORED, traces
from .controlplane import Cluster
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
# Counts what a program does to the world, requests and files and other programs, and ends it at one of these moments.
MOMENTS = """
import os, signal, sys
end, count = int(os.environ["KILL_AT"]), 0
moments = os.open(os.environ["MOMENTS"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
names = ("http.client.send", "socket.connect", "subprocess.Popen", "os.rename", "os.remove", "tempfile.mkdtemp",
         "tempfile.mkstemp", "os.mkdir")
def watch(event, arguments):
    global count
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if event in names or writes:
        count += 1
        os.write(moments, b".")
        if count == end:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
"""
MOST = 4


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

    def run(self, at: int, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=self.shop.project.root,
            env=self._environment | variables | {"KILL_AT": str(at)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def moments(self, *arguments: str, **variables: str) -> list[int]:
        """Some of the moments of a whole run, from the first to the last."""
        done = self.run(0, *arguments, **variables)
        assert done.returncode in (0, 1), done.stderr
        count = self._moments.stat().st_size
        return sorted({1 + number * (count - 1) // (MOST - 1) for number in range(MOST)})

    def leftovers(self) -> Iterator[str]:
        """Files in which a value or the key stands."""
        for place in self._places:
            for path in place.rglob("*"):
                if path.is_file() and (traces(content := path.read_bytes(), STORED) or self._key.encode() in content):
                    yield str(path)


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    shop = Shop(tmp_path, cluster, namespace)
    shop.kubectl("create", "rolebinding", "admin", "--clusterrole=admin", "--user=admin")
    shop.kubectl("create", "role", "more", "--verb=get,list,watch,patch,create", "--resource=secrets,namespaces")
    shop.kubectl("create", "rolebinding", "more", "--role=more", "--user=admin")
    return shop


@pytest.mark.parametrize("command", ["sync", "diff"])
@pytest.mark.parametrize("backend", ["secret", "sops"])
def test_a_kill_leaves_nothing_and_the_next_run_completes(
    shop: Shop, tmp_path: Path, backend: str, command: str
) -> None:
    variables: Mapping[str, str] = {"TOKEN": CANARY, "PASSWORD": CANARY}
    if backend == "secret":
        shop.secret_overlay("prod", environment={})
    else:
        shop.sops_overlay(age("me").recipient, "prod")
        sealed = shop.ksecret("seal", "prod", "--source", "environment", **variables)
        assert sealed.code == 0, sealed.err
        variables = {"SOPS_AGE_KEY": age("me").identity}
    arguments = [command, "prod", *(["--adopt"] if command == "sync" else [])]
    accepting = shop.ksecret("sync", "prod", **variables)  # from now on it is trusted
    assert accepting.code == 0, accepting.err
    killed = Killed(shop, tmp_path)
    for moment in killed.moments(*arguments, **variables):
        shop.kubectl("patch", "secret", "app", "--patch", '{"data": {"token": "eA=="}}')
        done = killed.run(moment, *arguments, **variables)
        assert (done.returncode, list(killed.leftovers())) == (-9, [])
    completing = shop.ksecret("sync", "prod", **variables)
    assert completing.code == 0, completing.err
    assert shop.secret()["token"] == CANARY


def test_the_search_finds_what_a_program_leaves(shop: Shop, tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    killed = Killed(shop, tmp_path)
    (tmp_path / "temporary" / "left").write_text(f"x{CANARY}")
    assert list(killed.leftovers()) == [str(tmp_path / "temporary" / "left")]
