"""Secrets Manager of Alibaba Cloud KMS as a source: the whole command as a process, the real SDK, the double."""

import base64
import http.client
import re
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .forkserver import COMMAND
from .keyvault import certificates
from .keyvault.answers import Answer
from .keyvault.faults import Fault, Refuse
from .kms import REGION, Kms
from .kms.answers import refusal
from .kms.faults import broken, cut, forbidden, garbled, key_inactive, no_role, stall, throttled, token_expired
from .projects import Done, Project, opened_by_kubeseal

SOURCE = "error: overlays/prod/secrets/ksecret.yaml:16:7: "
ERROR = "error: overlays/prod/secrets/ksecret.yaml:17:17: "  # where endpoint stands
KEY, SECRET = "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
CHECK_KEY = f"hint: check {KEY} and {SECRET}"
TOKEN, PASSWORD = "the token of the shop", "p@ss of the shop"
DECLARED: dict[str, dict[str, Any]] = {"token": {"generate": {"length": 24}}, "password": {}}


@pytest.fixture(scope="module")
def service() -> Iterator[Kms]:
    """One service for all tests of this module."""
    with Kms() as double:
        yield double


@pytest.fixture
def kms(service: Kms) -> Iterator[Kms]:
    """The service without faults, and as if nothing had been asked before."""
    service.requests.clear()
    yield service
    service.faults.clear()


@pytest.fixture
def shop(tmp_path: Path, kms: Kms) -> Project:
    """A Secret of two keys that KMS has, under names of this test alone, and an overlay of SealedSecrets."""
    project = kms_shop(tmp_path, kms)
    kms.set(name(tmp_path, "token"), TOKEN)
    kms.set(name(tmp_path, "password"), PASSWORD)
    return project


def name(folder: Path, remote: str) -> str:
    """The name of a value in KMS."""
    return f"{folder.name}/{remote}"


def kms_shop(folder: Path, kms: Kms, overrides: dict[str, Any] | None = None, **fields: Any) -> Project:
    """The same, of which KMS has no value."""
    project = Project(folder)
    project.environment |= kms.environment
    project.declare("app", DECLARED)
    source = {"alibabaKms": {"region": REGION, "endpoint": kms.host, **fields}}
    overrides = overrides or {}
    project.sealed_overlay(source={"names": f"{folder.name}/{{remoteName}}", **source}, overrides=overrides)
    return project


def impatient(project: Project, folder: Path, more: str = "") -> None:
    """Let the command wait a moment where it would wait a minute."""
    module = "alibabakms"
    code = f"from kubectl_ksecret.sources import {module}, patience\n{module}.PATIENCE = 0.3\n{module}._PAUSE = 0.001\n"
    (folder / "sitecustomize.py").write_text(f"{code}patience.SHORTEST_PAUSE = 0.01\n{more}")
    project.environment["PYTHONPATH"] = str(folder)


def quiet(done: Done) -> Done:
    """Nothing of a value, a credential or Python's own ways is printed."""
    pattern = r"of the shop|p@ss|Traceback|File \"|SecretData|SecurityToken=|Authorization"
    assert re.findall(pattern, done.out + done.err) == []
    return done


def failed(project: Project, kms: Kms, *command: str) -> list[str]:
    """What a command says that must fail and leave everything as it is; HOST stands for the service."""
    before = project.files()
    done = quiet(project.ksecret(*(command or ("status", "prod"))))
    assert (done.code, done.out, project.changed_since(before)) == (3, "", set())
    return done.err.replace(kms.host, "HOST").splitlines()


def test_values_are_sealed_with_their_versions_and_not_read_again(tmp_path: Path, kms: Kms, shop: Project) -> None:
    """Text as it is, and bytes of a secret that is binary; status and a second seal read no value."""
    certificate = bytes(range(256))
    kms.set(name(tmp_path, "password"), base64.b64encode(certificate).decode(), data_type="binary")
    shop.done("seal", "prod")
    assert opened_by_kubeseal(shop.manifest("app")) == {"token": TOKEN.encode(), "password": certificate}
    assert f"version={kms.versions(name(tmp_path, 'token'))[-1].id}" in shop.manifest("app").read_text()
    kms.requests.clear()
    before = shop.files()
    assert shop.ksecret("status", "prod").code == 0
    shop.done("seal", "prod")
    assert (kms.values_read, shop.changed_since(before)) == ([], set())
    kms.set(name(tmp_path, "token"), "a newer one")
    status = shop.ksecret("status", "prod")
    assert (status.code, status.out.count("stale"), kms.values_read) == (1, 1, [])
    shop.done("seal", "prod")
    assert opened_by_kubeseal(shop.manifest("app"))["token"] == b"a newer one"
    assert kms.values_read == [name(tmp_path, "token")]


@pytest.mark.parametrize("way", ["role", "oidc"])
def test_a_role_is_assumed_where_one_is_stated(tmp_path: Path, kms: Kms, way: str) -> None:
    """With an access key, or with a pod's token; once, and its temporary access key signs what follows."""
    project = kms_shop(tmp_path, kms)
    kms.set(name(tmp_path, "token"), TOKEN)
    project.environment.pop(KEY), project.environment.pop(SECRET)
    project.environment |= getattr(kms, way)
    assert quiet(project.ksecret("status", "prod")).code == 1
    actions = [seen.action for seen in kms.requests]
    assert actions == [{"role": "AssumeRole", "oidc": "AssumeRoleWithOIDC"}[way], *["ListSecretVersionIds"] * 2]


SIGN_IN: dict[str, tuple[Mapping[str, str | None], str, str]] = {
    "nothing": (
        {KEY: None, SECRET: None},
        f"{SOURCE}not signed in to Alibaba Cloud",
        f"hint: set {KEY} and {SECRET}, or, for a role, ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN and "
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
    ),
    "half an access key": (
        {SECRET: ""},
        f"{SOURCE}the access key is incomplete",
        f"hint: set {SECRET} as well",
    ),
    "a token without a role": (
        {KEY: None, SECRET: None, "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "token"},
        f"{SOURCE}the sign-in by an OIDC token is incomplete",
        "hint: set ALIBABA_CLOUD_ROLE_ARN and ALIBABA_CLOUD_OIDC_PROVIDER_ARN as well",
    ),
    "a wrong secret": ({SECRET: "guessed"}, f"{ERROR}HOST refuses the signature (SignatureDoesNotMatch)", CHECK_KEY),
    "an unknown key": (
        {KEY: "guessed"},
        f"{ERROR}HOST does not know the access key (InvalidAccessKeyId.NotFound)",
        CHECK_KEY,
    ),
    "a role that does not exist": (
        {"ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/other"},
        f"{SOURCE}HOST does not know the role (EntityNotExist.Role)",
        "hint: check ALIBABA_CLOUD_ROLE_ARN",
    ),
    "a token too much": (
        {"ALIBABA_CLOUD_SECURITY_TOKEN": "guessed"},
        f"{ERROR}HOST refuses the security token (InvalidSecurityToken.Malformed)",
        "hint: sign in anew; such a token holds for an hour or so",
    ),
}


@pytest.mark.parametrize("case", SIGN_IN)
def test_who_is_not_signed_in_is_told_what_to_set(tmp_path: Path, kms: Kms, case: str) -> None:
    """The machine's own role is never asked for: the metadata service is no way in."""
    variables, message, hint = SIGN_IN[case]
    project = kms_shop(tmp_path, kms)
    project.environment = {**project.environment, **variables}  # type: ignore[dict-item]  # None is taken out below
    project.environment = {variable: value for variable, value in project.environment.items() if value is not None}
    assert failed(project, kms) == [message, hint]


def test_an_oidc_token_that_is_refused_is_not_shown(tmp_path: Path, kms: Kms) -> None:
    """It is a credential; only the service's code is printed."""
    project = kms_shop(tmp_path, kms)
    project.environment = {name: value for name, value in project.environment.items() if name not in (KEY, SECRET)}
    project.environment |= kms.oidc
    project.environment["ALIBABA_CLOUD_OIDC_TOKEN_FILE"] = str(project.write(".env.token", "p@ss"))
    assert failed(project, kms) == [
        f"{SOURCE}HOST refuses the OIDC token (AuthenticationFail.OIDCToken.Invalid)",
        "hint: check ALIBABA_CLOUD_OIDC_PROVIDER_ARN, and the role's trust policy",
    ]


@pytest.mark.parametrize(
    ("fault", "message", "hint"),
    [
        (
            no_role(),
            "HOST: no permission to assume the role (NoPermission)",
            "hint: RAM must allow who asks sts:AssumeRole, and the role's trust policy must name who asks",
        ),
        (
            garbled(),
            "HOST does not answer as STS",
            "hint: check ALIBABA_CLOUD_STS_ENDPOINT if it is set, and the proxy if there is one",
        ),
    ],
)
def test_a_role_that_is_not_assumed_is_a_matter_of_sts(
    tmp_path: Path, kms: Kms, fault: Fault, message: str, hint: str
) -> None:
    """What the policies of KMS's secrets must allow is no help there."""
    project = kms_shop(tmp_path, kms)
    project.environment |= kms.role
    kms.fail(fault, "AssumeRole /**")
    assert failed(project, kms) == [f"{SOURCE}{message}", hint]


class Case(NamedTuple):
    """A fault, and the message and hint; NAME stands for the name of the value."""

    fault: Fault
    message: str
    hint: str


ROLE = (
    "hint: the RAM policy must allow kms:GetSecretValue, kms:ListSecretVersionIds and kms:Decrypt; to write also "
    "kms:PutSecretValue, kms:CreateSecret and kms:GenerateDataKey"
)
CUT = "hint: try again; a proxy on the way may be at fault"
SLOW = "hint: try again; it took too long, or the connection was cut"
STRANGE = "hint: check source.alibabaKms.endpoint, and the proxy if there is one"
FAULTS = {
    "forbidden": Case(forbidden(), "HOST: no permission for NAME (403)", ROLE),
    "throttled": Case(
        throttled(),
        "HOST is throttling; gave up at NAME (429)",
        "hint: try again later, or set a lower parallelism",
    ),
    "throttled for its user": Case(
        Refuse(refusal(400, "Throttling.User", "Request was denied due to user flow control.")),
        "HOST is throttling; gave up at NAME (400)",
        "hint: try again later, or set a lower parallelism",
    ),
    "an hour": Case(
        throttled(3600),
        "HOST is throttling; gave up at NAME (429)",
        "hint: try again later, or set a lower parallelism",
    ),
    "broken": Case(broken(503), "HOST failed for NAME (503)", "hint: try again later"),
    "inactive": Case(key_inactive(), "HOST does not know the access key (InvalidAccessKeyId.Inactive)", CHECK_KEY),
    "expired": Case(
        token_expired(),
        "HOST refuses the security token (InvalidSecurityToken.Expired)",
        "hint: sign in anew; such a token holds for an hour or so",
    ),
    "cut before": Case(cut("before"), "HOST gave no answer for NAME", SLOW),
    "cut within": Case(cut("within"), "HOST: the answer for NAME was cut off", CUT),
    "garbled": Case(garbled(), "HOST does not answer as KMS", STRANGE),
    "slow": Case(stall(60), "HOST gave no answer for NAME", SLOW),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_reported_with_what_to_do(tmp_path: Path, kms: Kms, shop: Project, case: str) -> None:
    """In words of our own: the SDK's quote requests and answers. Nothing is waited for without end."""
    fault, message, hint = FAULTS[case]
    timeout = "from kubectl_ksecret.sources import alibabasignin\nalibabasignin.TIMEOUTS['read_timeout'] = 400\n"
    impatient(shop, tmp_path, timeout if case == "slow" else "")
    kms.fail(fault, f"ListSecretVersionIds /{name(tmp_path, 'password')}")
    assert failed(shop, kms) == [f"{ERROR}{message.replace('NAME', name(tmp_path, 'password'))}", hint]


@pytest.mark.parametrize(
    ("fault", "times"), [(throttled(0.01), 3), (broken(500), 2), (cut("before"), 2), (cut("within"), 1)]
)
def test_a_fault_that_passes_is_not_reported(tmp_path: Path, kms: Kms, shop: Project, fault: Fault, times: int) -> None:
    """The SDK makes no request again; this tool does, so many times and not more."""
    met = kms.fail(fault, "GetSecretValue /**", times=times)
    shop.done("seal", "prod")
    assert (met.count, len(kms.requests)) == (times, 2 + times)
    assert opened_by_kubeseal(shop.manifest("app"))["token"] == TOKEN.encode()


def test_a_certificate_that_has_expired_is_named(tmp_path: Path, kms: Kms) -> None:
    """Another CA would not mend it."""
    context, ca = certificates.server_context("Expired", lives=timedelta(minutes=-1))
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        project = kms_shop(tmp_path, kms, endpoint=host)
        project.environment["REQUESTS_CA_BUNDLE"] = str(project.write("ca.pem", ca))
        message = failed(project, kms)[0]
        server.shutdown()
    assert message.endswith(f"{host}: its certificate has expired")


@pytest.mark.parametrize("action", ["AssumeRole", "GetSecretValue", "PutSecretValue"])
def test_a_redirect_is_not_followed(tmp_path: Path, kms: Kms, shop: Project, action: str) -> None:
    """The token of the session would go along, and where a value is written the value, even without TLS."""
    reached: list[bytes] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reached.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    shop.done("seal", "prod")
    shop.environment |= kms.role
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        location = f"http://127.0.0.1:{server.server_port}/"
        kms.fail(Refuse(Answer(307, {}, {"Location": location})), f"{action} /**")
        read = ["seal", "prod", "app/token"]
        done = quiet(shop.ksecret(*(["rotate", "prod", "app/token", "--yes"] if action == "PutSecretValue" else read)))
        server.shutdown()
    assert reached == []
    assert done.code == 3
    assert f"{kms.host} sends the request elsewhere, where nothing is sent\n" in done.err


def test_a_code_that_begins_as_a_refusal_is_not_taken_for_one(tmp_path: Path, kms: Kms) -> None:
    """No policy helps where the key that encrypts is not there."""
    project = kms_shop(tmp_path, kms, create={"encryptionKeyId": "key-of-nobody"})
    project.declare("app", {"token": {"generate": {"length": 24}}})
    gone = refusal(404, "Forbidden.KeyNotFound", "The specified Key is not found.")
    kms.fail(Refuse(gone), "CreateSecret /**")
    done = quiet(project.ksecret("seal", "prod", "--generate-missing"))
    assert done.code == 3
    token = name(tmp_path, "token")
    assert f"{kms.host} has no key to encrypt {token} with (Forbidden.KeyNotFound)\n" in done.err
    assert "hint: check source.alibabaKms.create.encryptionKeyId; an instance of KMS has keys of its own\n" in done.err


def test_what_is_missing_and_what_is_to_be_deleted(tmp_path: Path, kms: Kms) -> None:
    """A name that KMS lacks stops no other; one that is planned to be deleted is reported with the way back."""
    project = kms_shop(tmp_path, kms)
    token, password = name(tmp_path, "token"), name(tmp_path, "password")
    kms.set(token, TOKEN)
    done = quiet(project.ksecret("seal", "prod"))
    assert (done.code, f"app/password is read from {password}, which {kms.host} does not have" in done.err) == (
        3,
        True,
    ), done.err
    assert opened_by_kubeseal(project.manifest("app")) == {"token": TOKEN.encode()}
    kms.set(password, PASSWORD)
    kms.secrets.schedule_deletion(password)
    assert failed(project, kms, "seal", "prod") == [
        f"{ERROR}HOST: {password} is planned to be deleted",
        f"hint: aliyun kms RestoreSecret --SecretName {password}",
    ]


def test_what_kms_gives_in_its_current_version_alone_is_not_taken_for_another(tmp_path: Path, kms: Kms) -> None:
    """KMS ignores the version that is asked for, where the secret is one that it manages."""
    project = kms_shop(tmp_path, kms, overrides={"app": {"keys": {"token": {"version": "v1"}}}})
    for remote, value in {"token": TOKEN, "password": PASSWORD}.items():
        kms.set(name(tmp_path, remote), value)
    kms.managed.add(name(tmp_path, "token"))
    assert failed(project, kms, "seal", "prod") == [
        f"{ERROR}HOST gives {name(tmp_path, 'token')} in its current version alone",
        "hint: only generic secrets are read by version: leave the version of its keys out",
    ]


def test_what_is_missing_can_be_made(tmp_path: Path, kms: Kms) -> None:
    """By CreateSecret; when its answer is lost, no second version is made."""
    project = kms_shop(tmp_path, kms, create={"instanceId": "kst-1", "encryptionKeyId": "key-1"})
    kms.set(name(tmp_path, "password"), PASSWORD)
    met = kms.fail(cut("after"), "CreateSecret /**", times=1)
    assert quiet(project.ksecret("seal", "prod", "--generate-missing")).code == 0
    [version] = kms.versions(name(tmp_path, "token"))
    assert (met.count, opened_by_kubeseal(project.manifest("app"))["token"]) == (1, version.value.encode())


@pytest.mark.parametrize("fault", [cut("after"), cut("before"), broken(503), throttled(0.01)])
def test_rotate_makes_exactly_one_version(tmp_path: Path, kms: Kms, shop: Project, fault: Fault) -> None:
    """When the answer to the write is lost, or does not come at once."""
    shop.done("seal", "prod")
    met = kms.fail(fault, "PutSecretValue /**", times=1)
    assert quiet(shop.ksecret("rotate", "prod", "app/token", "--yes")).code == 0
    versions = kms.versions(name(tmp_path, "token"))
    assert (met.count, [version.stages for version in versions]) == (1, [("ACSPrevious",), ("ACSCurrent",)])
    assert opened_by_kubeseal(shop.manifest("app"))["token"] == versions[-1].value.encode()


@pytest.mark.parametrize("action", ["GetSecretValue", "PutSecretValue"])
def test_a_rotation_that_is_killed_is_finished_by_the_next(
    tmp_path: Path, kms: Kms, shop: Project, action: str
) -> None:
    """With exactly one new version, whether it was killed before that was made or while its answer was on the way."""
    shop.done("seal", "prod")
    begun = kms.fail(stall(60), f"{action} /{name(tmp_path, 'token')}", times=1, after=action == "GetSecretValue")
    rotate = ("rotate", "prod", "app/token", "--yes")
    with subprocess.Popen(
        [COMMAND, *rotate], cwd=shop.root, env=shop.environment, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 30
        while begun.count == 0 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    kms.faults.clear()
    if action == "PutSecretValue":
        assert (begun.count, len(kms.versions(name(tmp_path, "token")))) == (1, 2)
        assert quiet(shop.ksecret(*rotate)).code == 0
    elif len(kms.versions(name(tmp_path, "token"))) == 1:
        assert quiet(shop.ksecret(*rotate)).code == 0
    versions = kms.versions(name(tmp_path, "token"))
    assert len(versions) == 2
    shop.done("seal", "prod")
    assert opened_by_kubeseal(shop.manifest("app"))["token"] == versions[-1].value.encode()


def test_many_names_are_asked_for_side_by_side(tmp_path: Path) -> None:
    """As many as parallelism allows, and no more."""
    with Kms() as kms:
        project = kms_shop(tmp_path, kms, parallelism=4)
        keys = [f"key-{number}" for number in range(24)]
        project.declare("app", {key: {} for key in keys})
        for key in keys:
            kms.set(name(tmp_path, key), f"{key} of the shop")
        kms.faults.latency = 0.05
        project.done("seal", "prod")
        assert (kms.most_at_once, len(kms.requests)) == (4, 24)
        assert len(opened_by_kubeseal(project.manifest("app"))) == 24


def test_values_stay_out_of_the_logs_of_the_sdk(tmp_path: Path, kms: Kms, shop: Project) -> None:
    """DEBUG=sdk makes it print each request and its headers."""
    shop.done("seal", "prod")
    done = quiet(shop.ksecret("rotate", "prod", "app/token", "--yes", DEBUG="sdk"))
    value = kms.versions(name(tmp_path, "token"))[-1].value
    assert (done.code, value in done.out + done.err, "x-acs" in done.err.lower()) == (0, False, False)


def test_a_ca_of_the_overlay_is_trusted_and_a_stranger_is_not(tmp_path: Path, kms: Kms, shop: Project) -> None:
    """An overlay's caFile goes before REQUESTS_CA_BUNDLE; another CA's certificate ends it before a request."""
    shop.write("overlays/prod/secrets/kms.pem", kms.ca)
    source = {"alibabaKms": {"region": REGION, "endpoint": kms.host, "caFile": "kms.pem"}}
    shop.sealed_overlay(source={"names": f"{tmp_path.name}/{{remoteName}}", **source})
    assert shop.ksecret("status", "prod", REQUESTS_CA_BUNDLE="/nowhere").code == 1
    kms.requests.clear()
    kms.faults.unknown_ca = True
    assert failed(shop, kms)[0] == f"{ERROR}HOST: its certificate is not trusted"
    assert kms.requests == []


def test_a_value_that_kms_can_not_hold_is_refused_before_the_write(tmp_path: Path, kms: Kms, shop: Project) -> None:
    """30,720 bytes fit and go through; one more does not."""
    shop.done("seal", "prod")
    rotate = ("rotate", "prod", "app/token", "--yes", "--from-stdin")
    assert shop.ksecret(*rotate, stdin="a" * 30_720).code == 0
    assert kms.versions(name(tmp_path, "token"))[-1].value == "a" * 30_720
    done = shop.ksecret(*rotate, stdin="a" * 30_721)
    assert (done.code, "app/token: KMS holds 30720 bytes at most" in done.err) == (2, True)
    assert len(kms.versions(name(tmp_path, "token"))) == 2


def test_the_double_takes_no_request_that_is_not_signed_rightly(kms: Kms) -> None:
    """Not one without a signature, and not one with another; the other tests show that it takes the SDK's."""
    context = ssl.create_default_context(cadata=kms.ca.decode())
    host, port = kms.host.split(":")
    headers = {
        "x-acs-action": "GetSecretValue",
        "x-acs-version": "2016-01-20",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    signature = f"ACS3-HMAC-SHA256 Credential={kms.environment[KEY]},SignedHeaders=host,Signature={'0' * 64}"
    codes = []
    for authorization in ({}, {"Authorization": signature}):
        connection = http.client.HTTPSConnection(host, int(port), context=context)
        connection.request("POST", "/?SecretName=token", headers=headers | authorization)
        codes.append(re.findall(r'"Code": "(\w+)"', connection.getresponse().read().decode()))
        connection.close()
    assert codes == [["IncompleteSignature"], ["SignatureDoesNotMatch"]]
    assert kms.requests == []
