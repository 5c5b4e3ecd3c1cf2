"""`kubectl ksecret` with the source `vault`: the real OpenBao, and its faults in the tool's own words."""

import itertools
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from .keyvault import certificates
from .keyvault.answers import Answer
from .keyvault.faults import Garble, Refuse, cut
from .openbao import OpenBao
from .openbao.relay import Relay
from .peers import ROOT
from .projects import Done, Project, opened_by_kubeseal

PLACE = "error: overlays/prod/secrets/ksecret.yaml:{}: "
RESTART = "restart what reads it through its environment"
ENTRY = {"token": "first-token", "password": "p@ss <word>", "other": {"deep": [1, 2.5]}}


def vault_shop(folder: Path, bao: OpenBao, mount: str, **fields: Any) -> Project:
    """A Secret `app` of two keys, which are two properties of one entry; `prod` seals them."""
    project = Project(folder)
    project.environment |= bao.environment
    project.declare("app", {"token": {"generate": {"length": 40}}, "password": {}})
    vault = {"address": bao.url, "mount": mount, **fields}
    project.sealed_overlay(source={"names": "shop/prod/{secret}", "property": "{remoteName}", "vault": vault})
    return project


@pytest.fixture
def mount(bao: OpenBao) -> str:
    """An engine with the entry of `app`."""
    path = bao.mount()
    bao.ask("POST", f"{path}/data/shop/prod/app", {"data": ENTRY})
    return path


def entry(bao: OpenBao, mount: str) -> dict[str, Any]:
    """The current properties of the entry."""
    properties: dict[str, Any] = bao.ask("GET", f"{mount}/data/shop/prod/app")["data"]["data"]
    return properties


def versions(bao: OpenBao, mount: str) -> int:
    """How many versions the entry has."""
    return len(bao.ask("GET", f"{mount}/metadata/shop/prod/app")["data"]["versions"])


def failed(project: Project, **environment: str) -> list[str]:
    """The lines on standard error of a seal that must fail, show no value and leave everything as it is."""
    before = project.files()
    done = project.ksecret("seal", "prod", **environment)
    assert (done.code, done.out, project.changed_since(before)) == (3, "", set()), done.err
    assert_quiet(done)
    return done.err.splitlines()


def assert_quiet(done: Done) -> None:
    """Nothing of a value, a token or Python's own ways."""
    assert re.findall(r"first-token|p@ss|Traceback|File \"|permission denied", done.out + done.err) == []


def test_an_entry_is_read_once_for_all_its_keys(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """A key without a property has the whole of it, as the operator hands it out; its version stands in the record."""
    with Relay(bao.url) as relay:
        project = vault_shop(tmp_path, bao, mount)
        project.declare("app", {"token": {"property": "token"}, "password": {"property": "password"}, "whole": {}})
        source = {"names": "shop/prod/{secret}", "vault": {"address": relay.url, "mount": mount}}
        project.sealed_overlay(source=source)
        project.done("seal", "prod")
        assert relay.asked("GET", "/data/") == [f"/v1/{mount}/data/shop/prod/app"]
    whole = rb'{"other":{"deep":[1,2.5]},"password":"p@ss \u003cword\u003e","token":"first-token"}'
    values = {"token": b"first-token", "password": b"p@ss <word>", "whole": whole}
    assert opened_by_kubeseal(project.manifest("app")) == values
    assert "version=1" in project.manifest("app").read_text()


def test_a_rotation_of_one_property_keeps_the_others(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """Whatever they are; what is sealed of the same entry goes over to its new version, and ESO's keys are told."""
    project = vault_shop(tmp_path, bao, mount)
    project.done("seal", "prod")
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    assert (done.code, done.out.splitlines()[0]) == (0, "shop/prod/app#token: a new value")
    new = entry(bao, mount)
    assert (new.pop("token") != "first-token", new) == (True, {name: ENTRY[name] for name in ("password", "other")})
    assert versions(bao, mount) == 2
    assert project.done("seal", "prod") == "prod: everything is sealed\n"
    assert project.ksecret("status", "prod").code == 0


@pytest.mark.parametrize(
    ("backend", "steps"),
    [
        (
            {"externalSecret": {"store": {"name": "vault"}}},
            ["aks has it within 1h; at once: kubectl ksecret sync aks app", RESTART],
        ),
        (
            {"externalSecret": {"store": {"name": "vault"}, "refreshPolicy": "CreatedOnce"}},
            [
                "aks does not have it by itself, as its operator does not look again: kubectl ksecret sync aks app",
                RESTART,
            ],
        ),
        ({"vaultSecretsOperator": {"refreshAfter": "30m"}}, ["aks has it within 30m, and what reads it restarts"]),
        ({"secret": {}}, ["kubectl ksecret sync aks app"]),
    ],
    ids=["External Secrets Operator", "CreatedOnce", "Vault Secrets Operator", "sync"],
)
def test_a_rotation_says_how_each_backend_gets_the_new_value(
    tmp_path: Path, bao: OpenBao, mount: str, backend: dict[str, Any], steps: list[str]
) -> None:
    """No restart by hand is asked for where the operator or `sync` does that."""
    project = vault_shop(tmp_path, bao, mount)
    source = {
        "names": "shop/prod/{secret}",
        "property": "{remoteName}",
        "vault": {"address": bao.url, "mount": mount},
    }
    project.overlay("aks", backend, source=source)
    (project.root / "overlays/prod/secrets/ksecret.yaml").unlink()
    done = project.ksecret("rotate", "aks", "app/token", "--yes")
    assert (done.code, "Traceback" in done.err) == (0, False)
    assert [line for line in done.out.splitlines() if line.startswith("next")] == [f"next: {step}" for step in steps]


def test_what_somebody_else_writes_in_between_is_kept(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """A rotation that failed at its write finds another property changed, and makes its one version of that."""
    with Relay(bao.url) as relay:
        project = vault_shop(tmp_path, bao, mount, address=relay.url)
        project.done("seal", "prod")
        relay.faults.add(Refuse(Answer(400, {"errors": ["no"]})), f"POST /v1/{mount}/**")
        done = project.ksecret("rotate", "prod", "app/token", "--yes")
        assert (done.code, "refused shop/prod/app (400)" in done.err) == (3, True)
        bao.ask("POST", f"{mount}/data/shop/prod/app", {"data": ENTRY | {"password": "changed"}})
        relay.faults.clear()
        done = project.ksecret("rotate", "prod", "app/token", "--yes")
        assert (done.code, done.out.splitlines()[0]) == (0, "shop/prod/app#token: a new value")
    new = entry(bao, mount)
    assert (new["password"], new["token"] == "first-token", versions(bao, mount)) == ("changed", False, 3)


def test_a_property_that_somebody_else_rotated_is_not_overwritten(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """The value that was given is not used, and it is said."""
    with Relay(bao.url) as relay:
        project = vault_shop(tmp_path, bao, mount, address=relay.url)
        project.done("seal", "prod")
        relay.faults.add(Refuse(Answer(400, {"errors": ["no"]})), f"POST /v1/{mount}/**")
        rotate = ("rotate", "prod", "app/token", "--from-stdin", "--yes")
        assert project.ksecret(*rotate, stdin="mine").code == 3
        bao.ask("POST", f"{mount}/data/shop/prod/app", {"data": ENTRY | {"token": "theirs"}})
        relay.faults.clear()
        done = project.ksecret(*rotate, stdin="mine")
        assert (done.code, "the value that was given is not used" in done.err) == (1, True)
    assert (entry(bao, mount)["token"], versions(bao, mount)) == ("theirs", 2)
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"theirs"


def test_missing_properties_of_an_entry_are_made_in_one_version(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """Of an entry that is there, and of one that is not; what can't be made is named."""
    project = vault_shop(tmp_path, bao, mount)
    project.declare("app", {"token": {}, "password": {}, **{key: {"generate": {"length": 20}} for key in "ab"}})
    project.declare("new", {key: {"generate": {"length": 20}} for key in "ab"})
    done = project.ksecret("seal", "prod")
    assert (done.code, done.err.splitlines()[:2]) == (
        3,
        [
            f"error: generators/app.yaml:10:7: app/a is read from shop/prod/app#a, which {bao.url} does not have",
            "hint: make it: kubectl ksecret seal prod --generate-missing",
        ],
    )
    out = project.done("seal", "prod", "--generate-missing")
    assert out.startswith("prod: made in the source\n  shop/prod/app#a\n  shop/prod/app#b\n  shop/prod/new#a\n")
    new = entry(bao, mount)
    assert (new["token"], len(new["a"]), versions(bao, mount)) == ("first-token", 20, 2)
    assert bao.ask("GET", f"{mount}/data/shop/prod/new")["data"]["metadata"]["version"] == 1


def documented_policy(kind: str, mount: str) -> str:
    """A policy of docs/vault.md, for another mount."""
    text = (ROOT / "docs" / "vault.md").read_text()
    (policy,) = re.findall(rf"<!-- policy: {kind} -->\n```hcl\n(.+?)```", text, re.DOTALL)
    return str(policy).replace('"secret/', f'"{mount}/')


def test_the_documented_policies_are_enough_and_no_more(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """Who may read may not write, which is found before anything is written; and other paths are closed."""
    project = vault_shop(tmp_path, bao, mount)
    project.environment["VAULT_TOKEN"] = bao.limited(documented_policy("read", mount))
    project.done("seal", "prod")
    assert project.ksecret("status", "prod").code == 0
    done = project.ksecret("rotate", "prod", "app/token", "--yes")
    path = f"{mount}/data/shop/prod/app"
    assert done.code == 3
    assert f"{bao.url}: no permission for shop/prod/app (403)\n" in done.err
    assert f'hint: the policy must have: path "{path}" {{ capabilities = ["update"] }}\n' in done.err
    assert (versions(bao, mount), list((project.root / ".git" / "ksecret" / "rotations").glob("*.json"))) == (1, [])
    project.environment["VAULT_TOKEN"] = bao.limited(documented_policy("write", mount))
    project.declare("new", {"a": {"generate": {"length": 20}}})
    project.done("seal", "prod", "--generate-missing")
    assert project.ksecret("rotate", "prod", "app/token", "--yes").code == 0
    project.declare("app", {"token": {"remoteName": "x"}})
    vault = {"address": bao.url, "mount": mount}
    project.sealed_overlay(source={"names": "shop/test/{secret}", "property": "{remoteName}", "vault": vault})
    assert failed(project)[0].endswith(f"{bao.url}: no permission for shop/test/app (403)")


def test_a_name_and_a_mount_that_are_nearly_right(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """The entry beside it is offered, unless only its property is missing; a path below a mount is no mount."""
    project = vault_shop(tmp_path, bao, mount)
    source = {"property": "{remoteName}", "vault": {"address": bao.url, "mount": mount}}
    project.sealed_overlay(source={"names": "shop/prod/ap", **source})
    assert 'hint: did you mean "shop/prod/app"?' in project.ksecret("seal", "prod").err.splitlines()
    project.sealed_overlay(source={"names": "shop/prod/app", **source})
    project.declare("app", {"tokn": {}})
    hint = "hint: set it: kubectl ksecret rotate prod app/tokn --from-stdin"
    assert hint in project.ksecret("seal", "prod").err.splitlines()
    source["vault"] = {"address": bao.url, "mount": f"{mount}/shop"}
    project.sealed_overlay(source={"names": "prod/app", **source})
    message, hint = failed(project)
    assert message.endswith(f": {mount}/shop is no mount, and lies below the mount {mount}")
    assert hint == f"hint: write mount: {mount} in source.vault, and the rest of the path before each name"


def test_an_app_role_and_a_pod_sign_in(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """Each by its own variables; a refused sign-in is its own message."""
    project = vault_shop(tmp_path, bao, mount)
    del project.environment["VAULT_TOKEN"]
    method = f"roles-{mount}"
    bao.ask("POST", f"sys/auth/{method}", {"type": "approle"})
    bao.ask("PUT", f"sys/policies/acl/{mount}", {"policy": documented_policy("read", mount)})
    bao.ask("POST", f"auth/{method}/role/shop", {"token_policies": [mount]})
    role = {
        "VAULT_ROLE_ID": bao.ask("GET", f"auth/{method}/role/shop/role-id")["data"]["role_id"],
        "VAULT_SECRET_ID": bao.ask("POST", f"auth/{method}/role/shop/secret-id")["data"]["secret_id"],
    }
    assert failed(project, **role)[0].endswith(f"{bao.url} refuses the sign-in at auth/approle/login (403)")
    role["VAULT_AUTH_PATH"] = method
    assert project.ksecret("seal", "prod", **role).code == 0
    no_token = {"VAULT_KUBERNETES_ROLE": "shop", "VAULT_KUBERNETES_TOKEN_FILE": "no-such-file"}
    assert failed(project, **no_token)[0].endswith("no-such-file holds no token of a ServiceAccount")


def test_an_app_role_that_is_refused_says_what_is_wrong_with_its_secret_id(
    tmp_path: Path, bao: OpenBao, mount: str
) -> None:
    """Guessed, expired, used up, wrapped, absent, or of another address; the hint for a wrapped one keeps it usable."""
    project = vault_shop(tmp_path, bao, mount)
    del project.environment["VAULT_TOKEN"]
    method = f"roles-{mount}"
    bao.ask("POST", f"sys/auth/{method}", {"type": "approle"})
    bao.ask("PUT", f"sys/policies/acl/{mount}", {"policy": documented_policy("read", mount)})

    def role(name: str, wrap: str = "", **fields: Any) -> dict[str, str]:
        bao.ask("POST", f"auth/{method}/role/{name}", {"token_policies": [mount], **fields})
        made = bao.ask("POST", f"auth/{method}/role/{name}/secret-id", wrap=wrap)
        return {
            "VAULT_AUTH_PATH": method,
            "VAULT_ROLE_ID": bao.ask("GET", f"auth/{method}/role/{name}/role-id")["data"]["role_id"],
            "VAULT_SECRET_ID": made["wrap_info"]["token"] if wrap else made["data"]["secret_id"],
        }

    either = f"{bao.url} does not take VAULT_ROLE_ID with VAULT_SECRET_ID: one is wrong, or the secret id is used up"
    once, short = role("once", secret_id_num_uses=1), role("short", secret_id_ttl="1s")
    project.done("seal", "prod", **once)
    time.sleep(1.5)
    for variables in (once, short, once | {"VAULT_SECRET_ID": "guessed"}, once | {"VAULT_ROLE_ID": "guessed"}):
        message, hint = failed(project, **variables)
        assert either in message
        assert hint == f"hint: make another one with vault write -f auth/{method}/role/ROLE/secret-id"
    message, hint = failed(project, **role("wrapped", wrap="60s"))
    assert message.endswith(f"{bao.url}: VAULT_SECRET_ID holds a token that wraps the secret id (400)")
    assert hint.endswith("export VAULT_SECRET_ID=$(VAULT_TOKEN=$VAULT_SECRET_ID vault unwrap -field=secret_id)")
    wrapped = role("wrapped", wrap="60s")
    failed(project, **wrapped)
    unwrapped = bao.ask("POST", "sys/wrapping/unwrap", token=wrapped["VAULT_SECRET_ID"])["data"]["secret_id"]
    assert project.ksecret("seal", "prod", **wrapped | {"VAULT_SECRET_ID": unwrapped}).code == 0
    absent = once | {"VAULT_SECRET_ID": ""}
    assert failed(project, **absent)[0].endswith(f"sign-in at auth/{method}/login: VAULT_SECRET_ID is not set (400)")
    elsewhere = role("elsewhere", secret_id_bound_cidrs="10.0.0.0/8")
    assert failed(project, **elsewhere)[0].endswith(f"at auth/{method}/login from this machine's address (400)")


def test_a_token_that_vault_login_wrote_is_used_and_none_is_missed(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """It lies in the home folder; VAULT_TOKEN goes before."""
    project = vault_shop(tmp_path, bao, mount)
    del project.environment["VAULT_TOKEN"]
    assert failed(project)[0].endswith(f"{bao.url}: not signed in to Vault")
    Path(project.environment["HOME"], ".vault-token").write_text(f"{bao.token}\n")
    refused = failed(project, VAULT_TOKEN="of another server")
    assert refused[0].endswith(f"{bao.url} does not accept the token: it is not this server's, or it has expired (403)")
    project.done("seal", "prod")


@pytest.mark.parametrize("named", ["", "https://vault.example", "https://elsewhere.example:8200"])
def test_no_token_is_sent_to_a_server_that_the_user_did_not_name(
    tmp_path: Path, bao: OpenBao, mount: str, named: str
) -> None:
    """A pull request may change the address. A loopback address needs no VAULT_ADDR, and must agree with one."""
    address = "https://vault.example:8200"
    project = vault_shop(tmp_path, bao, mount, address=address)
    variables = {"VAULT_ADDR": named} if named else {}
    problem = f"VAULT_ADDR is {named}" if named else "VAULT_ADDR is not set"
    assert failed(project, **variables) == [
        f"{PLACE.format('17:16')}{problem}, so nothing is sent to {address}",
        f"hint: if the token is of that server: export VAULT_ADDR={address}",
    ]


def test_a_namespace_is_part_of_what_is_read(tmp_path: Path, bao: OpenBao) -> None:
    """One that is not there is named as such."""
    bao.ask("POST", "sys/namespaces/team-a", {})
    mount = bao.mount(namespace="team-a")
    bao.ask("POST", f"{mount}/data/shop/prod/app", {"data": ENTRY}, namespace="team-a")
    project = vault_shop(tmp_path, bao, mount, namespace="team-a")
    project.done("seal", "prod")
    vault = {"address": bao.url, "mount": mount, "namespace": "team-b"}
    project.sealed_overlay(source={"names": "shop/prod/{secret}", "property": "{key}", "vault": vault})
    project.declare("app", {"token": {}, "password": {}, "another": {}})
    assert failed(project)[0].endswith(f"{bao.url} has no such namespace")


def test_a_deleted_version_is_missing_and_it_is_said_how_it_comes_back(
    tmp_path: Path, bao: OpenBao, mount: str
) -> None:
    """A destroyed one does not."""
    project = vault_shop(tmp_path, bao, mount)
    bao.ask("DELETE", f"{mount}/data/shop/prod/app")
    lines = failed_and_rendered(project)
    assert lines[:2] == [
        f"{PLACE.format('18:14').replace('error', 'warning')}{bao.url}: version 1 of shop/prod/app, the current one, "
        "is deleted",
        f"hint: bring it back: vault kv undelete -mount={mount} -versions=1 shop/prod/app",
    ]
    bao.ask("POST", f"{mount}/destroy/shop/prod/app", {"versions": [1]})
    assert failed_and_rendered(project)[0].endswith("the current one, is destroyed")
    assert project.ksecret("rotate", "prod", "app/token", "--yes").code == 0
    assert list(entry(bao, mount)) == ["token"]


def test_a_pinned_version_that_is_gone_says_how(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """Deleted, destroyed or no number of a version at all; two keys may be pinned to two versions of one entry."""
    project = vault_shop(tmp_path, bao, mount)
    bao.ask("POST", f"{mount}/data/shop/prod/app", {"data": ENTRY | {"password": "another"}})
    repinned(project, "2", "1")
    project.done("seal", "prod")
    assert opened_by_kubeseal(project.manifest("app")) == {"token": b"first-token", "password": b"p@ss <word>"}
    bao.ask("POST", f"{mount}/data/shop/prod/app", {"data": ENTRY})
    bao.ask("POST", f"{mount}/delete/shop/prod/app", {"versions": [1]})
    bao.ask("POST", f"{mount}/destroy/shop/prod/app", {"versions": [2]})
    project.manifest("app").unlink()
    lines = failed_and_rendered(project)
    warnings = [
        (line.partition(f"{bao.url}: ")[2], hint)
        for line, hint in itertools.pairwise(lines)
        if line.startswith("warning: ")
    ]
    assert sorted(warnings) == [
        (
            "version 1 of shop/prod/app, which is pinned, is deleted",
            f"hint: bring it back: vault kv undelete -mount={mount} -versions=1 shop/prod/app",
        ),
        ("version 2 of shop/prod/app, which is pinned, is destroyed", "hint: pin another version"),
    ]
    repinned(project, "2", "v1")
    done = project.ksecret("seal", "prod")
    assert done.code == 2
    assert "the version of app/password can't be right: a version in Vault is a number from 1 up\n" in done.err


def repinned(project: Project, token: str, password: str) -> None:
    """Pin the two keys in the overlay."""
    path = "overlays/prod/secrets/ksecret.yaml"
    stated = yaml.safe_load((project.root / path).read_text())
    stated["spec"]["overrides"] = {"app": {"keys": {"token": {"version": token}, "password": {"version": password}}}}
    project.write(path, yaml.safe_dump(stated))


def failed_and_rendered(project: Project) -> list[str]:
    """The lines on standard error of a seal in which values are missing."""
    done = project.ksecret("seal", "prod")
    assert done.code == 3
    assert_quiet(done)
    return done.err.splitlines()


MOUNTS = {
    "nothing": ("elsewhere", "has nothing mounted at elsewhere"),
    "version 1": ("", ": {} is no KV engine of version 2"),
}


@pytest.mark.parametrize("case", MOUNTS)
def test_a_mount_that_is_none_of_version_2_is_named(tmp_path: Path, bao: OpenBao, case: str) -> None:
    """The server itself says of an engine of version 1 that the entry is not there."""
    named, message = MOUNTS[case]
    mount = named or bao.mount(version=1)
    project = vault_shop(tmp_path, bao, mount)
    line, _ = failed(project)
    assert line.startswith(PLACE.format("18:14"))
    assert line.endswith(message.format(mount))


def test_a_quota_is_the_servers_own_429(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """Without Retry-After; it is waited for, and in the end named."""
    project = vault_shop(tmp_path, bao, mount)
    (tmp_path / "sitecustomize.py").write_text(
        "from kubectl_ksecret.sources import patience\npatience.PATIENCE = 1.0\n"
    )
    limit = {"rate": 0.01, "path": f"{mount}/", "interval": "100s"}
    bao.ask("POST", f"sys/quotas/rate-limit/{mount}", limit)
    bao.request("GET", f"{mount}/config")
    try:
        assert failed(project, PYTHONPATH=str(tmp_path))[0].endswith(
            f"{bao.url} is throttling; gave up at shop/prod/app (429)"
        )
    finally:
        bao.ask("DELETE", f"sys/quotas/rate-limit/{mount}")


NOT_READY = 'storage "inmem" {}\nlistener "tcp" {\n  address = "ADDRESS"\n  tls_disable = true\n}\n'


def test_a_server_that_is_not_ready_says_so_at_once(tmp_path: Path) -> None:
    """Not initialised, and then sealed; nobody waits for it."""
    with OpenBao(NOT_READY) as server:
        project = vault_shop(tmp_path, server, "secret")
        assert failed(project)[0].endswith(f"{server.url} is not initialised (501)")
        keys = server.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        assert keys
        assert failed(project)[0].endswith(f"{server.url} is sealed (503)")


@pytest.mark.parametrize(
    ("standby", "message"),
    [(True, "is a standby that can't reach the active node (500)"), (False, "failed for shop/prod/app (500)")],
    ids=["standby", "active"],
)
def test_why_a_server_fails_is_asked_of_itself(
    tmp_path: Path, bao: OpenBao, mount: str, standby: bool, message: str
) -> None:
    """A standby without an active node answers 500 like any other fault."""
    with Relay(bao.url) as relay:
        failing = Answer(500, {"errors": ["local node not active"]}, {"Retry-After": "0.01"})
        relay.faults.add(Refuse(failing), f"GET /v1/{mount}/**")
        health = {"initialized": True, "sealed": False, "standby": standby}
        relay.faults.add(Refuse(Answer(429 if standby else 200, health)), "GET /v1/sys/health")
        project = vault_shop(tmp_path, bao, mount, address=relay.url)
        assert failed(project)[0].endswith(f"{relay.url} {message}")


def test_a_token_that_has_expired_is_not_taken_for_a_policy(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """The server says the same of both, but for what it says of the token itself."""
    project = vault_shop(tmp_path, bao, mount)
    token = bao.limited(documented_policy("read", mount), ttl="1s")
    project.environment["VAULT_TOKEN"] = token
    while bao.request("GET", "auth/token/lookup-self", token=token).status == 200:
        time.sleep(0.1)
    assert failed(project) == [
        f"{PLACE.format('17:16')}{bao.url} does not accept the token: it is not this server's, or it has expired (403)",
        "hint: sign in anew with vault login, or set VAULT_TOKEN",
    ]


def test_an_entry_of_another_clone_is_never_written_over(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """The server's check-and-set refuses what was made of an entry that somebody changed just before the write."""
    with Relay(bao.url) as relay:
        project = vault_shop(tmp_path, bao, mount, address=relay.url)
        project.done("seal", "prod")

        def meanwhile(method: str, path: str) -> None:
            if method == "POST" and path.startswith(f"/v1/{mount}/data/"):
                relay.meanwhile = None
                bao.ask("POST", f"{mount}/data/shop/prod/app", {"data": ENTRY | {"password": "changed"}})

        relay.meanwhile = meanwhile
        done = project.ksecret("rotate", "prod", "app/token", "--yes")
        assert (done.code, "somebody else changed shop/prod/app meanwhile" in done.err) == (3, True)
        assert (entry(bao, mount)["token"], versions(bao, mount)) == ("first-token", 2)
        assert project.ksecret("rotate", "prod", "app/token", "--yes").code == 0
    new = entry(bao, mount)
    assert (new["password"], new["token"] == "first-token", versions(bao, mount)) == ("changed", False, 3)


STRANGERS: Mapping[str, Answer] = {
    "a page": Answer(200, "<html>Sign in</html>"),
    "a page that is not there": Answer(404, "<html>first-token</html>"),
    "nothing": Answer(404, ""),
    "another service": Answer(404, {"message": "first-token"}),
    "no object": Answer(200, {"request_id": "1", "data": {"data": "first-token", "metadata": {"version": 1}}}),
    "no number": Answer(200, {"request_id": "1", "data": {"data": {}, "metadata": {"version": "first-token"}}}),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_a_server_that_is_no_vault_is_named(tmp_path: Path, bao: OpenBao, mount: str, case: str) -> None:
    """And above all nothing of its answer is sealed or shown."""
    with Relay(bao.url) as relay:
        relay.faults.add(Refuse(STRANGERS[case]), "GET /v1/**")
        project = vault_shop(tmp_path, bao, mount, address=relay.url)
        assert failed(project)[0].endswith(f"{relay.url} does not answer as a Vault")


def test_a_redirect_is_not_followed(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """The token would go along."""
    with Relay(bao.url) as elsewhere, Relay(bao.url) as relay:
        relay.faults.add(Refuse(Answer(307, {}, {"Location": f"{elsewhere.url}/v1/x"})), "GET /v1/**")
        project = vault_shop(tmp_path, bao, mount, address=relay.url)
        message = f"{relay.url} sends the request elsewhere (307), where no token is sent"
        assert failed(project)[0].endswith(message)
        assert elsewhere.requests == []


@pytest.mark.parametrize("fault", [cut("within"), Garble()], ids=["cut within", "garbled"])
def test_half_an_answer_is_named(tmp_path: Path, bao: OpenBao, mount: str, fault: Any) -> None:
    """Nothing of the half that came is shown."""
    with Relay(bao.url) as relay:
        relay.faults.add(fault, f"GET /v1/{mount}/**")
        project = vault_shop(tmp_path, bao, mount, address=relay.url)
        assert failed(project)[0].endswith(f"{relay.url}: the answer for shop/prod/app was cut off")


def test_an_entry_that_is_nested_too_deeply_is_named(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """A server takes far deeper ones than Python reads."""
    nested: Any = "first-token"
    for _ in range(600):
        nested = {"a": nested}
    bao.ask("POST", f"{mount}/data/shop/prod/app", {"data": {"token": nested}})
    message = f"{bao.url}: shop/prod/app is nested too deeply, or holds what is no text"
    assert failed(vault_shop(tmp_path, bao, mount))[0].endswith(message)


def test_the_certificate_is_held_against_the_named_ca(tmp_path: Path) -> None:
    """That of the project, or of VAULT_CACERT; nothing is sent to a server of another CA."""
    key, certificate, ca = certificates.server_certificate("OpenBao")
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "certificate.pem").write_bytes(certificate)
    (tmp_path / "ca.pem").write_bytes(ca)
    listener = (
        f'storage "inmem" {{}}\nlistener "tcp" {{\n  address = "ADDRESS"\n  tls_key_file = "{tmp_path}/key.pem"\n'
        f'  tls_cert_file = "{tmp_path}/certificate.pem"\n}}\n'
    )
    with OpenBao(listener) as server:
        project = vault_shop(tmp_path, server, "secret")
        assert failed(project)[0].endswith(f"{server.url}: its certificate is not trusted")
        ready = f"{server.url} is not initialised (501)"
        assert failed(project, VAULT_CACERT=str(tmp_path / "ca.pem"))[0].endswith(ready)
        project.write("overlays/prod/secrets/ca.pem", ca)
        vault = {"address": server.url, "mount": "secret", "caFile": "ca.pem"}
        project.sealed_overlay(source={"names": "{secret}", "property": "{key}", "vault": vault})
        assert failed(project)[0].endswith(ready)
        project.write("overlays/prod/secrets/ca.pem", "none")
        assert failed(project)[0].endswith(f"{server.url}: the trusted certificates can't be read")


def test_without_urllib3_its_installation_is_named(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """A folder that hides the installed one stands for its absence."""
    project = vault_shop(tmp_path, bao, mount)
    (tmp_path / "urllib3.py").write_text("raise ModuleNotFoundError(\"No module named 'urllib3'\")\n")
    line, hint = failed(project, PYTHONPATH=str(tmp_path))
    assert line.endswith("urllib3 is not installed")
    assert hint.startswith("hint: pip install ")


def test_a_start_that_needs_no_vault_imports_nothing_for_it(tmp_path: Path, bao: OpenBao, mount: str) -> None:
    """Rendering goes well where urllib3 can't be imported."""
    project = vault_shop(tmp_path, bao, mount)
    (tmp_path / "urllib3.py").write_text("raise ModuleNotFoundError(\"No module named 'urllib3'\")\n")
    source = {"names": "shop/{secret}", "property": "{key}", "vault": {"address": bao.url, "mount": mount}}
    store = {"name": "vault", "auth": {"kubernetes": {"role": "shop", "serviceAccountName": "shop"}}}
    project.overlay("aks", {"externalSecret": {"store": store}}, source=source)
    assert "property: token\n" in project.done("render", "aks", PYTHONPATH=str(tmp_path))
