"""The double of Azure Key Vault, asked by the real SDK with the real credential chain."""

import http.client
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from .keyvault import KeyVault
from .keyvault.answers import Refusal
from .keyvault.faults import (
    LISTINGS,
    Fault,
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

SIGN_IN = pytest.mark.parametrize("way", ["environment", "workload_identity", "managed_identity"])
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVault]:
    with KeyVault() as double:
        sign_in_with(double.environment, monkeypatch)
        yield double


def sign_in_with(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("AZURE_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def client_of(vault: KeyVault, **options: float) -> SecretClient:
    """A client as a user has it, but for the waits between its retries."""
    return SecretClient(vault.url, DefaultAzureCredential(), **{"retry_backoff_factor": 0.01, **options})


def reason(error: HttpResponseError) -> tuple[int | None, str | None, str | None]:
    """How refusals are told apart."""
    assert error.error is not None
    return error.status_code, error.error.code, error.error.innererror.get("code")


# Signing in


@SIGN_IN
def test_the_credential_chain_signs_in(way: str, vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service principal's secret, a pod's federated token and a host's identity each get a token."""
    vault.set("jwt-key", "a")
    sign_in_with(getattr(vault, way), monkeypatch)
    assert client_of(vault).get_secret("jwt-key").value == "a"


def test_a_child_process_needs_its_environment_only(vault: KeyVault) -> None:
    """The variables of `environment` are all that a command needs to read the vault."""
    vault.set("jwt-key", "a")
    script = (
        "import sys, azure.identity, azure.keyvault.secrets as sdk\n"
        "print(sdk.SecretClient(sys.argv[1], azure.identity.DefaultAzureCredential()).get_secret('jwt-key').value)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, vault.url], env=vault.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "a\n"


def test_a_wrong_client_secret_gets_no_token(vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority's refusal has no status of its own, which tells it from the vault's 401."""
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "guessed")
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215") as caught:
        client_of(vault).get_secret("jwt-key")
    assert caught.value.status_code is None
    assert not vault.requests


def test_an_authority_that_fails_is_asked_again_and_named(vault: KeyVault) -> None:
    """The authority has faults too."""
    met = vault.faults.add(broken(503), "POST /adfs/**", times=4)
    with pytest.raises(ClientAuthenticationError, match="HTTP Error: 503"):
        SecretClient(vault.url, DefaultAzureCredential(retry_backoff_factor=0.01)).get_secret("jwt-key")
    assert met.count == 4


def test_one_challenge_and_one_token_serve_many_requests(vault: KeyVault) -> None:
    """A request without a token gets the challenge alone; connections are kept alive."""
    vault.set("jwt-key", "a")
    client = client_of(vault)
    for _ in range(20):
        client.get_secret("jwt-key")
    assert [(seen.method, seen.path, seen.status) for seen in vault.sign_ins] == [
        ("GET", "/secrets/jwt-key", 401),
        ("GET", "/adfs/.well-known/openid-configuration", 200),
        ("POST", "/adfs/oauth2/token", 200),
    ]
    assert len(vault.requests) == 20
    assert vault.connections == 2


# Secrets and their versions


def test_what_is_set_can_be_read(vault: KeyVault) -> None:
    """A new version has an id of 32 hex digits and all that the client gave it."""
    client = client_of(vault)
    made = client.set_secret(
        "jwt-key", "a+ü", content_type="text/plain", tags={"rotation": "7"}, expires_on=SOON, not_before=SOON
    ).properties
    read = client.get_secret("jwt-key", made.version)
    assert re.fullmatch("[0-9a-f]{32}", made.version or "")
    assert (read.value, read.properties.content_type, read.properties.tags) == ("a+ü", "text/plain", {"rotation": "7"})
    assert (read.properties.expires_on, read.properties.not_before) == (SOON, SOON)
    assert [(version.id, version.value) for version in vault.versions("jwt-key")] == [(made.version, "a+ü")]


def test_an_update_changes_the_attributes_it_names(vault: KeyVault) -> None:
    """A PATCH makes no version, answers with no value and leaves the rest as it was."""
    version = vault.set("jwt-key", "a", content_type="text/plain", tags={"owner": "us"})
    client_of(vault).update_secret_properties("jwt-key", version, expires_on=SOON, enabled=False)
    (changed,) = vault.versions("jwt-key")
    assert (changed.expires_on, changed.enabled, changed.content_type) == (SOON, False, "text/plain")
    assert changed.tags == {"owner": "us"}
    assert not vault.requests[-1].carried_value


def test_a_listing_reads_no_value(vault: KeyVault) -> None:
    """Names and attributes come without the values, and the record of requests shows it."""
    vault.set("jwt-key", "a", expires_on=SOON)
    vault.set("plain", "b")
    client = client_of(vault)
    listed = {properties.name: properties for properties in client.list_properties_of_secrets()}
    assert list(listed) == ["jwt-key", "plain"]
    assert listed["jwt-key"].expires_on == SOON
    assert listed["plain"].tags is None
    assert vault.values_read == []
    client.get_secret("plain")
    assert vault.values_read == ["/secrets/plain"]


def test_versions_come_in_pages_and_in_no_order(vault: KeyVault) -> None:
    """Sixty versions are three pages of 25, in the order of their random ids."""
    made = [vault.set("jwt-key", str(number)) for number in range(60)]
    listed = [properties.version for properties in client_of(vault).list_properties_of_secret_versions("jwt-key")]
    assert listed == sorted(made)
    assert listed != made
    assert [seen.path for seen in vault.requests] == ["/secrets/jwt-key/versions"] * 3


def test_the_size_of_a_page_is_the_vaults_or_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may ask for smaller pages, not for larger ones."""
    with KeyVault(page_size=4) as vault:
        sign_in_with(vault.environment, monkeypatch)
        for number in range(9):
            vault.set(f"key-{number}", "a")
        pages = client_of(vault).list_properties_of_secrets().by_page()
        assert [len(list(page)) for page in pages] == [4, 4, 1]
        pages = client_of(vault).list_properties_of_secrets(max_page_size=3).by_page()
        assert [len(list(page)) for page in pages] == [3, 3, 3]


def test_the_newest_version_is_current_within_one_second_too(vault: KeyVault) -> None:
    """`created` is in whole seconds; where it is equal, the later version wins."""
    for number in range(20):
        vault.set("jwt-key", str(number))
    read = client_of(vault).get_secret("jwt-key")
    assert read.value == "19"
    assert read.properties.created_on is not None
    assert read.properties.created_on.microsecond == 0


def test_names_are_compared_without_case(vault: KeyVault) -> None:
    """The spelling of the first version stays, in ids too."""
    client = client_of(vault)
    client.set_secret("JWT-Key", "a")
    client.set_secret("jwt-key", "b")
    read = client.get_secret("jwt-KEY")
    assert (read.name, read.value) == ("JWT-Key", "b")
    assert [properties.name for properties in client.list_properties_of_secrets()] == ["JWT-Key"]


def test_a_disabled_version_is_refused(vault: KeyVault) -> None:
    """By its id it is refused, without a version the newest enabled one is handed out, if there is one."""
    older, newer = vault.set("jwt-key", "older"), vault.set("jwt-key", "newer")
    client = client_of(vault)
    vault.disable("jwt-key", newer)
    with pytest.raises(HttpResponseError) as caught:
        client.get_secret("jwt-key", newer)
    assert reason(caught.value) == (403, "Forbidden", "SecretDisabled")
    assert client.get_secret("jwt-key").value == vault.value("jwt-key") == "older"
    vault.disable("jwt-key", older)
    with pytest.raises(HttpResponseError) as caught:
        client.get_secret("jwt-key")
    assert reason(caught.value) == (403, "Forbidden", "SecretDisabled")


def test_a_stricter_vault_refuses_when_the_newest_version_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `skips_disabled` an older enabled version is not handed out in its place."""
    with KeyVault(skips_disabled=False) as vault:
        sign_in_with(vault.environment, monkeypatch)
        older, newer = vault.set("jwt-key", "older"), vault.set("jwt-key", "newer")
        vault.disable("jwt-key", newer)
        with pytest.raises(HttpResponseError) as caught:
            client_of(vault).get_secret("jwt-key")
        assert reason(caught.value) == (403, "Forbidden", "SecretDisabled")
        assert client_of(vault).get_secret("jwt-key", older).value == "older"


def test_expired_and_future_versions_are_handed_out(vault: KeyVault) -> None:
    """`exp` and `nbf` are information only."""
    vault.set("expired", "a", expires_on=SOON - timedelta(days=10))
    vault.set("future", "b", not_before=SOON)
    client = client_of(vault)
    assert [client.get_secret(name).value for name in ("expired", "future")] == ["a", "b"]


def test_an_unknown_name_is_not_found_and_has_an_empty_list_of_versions(vault: KeyVault) -> None:
    """As the real vault does, the double answers 404 to a get, but 200 and no versions to a listing."""
    client = client_of(vault)
    with pytest.raises(ResourceNotFoundError) as caught:
        client.get_secret("nowhere")
    assert reason(caught.value) == (404, "SecretNotFound", None)
    assert list(client.list_properties_of_secret_versions("nowhere")) == []


def test_an_unknown_version_is_not_found(vault: KeyVault) -> None:
    """A known name with another vault's version is a 404."""
    vault.set("jwt-key", "a")
    with pytest.raises(ResourceNotFoundError, match=f"jwt-key/{'0' * 32} was not found"):
        client_of(vault).get_secret("jwt-key", "0" * 32)


def test_a_deleted_name_stays_taken(vault: KeyVault) -> None:
    """After a soft delete the secret is gone, its name can't be set, and recovery brings all versions back."""
    vault.set("jwt-key", "a")
    client = client_of(vault)
    client.begin_delete_secret("jwt-key").wait()
    with pytest.raises(ResourceNotFoundError):
        client.get_secret("jwt-key")
    assert list(client.list_properties_of_secrets()) == []
    with pytest.raises(ResourceExistsError) as caught:
        client.set_secret("jwt-key", "b")
    assert reason(caught.value) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    with pytest.raises(Refusal):
        vault.set("jwt-key", "b")
    client.begin_recover_deleted_secret("jwt-key").wait()
    assert client.get_secret("jwt-key").value == "a"


@pytest.mark.parametrize("name", ["under_score", "dot.ted", "a" * 128])
def test_a_bad_name_is_refused(name: str, vault: KeyVault) -> None:
    """Only letters, digits and dashes, 127 at most; the SDK leaves the check to the vault."""
    client = client_of(vault)
    acts: list[Callable[[], object]] = [lambda: client.get_secret(name), lambda: client.set_secret(name, "a")]
    for act in acts:
        with pytest.raises(HttpResponseError) as caught:
            act()
        assert reason(caught.value) == (400, "BadParameter", None)


def test_a_value_may_have_25_kilobytes(vault: KeyVault) -> None:
    """Bytes of UTF-8 are counted, not characters; the empty value is one."""
    client = client_of(vault)
    client.set_secret("empty", "")
    client.set_secret("large", "a" * 25_600)
    with pytest.raises(HttpResponseError) as caught:
        client.set_secret("large", "ü" * 12_801)
    assert reason(caught.value) == (400, "BadParameter", None)
    assert [len(version.value) for version in vault.versions("large")] == [25_600]


# Faults


@pytest.mark.parametrize(
    ("fault", "kind", "expected"),
    [
        (token_refused(), ClientAuthenticationError, (401, "Unauthorized", None)),
        (no_role(), HttpResponseError, (403, "Forbidden", "ForbiddenByRbac")),
        (no_policy(), HttpResponseError, (403, "Forbidden", "AccessDenied")),
        (firewall(), HttpResponseError, (403, "Forbidden", "ForbiddenByFirewall")),
        (not_found(), ResourceNotFoundError, (404, "SecretNotFound", None)),
    ],
)
def test_a_refusal_is_told_apart_and_not_repeated(
    fault: Fault,
    kind: type[HttpResponseError],
    expected: tuple[int, str, str | None],
    vault: KeyVault,
) -> None:
    """Each has its code or inner code, and the SDK asks once only."""
    vault.set("jwt-key", "a")
    met = vault.faults.add(fault)
    with pytest.raises(HttpResponseError) as caught:
        client_of(vault).get_secret("jwt-key")
    assert type(caught.value) is kind
    assert reason(caught.value) == expected
    assert met.count == len(vault.requests) == 1


def test_a_listing_may_be_forbidden_where_a_get_is_allowed(vault: KeyVault) -> None:
    """A fault is for the requests that its pattern names."""
    vault.set("jwt-key", "a")
    vault.faults.add(no_role(), *LISTINGS)
    client = client_of(vault)
    assert client.get_secret("jwt-key").value == "a"
    for listing in (client.list_properties_of_secrets(), client.list_properties_of_secret_versions("jwt-key")):
        with pytest.raises(HttpResponseError) as caught:
            next(iter(listing))
        assert reason(caught.value) == (403, "Forbidden", "ForbiddenByRbac")


def test_a_fault_for_one_name_spares_the_others(vault: KeyVault) -> None:
    """A star stands for one segment of the path; names are compared without case; `after` spares the first ones."""
    vault.set("jwt-key", "a")
    vault.set("other", "b")
    met = vault.faults.add(no_role(), "GET /secrets/JWT-*", after=1)
    client = client_of(vault)
    assert [client.get_secret(name).value for name in ("jwt-key", "other", "other")] == ["a", "b", "b"]
    with pytest.raises(HttpResponseError):
        client.get_secret("jwt-key")
    assert list(client.list_properties_of_secret_versions("jwt-key"))
    assert met.count == 1
    vault.faults.clear()
    assert client.get_secret("jwt-key").value == "a"


def test_a_throttled_client_waits_as_long_as_it_is_told(vault: KeyVault) -> None:
    """The first two requests get 429, and the SDK honours Retry-After both times."""
    vault.set("jwt-key", "a")
    met = vault.faults.add(throttled(retry_after=0.25), times=2)
    begin = time.monotonic()
    assert client_of(vault).get_secret("jwt-key").value == "a"
    assert time.monotonic() - begin >= 0.5
    assert (met.count, [seen.status for seen in vault.requests]) == (2, [429, 429, 200])


def test_a_client_that_is_throttled_for_good_gives_up(vault: KeyVault) -> None:
    """Three retries are the SDK's own limit."""
    vault.faults.add(throttled(retry_after=0.01))
    with pytest.raises(HttpResponseError) as caught:
        client_of(vault).get_secret("jwt-key")
    assert reason(caught.value) == (429, "Throttled", None)
    assert len(vault.requests) == 4


def test_a_rate_limit_lets_all_through_in_the_end(vault: KeyVault) -> None:
    """Beyond twenty a second requests get 429; eight threads have all of sixty keys two seconds later, in order."""
    for number in range(60):
        vault.set(f"key-{number}", str(number))
    met = vault.faults.add(throttled(retry_after=0.5), beyond_per_second=20)
    client = client_of(vault)
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda number: client.get_secret(f"key-{number}").value, range(60)))
    assert values == [str(number) for number in range(60)]
    assert time.monotonic() - begin > 1.9
    assert 1 <= met.count <= 60
    assert len(vault.requests) == 60 + met.count


@pytest.mark.parametrize(("fault", "status"), [(broken(500), 500), (broken(503), 503)])
def test_a_vault_that_fails_is_asked_four_times(fault: Fault, status: int, vault: KeyVault) -> None:
    """The SDK repeats a write too."""
    vault.faults.add(fault)
    with pytest.raises(HttpResponseError) as caught:
        client_of(vault).set_secret("jwt-key", "a")
    assert reason(caught.value) == (status, "InternalServerError", None)
    assert [seen.status for seen in vault.requests] == [status] * 4
    assert vault.versions("jwt-key") == []


def test_a_stalled_answer_times_out(vault: KeyVault) -> None:
    """The client stops waiting; the vault did what it was asked."""
    met = vault.faults.add(stall(10), "PUT /secrets/*")
    begin = time.monotonic()
    with pytest.raises(ServiceResponseTimeoutError):
        client_of(vault, read_timeout=1, retry_total=0).set_secret("jwt-key", "a")
    assert time.monotonic() - begin < 8
    assert met.count == 1
    assert vault.value("jwt-key") == "a"


@pytest.mark.parametrize(
    ("fault", "kind", "made", "status"),
    [
        (cut("before"), ServiceResponseError, 0, None),
        (cut("after"), ServiceResponseError, 1, None),
        (cut("within"), IncompleteReadError, 1, 200),
    ],
)
def test_a_cut_connection_leaves_a_version_or_not(
    fault: Fault, kind: type[Exception], made: int, status: int | None, vault: KeyVault
) -> None:
    """The client can't tell whether its write took effect."""
    vault.faults.add(fault)
    with pytest.raises(kind):
        client_of(vault, retry_total=0).set_secret("jwt-key", "a")
    assert len(vault.versions("jwt-key")) == made
    assert [(seen.status, seen.carried_value) for seen in vault.requests] == [(status, status == 200)]


def test_the_sdk_repeats_a_write_whose_answer_was_lost(vault: KeyVault) -> None:
    """With its default retries one `set_secret` makes two versions."""
    met = vault.faults.add(cut("after"), "PUT /secrets/jwt-key", times=1)
    client_of(vault).set_secret("jwt-key", "a")
    assert met.count == 1
    assert len(vault.versions("jwt-key")) == 2


def test_a_write_can_be_kept_from_being_repeated(vault: KeyVault) -> None:
    """With `retry_on_methods` the SDK repeats a write that was throttled, but none that may have taken effect."""
    client = client_of(vault)
    vault.faults.add(throttled(retry_after=0.01), times=1)
    client.set_secret("jwt-key", "a", retry_on_methods=["GET"])
    vault.faults.add(cut("after"), times=1)
    with pytest.raises(ServiceResponseError):
        client.set_secret("jwt-key", "b", retry_on_methods=["GET"])
    assert [version.value for version in vault.versions("jwt-key")] == ["a", "b"]


def test_a_garbled_answer_is_quoted_by_the_sdk(vault: KeyVault) -> None:
    """What the SDK says of an answer that is no JSON holds the value: a message of our own must not quote it."""
    vault.set("jwt-key", "canary" * 100)
    vault.faults.add(garbled())
    with pytest.raises(DecodeError) as caught:
        client_of(vault).get_secret("jwt-key")
    assert "canary" in str(caught.value)


def test_a_certificate_of_an_unknown_ca_is_refused(vault: KeyVault) -> None:
    """No request is made, and all is well when the right certificate is back."""
    vault.set("jwt-key", "a")
    vault.faults.unknown_ca = True
    with pytest.raises(ServiceRequestError, match="CERTIFICATE_VERIFY_FAILED"):
        client_of(vault, retry_total=0).get_secret("jwt-key")
    assert (vault.connections, vault.requests, vault.sign_ins) == (1, [], [])
    vault.faults.clear()
    assert client_of(vault).get_secret("jwt-key").value == "a"


# The double itself


def test_latency_is_not_serialised(vault: KeyVault) -> None:
    """Each of eight clients waits for its own answers only."""
    vault.set("jwt-key", "a")
    client = client_of(vault)
    client.get_secret("jwt-key")
    vault.faults.latency = 0.05
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.get_secret("jwt-key"), range(160)))
    assert 160 * 0.05 / 8 <= time.monotonic() - begin < 160 * 0.05 / 2


def test_requests_are_recorded(vault: KeyVault) -> None:
    """Method, path without query, time, status, and whether a value was in the answer."""
    begin = time.monotonic()
    client = client_of(vault)
    client.set_secret("jwt-key", "a")
    list(client.list_properties_of_secret_versions("jwt-key"))
    first, second = vault.requests
    assert (first.method, first.path, first.status, first.carried_value) == ("PUT", "/secrets/jwt-key", 200, True)
    assert (second.path, second.carried_value) == ("/secrets/jwt-key/versions", False)
    assert begin < first.time < second.time < time.monotonic()


def test_nothing_is_left_behind() -> None:
    """At its end the port is closed, a connection that was kept alive too, and the CA's file is gone."""
    with KeyVault() as vault:
        bundle = Path(vault.environment["REQUESTS_CA_BUNDLE"])
        assert [part for part in bundle.parent.iterdir() if b"PRIVATE" in part.read_bytes()] == []
        address = ("127.0.0.1", int(vault.url.rsplit(":")[-1]))
        connection = http.client.HTTPSConnection(*address, context=ssl.create_default_context(cafile=str(bundle)))
        connection.request("GET", "/secrets")
        connection.getresponse().read()
    assert connection.sock.recv(1) == b""
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    assert not bundle.parent.exists()
