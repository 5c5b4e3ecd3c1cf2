"""Reading a thousand keys out of Key Vault: eight requests side by side, beside one after the other.

The vault is the double of the tests, in this process, and takes 20 ms for each answer; TLS and Azure's SDK are real.
"""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.keyvault import KeyVault

from .measure import Bound, Line, Usage, compare, run
from .projects import KEYS, Project

LATENCY = 0.02
FOUR_TIMES = Bound(4, faster=True)


def lines(programs: Path, folder: Path) -> Iterator[Line]:
    """The first seal, which reads values, and a later one, which finds that no version has changed."""
    with KeyVault() as vault:
        vault.faults.latency = LATENCY
        ours = Reader(programs, vault, Project(folder / "ours", 100, "sealedSecret", source=_source(vault, 8)))
        # One after the other a fifth of them is read, and the time of the reading taken five times.
        peer = Reader(programs, vault, Project(folder / "peer", 20, "sealedSecret", source=_source(vault, 1)), times=5)
        for act, verb in ((Reader.seal, "read"), (Reader.look, "look for changes in")):
            line = compare("", partial(act, ours), partial(act, peer), FOUR_TIMES, 20)
            keys, requests = 100 * KEYS, ours.requests
            yield line._replace(subject=f"{verb} {keys:,} keys, {requests:,} requests; peer: in turn (200 × 5)")


def _source(vault: KeyVault, parallelism: int) -> str:
    return f"{{azureKeyVault: {{vaultUrl: '{vault.url}', parallelism: {parallelism}}}}}"


class Reader:
    """A project whose values are in the vault; `requests` is how many the last run made."""

    def __init__(self, programs: Path, vault: KeyVault, project: Project, times: int = 1) -> None:
        self._command = (programs / "kubectl-ksecret", "seal", "bench", *project.accept)
        self._vault, self._project, self._times = vault, project, times
        self.requests = 0
        for name, value in project.values.items():
            if not vault.versions(name):  # of two versions of one second a look would have to read the value
                vault.set(name, value)

    def seal(self) -> Usage:
        """Read all values and seal them."""
        shutil.rmtree(self._project.manifests, ignore_errors=True)
        return self.look()

    def look(self) -> Usage:
        """Seal what has changed."""
        begin = len(self._vault.requests)
        others = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
        usage = run(*self._command, folder=self._project.root, variables={**others, **self._vault.environment})
        made = self._vault.requests[begin:]
        self.requests = len(made)
        return usage._replace(seconds=usage.seconds + (self._times - 1) * (made[-1].time - made[0].time))
