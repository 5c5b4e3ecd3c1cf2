"""Requests to a cluster: what is sent, and what a refusal shows. A mock answers as each test says."""

import json
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kubectl_ksecret.cluster.api import JSON_PATCH, Api, Refused, Unreachable, connect
from kubectl_ksecret.cluster.kubeconfig import KubectlFlags
from kubectl_ksecret.cluster.listing import read_values
from kubectl_ksecret.cluster.ownership import gitops_step
from kubectl_ksecret.cluster.resources import SECRETS
from kubectl_ksecret.cluster.secrets import list_secrets
from kubectl_ksecret.errors import InputError, Refusal

from .mockapi import OVERLOADED, kubeconfig, mock_api

SECRET = SECRETS.among("shop", "app")
PATH = "/api/v1/namespaces/shop/secrets"


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    with mock_api(tmp_path) as running:
        yield running


def api(path: Path, **flags: Any) -> Api:
    return connect(KubectlFlags(kubeconfig=str(path), **flags), {})


def headers(mock: Any) -> list[tuple[str, str]]:
    """The headers of the last request."""
    request = list(mock)[-1]
    return [(name.title(), value) for name, value in request._raw_request.headers.items()]


def plugin(folder: Path, script: str, **fields: Any) -> dict[str, Any]:
    """A user who signs in with a credential plugin, which is a shell script beside the kubeconfig."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin", **fields}}


def credential(**status: Any) -> str:
    """A script that prints a credential."""
    output = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"echo '{json.dumps(output)}'"


@pytest.mark.parametrize("code", [400, 404, 409, 422, 500, 504])
def test_a_refusal_shows_code_reason_and_fields_and_nothing_else_of_the_answer(
    mock: tuple[Any, Path], code: int
) -> None:
    """A patch that can't be decoded is answered with the whole live object, values of other keys included."""
    handler, path = mock
    status = {
        "kind": "Status",
        "reason": "Invalid",
        "message": 'Secret "app" is invalid: data: "canary-value"',
        "details": {"name": "canary-name", "causes": [{"field": "data[token]", "message": "canary-cause"}]},
    }
    handler[f"patch {PATH}/app"] << code << status
    with pytest.raises(Refused) as refusal:
        api(path).patch(SECRET, [{"op": "canary"}], JSON_PATCH)
    assert str(refusal.value) == (
        f"error: the cluster refused to patch secrets/app in shop: {code} Invalid (data[token])"
    )
    assert refusal.value.exit_code == 3


@pytest.mark.parametrize("body", [b"", b"canary", b"[]", b'{"reason": 1, "details": {"causes": "canary"}}'])
def test_a_refusal_without_a_status_shows_the_code(mock: tuple[Any, Path], body: bytes) -> None:
    handler, path = mock
    handler[f"get {PATH}/app"] << 502 << body
    with pytest.raises(Refused) as refusal:
        api(path).get(SECRET)
    assert "canary" not in str(refusal.value)
    assert "502" in str(refusal.value)


def test_an_answer_that_is_no_object_is_a_refusal_that_does_not_quote_it(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    handler[f"get {PATH}/app"] << b"<html>canary</html>"
    with pytest.raises(Refusal) as refusal:
        api(path).get(SECRET)
    assert "canary" not in str(refusal.value)


IN_SHOP, EVERYWHERE = 'in the namespace "shop"', "at the cluster scope"
PROXY = "services/proxy"


@pytest.mark.parametrize(
    ("message", "role", "subject"),
    [
        (
            f'secrets "app" is forbidden: User "me" cannot get resource "secrets" in API group "" {IN_SHOP}',
            "role ksecret-me-get-secrets --namespace=shop --verb=get --resource=secrets",
            "--user=me",
        ),
        (
            f'rollouts.argoproj.io is forbidden: User "me" cannot list resource "rollouts" in API group "argoproj.io" '
            f"{EVERYWHERE}",
            "clusterrole ksecret-me-list-rollouts-argoproj-io --verb=list --resource=rollouts.argoproj.io",
            "--user=me",
        ),
        (
            f'services "http:x:" is forbidden: User "system:serviceaccount:ci:deployer" cannot get resource "{PROXY}" '
            f'in API group "" {IN_SHOP}: RBAC: role.rbac.authorization.k8s.io "x" not found',
            f"role ksecret-ci-deployer-get-services-proxy --namespace=shop --verb=get --resource={PROXY}",
            "--serviceaccount=ci:deployer",
        ),
        (
            f'deployments.apps "x" is forbidden: User "o\'neil & co" cannot patch resource "deployments/scale" '
            f'in API group "apps" {IN_SHOP}',
            "role ksecret-o-neil-co-patch-deployments-apps-scale --namespace=shop --verb=patch "
            "--resource=deployments.apps/scale",
            """--user='o'"'"'neil & co'""",
        ),
        (
            f'users "anna" is forbidden: User "me" cannot impersonate resource "users" in API group "" {EVERYWHERE}',
            "clusterrole ksecret-me-impersonate-users-anna --verb=impersonate --resource=users --resource-name='anna'",
            "--user=me",
        ),
        (
            'forbidden: User "me" cannot get path "/.well-known/openid-configuration"',
            "clusterrole ksecret-me-get-well-known-openid-configuration --verb=get "
            "--non-resource-url=/.well-known/openid-configuration",
            "--user=me",
        ),
    ],
    ids=["verb", "group", "subresource", "quotes", "impersonate", "path"],
)
def test_a_missing_right_comes_with_the_commands_that_give_it(
    mock: tuple[Any, Path], message: str, role: str, subject: str
) -> None:
    """The name of the role is that of one right of one user, so that the next one does not meet it."""
    handler, path = mock
    handler[f"get {PATH}/app"] << 403 << {"kind": "Status", "reason": "Forbidden", "message": message}
    with pytest.raises(Refused) as refusal:
        api(path).get(SECRET)
    kind, name, *_ = role.split()
    scope = " --namespace=shop" if kind == "role" else ""
    binding = f"kubectl create {kind}binding {name}{scope} --{kind}={name} {subject}"
    assert str(refusal.value).endswith(f"\nhint: a role that allows it: kubectl create {role} && {binding}")


@pytest.mark.parametrize(
    "message",
    [
        'admission webhook "x" denied the request: User "me" cannot get resource "canary" in API group ""',
        'secrets "app" is forbidden: unable to create new content in namespace shop because it is being terminated',
        'roles.rbac.authorization.k8s.io "x" is forbidden: user "me" (groups=[]) is attempting to grant RBAC rights',
        'secrets "app" is forbidden: User "m\ne" cannot get resource "secrets" in API group "" in the namespace "shop"',
    ],
)
def test_another_refusal_has_no_such_hint(mock: tuple[Any, Path], message: str) -> None:
    handler, path = mock
    handler[f"get {PATH}/app"] << 403 << {"kind": "Status", "reason": "Forbidden", "message": message}
    with pytest.raises(Refused) as refusal:
        api(path).get(SECRET)
    assert "hint: " not in str(refusal.value)
    assert "403 Forbidden" in str(refusal.value) and "canary" not in str(refusal.value)


def test_nobody_is_given_the_rights_of_everybody(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    text = f'secrets is forbidden: User "system:anonymous" cannot list resource "secrets" in API group "" {IN_SHOP}'
    handler[f"get {PATH}"] << 403 << {"kind": "Status", "reason": "Forbidden", "message": text}
    with pytest.raises(Refused, match="hint: nobody is signed in; kubectl auth whoami asks who you are"):
        api(path).all(SECRETS.among("shop"))


def test_what_is_missing_is_none_and_no_error(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    handler[f"get {PATH}/app"] << 404 << {"kind": "Status", "reason": "NotFound"}
    assert api(path).find(SECRET) is None


def test_all_pages_are_read_and_a_table_asks_for_metadata_alone(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    rows = [{"cells": [name, "Opaque", 2, "1d"], "object": {"metadata": {"name": name}}} for name in "ab"]
    first = {"rows": rows[:1], "metadata": {"continue": "next"}}
    second: Mapping[str, Any] = {"rows": rows[1:], "metadata": {}}
    handler[f"get {PATH}?continue=next"] << second
    handler[f"get {PATH}"] << first
    assert [(row.cells[0], row.metadata["name"]) for row in api(path).rows(SECRETS.among("shop"))] == [
        ("a", "a"),
        ("b", "b"),
    ]
    assert all(request.params["includeObject"] == "Metadata" for request in handler)
    assert "as=Table" in dict(headers(handler))["Accept"]


def test_a_list_whose_pages_have_expired_is_asked_for_as_a_whole(mock: tuple[Any, Path]) -> None:
    """A revision is kept for some minutes; what was listed of it so far does not count."""
    handler, path = mock
    handler[f"get {PATH}?continue=next"] << 410 << {"kind": "Status", "reason": "Expired"}
    handler[f"get {PATH}?limit=500"] << {"items": [{"name": "old"}], "metadata": {"continue": "next"}}
    handler[f"get {PATH}"] << {"items": [{"name": "old"}, {"name": "new"}], "metadata": {}}
    assert api(path).all(SECRETS.among("shop")) == [{"name": "old"}, {"name": "new"}]


def test_a_secret_that_is_deleted_while_it_is_looked_at_is_not_there(mock: tuple[Any, Path]) -> None:
    """Its keys stand in no managedFields, so that it has to be read; it is none without keys."""
    handler, path = mock
    metadata = {"name": "app", "namespace": "shop", "uid": "1", "resourceVersion": "1"}
    handler[f"get {PATH}/app"] << 404 << {"kind": "Status", "reason": "NotFound"}
    handler[f"get {PATH}"] << {"rows": [{"cells": ["app", "Opaque", 1, "1d"], "object": {"metadata": metadata}}]}
    assert list_secrets(api(path), "shop") == {}


def test_a_secret_whose_values_are_asked_for_and_that_is_not_there_is_named_with_the_one_that_was_meant(
    mock: tuple[Any, Path],
) -> None:
    handler, path = mock
    handler[f"get {PATH}/app"] << 404 << {"kind": "Status", "reason": "NotFound"}
    row = {"cells": ["apps", "Opaque", 1, "1d"], "object": {"metadata": {"name": "apps"}}}
    handler[f"get {PATH}"] << {"rows": [row]}
    with pytest.raises(InputError, match='the namespace shop has no Secret app\nhint: did you mean "apps"'):
        read_values(api(path), "shop", ["app"])


@pytest.mark.parametrize("verb", ["get", "patch"])
def test_a_server_that_is_overloaded_is_asked_again_when_it_says(mock: tuple[Any, Path], verb: str) -> None:
    """client-go does so for every request, be it a read or a write."""
    handler, path = mock
    handler[f"{verb} {PATH}/app"][:2] << OVERLOADED
    handler[f"{verb} {PATH}/app"] << {"kind": "Secret"}
    asking = api(path)
    assert (asking.get(SECRET) if verb == "get" else asking.apply(SECRET, {})) == {"kind": "Secret"}
    assert len(list(handler)) == 3


def test_a_server_that_stays_overloaded_has_refused_and_not_vanished(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    handler[f"get {PATH}/app"] << OVERLOADED
    with pytest.raises(Refused, match="refused to get secrets/app in shop: 429 TooManyRequests"):
        api(path).get(SECRET)
    assert len(list(handler)) == 10


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "secrets \"app\" is denied: ValidatingAdmissionPolicy 'no-canary' with binding 'b' denied request: it is "
            'canary-value, as in admission webhook "canary.value" denied',
            "422 Invalid, by the ValidatingAdmissionPolicy no-canary",
        ),
        (
            'admission webhook "validate.example.org" denied the request: canary-value',
            "422 Invalid, by the admission webhook validate.example.org",
        ),
        ('admission webhook "canary value" denied the request', "422 Invalid"),
    ],
)
def test_of_an_admission_rule_its_name_is_shown_and_nothing_that_it_says(
    mock: tuple[Any, Path], message: str, shown: str
) -> None:
    handler, path = mock
    handler[f"patch {PATH}/app"] << 422 << {"kind": "Status", "reason": "Invalid", "message": message}
    with pytest.raises(Refused) as refusal:
        api(path).apply(SECRET, {})
    assert str(refusal.value) == f"error: the cluster refused to patch secrets/app in shop: {shown}"


def test_a_namespace_and_a_kind_that_are_not_there_come_with_the_next_step(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    missing = {"kind": "Status", "reason": "NotFound", "details": {"kind": "namespaces", "name": "shop"}}
    handler[f"patch {PATH}/app"] << 404 << missing
    with pytest.raises(Refused, match="hint: kubectl create namespace shop, or name the right cluster with --context"):
        api(path).apply(SECRET, {})
    handler[f"get {PATH}"] << 404 << {"kind": "Status", "reason": "NotFound"}
    with pytest.raises(Refused, match="hint: the cluster does not serve secrets: is their controller installed"):
        api(path).all(SECRETS.among("shop"))


@pytest.mark.parametrize(("tracked", "command"), [("shop", "shop"), ("team_shop", "team/shop")])
def test_an_application_of_argo_cd_is_named_as_its_command_line_takes_it(tracked: str, command: str) -> None:
    """One outside of Argo CD's own namespace is tracked as NAMESPACE_NAME, and named as NAMESPACE/NAME."""
    annotations = {"argocd.argoproj.io/tracking-id": f"{tracked}:/Secret:shop/app"}
    assert gitops_step({"metadata": {"annotations": annotations}}) == f"argocd app sync {command}"


def test_impersonation_is_sent_with_every_group(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    handler[f"get {PATH}/app"] << {}
    api(path, impersonated_user="viewer", impersonated_groups=["a", "b"], impersonated_uid="u").get(SECRET)
    sent = [(name, value) for name, value in headers(handler) if name.startswith("Impersonate")]
    assert sorted(sent) == [
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Uid", "u"),
        ("Impersonate-User", "viewer"),
    ]


def test_what_a_kubeconfig_says_of_impersonation_is_sent_too(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    extra = {"example.org/scopes": ["a b", "c"]}
    kubeconfig(path.parent, str(handler.url), **{"token": "t", "as": "viewer", "as-user-extra": extra})
    handler[f"get {PATH}/app"] << {"metadata": {}}
    api(path).get(SECRET)
    sent = [(name, value) for name, value in headers(handler) if name.startswith("Impersonate")]
    assert sorted(sent) == [
        ("Impersonate-Extra-Example.Org%2Fscopes", "a b"),
        ("Impersonate-Extra-Example.Org%2Fscopes", "c"),
        ("Impersonate-User", "viewer"),
    ]


def test_a_group_without_a_user_is_refused_before_a_request(mock: tuple[Any, Path]) -> None:
    with pytest.raises(InputError, match="need --as"):
        api(mock[1], impersonated_groups=["a"])


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo canary >&2; exit 7", "ended with exit code 7"),
        ("echo canary", "printed no ExecCredential"),
        ("echo '{\"status\": {}}'", "printed no ExecCredential"),
    ],
)
def test_a_credential_plugin_that_fails_is_an_error_and_no_anonymous_request(
    mock: tuple[Any, Path], script: str, message: str
) -> None:
    handler, path = mock
    kubeconfig(path.parent, str(handler.url), **plugin(path.parent, script))
    with pytest.raises(Refusal, match=message) as refusal:
        api(path).get(SECRET)
    assert "canary" not in str(refusal.value)
    assert len(handler) == 0


def test_a_plugin_that_is_not_installed_comes_with_its_own_hint(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such", "installHint": "apt it"}}
    kubeconfig(path.parent, str(handler.url), **user)
    with pytest.raises(Refusal, match=r"no-such: No such file or directory\nhint: apt it"):
        api(path)


def test_a_plugin_is_told_of_the_cluster_and_asked_again_when_its_token_has_expired(mock: tuple[Any, Path]) -> None:
    handler, path = mock
    soon = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    script = f'echo "$KUBERNETES_EXEC_INFO $GREETING" >> asked; {credential(token="t", expirationTimestamp=soon)}'
    user = plugin(path.parent, f'cd "$(dirname "$0")"; {script}', provideClusterInfo=True)
    user["exec"]["env"] = [{"name": "GREETING", "value": "hello"}]
    kubeconfig(path.parent, str(handler.url), **user)
    handler[f"get {PATH}/app"] << {}
    asking = api(path)
    asking.get(SECRET)
    assert dict(headers(handler))["Authorization"] == "Bearer t"
    asked = (path.parent / "asked").read_text().splitlines()
    assert len(asked) == 2
    information, greeting = asked[0].rsplit(" ", 1)
    assert json.loads(information)["spec"]["cluster"]["server"] == str(handler.url)
    assert greeting == "hello"


def test_a_server_that_is_not_there_is_named_with_the_cause(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path = kubeconfig(tmp_path, f"https://127.0.0.1:{port}")
    with pytest.raises(Unreachable, match=f"https://127.0.0.1:{port} did not answer: Connection refused"):
        api(path).get(SECRET)


def test_a_server_that_does_not_answer_in_time_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(Unreachable, match=r"did not answer: .*time"):
            api(path, request_timeout=0.3).get(SECRET)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux alone tells of the timers of connections")
def test_a_connection_that_waits_is_probed(tmp_path: Path) -> None:
    """As kubectl's is: else nobody would ever hear that the other end is gone."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{port}")
        timers: list[str] = []

        def look() -> None:
            connection, _ = server.accept()
            connection.recv(1024)
            lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
            timers.extend(line[5] for line in lines if line[2].endswith(f":{port:04X}") and line[3] == "01")
            connection.close()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        with pytest.raises(Unreachable):
            api(path, request_timeout=0.5).get(SECRET)
        thread.join()
    assert [timer[:2] for timer in timers] == ["02"]  # keepalive


def test_a_server_that_hangs_up_in_the_middle_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}")
        asking = api(path)

        def hang_up() -> None:
            for _ in range(4):
                connection, _ = server.accept()
                connection.recv(1024)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data": {"token": "canary')
                connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(Unreachable) as refusal:
            asking.get(SECRET)
    assert "canary" not in str(refusal.value)
