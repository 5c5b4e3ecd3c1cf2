"""Runs the command in a process of its own without starting Python anew: a server that has imported it forks.

A start of Python with its imports is most of what a command costs, and the tests run thousands of them. A process that
is forked has its own arguments, environment, working directory, session and streams, and ends by the command's own
exit. What a fork can't show, such as what a start imports or how Python itself is set up, is tested by `COMMAND`; an
environment with a variable that begins with PYTHON leads there too.
"""

import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

COMMAND = str(Path(sys.executable).with_name("kubectl-ksecret"))
SECONDS = 60
# What is imported when a command needs it, and costs the most.
_ON_USE = (
    "alibabacloud_kms20160120.client",
    "azure.identity",
    "azure.keyvault.secrets",
    "kubernetes.client.api_client",
    "ruamel.yaml",
    "urllib.request",
    "urllib3",
)
_LONGEST_REQUEST = 1 << 16


class Ended(NamedTuple):
    """The exit code of a process, negative for a signal, and what it wrote."""

    code: int
    out: bytes
    err: bytes


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: bytes = b"") -> Ended:
    """Run `kubectl-ksecret` in a session of its own. Raises TimeoutError if it runs for more than a minute."""
    request = json.dumps([[COMMAND, *arguments], str(folder), {**environment}]).encode()
    if len(request) > _LONGEST_REQUEST or any(name.startswith("PYTHON") for name in environment):
        return _started(arguments, folder, environment, stdin)
    (their_in, to_in), (from_out, their_out), (from_err, their_err), (status, their_status) = (
        os.pipe() for _ in range(4)
    )
    theirs = [their_in, their_out, their_err, their_status]
    try:
        socket.send_fds(_server(), [request], theirs)
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    written = _exchange(to_in, stdin, [from_out, from_err, status])
    return Ended(int(written[status].split()[1]), written[from_out], written[from_err])


def _started(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: bytes) -> Ended:
    """Run the command by starting Python anew."""
    done = subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=SECONDS,
        start_new_session=True,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def _exchange(to_in: int, stdin: bytes, outputs: Sequence[int]) -> dict[int, bytes]:
    """Write standard input and read everything until the ends. The last output begins with the process id."""
    written = dict.fromkeys(outputs, b"")
    end = time.monotonic() + SECONDS
    with selectors.DefaultSelector() as open_ends:
        os.set_blocking(to_in, False)
        open_ends.register(to_in, selectors.EVENT_WRITE)
        for output in outputs:
            open_ends.register(output, selectors.EVENT_READ)
        while open_ends.get_map():
            ready = open_ends.select(end - time.monotonic())
            if not ready:
                os.killpg(int(written[outputs[-1]].split()[0]), signal.SIGKILL)
                raise TimeoutError(f"the command ran for more than {SECONDS} s")
            for key, _ in ready:
                if key.fd == to_in:
                    part = _write(to_in, stdin)
                    stdin = stdin[part:]
                    ended = not stdin
                else:
                    content = os.read(key.fd, 1 << 16)
                    written[key.fd] += content
                    ended = not content
                if ended:
                    open_ends.unregister(key.fd)
                    os.close(key.fd)
    return written


def _write(descriptor: int, content: bytes) -> int:
    """Return how much was written; all of it where nobody reads."""
    try:
        return os.write(descriptor, content) if content else 0
    except BrokenPipeError:
        return len(content)


@cache
def _server() -> socket.socket:
    """Start the server of this process. It ends when this process does, which closes the socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    theirs.close()
    return ours


def serve(requests: socket.socket) -> None:
    """Run each command that is asked for in a process of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST, 4)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            arguments, folder, environment = json.loads(request)
            _watch(arguments, folder, environment, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(arguments: list[str], folder: str, environment: Mapping[str, str], descriptors: list[int]) -> None:
    """Run a command and write its process id and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, status = descriptors
    command = os.fork()
    if command == 0:
        os.close(status)
        _become(arguments, folder, environment, streams)
    for stream in streams:
        os.close(stream)
    os.write(status, f"{command}\n".encode())
    _, ending = os.waitpid(command, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(ending)}\n".encode())
    os._exit(0)


def _become(arguments: list[str], folder: str, environment: Mapping[str, str], streams: Sequence[int]) -> None:
    """Set this process up as a start of Python does, and run the command, which ends it."""
    from kubectl_ksecret.cli import main

    os.setsid()
    os.chdir(folder)
    # The streams of Python are the server's, on which nothing was read or written yet.
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = arguments
    try:
        main()
    except BaseException:
        # Only a fault of the command ends up here; it shows as it would from a start of its own.
        sys.excepthook(*sys.exc_info())
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(1)


def _import_all() -> None:
    import kubectl_ksecret

    for module in pkgutil.walk_packages(kubectl_ksecret.__path__, "kubectl_ksecret."):
        # A module of an extra that is not installed: the command that needs it says so.
        with suppress(ImportError):
            importlib.import_module(module.name)
    for name in _ON_USE:
        importlib.import_module(name)


if __name__ == "__main__":
    # The folder of this file comes first in sys.path, and the command does not have it.
    sys.path.pop(0)
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as requests_:
        serve(requests_)
