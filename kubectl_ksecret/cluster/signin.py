"""Signing in as a user of the kubeconfig: a token, a client certificate, or a credential plugin."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..errors import InputError, Mistake, Refusal, shown
from ..frozen import Record
from ..sensitive import Sensitive
from .kubeconfig import ConfigEntry, Settings, read_file


class Credential(Record):
    """What proves who we are: the Authorization header, or a client certificate with its key, or nothing."""

    authorization: Sensitive | None = None
    certificate: Sensitive | None = None
    key: Sensitive | None = None
    expires: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Whether a credential plugin has to be asked again."""
        return self.expires is not None and self.expires <= now


def sign_in(settings: Settings, variables: Mapping[str, str]) -> Credential:
    """Return the credential of the user. Raises InputError or Refusal: nothing goes out as system:anonymous instead."""
    user = settings.user
    certificate, key = user.content("client-certificate"), user.content("client-key")
    plugin = user.fields.get("exec")
    # kubectl's order: a token file goes before a token, and a plugin is asked only without either of them.
    if path := user.text("tokenFile"):
        token = read_file(os.path.join(user.folder, path)).strip()
        return Credential(authorization=_bearer(token), certificate=certificate, key=key)
    if token_text := user.text("token"):
        return Credential(authorization=_bearer(token_text.encode()), certificate=certificate, key=key)
    if user.text("username"):
        password = f"{user.text('username')}:{user.text('password')}".encode()
        return Credential(authorization=Sensitive(b"Basic " + b64encode(password)), certificate=certificate, key=key)
    if isinstance(plugin, dict):
        return _from_plugin(settings, ConfigEntry(name=user.name, fields=plugin, folder=user.folder), variables)
    if user.fields.get("auth-provider"):
        name = shown(user.name)
        raise InputError(Mistake(f"user {name} of the kubeconfig has an auth-provider", hint="use a credential plugin"))
    return Credential(certificate=certificate, key=key)


def _bearer(token: bytes) -> Sensitive:
    return Sensitive(b"Bearer " + token)


def _from_plugin(settings: Settings, plugin: ConfigEntry, variables: Mapping[str, str]) -> Credential:
    command = plugin.text("command")
    if os.sep in command:
        command = os.path.join(plugin.folder, command)
    environment = {
        item["name"]: item["value"]
        for item in plugin.fields.get("env") or ()
        if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("value"), str)
    }
    interactive = sys.stdin.isatty() and plugin.text("interactiveMode") != "Never"
    request: dict[str, Any] = {
        "apiVersion": plugin.text("apiVersion"),
        "kind": "ExecCredential",
        "spec": {"interactive": interactive},
    }
    if plugin.fields.get("provideClusterInfo") is True:
        request["spec"]["cluster"] = _cluster_information(settings.cluster)
    failure = f"the credential plugin of user {shown(plugin.name)} in the kubeconfig"
    try:
        done = subprocess.run(
            [command, *plugin.texts("args")],
            env={**variables, **environment, "KUBERNETES_EXEC_INFO": json.dumps(request)},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=False,
        )
    except OSError as error:
        hint = plugin.text("installHint").strip()
        raise Refusal(Mistake(f"{failure}, {shown(command)}: {error.strerror}", hint=shown(hint))) from None
    if done.returncode != 0:
        raise Refusal(Mistake(f"{failure}, {shown(command)}, ended with exit code {done.returncode}"))
    return _credential(done.stdout, failure)


def _credential(output: bytes, failure: str) -> Credential:
    try:
        status = json.loads(output)["status"]
        token, certificate, key, expires = (
            status.get(field) for field in ("token", "clientCertificateData", "clientKeyData", "expirationTimestamp")
        )
        if not token and not (certificate and key):
            raise ValueError("nothing to sign in with")
        return Credential(
            authorization=_bearer(token.encode()) if token else None,
            certificate=Sensitive(certificate.encode()) if certificate else None,
            key=Sensitive(key.encode()) if key else None,
            expires=datetime.fromisoformat(expires).astimezone(UTC) if expires else None,
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Refusal(Mistake(f"{failure} printed no ExecCredential")) from None


def _cluster_information(cluster: ConfigEntry) -> dict[str, Any]:
    """Return what a plugin with provideClusterInfo is told of the cluster, as client.authentication.k8s.io has it."""
    fields = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    information = {field: cluster.fields[field] for field in fields if field in cluster.fields}
    for extension in cluster.fields.get("extensions") or ():
        if isinstance(extension, dict) and extension.get("name") == "client.authentication.k8s.io/exec":
            information["config"] = extension.get("extension")
    return information
