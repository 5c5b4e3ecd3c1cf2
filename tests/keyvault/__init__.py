"""A test double for Azure Key Vault: the vault and its token authority on one HTTPS port of 127.0.0.1.

The real SDK talks to it, credential chain included:

```python
with KeyVault() as vault:
    vault.set("jwt-key-prod", "…", expires_on=tomorrow)
    subprocess.run([…], env={**os.environ, **vault.environment})
    assert not vault.values_read
```
"""

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, Unpack

from . import authority, certificates
from .answers import Answer, Request, refusal
from .authority import FederatedCredential
from .faults import Cut, Faults, Garble, Refuse
from .rest import MAX_PAGE, SecretsApi
from .server import Reply, Server
from .vault import Attributes, Vault, Version

__all__ = ["FederatedCredential", "KeyVault", "Seen", "Version"]

_NOTHING = Answer(0, {})
_NO_TOKEN = refusal(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")


class Seen(NamedTuple):
    """A request that reached the double, and what became of it."""

    method: str
    path: str
    time: float
    """Of its arrival, on the monotonic clock."""
    status: int | None
    """None if the connection was cut before an answer."""
    carried_value: bool
    """The answer held a secret's value, as that of a GET and of a PUT does."""


class KeyVault:
    """A vault of its own, from `with` to its end.

    With `skips_disabled` the current version is the newest enabled one. Reports of the real vault say that it is the
    newest one and refused (403 SecretDisabled) if it is disabled: so it is without.
    """

    def __init__(self, *, page_size: int = MAX_PAGE, skips_disabled: bool = True) -> None:
        self.faults = Faults()
        self.requests: list[Seen] = []
        """What was asked of the vault by a client that is signed in, faults included."""
        self.sign_ins: list[Seen] = []
        """What was asked without a token, which the vault answers with its challenge, and of the authority."""
        self.most_at_once = 0
        """How many requests of a client that is signed in were unanswered at one moment, at most."""
        self._unanswered = 0
        self._counting = threading.Lock()
        self._vault = Vault(skips_disabled=skips_disabled)
        self._ended = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="keyvault-")
        trusted, ca = certificates.server_context("Key Vault double")
        unknown, _ = certificates.server_context("Stranger")
        self._ca = self._file("ca.pem", ca)
        self._server = Server(self._respond, lambda: unknown if self.faults.unknown_ca else trusted)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self._authority = authority.Authority(self.url)
        self._api = SecretsApi(self._vault, self.url, page_size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.close()
        self._folder.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """For a child process that signs in as a service principal with a secret."""
        return {
            "AZURE_TENANT_ID": authority.TENANT,
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_CLIENT_ID": self._authority.client_id,
            "AZURE_CLIENT_SECRET": self._authority.client_secret,
            **self._network,
        }

    @property
    def workload_identity(self) -> dict[str, str]:
        """For a child process that signs in as a pod of AKS does. No other AZURE_ variable may be set."""
        token = self._file("federated-token", self._authority.federated_token.encode())
        return {
            "AZURE_TENANT_ID": authority.TENANT,
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_CLIENT_ID": self._authority.client_id,
            "AZURE_FEDERATED_TOKEN_FILE": token,
            **self._network,
        }

    @property
    def managed_identity(self) -> dict[str, str]:
        """For a child process that signs in by its host's identity. No AZURE_ variable may be set."""
        return {
            "IDENTITY_ENDPOINT": f"{self.url}{authority.MANAGED_IDENTITY_PATH}",
            "IDENTITY_HEADER": self._authority.identity_header,
            **self._network,
        }

    @property
    def network(self) -> dict[str, str]:
        """For a child process that has an identity of its own and must only reach the double."""
        return dict(self._network)

    @property
    def client_id(self) -> str:
        """The id of the one application."""
        return self._authority.client_id

    def federate(self, *credentials: FederatedCredential) -> None:
        """Give the application these federated credentials, and no others."""
        self._authority.federated_credentials = list(credentials)

    @property
    def connections(self) -> int:
        """Connections begun so far, those that ended in the handshake included."""
        return self._server.connections

    @property
    def values_read(self) -> Sequence[str]:
        """The paths of which a value was read."""
        return [seen.path for seen in self.requests if seen.method == "GET" and seen.carried_value]

    def set(self, name: str, value: str, **attributes: Unpack[Attributes]) -> str:
        """Make a version behind the client's back; its id."""
        return self._vault.set(name, value, **attributes).id

    def update(self, name: str, version: str, **attributes: Unpack[Attributes]) -> None:
        """Change a version's attributes."""
        self._vault.update(name, version, **attributes)

    def disable(self, name: str, version: str) -> None:
        """Disable a version."""
        self._vault.update(name, version, enabled=False)

    def delete(self, name: str) -> None:
        """Soft-delete a secret."""
        self._vault.delete(name)

    def versions(self, name: str) -> list[Version]:
        """All versions of a secret in the order in which they were made."""
        return self._vault.versions(name)

    def value(self, name: str) -> str:
        """The value that a client gets now."""
        return self._vault.get(name).value

    @property
    def _network(self) -> dict[str, str]:
        # requests reads the lower-case name first, so a proxy exception of the user's must not win
        return {"REQUESTS_CA_BUNDLE": self._ca, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def _file(self, name: str, content: bytes) -> str:
        path = Path(self._folder.name, name)
        path.write_bytes(content)
        return str(path)

    def _respond(self, request: Request) -> Reply:
        arrival = time.monotonic()
        of_authority = not request.path.startswith(("/secrets", "/deletedsecrets"))
        signed_in = not of_authority and self._authority.accepts(request.headers.get("Authorization") or "")
        delay, fault = self.faults.met(request) if signed_in or of_authority else (self.faults.latency, None)
        reply = self._reply(request, fault, signed_in=signed_in)
        answer = reply.answer
        unanswered = reply.sent == "nothing"
        seen = Seen(
            request.method,
            request.path,
            arrival,
            None if unanswered else answer.status,
            answer.carries_value and not unanswered,
        )
        (self.requests if signed_in else self.sign_ins).append(seen)
        with self._counted(signed_in):
            self._ended.wait(delay)
        return reply

    @contextlib.contextmanager
    def _counted(self, signed_in: bool) -> Iterator[None]:
        with self._counting:
            self._unanswered += signed_in
            self.most_at_once = max(self.most_at_once, self._unanswered)
        yield
        with self._counting:
            self._unanswered -= signed_in

    def _reply(self, request: Request, fault: Refuse | Cut | Garble | None, *, signed_in: bool) -> Reply:
        challenge = {"WWW-Authenticate": self._authority.challenge}
        if isinstance(fault, Refuse):
            answer = fault.answer
            return Reply(answer._replace(headers=challenge) if answer.status == 401 else answer)
        if isinstance(fault, Cut) and fault.when == "before":
            return Reply(_NOTHING, "nothing")
        answer = self._authority.answer(request) or (
            self._api.answer(request) if signed_in else _NO_TOKEN._replace(headers=challenge)
        )
        match fault:
            case Cut("within"):
                return Reply(answer, "half")
            case Cut():
                return Reply(answer, "nothing")
            case Garble():
                return Reply(answer, "garbled")
        return Reply(answer)
