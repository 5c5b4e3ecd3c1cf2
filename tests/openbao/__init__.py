"""The real OpenBao, on 127.0.0.1 and in memory, for as long as the tests run: what the source `vault` is tested with.

```python
mount = bao.mount()                                    # a KV engine of its own for each test
bao.ask("POST", f"{mount}/data/shop/app", {"data": {"token": "…"}})
with Relay(bao.url) as relay:                          # faults on the way
    relay.faults.add(cut(), "GET /v1/**")
    subprocess.run([…], env={**os.environ, **bao.environment})
```
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, NamedTuple, Self

import urllib3

PROGRAM = Path(sys.executable).with_name("bao")
_START = 20.0


class Answered(NamedTuple):
    """An answer of the server."""

    status: int
    body: dict[str, Any]


class OpenBao:
    """A server from `with` to its end, unsealed unless its configuration is given.

    The root token is made anew for each server.
    """

    def __init__(self, configuration: str = "") -> None:
        """`configuration` is in HCL, with ADDRESS for where it listens; such a server is not initialised."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.token = secrets.token_hex(16)
        self._numbers = count(1)
        self._http = urllib3.PoolManager(maxsize=8)
        self._folder = TemporaryDirectory(prefix="openbao-")
        self.url = f"{'https' if 'tls_cert_file' in configuration else 'http'}://{address}"
        command = [str(PROGRAM), "server"]
        if configuration:
            file = Path(self._folder.name, "config.hcl")
            file.write_text(configuration.replace("ADDRESS", address))
            command += [f"-config={file}"]
        else:
            command += ["-dev", "-dev-no-store-token", f"-dev-listen-address={address}"]
        environment = {"PATH": os.environ["PATH"], "HOME": self._folder.name, "BAO_DEV_ROOT_TOKEN_ID": self.token}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + _START
        host, _, port = self.url.rpartition("/")[2].partition(":")
        while True:
            try:
                with socket.create_connection((host, int(port))):
                    return self
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._http.clear()
        self._folder.cleanup()

    @property
    def environment(self) -> Mapping[str, str]:
        """For a child process that signs in with the root token."""
        return {"VAULT_TOKEN": self.token}

    def request(
        self, method: str, path: str, body: Any = None, *, token: str = "", namespace: str = "", wrap: str = ""
    ) -> Answered:
        """Ask the server, as root unless a token is given; the answer is wrapped for so long if that is given."""
        headers = {"X-Vault-Token": token or self.token, "X-Vault-Request": "true"}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        if wrap:
            headers["X-Vault-Wrap-TTL"] = wrap
        content = None if body is None else json.dumps(body).encode()
        answer = self._http.request(method, f"{self.url}/v1/{path}", body=content, headers=headers, retries=False)
        return Answered(answer.status, json.loads(answer.data) if answer.data else {})

    def ask(self, method: str, path: str, body: Any = None, **fields: str) -> dict[str, Any]:
        """Ask what must not fail."""
        answered = self.request(method, path, body, **fields)
        assert answered.status < 300, (method, path, answered.status, answered.body.get("errors"))
        return answered.body

    def mount(self, version: int = 2, namespace: str = "") -> str:
        """Mount a KV engine of its own; its path."""
        path = f"kv-{next(self._numbers)}"
        self.ask(
            "POST", f"sys/mounts/{path}", {"type": "kv", "options": {"version": str(version)}}, namespace=namespace
        )
        # The server makes an engine of version 2 ready in the background, and refuses until then.
        while version == 2 and self.request("GET", f"{path}/config", namespace=namespace).status == 400:
            time.sleep(0.01)
        return path

    def limited(self, policy: str, **fields: Any) -> str:
        """Return a token that has a policy, which is given as it is documented."""
        name = f"policy-{next(self._numbers)}"
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        token: str = self.ask("POST", "auth/token/create", {"policies": [name], **fields})["auth"]["client_token"]
        return token
