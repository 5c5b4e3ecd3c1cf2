"""How `kubectl ksecret seal` reads Azure Key Vault: who it signs in as and where, how much at once, what it shows."""

import json
import re
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from .keyvault import KeyVault, certificates
from .keyvault.faults import throttled
from .projects import Project, opened_by_kubeseal, sealing
from .test_sources_keyvault import fill, vault_shop


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    with KeyVault() as double:
        yield double


@pytest.mark.parametrize("way", ["workload_identity", "managed_identity"])
def test_a_pod_and_a_machine_sign_in_by_their_own_identity(tmp_path: Path, vault: KeyVault, way: str) -> None:
    """Without a secret in the environment, and once only."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    for variable in vault.environment:
        del project.environment[variable]
    project.environment |= getattr(vault, way)
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"the token"
    paths = {"workload_identity": "/adfs/oauth2/v2.0/token", "managed_identity": "/msi/token"}
    assert [seen.path for seen in vault.sign_ins if seen.status == 200] == [paths[way]]


TENANT = "11111111-1111-1111-1111-111111111111"
CLOUDS = {
    "shop.vault.azure.net": ({}, "login.microsoftonline.com"),
    "shop.vault.azure.cn": ({}, "login.chinacloudapi.cn"),
    "SHOP.VAULT.AZURE.CN:443": ({}, "login.chinacloudapi.cn"),
    "shop.vault.usgovcloudapi.net": ({}, "login.microsoftonline.us"),
    "named.vault.azure.cn": ({"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us"}, "login.microsoftonline.us"),
}


@pytest.mark.parametrize("host", CLOUDS)
def test_the_client_secret_goes_to_the_authority_of_the_vaults_cloud(
    tmp_path: Path, vault: KeyVault, host: str
) -> None:
    """And to no other host; AZURE_AUTHORITY_HOST names another one."""
    variables, authority = CLOUDS[host]
    project = vault_shop(tmp_path, vault, vaultUrl=f"https://{host}")
    name = host.partition(":")[0].lower()
    with internet(tmp_path, name, authority) as (proxy, secret_sent_to):
        project.environment |= {
            "AZURE_TENANT_ID": TENANT,
            "HTTPS_PROXY": proxy,
            "NO_PROXY": "",
            "no_proxy": "",
            "REQUESTS_CA_BUNDLE": str(tmp_path / "internet.pem"),
        }
        del project.environment["AZURE_AUTHORITY_HOST"]
        done = project.ksecret("seal", "prod", **variables)
    assert (done.code, f"https://{host}: Azure refuses the sign-in (AADSTS700016)" in done.err) == (3, True)
    assert secret_sent_to == [authority]


@contextmanager
def internet(folder: Path, vault: str, authority: str) -> Iterator[tuple[str, list[str]]]:
    """A proxy that plays a vault and an authority which refuses; its URL, and the hosts that got a client secret.

    Its CA is in internet.pem.
    """
    secret_sent_to: list[str] = []
    context, ca = certificates.server_context("Internet", vault, authority)
    (folder / "internet.pem").write_bytes(ca)

    class Exchange(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            self.host = self.path.partition(":")[0].lower()
            self.send_response(200)
            self.end_headers()
            connection = context.wrap_socket(self.connection, server_side=True)
            self.rfile, self.wfile = connection.makefile("rb"), connection.makefile("wb")
            self.close_connection = False

        def do_GET(self) -> None:
            base = f"https://{self.host}/{TENANT}"
            if self.host == vault:
                resource = f"https://{vault.partition('.')[2]}"
                challenge = f'Bearer authorization="{base}", resource="{resource}"'
                self.answer(401, {"error": {"code": "Unauthorized"}}, challenge)
            else:
                ends = ("authorization", "token", "tenant_discovery")
                self.answer(
                    200, {"issuer": base, "metadata": [], **{f"{end}_endpoint": f"{base}/{end}" for end in ends}}
                )

        def do_POST(self) -> None:
            if b"client_secret=" in self.rfile.read(int(self.headers["Content-Length"])):
                secret_sent_to.append(self.host)
            self.answer(400, {"error": "unauthorized_client", "error_description": "AADSTS700016: No such client."})

        def answer(self, status: int, body: object, challenge: str = "") -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            if challenge:
                self.send_header("WWW-Authenticate", challenge)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Exchange) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", secret_sent_to
        server.shutdown()
        thread.join()


def large_shop(folder: Path, vault: KeyVault, secrets: int, keys: int, **fields: object) -> Project:
    """So many Secrets of so many keys each; the value of app-01/key-02 is "value 2 of app-01"."""
    project = Project(folder)
    project.environment |= vault.environment
    for name in (f"app-{number:02}" for number in range(secrets)):
        project.declare(name, {f"key-{key:02}": {"remoteName": f"{name}-key-{key:02}"} for key in range(keys)})
        for key in range(keys):
            vault.set(f"{name}-key-{key:02}", f"value {key} of {name}")
    project.sealed_overlay(source={"azureKeyVault": {"vaultUrl": vault.url, **fields}})
    return project


@pytest.mark.parametrize(("secrets", "per_second", "retry_after"), [(20, 300, 1), (6, 100, None)])
def test_a_burst_that_is_throttled_arrives_whole_and_in_order(
    tmp_path: Path, vault: KeyVault, secrets: int, per_second: float, retry_after: float | None
) -> None:
    """Two thousand keys, and fewer without Retry-After: for ten answers fewer than three are throttled."""
    project = large_shop(tmp_path, vault, secrets, 100)
    beyond = vault.faults.add(throttled(retry_after), beyond_per_second=per_second)
    soon = vault.faults.add(throttled(retry_after), after=100, times=16)  # however slow the machine
    project.done("seal", "prod")
    assert soon.count == 16
    assert len(vault.values_read) == secrets * 100
    assert len(vault.requests) == secrets * 100 + soon.count + beyond.count < 1.3 * secrets * 100
    assert opened(project) == {
        f"app-{number:02}": [(f"key-{key:02}", f"value {key} of app-{number:02}") for key in range(100)]
        for number in range(secrets)
    }


def opened(project: Project) -> dict[str, list[tuple[str, str]]]:
    """The keys of each Secret in the order of its file, with the values that stand in it."""
    key = project.write("controller.pem", sealing(1).private_key)
    files = sorted(str(path) for path in project.manifest("").parent.glob("app-*.yaml"))
    secrets = yaml.load_all(project.done("unseal", *files, "--private-key", str(key)), yaml.CSafeLoader)
    return {
        secret["metadata"]["name"]: [(name, b64decode(text).decode()) for name, text in secret["data"].items()]
        for secret in secrets
    }


@pytest.mark.parametrize(("fields", "bound"), [({}, 8), ({"parallelism": 3}, 3), ({"parallelism": 1}, 1)])
def test_no_more_than_parallelism_is_asked_at_once(
    tmp_path: Path, vault: KeyVault, fields: dict[str, int], bound: int
) -> None:
    """Eight where it is not said; one sign-in serves all, and each value is asked for once."""
    project = large_shop(tmp_path, vault, 2, 20, **fields)
    vault.faults.latency = 0.02
    project.done("seal", "prod")
    assert min(bound, 2) <= vault.most_at_once <= bound
    assert (len(vault.requests), len(vault.values_read)) == (40, 40)
    assert [(seen.method, seen.status) for seen in vault.sign_ins] == [("GET", 401), ("GET", 200), ("POST", 200)]


def test_versions_are_listed_side_by_side_too(tmp_path: Path, vault: KeyVault) -> None:
    """So that a look for changes takes no longer than the first reading."""
    project = large_shop(tmp_path, vault, 1, 40)
    project.done("seal", "prod")
    before = len(vault.requests)
    vault.faults.latency = 0.02
    assert project.done("seal", "prod") == "prod: everything is sealed\n"
    assert (len(vault.requests) - before, 1 < vault.most_at_once <= 8) == (40, True)


def test_a_property_of_null_is_no_value(tmp_path: Path, vault: KeyVault) -> None:
    """Nothing is written: neither "null" nor an empty value."""
    project = vault_shop(tmp_path, vault)
    project.declare("app", {"token": {"property": "user.password"}})
    vault.set("token-prod", json.dumps({"user": {"password": None}, "other": "the token"}))
    before = project.files()
    done = project.ksecret("seal", "prod")
    message = "error: generators/app.yaml:8:7: app/token: token-prod has no text as its property user.password\n"
    assert (done.code, done.out, done.err) == (2, "", message)
    assert project.changed_since(before) == set()


def test_a_property_that_is_not_there_is_a_missing_key(tmp_path: Path, vault: KeyVault) -> None:
    """It is named like a name that the vault lacks, with the command that sets it."""
    project = vault_shop(tmp_path, vault)
    project.declare("app", {"token": {"property": "user.password"}})
    vault.set("token-prod", json.dumps({"user": {}, "other": "the token"}))
    done = project.ksecret("seal", "prod")
    assert done.code == 3
    assert done.err == (
        "error: generators/app.yaml:8:7: app/token is read from token-prod#user.password, "
        f"which {vault.url} does not have\n"
        "hint: set it: kubectl ksecret rotate prod app/token --from-stdin\n"
    )


def test_properties_and_encoded_bytes_are_sealed(tmp_path: Path, vault: KeyVault) -> None:
    """Two keys that read properties of one name cost one request; base64 in the vault stands for bytes."""
    project = vault_shop(tmp_path, vault)
    project.declare(
        "app",
        {
            "user": {"remoteName": "login", "property": "user.name"},
            "port": {"remoteName": "login", "property": "port"},
            "logo": {"encoding": "base64"},
            "empty": {"rules": {"minLength": 0}},
        },
    )
    vault.set("login-prod", '{"user": {"name": "süd"}, "port": 27017}')
    vault.set("logo-prod", "AP+A\ngAE=")
    vault.set("empty-prod", "")
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {
        "user": "süd".encode(),
        "port": b"27017",
        "logo": b"\x00\xff\x80\x80\x01",
        "empty": b"",
    }
    assert sorted(vault.values_read) == ["/secrets/empty-prod", "/secrets/login-prod", "/secrets/logo-prod"]


def test_a_terminal_shows_how_far_the_reading_is(tmp_path: Path, vault: KeyVault) -> None:
    """A bar that grows to its end, and no value."""
    project = large_shop(tmp_path, vault, 1, 30)
    vault.faults.latency = 0.02
    screen = project.on_terminal("seal", "prod", typed=b"y\n")
    assert screen.code == 0
    shown = [int(percent) for percent in re.findall(r"reading +\[[#-]+\] +(\d+)%", screen.out)]
    assert (shown == sorted(shown), len(set(shown)) > 3, shown[-1]) == (True, True, 100)
    assert "value " not in screen.out
