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
from kubectl_ksecret.cluster.resources import NAMESPACES, SECRETS
from kubectl_ksecret.errors import InputError, Refusal

from .mockapi import kubeconfig, mock_api

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


@pytest.mark.parametrize(
    ("target", "command"),
    [
        (SECRET, "create role ksecret --namespace=shop --verb=get --resource=secrets"),
        (SECRETS.among("shop"), "create role ksecret --namespace=shop --verb=list --resource=secrets"),
        (NAMESPACES.cluster_wide("shop"), "create role ksecret --namespace=shop --verb=get --resource=namespaces"),
        (SECRETS.cluster_wide(), "create clusterrole ksecret --verb=list --resource=secrets"),
    ],
)
def test_a_missing_right_comes_with_the_command_that_makes_the_role(
    mock: tuple[Any, Path], target: Any, command: str
) -> None:
    handler, path = mock
    verb = "get" if target.name else "list"
    text = f'... is forbidden: User "me" cannot {verb} resource "..." in API group "" ...'
    handler[f"get {target.path}"] << 403 << {"kind": "Status", "reason": "Forbidden", "message": text}
    with pytest.raises(Refused) as refusal:
        api(path).get(target)
    assert str(refusal.value).endswith(f"hint: a Role that allows it: kubectl {command}")


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
