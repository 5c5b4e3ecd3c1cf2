"""What stands between `kubectl ksecret` and a Vault server: proxies, load balancers, certificates, namespaces."""

import base64
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from .keyvault import certificates
from .keyvault.answers import Answer
from .keyvault.faults import Refuse
from .openbao import OpenBao
from .openbao.relay import Relay
from .test_sources_vault import ENTRY, NOT_READY, documented_policy, failed, vault_shop

PLACE = "overlays/prod/secrets/ksecret.yaml:18:14: "
PAGE = "<html><body>503 Service Unavailable: first-token</body></html>"


@pytest.fixture
def mount(bao: OpenBao) -> str:
    """An engine with the entry of `app`."""
    path = bao.mount()
    bao.ask("POST", f"{path}/data/shop/prod/app", {"data": ENTRY})
    return path


def test_a_load_balancer_without_a_server_is_no_sealed_server(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """It answers 503 to whatever it is asked, so its status says nothing of a seal."""
    with Relay(bao.url) as relay:
        relay.faults.add(Refuse(Answer(503, PAGE, {"Retry-After": "0.01"})), "GET /v1/**")
        project = vault_shop(tmp_path, bao, mount, address=relay.url)
        assert failed(project)[0].endswith(f"{relay.url} failed for shop/prod/app (503)")


def test_a_write_that_a_stale_standby_hides_is_no_success(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """The check-and-set fails at the active node, and a standby still hands out the version from before."""
    with Relay(bao.url) as relay:
        project = vault_shop(tmp_path, bao, mount, address=relay.url)
        project.done("seal", "prod")

        def meanwhile(method: str, path: str) -> None:
            if method == "POST" and path.startswith(f"/v1/{mount}/data/"):
                relay.meanwhile = None
                stale = bao.ask("GET", f"{mount}/data/shop/prod/app")
                relay.faults.add(Refuse(Answer(200, stale)), f"GET /v1/{mount}/data/**")
                bao.ask("POST", f"{mount}/data/shop/prod/app", {"data": ENTRY | {"password": "changed"}})

        relay.meanwhile = meanwhile
        done = project.ksecret("rotate", "prod", "app/token", "--yes")
        assert (done.code, "somebody else changed shop/prod/app meanwhile" in done.err) == (3, True)
        relay.faults.clear()
        assert project.ksecret("rotate", "prod", "app/token", "--yes").code == 0
    new = bao.ask("GET", f"{mount}/data/shop/prod/app")["data"]
    assert (new["metadata"]["version"], new["data"]["password"]) == (3, "changed")


def test_a_server_whose_clock_is_ahead_is_believed(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """It does not hand the version out any more; here its time of deletion lies ahead."""
    ahead = {"version": 1, "created_time": "2026-01-01T00:00:00Z", "deletion_time": "2199-01-01T00:00:00Z"}
    deleted = {"request_id": "1", "data": {"data": None, "metadata": {**ahead, "destroyed": False}}}
    with Relay(bao.url) as relay:
        relay.faults.add(Refuse(Answer(404, deleted)), f"GET /v1/{mount}/data/**")
        project = vault_shop(tmp_path, bao, mount, address=relay.url, namespace="team/eu")
        done = project.ksecret("seal", "prod")
    assert done.code == 3
    assert f"warning: {PLACE}{relay.url}: version 1 of shop/prod/app, the current one, is deleted\n" in done.err
    options = f"-namespace=team/eu -mount={mount} -versions=1"
    assert f"hint: bring it back: vault kv undelete {options} shop/prod/app\n" in done.err


def test_a_wait_of_no_length_is_passed_over(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """A Retry-After that is no number of seconds, and no date."""
    with Relay(bao.url) as relay:
        relay.faults.add(Refuse(Answer(429, {"errors": []}, {"Retry-After": "nan"})), "GET /v1/**", times=1)
        assert vault_shop(tmp_path, bao, mount, address=relay.url).ksecret("seal", "prod").code == 0


def test_a_sealed_server_is_known_in_a_namespace_too(tmp_path: Path) -> None:
    """A server does not say how it is where it is asked in a namespace."""
    with OpenBao(NOT_READY) as server:
        project = vault_shop(tmp_path, server, "secret", namespace="team")
        assert failed(project)[0].endswith(f"{server.url} is not initialised (501)")
        server.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        assert failed(project)[0].endswith(f"{server.url} is sealed (503)")


def test_a_namespace_that_is_not_there_is_no_refused_sign_in(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """An AppRole signs in within the namespace."""
    project = vault_shop(tmp_path, bao, mount, namespace="nowhere")
    del project.environment["VAULT_TOKEN"]
    message, _ = failed(project, VAULT_ROLE_ID="shop", VAULT_SECRET_ID="guessed")
    assert message.endswith(f"{bao.url} has no such namespace")


def test_what_is_no_token_is_not_sent(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """Two lines, or bytes that are no text, as of a file that was meant to be another."""
    project = vault_shop(tmp_path, bao, mount)
    message = "VAULT_TOKEN holds no token of one line"
    assert failed(project, VAULT_TOKEN="first-token\nfirst-token")[0].endswith(message)
    assert failed(project, VAULT_TOKEN="first-token\udcff")[0].endswith(message)


def test_the_path_of_a_method_is_taken_as_vault_auth_list_shows_it(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """With a slash at its end."""
    project = vault_shop(tmp_path, bao, mount)
    del project.environment["VAULT_TOKEN"]
    method = f"roles-{mount}"
    bao.ask("POST", f"sys/auth/{method}", {"type": "approle"})
    bao.ask("PUT", f"sys/policies/acl/{mount}", {"policy": documented_policy("read", mount)})
    bao.ask("POST", f"auth/{method}/role/shop", {"token_policies": [mount]})
    assert f"{method}/" in bao.ask("GET", "sys/auth")["data"]
    role = {
        "VAULT_AUTH_PATH": f"{method}/",
        "VAULT_ROLE_ID": bao.ask("GET", f"auth/{method}/role/shop/role-id")["data"]["role_id"],
        "VAULT_SECRET_ID": bao.ask("POST", f"auth/{method}/role/shop/secret-id")["data"]["secret_id"],
    }
    project.done("seal", "prod", **role)


def test_a_token_without_the_default_policy_is_not_taken_for_an_expired_one(
    tmp_path: Path, bao: OpenBao, mount: str
) -> None:
    """It may not even look itself up; what it lacks is a right for the entry."""
    elsewhere = documented_policy("read", mount).replace(f'"{mount}/', f'"{mount}-other/')
    token = bao.limited(elsewhere, no_default_policy=True)
    assert bao.request("GET", "auth/token/lookup-self", token=token).status == 403
    message, hint = failed(vault_shop(tmp_path, bao, mount), VAULT_TOKEN=token)
    assert message.endswith(f"{bao.url}: no permission for shop/prod/app (403)")
    assert hint == f'hint: the policy must have: path "{mount}/data/shop/prod/app" {{ capabilities = ["read"] }}'


@contextmanager
def proxy() -> Iterator[tuple[int, list[str]]]:
    """A proxy that opens no tunnel: its port, and the heads of the requests that reached it."""
    heads: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    heads.append(client.recv(65536).decode())
                    client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        yield server.getsockname()[1], heads
        server.shutdown(socket.SHUT_RDWR)


FAR = {"VAULT_ADDR": "https://vault.example:8200", "VAULT_TOKEN": "none"}


@pytest.mark.parametrize("scheme", ["http://", ""], ids=["a URL", "a host"])
def test_a_proxy_is_asked_with_the_sign_in_that_its_variable_holds(
    tmp_path: Path, bao: OpenBao, mount: str, scheme: str
) -> None:
    """With http:// before it or without, as curl and the vault program take it."""
    project = vault_shop(tmp_path, bao, mount, address=FAR["VAULT_ADDR"])
    with proxy() as (port, heads):
        message, _ = failed(project, **FAR, HTTPS_PROXY=f"{scheme}shop:p%40ss@127.0.0.1:{port}", NO_PROXY="")
    assert message.endswith("https://vault.example:8200 can't be reached")
    assert heads[0].startswith("CONNECT vault.example:8200 ")
    (sign_in,) = set(re.findall("(?im)^proxy-authorization: (.+?)\r$", "".join(heads)))
    assert sign_in == f"Basic {base64.b64encode(b'shop:p@ss').decode()}"


def test_a_proxy_of_another_kind_is_named(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """The client speaks to HTTP proxies alone."""
    project = vault_shop(tmp_path, bao, mount, address=FAR["VAULT_ADDR"])
    message, _ = failed(project, **FAR, HTTPS_PROXY="socks5://127.0.0.1:1", NO_PROXY="")
    assert message.endswith("8200 can't be reached: HTTPS_PROXY names no http:// or https:// proxy")


def test_a_ca_file_is_never_passed_over(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """An empty one does not mean the CAs of the machine, and comments in a bundle may be in any language."""
    project = vault_shop(tmp_path, bao, mount, address="https://127.0.0.1:1", caFile="ca.pem")
    _, _, ca = certificates.server_certificate("OpenBao")
    messages = {
        b"": "the trusted certificates can't be read",
        "# Sertifikalarımız\n".encode(): "the trusted certificates can't be read",
        "# Sertifikalarımız\n".encode() + ca: "can't be reached",
    }
    for content, message in messages.items():
        project.write("overlays/prod/secrets/ca.pem", content)
        assert failed(project, VAULT_ADDR="https://127.0.0.1:1")[0].endswith(message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"address": "127.0.0.2"}, "its certificate is for another host"),
        ({"lives": timedelta(minutes=-1)}, "its certificate has expired"),
    ],
    ids=["another host", "expired"],
)
def test_what_is_wrong_with_a_certificate_is_named(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    """No other CA would mend it."""
    key, certificate, ca = certificates.server_certificate("OpenBao", **fields)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "certificate.pem").write_bytes(certificate)
    (tmp_path / "ca.pem").write_bytes(ca)
    listener = (
        f'storage "inmem" {{}}\nlistener "tcp" {{\n  address = "ADDRESS"\n  tls_key_file = "{tmp_path}/key.pem"\n'
        f'  tls_cert_file = "{tmp_path}/certificate.pem"\n}}\n'
    )
    with OpenBao(listener) as server:
        project = vault_shop(tmp_path, server, "secret")
        line, _ = failed(project, VAULT_CACERT=str(tmp_path / "ca.pem"))
        assert line.endswith(f"{server.url}: {message}")


def test_a_server_that_wants_a_certificate_of_its_clients_is_named(tmp_path: Path) -> None:
    """Its own certificate is not at fault."""
    key, certificate, ca = certificates.server_certificate("OpenBao")
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "certificate.pem").write_bytes(certificate)
    (tmp_path / "ca.pem").write_bytes(ca)
    listener = (
        f'storage "inmem" {{}}\nlistener "tcp" {{\n  address = "ADDRESS"\n  tls_key_file = "{tmp_path}/key.pem"\n'
        f'  tls_cert_file = "{tmp_path}/certificate.pem"\n  tls_require_and_verify_client_cert = true\n'
        f'  tls_client_ca_file = "{tmp_path}/ca.pem"\n}}\n'
    )
    with OpenBao(listener) as server:
        project = vault_shop(tmp_path, server, "secret")
        line, _ = failed(project, VAULT_CACERT=str(tmp_path / "ca.pem"))
        assert line.endswith(f"{server.url} demands a certificate of its clients, of which this tool has none")


def test_a_port_that_no_host_has_is_refused(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """As any other address that is none."""
    done = vault_shop(tmp_path, bao, mount, address="https://vault.example:65536").ksecret("seal", "prod")
    assert (done.code, done.err.count("Traceback")) == (2, 0)
    assert "expected an address such as https://vault.example:8200" in done.err


def test_a_store_shows_the_ca_alone(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """A private key in the same file would be committed with the store, for all to see."""
    key, _, ca = certificates.server_certificate("OpenBao")
    project = vault_shop(tmp_path, bao, mount)
    vault = {"address": "https://vault.example", "mount": mount, "caFile": "ca.pem"}
    source = {"names": "{secret}", "property": "{key}", "vault": vault}
    store = {"name": "vault", "auth": {"token": {"secretRef": {"name": "login", "key": "token"}}}}
    project.overlay("aks", {"externalSecret": {"store": store}}, source=source)
    for content in (ca + key, key, b"none"):
        project.write("overlays/aks/secrets/ca.pem", content)
        done = project.ksecret("render", "aks")
        assert (done.code, done.out) == (2, "")
        message, hint, *_ = done.err.splitlines()
        assert message.endswith("overlays/aks/secrets/ca.pem holds no certificate, or a private key beside it")
        assert hint == "hint: name a file in PEM that holds certificates alone"
    project.write("overlays/aks/secrets/ca.pem", ca)
    assert base64.b64encode(ca).decode() in project.done("render", "aks")
