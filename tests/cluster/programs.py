"""The programs of a cluster: started as child processes, stopped one by one, and gone when their parent is."""

import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

# The kernel hands out ports above these for connections, so none of these is taken before its program listens on it.
PORTS = range(20000, 30000)
SECONDS_TO_STOP = 15


class Program:
    """One program of the cluster. It can be stopped, and started again as it was."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        starter: ThreadPoolExecutor,
    ) -> None:
        self.name, self.command, self.log = name, [*command], log
        self._environment, self._starter = environment, starter
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it in a session of its own: Ctrl-C on a terminal must reach only the parent, which then stops it."""
        self._process = self._starter.submit(
            subprocess.Popen,
            self.command,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ).result()
        threading.Thread(target=_write_log, args=(self._process.stdout, self.log), daemon=True).start()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """End this process and no other, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(by)
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def starter() -> ThreadPoolExecutor:
    """Return the thread that starts the programs of one cluster.

    The kernel takes the thread that forked for the parent of which `setpriv --pdeathsig` speaks, so it has to live as
    long as the programs do.
    """
    return ThreadPoolExecutor(max_workers=1)


def ended_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command that runs another one which the kernel kills when this process is gone, however it went."""
    return ["setpriv", "--pdeathsig", "KILL", *command]


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on."""
    ports: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as server:
            try:
                server.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            break
    return ports


def etcd_flags(data: Path, client: int, peers: int) -> list[str]:
    """Return the flags of an etcd of one member, which does not wait for the disk."""
    clients, members = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peers}"
    return [
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={members}",
        f"--initial-advertise-peer-urls={members}",
        f"--initial-cluster=default={members}",
    ]


def _write_log(lines: IO[bytes], path: Path) -> None:
    """Write what a program prints in the form in which a kubelet keeps it (CRI), which `kubectl logs` needs."""
    with path.open("ab", buffering=0) as log:
        for line in lines:
            log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} stdout F ".encode() + line)
