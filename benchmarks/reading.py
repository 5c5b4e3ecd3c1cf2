"""Reading a thousand keys out of Key Vault and out of OpenBao: requests side by side, beside one after the other.

The services are those of the tests, Azure's double in this process and the real OpenBao behind a relay in it, and each
answer takes 20 ms; TLS and Azure's SDK are real.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from tests.keyvault import KeyVault
from tests.openbao import OpenBao
from tests.openbao.relay import Relay

from .measure import Bound, Line, Usage, compare, run
from .projects import KEYS, Project

LATENCY = 0.02
FOUR_TIMES = Bound(4, faster=True)
SIX_TIMES = Bound(6, faster=True)


class Request(Protocol):
    """A request that reached a service; its time is on the monotonic clock."""

    @property
    def time(self) -> float: ...


class Service(Protocol):
    """Where values are read: what an overlay says of it, and what was asked of it."""

    name: str
    environment: Mapping[str, str]

    @property
    def requests(self) -> Sequence[Request]: ...

    def source(self, parallelism: int) -> str: ...

    def fill(self, values: Mapping[str, str]) -> None: ...


class _KeyVault:
    name = "Key Vault"

    def __init__(self, vault: KeyVault) -> None:
        self._vault = vault
        self.environment: Mapping[str, str] = vault.environment

    @property
    def requests(self) -> Sequence[Request]:
        return self._vault.requests

    def source(self, parallelism: int) -> str:
        return f"{{azureKeyVault: {{vaultUrl: '{self._vault.url}', parallelism: {parallelism}}}}}"

    def fill(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            if not self._vault.versions(name):  # of two versions of one second a look would have to read the value
                self._vault.set(name, value)


class _OpenBao:
    """An entry for each key: where the keys of a Secret are properties of one, they are one request."""

    name = "OpenBao"

    def __init__(self, bao: OpenBao, relay: Relay) -> None:
        self._bao, self._relay, self._mount = bao, relay, bao.mount()
        self.environment: Mapping[str, str] = bao.environment

    @property
    def requests(self) -> Sequence[Request]:
        return self._relay.requests

    def source(self, parallelism: int) -> str:
        vault = f"{{address: '{self._relay.url}', mount: {self._mount}, parallelism: {parallelism}}}"
        return f"{{names: 'bench/{{remoteName}}', property: value, vault: {vault}}}"

    def fill(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self._bao.ask("POST", f"{self._mount}/data/bench/{name}", {"data": {"value": value}})


def lines(programs: Path, folder: Path) -> Iterator[Line]:
    """The first seal, which reads values, and a later one, which finds that no version has changed."""
    with KeyVault() as vault:
        vault.faults.latency = LATENCY
        yield from _of(_KeyVault(vault), 8, FOUR_TIMES, programs, folder / "key-vault")
    with OpenBao() as bao, Relay(bao.url) as relay:
        relay.faults.latency = LATENCY
        yield from _of(_OpenBao(bao, relay), 16, SIX_TIMES, programs, folder / "openbao")


def _of(service: Service, parallelism: int, bound: Bound, programs: Path, folder: Path) -> Iterator[Line]:
    ours = Reader(programs, service, Project(folder / "ours", 100, "sealedSecret", source=service.source(parallelism)))
    # One after the other a fifth of them is read, and the time of the reading taken five times.
    in_turn = Project(folder / "peer", 20, "sealedSecret", source=service.source(1))
    peer = Reader(programs, service, in_turn, times=5)
    for act, verb in ((Reader.seal, "read"), (Reader.look, "look for changes in")):
        line = compare("", partial(act, ours), partial(act, peer), bound, 20)
        keys, requests = 100 * KEYS, ours.requests
        subject = f"{service.name}: {verb} {keys:,} keys, {requests:,} requests; peer: in turn (200 × 5)"
        yield line._replace(subject=subject)


class Reader:
    """A project whose values are in a service; `requests` is how many the last run made."""

    def __init__(self, programs: Path, service: Service, project: Project, times: int = 1) -> None:
        self._command = (programs / "kubectl-ksecret", "seal", "bench", *project.accept)
        self._service, self._project, self._times = service, project, times
        self.requests = 0
        service.fill(project.values)

    def seal(self) -> Usage:
        """Read all values and seal them."""
        shutil.rmtree(self._project.manifests, ignore_errors=True)
        return self.look()

    def look(self) -> Usage:
        """Seal what has changed."""
        begin = len(self._service.requests)
        others = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "VAULT_"))}
        usage = run(*self._command, folder=self._project.root, variables={**others, **self._service.environment})
        made = self._service.requests[begin:]
        self.requests = len(made)
        return usage._replace(seconds=usage.seconds + (self._times - 1) * (made[-1].time - made[0].time))
