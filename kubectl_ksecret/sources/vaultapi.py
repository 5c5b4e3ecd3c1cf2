"""The HTTP API of a Vault server: requests are made again where that helps, and no answer gets into a message."""

import json
import logging
import os
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from ..model.types.sources import Vault
from ..sensitive import Sensitive
from ..values import document
from . import patience, tlsfaults
from .patience import Throttling
from .vaulterrors import VaultFailure
from .vaultrefusals import refusal
from .vaultsignin import Login, credential, is_loopback

_TIMEOUT = urllib3.Timeout(connect=10, read=30)
_ATTEMPTS = 3  # of what can't be reached or is cut off
_ATTEMPTS_OF_A_FAILING_SERVER = 6
_LONGEST_PAUSE = 10.0
_CAPABILITIES = {"GET": "read", "POST": "update", "list": "list"}
_PASSING = (408, 412, 500, 502, 503, 504)
_HEALTH_PATH = "sys/health"


class Answer(NamedTuple):
    """An answer of Vault: its status and its members; those of a failure tell what it means."""

    status: int
    members: Mapping[str, Any]

    @property
    def errors(self) -> str:
        """Return the errors in it, to be searched and not to be shown."""
        stated = self.members.get("errors")
        return " ".join(map(str, stated)) if isinstance(stated, list) else ""


class VaultApi:
    """One server, signed in to when it is first asked. Every failure is a VaultFailure."""

    def __init__(self, source: Vault, ca: bytes | None) -> None:
        """`ca` are certificates in PEM that are trusted instead of the machine's own."""
        for name in ("urllib3", "urllib3.connectionpool"):  # its warnings show headers
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._source, self._address = source, source.address.rstrip("/")
        self._throttling = Throttling(self._address)
        self._token: Sensitive | None = None
        self._signing_in = threading.Lock()
        self._pool = _pool(source, ca)

    def ask(self, method: str, path: str, body: bytes | None = None, *, query: str = "", again: bool = True) -> Answer:
        """Send a request as whoever is signed in; one that is not to be made `again` may only wait for a throttle.

        Raises VaultFailure unless the answer is one of Vault about what was asked for.
        """
        try:
            answer = self._send(method, f"{quote(path)}{query}", body, token=self._signed_in(), again=again)
            if answer.status == 403:
                raise VaultFailure("token" if self._is_of_the_token(answer) else "forbidden", 403)
            _refuse_absent_namespace(answer)
            if answer.status == 404 and "no handler for route" in answer.errors:
                raise VaultFailure("no-mount", 404)
        except VaultFailure as failure:
            failure.path = failure.path or path
            failure.capability = _CAPABILITIES["list" if "list" in query else method]
            raise
        return answer

    def _signed_in(self) -> Sensitive:
        with self._signing_in:
            if self._token is None:
                way = credential(self._source)
                self._token = self._log_in(way) if isinstance(way, Login) else way
            return self._token

    def _log_in(self, login: Login) -> Sensitive:
        body = json.dumps({name: value() for name, value in login.body.items()}).encode()
        answer = self._send("POST", quote(f"auth/{login.path}"), body, token=None, again=True)
        _refuse_absent_namespace(answer)
        auth = answer.members.get("auth")
        token = auth.get("client_token") if isinstance(auth, dict) else None
        if answer.status != 200 or not isinstance(token, str) or not token:
            raise refusal(login, answer.status, answer.errors, self._is_wrapping)
        return Sensitive(token.encode())

    def _is_wrapping(self, text: str) -> bool:
        """Ask whether a text is a token that wraps something, which stays wrapped."""
        body = json.dumps({"token": text}).encode()
        return self._send("POST", "sys/wrapping/lookup", body, token=None, again=True).status == 200

    def _is_of_the_token(self, refusal: Answer) -> bool:
        """Whether a refusal is about the token itself, which is asked for: it reads like that of a policy.

        A token without the policy `default` can't look itself up. Then the form of the errors tells: a refusal by a
        policy is counted ("1 error occurred"), that of an unknown token is not, or names it (Vault since 1.13).
        """
        if self._send("GET", "auth/token/lookup-self", None, token=self._token, again=True).status == 200:
            return False
        return "invalid token" in refusal.errors or "error occurred" not in refusal.errors

    def _send(self, method: str, path: str, body: bytes | None, *, token: Sensitive | None, again: bool) -> Answer:
        deadline = time.monotonic() + patience.PATIENCE
        attempt = throttled = 0
        while True:
            attempt += 1
            try:
                response = self._request(method, path, body, token)
            except VaultFailure as failure:
                if not again or failure.reason not in ("no-answer", "cut", "unreached") or attempt >= _ATTEMPTS:
                    raise
                time.sleep(_pause(attempt))
                continue
            asked = patience.asked_for(response.headers.get("Retry-After", ""))
            if response.status == 429:
                throttled += 1
                attempt -= 1
                if not self._throttling.wait(throttled, deadline, asked):
                    raise VaultFailure("throttled", 429)
                continue
            if response.status not in _PASSING:
                return _read(response)
            reason = self._health()
            if not again or reason in ("sealed", "uninitialised") or attempt >= _ATTEMPTS_OF_A_FAILING_SERVER:
                raise VaultFailure(reason, response.status)
            time.sleep(_pause(attempt, asked))

    def _request(self, method: str, path: str, body: bytes | None, token: Sensitive | None) -> urllib3.BaseHTTPResponse:
        headers = {"X-Vault-Request": "true"}
        if token is not None:
            headers["X-Vault-Token"] = token.reveal().decode()
        if self._source.namespace and path != _HEALTH_PATH:  # which a server refuses in a namespace
            headers["X-Vault-Namespace"] = self._source.namespace
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = self._pool.urlopen(
                method,
                f"/v1/{path}",
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
            )
        except SSLError as error:
            raise VaultFailure(_fault_of_tls(str(error))) from None
        except (NewConnectionError, ConnectTimeoutError, ProxyError):
            raise VaultFailure("unreached") from None
        except ReadTimeoutError:
            raise VaultFailure("no-answer") from None
        except (HTTPError, ValueError) as error:
            raise VaultFailure("cut" if "Incomplete" in str(error) else "no-answer") from None
        if 300 <= response.status < 400:
            raise VaultFailure("redirect", response.status)
        return response

    def _health(self) -> str:
        """Return why a server fails, as it tells anybody.

        Its status says less than its members: a load balancer without a server behind it answers 503 like a sealed one.
        """
        try:
            health = document.parsed(self._request("GET", _HEALTH_PATH, None, None).data)
        except (VaultFailure, ValueError):
            return "failed"
        stated = health if isinstance(health, dict) else {}
        if stated.get("initialized") is False:
            return "uninitialised"
        if stated.get("sealed") is True:
            return "sealed"
        return "standby" if stated.get("standby") is True else "failed"


def _pool(source: Vault, ca: bytes | None) -> urllib3.HTTPConnectionPool:
    """Return the connections to a server, through the proxy that the environment names for it.

    They are asked themselves, and not their manager, which saves 0.3 of the 0.7 ms that a request costs.
    """
    context = _trust(ca) if source.address.startswith("https:") else None
    options: dict[str, Any] = {"maxsize": source.parallelism, "timeout": _TIMEOUT, "ssl_context": context}
    scheme, _, host = source.address.rstrip("/").partition("://")
    proxy = getproxies().get(scheme)
    if proxy and not is_loopback(source.address) and not proxy_bypass(host):
        return _proxied(proxy, options).connection_from_url(source.address)
    return urllib3.PoolManager(**options).connection_from_url(source.address)


def _trust(ca: bytes | None) -> ssl.SSLContext:
    """Return what a server's certificate is held against. Raises VaultFailure where that is no certificate."""
    try:
        if ca is not None:
            # Comments in a bundle may be in any language. Without any text ssl would trust the machine's own CAs.
            pem = ca.decode("ascii", "ignore")
            if "-----BEGIN" not in pem:
                raise ValueError
            return ssl.create_default_context(cadata=pem)
        return ssl.create_default_context(cafile=os.environ.get("VAULT_CACERT") or None)
    except (ssl.SSLError, OSError, ValueError):
        raise VaultFailure("ca") from None


def _proxied(proxy: str, options: Mapping[str, Any]) -> urllib3.ProxyManager:
    """Return connections through a proxy, which may be named without http:// and hold a name and a password."""
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        sign_in = urllib3.util.parse_url(url).auth
        # urllib3 takes no sign-in from the URL itself.
        headers = urllib3.make_headers(proxy_basic_auth=unquote(sign_in)) if sign_in else None
        return urllib3.ProxyManager(url, proxy_headers=headers, **options)
    except (HTTPError, ValueError):
        raise VaultFailure("proxy") from None


def _fault_of_tls(text: str) -> str:
    """Return why there is no connection; OpenSSL's text quotes nothing that was sent."""
    if kind := tlsfaults.kind(text):
        return kind
    if "CERTIFICATE_REQUIRED" in text:
        return "client-certificate"
    return "untrusted" if "CERTIFICATE_VERIFY_FAILED" in text else "strange"


def _pause(attempt: int, asked: float = 0.0) -> float:
    return min(asked or 0.25 * 2.0 ** (attempt - 1), _LONGEST_PAUSE)


def _refuse_absent_namespace(answer: Answer) -> None:
    if answer.status == 404 and "namespace not found" in answer.errors:
        raise VaultFailure("no-namespace", 404)


def _read(response: urllib3.BaseHTTPResponse) -> Answer:
    """Return an answer of Vault. Raises VaultFailure for that of anything else, such as a proxy's page."""
    if not response.data and response.status == 204:
        return Answer(response.status, {})
    try:
        members = document.parsed(response.data)
    except ValueError:
        raise VaultFailure(
            "cut" if response.status == 200 and _is_json(response) else "strange", response.status
        ) from None
    if not isinstance(members, dict) or not (members.keys() & {"request_id", "errors"}):
        raise VaultFailure("strange", response.status)
    return Answer(response.status, members)


def _is_json(response: urllib3.BaseHTTPResponse) -> bool:
    return str(response.headers.get("Content-Type", "")).startswith("application/json")
