"""What `kubectl ksecret seal` says when Azure Key Vault can't be read: the whole command line as a process."""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from .keyvault import KeyVault, certificates
from .keyvault.answers import Answer
from .keyvault.faults import (
    LISTINGS,
    Fault,
    Refuse,
    broken,
    cut,
    firewall,
    garbled,
    no_policy,
    no_role,
    not_found,
    stall,
    throttled,
    token_refused,
)
from .projects import Done, Project, opened_by_kubeseal
from .test_sources_keyvault import fill, vault_shop

ERROR = "error: overlays/prod/secrets/ksecret.yaml:16:17: "  # where vaultUrl stands
SIGN_IN = ("AZURE_TENANT_ID", "AZURE_AUTHORITY_HOST", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
ROLE = "hint: reading takes the role Key Vault Secrets User, writing Key Vault Secrets Officer"
STRANGE = "hint: check source.azureKeyVault.vaultUrl, and the proxy if there is one"


def failed(project: Project, vault: KeyVault) -> list[str]:
    """The lines on standard error of a seal that must fail and leave everything as it is; URL stands for the vault."""
    before = project.files()
    done = project.ksecret("seal", "prod")
    assert (done.code, done.out, project.changed_since(before)) == (3, "", set())
    assert_quiet(done)
    return done.err.replace(vault.url, "URL").splitlines()


def assert_quiet(done: Done) -> None:
    """Nothing of a value, a credential or Python's own ways."""
    assert re.findall(r"the token|p@ss|Traceback|access_token|File \"", done.out + done.err) == []


def soon(fault: Refuse) -> Refuse:
    """The same, but for the wait before the next attempt."""
    return Refuse(fault.answer._replace(headers={"Retry-After": "0.01"}))


class Case(NamedTuple):
    """A fault, the requests that it meets, and the message and hint."""

    fault: Fault
    message: str
    hint: str
    requests: tuple[str, ...] = ()


FAULTS = {
    "401": Case(
        token_refused(),
        "URL does not accept the sign-in (401)",
        "hint: sign in to the vault's own tenant: az login --tenant …",
    ),
    "403 by role": Case(no_role(), "URL: no permission for password-prod (403)", ROLE),
    "403 by policy": Case(
        no_policy(),
        "URL: no permission for password-prod (403)",
        "hint: the access policy must allow Get and List, to write also Set",
    ),
    "403 by firewall": Case(
        firewall(),
        "URL: the vault's firewall keeps this address out (403)",
        "hint: add it to the vault's networking rules",
    ),
    "403 of the second name": Case(
        no_role(), "URL: no permission for token-prod (403)", ROLE, ("GET /secrets/token-prod",)
    ),
    "429 for good": Case(
        throttled(retry_after=0.01),
        "URL is throttling; gave up at password-prod (429)",
        "hint: try again later, or set a lower parallelism",
    ),
    "500 for good": Case(soon(broken(500)), "URL failed for password-prod (500)", "hint: try again later"),
    "503 for good": Case(soon(broken(503)), "URL failed for password-prod (503)", "hint: try again later"),
    "cut before the answer": Case(
        cut("before"),
        "URL gave no answer for password-prod",
        "hint: try again; it took too long, or the connection was cut",
    ),
    "cut within the answer": Case(
        cut("within"),
        "URL: the answer for password-prod was cut off",
        "hint: try again; a proxy on the way may be at fault",
    ),
    "garbled": Case(
        garbled(),
        "URL: the answer for password-prod was cut off",
        "hint: try again; a proxy on the way may be at fault",
    ),
    "an authority that fails": Case(
        soon(broken(503)),
        "URL: the sign-in to Azure failed",
        "hint: check the network and AZURE_AUTHORITY_HOST, then try again",
        ("POST /adfs/**",),
    ),
    "an authority that is garbled": Case(
        garbled(),
        "URL: the sign-in to Azure failed",
        "hint: check the network and AZURE_AUTHORITY_HOST, then try again",
        ("POST /adfs/**",),
    ),
}


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    with KeyVault() as double:
        yield double


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_what_to_do(tmp_path: Path, vault: KeyVault, name: str) -> None:
    """Once, whichever names it keeps from being read; nothing is written."""
    case = FAULTS[name]
    project = vault_shop(tmp_path, vault)
    fill(vault)
    met = vault.faults.add(case.fault, *case.requests)
    impatient(project, tmp_path)
    assert failed(project, vault) == [f"{ERROR}{case.message}", case.hint]
    assert met.count > 0


def impatient(project: Project, folder: Path) -> None:
    """Let the command wait a second for a vault that throttles, not a minute."""
    code = "from kubectl_ksecret.sources import patience\npatience.PATIENCE = 1.0\n"
    project.environment["PYTHONPATH"] = str(starting_with(folder, code))


def test_throttling_is_waited_out_by_time_and_not_by_count(tmp_path: Path, vault: KeyVault) -> None:
    """Ten answers of 429 are no more than a second or two; a terminal shows why nothing happens."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    met = vault.faults.add(throttled(retry_after=0.1), times=10)
    token = project.accepting("seal", "prod")["KSECRET_ACCEPT"]
    done = project.on_terminal("seal", "prod", KSECRET_ACCEPT=token)
    assert (done.code, met.count) == (0, 10)
    assert done.out.count(f"{vault.url} is throttling: trying again in 1 s, for a minute at most") == 1


def test_a_vault_that_asks_for_an_hour_does_not_get_it(tmp_path: Path, vault: KeyVault) -> None:
    """What it asks for is honoured up to what a person would wait."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    vault.faults.add(throttled(retry_after=3600))
    impatient(project, tmp_path)
    began = time.monotonic()
    assert failed(project, vault)[0] == f"{ERROR}URL is throttling; gave up at password-prod (429)"
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("expires", [253_402_300_800, 1_798_675_200_000, 10**30])
def test_an_expiry_that_no_calendar_has_is_none(tmp_path: Path, vault: KeyVault, expires: int) -> None:
    """As of the year 10000, or of milliseconds where seconds are meant: status and seal go on."""
    project = vault_shop(tmp_path, vault)
    project.declare("app", {"token": {}})
    version = {"id": f"{vault.url}/secrets/token-prod/{'a' * 32}", "attributes": {"enabled": True, "exp": expires}}
    vault.faults.add(Refuse(Answer(200, {"value": "the token", **version})), "GET /secrets/token-prod")
    vault.faults.add(Refuse(Answer(200, {"value": [version]})), "GET /secrets/token-prod/versions")
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"the token"}
    assert project.ksecret("status", "prod").code == 0


def test_links_that_lead_round_end(tmp_path: Path, vault: KeyVault) -> None:
    """A proxy that answers every page with the first one is no Key Vault."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    project.done("seal", "prod")
    link = f"{vault.url}/secrets/password-prod/versions?api-version=7.6&$skiptoken=eA"
    vault.faults.add(Refuse(Answer(200, {"value": [], "nextLink": link})), "GET /secrets/password-prod/versions")
    assert failed(project, vault) == [f"{ERROR}URL does not answer as a Key Vault", STRANGE]


@pytest.mark.parametrize("answer", [Answer(200, {"value": []}), not_found().answer], ids=["empty", "404"])
def test_a_name_without_versions_is_absent(tmp_path: Path, vault: KeyVault, answer: Answer) -> None:
    """Whichever way the vault says so: what is sealed stays, and a first value can be made."""
    project = vault_shop(tmp_path, vault)
    project.declare("app", {"token": {"generate": {"length": 20}}})
    fill(vault)
    project.done("seal", "prod")
    vault.faults.add(Refuse(answer), "GET /secrets/token-prod/versions")
    message = "prod: kept as sealed, though the source no longer gives a value for\n  app/token\n"
    assert project.done("seal", "prod") == message
    assert project.ksecret("seal", "prod", "--generate-missing").code == 0


@pytest.mark.parametrize(
    ("fault", "times"),
    [(throttled(retry_after=0.1), 3), (soon(broken(500)), 2), (broken(503), 2), (cut("before"), 1), (cut("within"), 2)],
    ids=["429", "500", "503 without Retry-After", "cut before", "cut within"],
)
def test_a_fault_that_passes_is_not_told(tmp_path: Path, vault: KeyVault, fault: Fault, times: int) -> None:
    """The request is made again, so many times and not more."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    met = vault.faults.add(fault, times=times)
    project.done("seal", "prod")
    assert (met.count, len(vault.requests)) == (times, 2 + times)
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"the token"


def test_what_was_sealed_survives_a_later_fault(tmp_path: Path, vault: KeyVault) -> None:
    """Versions can't be listed any more: the manifest stays, though a new value waits in the vault."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    project.done("seal", "prod")
    vault.set("token-prod", "a newer one")
    vault.faults.add(no_role(), *LISTINGS)
    assert failed(project, vault) == [f"{ERROR}URL: no permission for password-prod (403)", ROLE]


def test_a_name_of_which_every_version_is_disabled_is_named(tmp_path: Path, vault: KeyVault) -> None:
    """Somebody did that on purpose: nothing is sealed until it is enabled."""
    project = vault_shop(tmp_path, vault)
    vault.disable("token-prod", vault.set("token-prod", "the token"))
    assert failed(project, vault) == [
        f"{ERROR}URL: every version of token-prod is disabled",
        "hint: enable one, or set a new value",
    ]


def test_a_pinned_version_that_is_disabled_is_no_word_about_the_others(tmp_path: Path, vault: KeyVault) -> None:
    """A newer one is enabled; the pin asks for the other all the same."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    pinned = vault.set("token-prod", "the token")
    vault.set("token-prod", "the token again")
    vault.disable("token-prod", pinned)
    source = {"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": vault.url}}
    project.sealed_overlay(source=source, overrides={"app": {"keys": {"token": {"version": pinned}}}})
    assert failed(project, vault) == [
        f"{ERROR}URL: the version of token-prod that is pinned is disabled",
        "hint: enable it, or pin another version",
    ]


def test_an_answer_that_never_comes_is_not_waited_for(tmp_path: Path, vault: KeyVault) -> None:
    """Three times, each as long as the client waits: half a second here, half a minute else."""
    project = vault_shop(tmp_path, vault)
    fill(vault)
    met = vault.faults.add(stall(60))
    patience = "from kubectl_ksecret.sources import azurekeyvault\nazurekeyvault._TIMEOUTS['read_timeout'] = 0.5\n"
    project.environment["PYTHONPATH"] = str(starting_with(tmp_path, patience))
    assert failed(project, vault) == [
        f"{ERROR}URL gave no answer for password-prod",
        "hint: try again; it took too long, or the connection was cut",
    ]
    assert met.count == 3


def starting_with(folder: Path, code: str) -> Path:
    """A folder for PYTHONPATH with code that Python runs when it starts."""
    (folder / "sitecustomize.py").write_text(code)
    return folder


def test_a_certificate_of_an_unknown_ca_is_told(tmp_path: Path, vault: KeyVault) -> None:
    """Nothing is asked, so no credential leaves the machine."""
    project = vault_shop(tmp_path, vault)
    vault.faults.unknown_ca = True
    assert failed(project, vault) == [
        f"{ERROR}URL: its certificate is not trusted",
        "hint: where a proxy inspects TLS, REQUESTS_CA_BUNDLE must name its CA",
    ]
    assert (vault.requests, vault.sign_ins) == ([], [])


@pytest.mark.parametrize("bundle", ["no-such-file", "empty"])
def test_certificates_that_can_not_be_read_are_told(tmp_path: Path, vault: KeyVault, bundle: str) -> None:
    """Where REQUESTS_CA_BUNDLE names a file that is not there, or that holds none."""
    project = vault_shop(tmp_path, vault)
    project.write("empty", "")
    project.environment["REQUESTS_CA_BUNDLE"] = bundle
    assert failed(project, vault) == [
        f"{ERROR}URL: the trusted certificates can't be read",
        "hint: REQUESTS_CA_BUNDLE must name a file of certificates in PEM",
    ]


@pytest.mark.parametrize("by_proxy", [False, True])
def test_no_network_is_told(tmp_path: Path, vault: KeyVault, by_proxy: bool) -> None:
    """Nobody listens at the vault's port, or at the proxy's."""
    project = vault_shop(tmp_path, vault, vaultUrl=vault.url if by_proxy else "https://127.0.0.1:1")
    if by_proxy:
        project.environment |= {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "", "no_proxy": ""}
    url = "URL" if by_proxy else "https://127.0.0.1:1"
    assert failed(project, vault) == [
        f"{ERROR}{url} can't be reached",
        "hint: check the vault's name, the network, and HTTPS_PROXY if it is set",
    ]


REFUSED = "hint: check AZURE_TENANT_ID, AZURE_CLIENT_ID and the client secret, which may have expired; without them "
CREDENTIALS: dict[str, tuple[Mapping[str, str | None], str, str]] = {
    "a wrong client secret": (
        {"AZURE_CLIENT_SECRET": "guessed"},
        f"{ERROR}URL: Azure refuses the sign-in (AADSTS7000215)",
        f"{REFUSED}run az login anew",
    ),
    "an unknown client": (
        {"AZURE_CLIENT_ID": "guessed"},
        f"{ERROR}URL: Azure refuses the sign-in (AADSTS700016)",
        f"{REFUSED}run az login anew",
    ),
    "none": (
        dict.fromkeys(SIGN_IN),
        f"{ERROR}URL: not signed in to Azure",
        "hint: run az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; a pod has its workload "
        "identity",
    ),
    **{
        f"a malformed {name}": (
            {name: value},
            "error: overlays/prod/secrets/ksecret.yaml:16:7: the sign-in to Azure can't be set up",
            "hint: check AZURE_AUTHORITY_HOST, AZURE_TENANT_ID, AZURE_CLIENT_CERTIFICATE_PATH and "
            "AZURE_TOKEN_CREDENTIALS",
        )
        for name, value in {
            "AZURE_AUTHORITY_HOST": "http://login.example.org",
            "AZURE_TENANT_ID": "the token/",
            "AZURE_TOKEN_CREDENTIALS": "the token",
        }.items()
    },
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_sign_in_that_fails_is_told(tmp_path: Path, vault: KeyVault, name: str) -> None:
    """With Azure's own code where it gave one; a malformed variable is not quoted."""
    variables, *texts = CREDENTIALS[name]
    project = vault_shop(tmp_path, vault)
    fill(vault)
    for variable, value in variables.items():
        project.environment.pop(variable, None)
        project.environment |= {variable: value} if value else {}
    project.environment["PATH"] = no_azure_cli(tmp_path, project.environment["PATH"])
    assert failed(project, vault) == texts
    assert vault.requests == []


def no_azure_cli(folder: Path, path: str) -> str:
    """A PATH on which Azure's command lines, with which a developer may be signed in, fail."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("az", "azd", "pwsh"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    return f"{programs}:{path}"


HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}
STRANGERS: dict[str, tuple[int, dict[str, str], str]] = {
    "a page": (200, HTML, "<html>Sign in</html>"),
    "a page that is not there": (404, HTML, "<html>Not found</html>"),
    "a page that is not shown": (403, HTML, "<html>Forbidden</html>"),
    "a page that asks for a password": (401, HTML | {"WWW-Authenticate": 'Basic realm="a"'}, "<html>Who?</html>"),
    "a proxy that asks for one": (407, HTML, "<html>Who?</html>"),
    "another method": (405, HTML, ""),
    "another resource": (
        401,
        HTML | {"WWW-Authenticate": 'Bearer authorization="https://login.test/a", resource="https://vault.test"'},
        "",
    ),
    "no content": (204, JSON, ""),
    "an empty answer": (200, JSON, ""),
    "null": (200, JSON, "null"),
    "a list": (200, JSON, "[]"),
    "an object": (200, JSON, "{}"),
    "a value without a version": (200, JSON, '{"value": "the token"}'),
    "a version without a value": (200, JSON, '{"value": null, "id": "https://a.vault.azure.net/secrets/a/1"}'),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_server_that_is_no_key_vault_is_told(tmp_path: Path, vault: KeyVault, name: str) -> None:
    """Above all, no empty value is sealed of an answer that holds none."""
    with stranger(tmp_path, *STRANGERS[name]) as url:
        project = vault_shop(tmp_path, vault, vaultUrl=url)
        project.environment["REQUESTS_CA_BUNDLE"] = str(tmp_path / "stranger.pem")
        assert failed(project, vault) == [f"{ERROR}{url} does not answer as a Key Vault", STRANGE]


def test_a_certificate_that_has_expired_is_named(tmp_path: Path, vault: KeyVault) -> None:
    """Another CA would not mend it."""
    with stranger(tmp_path, 200, {}, "", lives=timedelta(minutes=-1)) as url:
        project = vault_shop(tmp_path, vault, vaultUrl=url)
        project.environment["REQUESTS_CA_BUNDLE"] = str(tmp_path / "stranger.pem")
        assert failed(project, vault)[0] == f"{ERROR}{url}: its certificate has expired"


@pytest.mark.parametrize("request_", ["GET", "PUT"])
def test_a_redirect_is_not_followed(tmp_path: Path, vault: KeyVault, request_: str) -> None:
    """No Key Vault redirects, and nobody else may see what is asked for."""
    with KeyVault() as elsewhere:
        project = vault_shop(tmp_path, vault)
        project.declare("app", {"token": {"generate": {"length": 24}}, "password": {}})
        fill(vault)
        project.done("seal", "prod")
        both = tmp_path / "both.pem"
        bundles = [Path(double.environment["REQUESTS_CA_BUNDLE"]) for double in (vault, elsewhere)]
        both.write_bytes(b"".join(bundle.read_bytes() for bundle in bundles))
        location = f"{elsewhere.url}/secrets/elsewhere?api-version=7.6"
        vault.faults.add(Refuse(Answer(307, {}, {"Location": location})), f"{request_} /secrets/**")
        project.environment["REQUESTS_CA_BUNDLE"] = str(both)
        done = project.ksecret("rotate", "prod", "app/token", "--yes")
        assert_quiet(done)
        assert (elsewhere.requests, elsewhere.sign_ins) == ([], [])
        assert done.code == 3
        assert f"{vault.url} does not answer as a Key Vault\n" in done.err


@contextmanager
def stranger(
    folder: Path, status: int, headers: Mapping[str, str], body: str, lives: timedelta = timedelta(days=1)
) -> Iterator[str]:
    """An HTTPS server that has this one answer; its URL. Its CA is in stranger.pem."""

    class Exchange(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for field, value in headers.items():
                self.send_header(field, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    context, ca = certificates.server_context("Stranger", lives=lives)
    (folder / "stranger.pem").write_bytes(ca)
    with ThreadingHTTPServer(("127.0.0.1", 0), Exchange) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_without_the_sdk_its_installation_is_named(tmp_path: Path, vault: KeyVault) -> None:
    """A folder that hides the installed one stands for its absence."""
    project = vault_shop(tmp_path, vault)
    (tmp_path / "azure").mkdir()
    (tmp_path / "azure" / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'azure'\")\n")
    project.environment["PYTHONPATH"] = str(tmp_path)
    error, hint = failed(project, vault)
    assert error == "error: overlays/prod/secrets/ksecret.yaml:16:7: Azure's SDK is not installed"
    assert hint.startswith("hint: pip install ")
    assert vault.connections == 0
