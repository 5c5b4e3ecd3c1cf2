"""How the tool signs in to Vault: by what the vault program takes from its surroundings, and to no other server."""

import os
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from ..errors import Mistake, Refusal
from ..model.types.sources import Vault
from ..sensitive import Sensitive

_OF_THE_USER = ".vault-token"
_OF_THE_POD = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class Login(NamedTuple):
    """A sign-in that yields a token: its method, the path below auth/, and what is sent there."""

    method: Literal["approle", "kubernetes"]
    path: str
    body: Mapping[str, Callable[[], str]]


def credential(source: Vault) -> Sensitive | Login:
    """Return a token, or how to get one.

    Raises Refusal if there is neither, or if what there is may belong to another server: the address may come from a
    stranger's pull request, and whoever gets a token can use it.
    """
    _refuse_other_server(source)
    if token := os.environ.get("VAULT_TOKEN", "").strip():
        return _token(token, "VAULT_TOKEN", source)
    if role_id := os.environ.get("VAULT_ROLE_ID"):
        secret_id = os.environ.get("VAULT_SECRET_ID", "")
        return Login(
            method="approle",
            path=f"{_method('approle')}/login",
            body={"role_id": lambda: role_id, "secret_id": lambda: secret_id},
        )
    if role := os.environ.get("VAULT_KUBERNETES_ROLE"):
        file = os.environ.get("VAULT_KUBERNETES_TOKEN_FILE", _OF_THE_POD)
        jwt = _content(file)
        if not jwt:
            hint = "VAULT_KUBERNETES_ROLE is for pods; VAULT_KUBERNETES_TOKEN_FILE names another file"
            raise Refusal(Mistake(f"{file} holds no token of a ServiceAccount", source.origin.at("address"), hint))
        return Login(
            method="kubernetes",
            path=f"{_method('kubernetes')}/login",
            body={"role": lambda: role, "jwt": lambda: jwt},
        )
    if token := _content(os.path.join(os.path.expanduser("~"), _OF_THE_USER)):
        return _token(token, f"~/{_OF_THE_USER}", source)
    hint = "run vault login, or set VAULT_TOKEN, VAULT_ROLE_ID and VAULT_SECRET_ID, or VAULT_KUBERNETES_ROLE in a pod"
    raise Refusal(Mistake(f"{source.shown_address}: not signed in to Vault", source.origin.at("address"), hint))


def _token(text: str, where: str, source: Vault) -> Sensitive:
    """Return a token. Raises Refusal for what no header can hold, such as several lines."""
    if not (text.isascii() and text.isprintable()):
        hint = "sign in anew with vault login, or set VAULT_TOKEN"
        raise Refusal(Mistake(f"{where} holds no token of one line", source.origin.at("address"), hint))
    return Sensitive(text.encode())


def _method(default: str) -> str:
    """Return the path of a method; `vault auth list` shows it with a slash at its end."""
    return os.environ.get("VAULT_AUTH_PATH", "").strip("/ ") or default


def _content(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as opened:
            return opened.read().strip()
    except (OSError, ValueError):
        return ""


def _refuse_other_server(source: Vault) -> None:
    named = os.environ.get("VAULT_ADDR", "").strip()
    if named and _server(named) == _server(source.address):
        return
    if not named and is_loopback(source.address):  # the vault program's own default is this machine too
        return
    problem = f"VAULT_ADDR is {named if named.isprintable() else 'another'}" if named else "VAULT_ADDR is not set"
    raise Refusal(
        Mistake(
            f"{problem}, so nothing is sent to {source.shown_address}",
            source.origin.at("address"),
            f"if the token is of that server: export VAULT_ADDR={source.shown_address}",
        )
    )


def _server(address: str) -> tuple[str, str, int]:
    try:
        url = urlsplit(address)
        return url.scheme, (url.hostname or "").lower(), url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        return "", "", 0


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine, from which nothing leaves it."""
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
