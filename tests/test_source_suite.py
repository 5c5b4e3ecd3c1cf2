"""What every source with versions must show, whatever service it is: one suite, run over each of them.

To join, write a class with the members of `Landscape`, and add a line to `LANDSCAPES`: its name, and a function that
returns a context manager with a fresh one. It stands between the command, which runs as a process, and a double of the
service or the service itself, and has two keys, `token` and `password`, each under a name of its own. What goes wrong
is planned with `fault` and ends with `heal`.
"""

import json
import random
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest
import yaml

from .forkserver import COMMAND
from .keyvault import KeyVault
from .keyvault import faults as keyvault
from .keyvault.answers import Answer
from .kms import Kms
from .kms import faults as kms_faults
from .openbao import OpenBao
from .openbao.relay import Relay
from .projects import Project, ciphertext, opened_by_kubeseal

Fault = Literal["forbidden", "throttled", "failing", "cut", "unanswered", "write unanswered"]
KEYS = ("token", "password")
KILLS = 5
OVERLAY = "overlays/prod/secrets/ksecret.yaml"


class Landscape(Protocol):
    """A service with the values of two keys, and what can happen to it.

    `source` is an overlay's spec.source, `environment` what signs the command in. `impatience` is Python code that
    makes the command wait a second at most where it waits a minute or half of one. `absent_version` has the form of a
    version, and no value has it. `withdrawn` is what status says of a pinned version after `withdraw`.
    """

    source: Mapping[str, Any]
    environment: Mapping[str, str]
    impatience: str
    absent_version: str
    withdrawn: str

    def name(self, key: str) -> str:
        """Return the name of a key in the source, as messages show it."""

    def set(self, key: str, value: str) -> None:
        """Give a key a new version."""

    def value(self, key: str) -> str:
        """Return the current value of a key."""

    def versions(self, key: str) -> int:
        """Return how many versions a key has."""

    def delete(self, key: str) -> None:
        """Delete the name of a key, or what the service knows nearest to that."""

    def withdraw(self, key: str) -> None:
        """Make all versions of a key such that nobody gets them: disabled, or deleted softly."""

    def fault(self, fault: Fault, key: str | None = None, times: int | None = None) -> None:
        """Let requests meet a fault: those about a key, or all; so many times, or until `heal`.

        `write unanswered` is of the answer alone: what was to be written is written.
        """

    def delay(self, seconds: float) -> None:
        """Let every answer take so long."""

    def heal(self) -> None:
        """End all faults."""

    def values_read(self) -> int:
        """Return how often a value was handed out."""


class KeyVaultLandscape:
    """Azure Key Vault: the double, which the real SDK talks to."""

    absent_version = "0" * 32
    withdrawn = "which is pinned, is disabled"
    impatience = (
        "from kubectl_ksecret.sources import patience, azurekeyvault\n"
        "patience.PATIENCE = 1.0\nazurekeyvault._TIMEOUTS['read_timeout'] = 0.5\n"
    )

    def __init__(self, vault: KeyVault) -> None:
        self._vault, self._count = vault, 0
        self.source: Mapping[str, Any] = {"names": "{remoteName}-prod", "azureKeyVault": {"vaultUrl": vault.url}}
        self.environment: Mapping[str, str] = vault.environment

    def name(self, key: str) -> str:
        return f"{key}-prod"

    def set(self, key: str, value: str) -> None:
        # Of two versions of one second the vault alone knows the newer, and is asked for it with its value.
        self._count += 1
        self._vault.set(self.name(key), value, created_on=datetime.now(UTC) + timedelta(seconds=self._count - 1000))

    def value(self, key: str) -> str:
        return self._vault.value(self.name(key))

    def versions(self, key: str) -> int:
        return len(self._vault.versions(self.name(key)))

    def delete(self, key: str) -> None:
        self._vault.delete(self.name(key))

    def withdraw(self, key: str) -> None:
        for version in self._vault.versions(self.name(key)):
            self._vault.disable(self.name(key), version.id)

    def fault(self, fault: Fault, key: str | None = None, times: int | None = None) -> None:
        planned: Mapping[str, keyvault.Fault] = {
            "forbidden": keyvault.no_role(),
            "throttled": keyvault.throttled(retry_after=0.01),
            "failing": keyvault.Refuse(keyvault.broken(503).answer._replace(headers={"Retry-After": "0.01"})),
            "cut": keyvault.cut("before"),
            "unanswered": keyvault.stall(60),
            "write unanswered": keyvault.cut("after"),
        }
        below = f"/secrets/{self.name(key)}" if key else "/secrets/*"
        requests = [f"PUT {below}"] if fault == "write unanswered" else [f"* {below}", f"* {below}/**"]
        self._vault.faults.add(planned[fault], *requests, times=times)

    def delay(self, seconds: float) -> None:
        self._vault.faults.latency = seconds

    def heal(self) -> None:
        self._vault.faults.clear()

    def values_read(self) -> int:
        return len(self._vault.values_read)


class VaultLandscape:
    """Vault: the real OpenBao behind a relay. Each key is an entry of its own, and its value a property there."""

    absent_version = "99"
    withdrawn = "which is pinned, is deleted"
    impatience = (
        "import urllib3\nfrom kubectl_ksecret.sources import patience, vaultapi\n"
        "patience.PATIENCE = 1.0\nvaultapi._TIMEOUT = urllib3.Timeout(connect=1, read=0.5)\n"
    )

    def __init__(self, bao: OpenBao, relay: Relay) -> None:
        self._bao, self._relay, self._mount = bao, relay, bao.mount()
        vault = {"address": relay.url, "mount": self._mount}
        self.source: Mapping[str, Any] = {"names": "shop/prod/{remoteName}", "property": "value", "vault": vault}
        self.environment = bao.environment

    def name(self, key: str) -> str:
        return f"shop/prod/{key}"

    def set(self, key: str, value: str) -> None:
        self._bao.ask("POST", f"{self._mount}/data/{self.name(key)}", {"data": {"value": value}})

    def value(self, key: str) -> str:
        return str(self._bao.ask("GET", f"{self._mount}/data/{self.name(key)}")["data"]["data"]["value"])

    def versions(self, key: str) -> int:
        answered = self._bao.request("GET", f"{self._mount}/metadata/{self.name(key)}")
        return len(answered.body["data"]["versions"]) if answered.status == 200 else 0

    def delete(self, key: str) -> None:
        self._bao.ask("DELETE", f"{self._mount}/metadata/{self.name(key)}")

    def withdraw(self, key: str) -> None:
        self._bao.ask("DELETE", f"{self._mount}/data/{self.name(key)}")

    def fault(self, fault: Fault, key: str | None = None, times: int | None = None) -> None:
        denied = Answer(403, {"errors": ["permission denied"]})
        quota = Answer(429, {"errors": ["rate limit quota exceeded"]}, {"Retry-After": "0.01"})
        failed = Answer(503, {"errors": ["no leader"]}, {"Retry-After": "0.01"})
        planned: Mapping[str, keyvault.Fault] = {
            "forbidden": keyvault.Refuse(denied),
            "throttled": keyvault.Refuse(quota),
            "failing": keyvault.Refuse(failed),
            "cut": keyvault.cut("before"),
            "unanswered": keyvault.stall(60),
            "write unanswered": keyvault.cut("after"),
        }
        method = "POST" if fault == "write unanswered" else "*"
        path = f"/v1/{self._mount}/*/{self.name(key) if key else '**'}"
        self._relay.faults.add(planned[fault], f"{method} {path}", times=times)

    def delay(self, seconds: float) -> None:
        self._relay.faults.latency = seconds

    def heal(self) -> None:
        self._relay.faults.clear()

    def values_read(self) -> int:
        return len(self._relay.asked("GET", f"/{self._mount}/data/"))


class KmsLandscape:
    """Secrets Manager of Alibaba Cloud KMS: the double, which the real SDK talks to."""

    absent_version = "v0"
    withdrawn = "is missing in the source"
    impatience = (
        "from kubectl_ksecret.sources import alibabakms, alibabasignin\n"
        "alibabakms.PATIENCE = 1.0\nalibabasignin.TIMEOUTS['read_timeout'] = 500\n"
    )

    def __init__(self, kms: Kms) -> None:
        self._kms = kms
        self.source: Mapping[str, Any] = {"names": "{remoteName}-prod", **kms.source}
        self.environment: Mapping[str, str] = kms.environment

    def name(self, key: str) -> str:
        return f"{key}-prod"

    def set(self, key: str, value: str) -> None:
        self._kms.set(self.name(key), value)

    def value(self, key: str) -> str:
        return self._kms.secrets.get(self.name(key)).value

    def versions(self, key: str) -> int:
        return len(self._kms.versions(self.name(key)))

    def delete(self, key: str) -> None:
        self._kms.secrets.delete(self.name(key))

    def withdraw(self, key: str) -> None:
        self._kms.secrets.schedule_deletion(self.name(key))

    def fault(self, fault: Fault, key: str | None = None, times: int | None = None) -> None:
        planned: Mapping[str, keyvault.Fault] = {
            "forbidden": kms_faults.forbidden(),
            "throttled": kms_faults.throttled(retry_after=0.01),
            "failing": kms_faults.broken(503),
            "cut": kms_faults.cut("before"),
            "unanswered": kms_faults.stall(60),
            "write unanswered": kms_faults.cut("after"),
        }
        action = "PutSecretValue" if fault == "write unanswered" else "*"
        self._kms.fail(planned[fault], f"{action} /{self.name(key) if key else '**'}", times=times)

    def delay(self, seconds: float) -> None:
        self._kms.faults.latency = seconds

    def heal(self) -> None:
        self._kms.faults.clear()

    def values_read(self) -> int:
        return len(self._kms.values_read)


@contextmanager
def alibaba_kms(_request: pytest.FixtureRequest) -> Iterator[Landscape]:
    """Alibaba Cloud KMS."""
    with Kms() as double:
        yield KmsLandscape(double)


@contextmanager
def key_vault(_request: pytest.FixtureRequest) -> Iterator[Landscape]:
    """Azure Key Vault."""
    with KeyVault() as double:
        yield KeyVaultLandscape(double)


@contextmanager
def vault(request: pytest.FixtureRequest) -> Iterator[Landscape]:
    """HashiCorp Vault or OpenBao."""
    bao: OpenBao = request.getfixturevalue("bao")
    with Relay(bao.url) as relay:
        yield VaultLandscape(bao, relay)


LANDSCAPES: Mapping[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Landscape]]] = {
    "azureKeyVault": key_vault,
    "alibabaKms": alibaba_kms,
    "vault": vault,
}


@pytest.fixture(params=LANDSCAPES)
def landscape(request: pytest.FixtureRequest) -> Iterator[Landscape]:
    """A fresh service of each kind, without a value."""
    with LANDSCAPES[request.param](request) as fresh:
        yield fresh


@pytest.fixture
def project(tmp_path: Path, landscape: Landscape) -> Project:
    """A Secret `app` of two keys; `prod` seals it with what the service has."""
    project = Project(tmp_path)
    project.environment |= landscape.environment
    project.declare("app", {"token": {"generate": {"length": 40}}, "password": {}})
    project.sealed_overlay(source=landscape.source)
    return project


@pytest.fixture
def sealed(project: Project, landscape: Landscape) -> Project:
    """The same project with both values sealed."""
    for key in KEYS:
        landscape.set(key, f"the first {key}")
    project.done("seal", "prod")
    return project


def impatient(project: Project, landscape: Landscape) -> None:
    """Let the command wait a second for a service where it would wait a minute."""
    folder = project.root.parent / "impatience"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(landscape.impatience)
    project.environment["PYTHONPATH"] = str(folder)


def held(project: Project) -> Mapping[str, str]:
    """What kubeseal finds in the manifest."""
    return {key: value.decode() for key, value in opened_by_kubeseal(project.manifest("app")).items()}


def assert_fails(project: Project, *parts: str) -> None:
    """A seal fails because of the service, says these parts in one error, shows no value and changes no file."""
    before = project.files()
    done = project.ksecret("seal", "prod")
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert (done.code, project.changed_since(before)) == (3, set()), done.err
    assert any(all(re.search(part, error) for part in parts) for error in errors), errors
    assert not any(text in done.out + done.err for text in ("the first", "the second", "Traceback"))


def test_what_is_unchanged_costs_no_value(sealed: Project, landscape: Landscape) -> None:
    """Status and seal compare versions; a new version changes its own entry alone."""
    read, before = landscape.values_read(), ciphertext(sealed)
    assert sealed.done("seal", "prod") == "prod: everything is sealed\n"
    assert sealed.ksecret("status", "prod").code == 0
    assert landscape.values_read() == read
    landscape.set("token", "the second token")
    assert sealed.ksecret("status", "prod").code == 1
    assert landscape.values_read() == read
    sealed.done("seal", "prod")
    after = ciphertext(sealed)
    assert {key for key in KEYS if after[key] != before[key]} == {"token"}
    assert held(sealed) == {"token": "the second token", "password": "the first password"}


def test_a_missing_name_stops_no_other(project: Project, landscape: Landscape) -> None:
    """It is named with the command that sets it; what is there is sealed."""
    landscape.set("password", "the first password")
    done = project.ksecret("seal", "prod")
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert (done.code, len(errors), held(project)) == (3, 1, {"password": "the first password"})
    assert f"app/token is read from {landscape.name('token')}" in errors[0]
    assert "hint: make it: kubectl ksecret seal prod --generate-missing" in done.err


def test_what_the_service_no_longer_has_stays_sealed(sealed: Project, landscape: Landscape) -> None:
    """Production keeps what it has, and the key is named."""
    landscape.delete("password")
    before = sealed.files()
    message = "prod: kept as sealed, though the source no longer gives a value for\n  app/password\n"
    assert (sealed.done("seal", "prod"), sealed.changed_since(before)) == (message, set())


def test_what_is_withdrawn_stays_sealed(sealed: Project, landscape: Landscape) -> None:
    """It may come back: a service that says so is an error, and else the key is named."""
    landscape.withdraw("password")
    before = sealed.files()
    done = sealed.ksecret("seal", "prod")
    assert (done.code in (0, 3), sealed.changed_since(before)) == (True, set())
    assert "app/password" in done.out or landscape.name("password") in done.err


@pytest.mark.parametrize("gone", ["delete", "withdraw"])
def test_a_withdrawn_value_is_never_sealed(project: Project, landscape: Landscape, gone: str) -> None:
    """Neither an empty one nor that of an older version."""
    for key in KEYS:
        landscape.set(key, f"the first {key}")
    getattr(landscape, gone)("password")
    done = project.ksecret("seal", "prod")
    assert (done.code, landscape.name("password") in done.err) == (3, True)
    assert not project.manifest("app").exists() or held(project) == {"token": "the first token"}


def test_a_forbidden_name_is_named(sealed: Project, landscape: Landscape) -> None:
    """The other one was read; nothing is written, since a right was meant to be there."""
    landscape.set("password", "the second password")
    landscape.set("token", "the second token")
    landscape.fault("forbidden", "token")
    assert_fails(sealed, "no permission for", landscape.name("token"))


@pytest.mark.parametrize("fault", ["throttled", "failing", "cut"])
def test_a_fault_that_passes_is_not_reported(sealed: Project, landscape: Landscape, fault: Fault) -> None:
    """The request is made again."""
    landscape.set("token", "the second token")
    landscape.fault(fault, times=2)
    assert "  app/token\n" in sealed.done("seal", "prod")
    assert held(sealed)["token"] == "the second token"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("throttled", "is throttling; gave up at"),
        ("failing", "failed for"),
        ("cut", "gave no answer for|was cut off"),  # one client sees how it was cut, another does not
        ("unanswered", "gave no answer for"),
    ],
)
def test_a_fault_that_stays_is_reported(sealed: Project, landscape: Landscape, fault: Fault, message: str) -> None:
    """After a bounded time, with its own message; what is sealed stays."""
    landscape.fault(fault)
    impatient(sealed, landscape)
    assert_fails(sealed, message)


def test_a_slow_service_is_waited_for(sealed: Project, landscape: Landscape) -> None:
    """An answer may take its time."""
    landscape.set("token", "the second token")
    landscape.delay(1)
    sealed.done("seal", "prod")
    assert held(sealed)["token"] == "the second token"


def test_two_seals_at_once_agree(sealed: Project, landscape: Landscape) -> None:
    """Both end well, or the later one says that a file has changed; the manifest is whole."""
    for key in KEYS:
        landscape.set(key, f"the second {key}")
    codes: list[int] = []

    def seal() -> None:
        codes.append(sealed.ksecret("seal", "prod").code)

    threads = [threading.Thread(target=seal) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 in codes
    assert held(sealed) == {key: f"the second {key}" for key in KEYS}


def test_two_rotations_at_once_are_two_versions(sealed: Project, landscape: Landscape) -> None:
    """One after the other; what is sealed is what the service has."""
    rotations = [rotation(sealed) for _ in range(2)]
    assert [process.wait(60) for process in rotations] == [0, 0]
    assert landscape.versions("token") == 3
    assert held(sealed)["token"] == landscape.value("token")


def rotation(project: Project) -> "subprocess.Popen[bytes]":
    """A rotation of app/token that runs."""
    return subprocess.Popen(
        [COMMAND, "rotate", "prod", "app/token", "--yes"],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def is_unfinished(project: Project) -> bool:
    """Whether a journal of a rotation is there."""
    return any((project.root / ".git" / "ksecret" / "rotations").glob("*.json"))


def test_a_killed_rotation_makes_exactly_one_new_version(sealed: Project, landscape: Landscape) -> None:
    """Killed anywhere once it has begun, the same command finishes it; the service and the manifest agree."""
    landscape.delay(0.05)  # so that there is time between the steps
    begun = 0
    for number in range(KILLS):
        before = landscape.versions("token")
        with rotation(sealed) as process:
            while process.poll() is None and not is_unfinished(sealed):
                time.sleep(0.002)
            time.sleep(random.uniform(0, 0.05 * (number + 1)))
            process.kill()
        if is_unfinished(sealed):
            begun += 1
            assert sealed.ksecret("rotate", "prod", "app/token", "--yes").code == 0
        assert landscape.versions("token") == before + 1
        assert held(sealed)["token"] == landscape.value("token")
        assert not is_unfinished(sealed)
    assert begun > 0


def test_a_write_whose_answer_is_lost_is_not_repeated(sealed: Project, landscape: Landscape) -> None:
    """Nor given up: the service is asked whether the value is there."""
    landscape.fault("write unanswered", times=1)
    assert sealed.ksecret("rotate", "prod", "app/token", "--yes").code == 0
    assert landscape.versions("token") == 2
    assert held(sealed)["token"] == landscape.value("token") != "the first token"


def test_what_is_missing_can_be_made(project: Project, landscape: Landscape) -> None:
    """Once, and as it is declared."""
    landscape.set("password", "the first password")
    assert project.done("seal", "prod", "--generate-missing").startswith("prod: made in the source\n")
    assert (landscape.versions("token"), len(landscape.value("token"))) == (1, 40)
    assert "made" not in project.done("seal", "prod", "--generate-missing")
    assert held(project) == {"token": landscape.value("token"), "password": "the first password"}


def pin(project: Project, key: str = "token") -> str:
    """The version that the overlay states for a key of app."""
    stated = yaml.safe_load((project.root / OVERLAY).read_text())["spec"]["overrides"]["app"]["keys"][key]
    return str(stated["version"])


def test_a_pinned_version_is_read_until_the_pin_moves(sealed: Project, landscape: Landscape) -> None:
    """Not the current one: `pin-versions` writes that, and `rotate` the one that it makes."""
    pinned = sealed.done("pin-versions", "prod", "app/token").splitlines()[0]
    assert pinned == f"pinned app/token to {pin(sealed)}"
    first = pin(sealed)
    for key in KEYS:
        landscape.set(key, f"the second {key}")
    sealed.manifest("app").unlink()
    sealed.done("seal", "prod")
    assert held(sealed) == {"token": "the first token", "password": "the second password"}
    assert "ok; pinned, the source has a newer version" in sealed.done("status", "prod")
    sealed.done("pin-versions", "prod", "app/token")
    assert pin(sealed) != first
    sealed.done("seal", "prod")
    assert held(sealed)["token"] == "the second token"
    second = pin(sealed)
    assert sealed.ksecret("rotate", "prod", "app/token", "--yes").code == 0
    assert pin(sealed) not in (first, second)
    assert held(sealed)["token"] == landscape.value("token")
    assert sealed.done("seal", "prod") == "prod: everything is sealed\n"
    assert sealed.ksecret("status", "prod").code == 0


def state_of(project: Project, key: str = "token") -> tuple[int, dict[str, Any], list[dict[str, str]]]:
    """The exit code of status, and what it says of a key of app: of the source, and the problems."""
    done = project.ksecret("status", "prod", "-o", "json")
    [row] = [row for row in json.loads(done.out)["items"] if row["key"] == key]
    return done.code, row["source"][0], row["problems"]


def test_status_says_how_a_pinned_version_stands(sealed: Project, landscape: Landscape) -> None:
    """Behind the newest, withdrawn or gone; no value is read for that, and `list` shows the pin."""
    sealed.done("pin-versions", "prod", "app/token")
    first, name = pin(sealed), landscape.name("token")
    code, source, problems = state_of(sealed)
    assert (code, source["pinned"], source["version"], source["behind"], problems) == (0, first, first, False, [])
    landscape.set("token", "the second token")
    before = landscape.values_read()
    code, source, problems = state_of(sealed)
    assert (code, source["pinned"], source["behind"], problems) == (0, first, True, [])
    assert source["version"] not in (None, first)
    property_ = "#value" if "property" in landscape.source else ""
    assert f"{name}{property_} (version {first})" in sealed.done("list", "prod")
    [row] = [row for row in json.loads(sealed.done("list", "prod", "-o", "json"))["items"] if row["key"] == "token"]
    assert row["environments"]["prod"]["version"] == first

    text = (sealed.root / OVERLAY).read_text()
    sealed.write(OVERLAY, re.sub(r"version: ['\"]?\w+['\"]?", f'version: "{landscape.absent_version}"', text))
    code, source, problems = state_of(sealed)
    gone = f"version {landscape.absent_version} of {name}, which is pinned, is no longer in the source"
    assert (code, problems[0], source["behind"]) == (1, {"reason": "gone", "message": gone}, True)
    assert [problem["reason"] for problem in problems] == ["gone", "stale"]
    assert gone in sealed.ksecret("status", "prod").out
    assert landscape.values_read() == before


def test_status_says_that_a_pinned_version_is_withdrawn(sealed: Project, landscape: Landscape) -> None:
    """As the service has it: disabled, or deleted."""
    sealed.done("pin-versions", "prod", "app/token")
    landscape.withdraw("token")
    code, _, problems = state_of(sealed)
    assert (code, len(problems)) == (1, 1)
    assert landscape.withdrawn in problems[0]["message"]


def test_a_pin_that_no_value_has_is_named_where_it_stands(project: Project, landscape: Landscape) -> None:
    """What is not pinned is sealed; the hint writes a version that there is."""
    for key in KEYS:
        landscape.set(key, f"the first {key}")
    absent = landscape.absent_version
    overrides = {"app": {"keys": {"token": {"version": absent}}}}
    project.sealed_overlay(source=landscape.source, overrides=overrides)
    line = 1 + next(n for n, text in enumerate((project.root / OVERLAY).read_text().splitlines()) if absent in text)
    done = project.ksecret("seal", "prod")
    errors = [text for text in done.err.splitlines() if text.startswith("error: ")]
    assert (done.code, len(errors), held(project)) == (3, 1, {"password": "the first password"})
    assert re.match(
        rf"error: {OVERLAY}:{line}:[0-9]+: app/token is read from \S+ in version {absent}, which", errors[0]
    )
    assert "hint: pin the current one: kubectl ksecret pin-versions prod app/token\n" in done.err
    project.done("pin-versions", "prod", "app/token")
    project.done("seal", "prod")
    assert held(project)["token"] == "the first token"
