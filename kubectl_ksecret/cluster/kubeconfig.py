"""Reading kubeconfig files as kubectl reads them: which server, whom it trusts, and how to sign in.

The official client's own reader is not used. It writes keys to files that stay behind when the process is killed,
takes the current context of the last file instead of the first, ignores `as`, and goes on as system:anonymous when a
credential plugin fails.
"""

import os
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .. import yamlio
from ..errors import InputError, Mistake, nearest, printable, shown
from ..files.project import decode
from ..frozen import Record
from ..sensitive import Sensitive

DEFAULT = os.path.join("~", ".kube", "config")
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
NEEDS = "name one with --kubeconfig, or set KUBECONFIG"


class KubectlFlags(Record):
    """The flags that cluster commands share with kubectl. `request_timeout` is in seconds, 0 for no limit."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    impersonated_user: str | None = None
    impersonated_groups: Sequence[str] = ()
    impersonated_uid: str | None = None
    request_timeout: float = 0


class ConfigEntry(Record):
    """A named cluster, user or context of a kubeconfig. Relative paths in it start at the folder of its file."""

    name: str
    fields: Mapping[str, Any]
    folder: str

    def text(self, field: str) -> str:
        """Return a field; empty if it is missing or no text."""
        value = self.fields.get(field)
        return value if isinstance(value, str) else ""

    def texts(self, field: str) -> list[str]:
        """Return a field that is a list of texts."""
        value = self.fields.get(field)
        return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []

    def below(self, field: str) -> "ConfigEntry":
        """Return a field that is a mapping; an empty one if it is missing or none."""
        value = self.fields.get(field)
        return ConfigEntry(name=self.name, fields=value if isinstance(value, dict) else {}, folder=self.folder)

    def content(self, field: str) -> Sensitive | None:
        """Return what `FIELD-data` holds, or the file that `FIELD` names. Raises InputError if it can't be read."""
        if data := self.text(f"{field}-data"):
            try:
                return Sensitive(b64decode(data))
            except ValueError:
                raise InputError(
                    Mistake(f"{field}-data of {shown(self.name)} in the kubeconfig is not base64")
                ) from None
        path = self.text(field)
        return Sensitive(read_file(os.path.join(self.folder, path))) if path else None


class Settings(Record):
    """What a connection is made from: a context of the kubeconfig with its cluster and its user."""

    cluster: ConfigEntry
    user: ConfigEntry
    context: str
    namespace: str
    flags: KubectlFlags

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self.cluster.text("server").rstrip("/")

    def impersonation(self) -> Iterator[tuple[str, str]]:
        """Yield the headers of impersonation. Flags go before the kubeconfig, as with kubectl."""
        user = self.flags.impersonated_user or self.user.text("as")
        groups = self.flags.impersonated_groups or self.user.texts("as-groups")
        uid = self.flags.impersonated_uid or self.user.text("as-uid")
        extra = self.user.below("as-user-extra")
        if user:
            yield "Impersonate-User", user
        elif groups or uid or extra.fields:
            raise InputError(Mistake("--as-group and --as-uid need --as", hint="name the user with --as"))
        for group in groups:
            yield "Impersonate-Group", group
        if uid:
            yield "Impersonate-Uid", uid
        for key in extra.fields:
            for value in extra.texts(key):
                yield f"Impersonate-Extra-{quote(key, safe='')}", value


def read(flags: KubectlFlags, variables: Mapping[str, str]) -> Settings:
    """Return the settings of the chosen context. Raises InputError if there is none, or parts of it are missing."""
    files = _files(flags, variables)
    if not files and flags.context is None:
        if within := _within_cluster(flags, variables):
            return within
        raise InputError(Mistake("there is no kubeconfig", hint=NEEDS))
    chosen = flags.context or next((name for file in files if (name := file.text("current-context"))), "")
    if not chosen:
        raise InputError(Mistake("the kubeconfig names no current context", hint="choose one with --context"))
    context = _entry(files, "contexts", chosen)
    return Settings(
        cluster=_entry(files, "clusters", context.text("cluster")),
        user=_entry(files, "users", context.text("user")),
        context=chosen,
        namespace=flags.namespace or context.text("namespace") or "default",
        flags=flags,
    )


def read_file(path: str) -> bytes:
    """Return the content of a file that the kubeconfig names. Raises InputError, which quotes nothing of it."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(
            Mistake(f"{printable(path)}: {error.strerror}", hint="the kubeconfig names this file")
        ) from None


def _files(flags: KubectlFlags, variables: Mapping[str, str]) -> list[ConfigEntry]:
    """Read all files that count. One that is named by the flag has to exist; of the others those that do are read."""
    if flags.kubeconfig is not None:
        return [_file(flags.kubeconfig)]
    listed = variables.get("KUBECONFIG") or os.path.expanduser(DEFAULT)
    return [_file(path) for path in listed.split(os.pathsep) if path and os.path.exists(path)]


def _file(path: str) -> ConfigEntry:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise InputError(Mistake(f"{printable(path)}: {error.strerror}", hint=NEEDS)) from None
    kubeconfig = yamlio.read_foreign(decode(content, printable(path)), printable(path))
    if kubeconfig.mistakes:
        raise InputError(*kubeconfig.mistakes)
    value = kubeconfig.documents[0].value if kubeconfig.documents else None
    fields = value if isinstance(value, dict) else {}
    return ConfigEntry(name=path, fields=fields, folder=os.path.dirname(os.path.abspath(path)))


def _entry(files: Sequence[ConfigEntry], section: str, name: str) -> ConfigEntry:
    """Return a named entry; the first file that has it counts. A user need not exist: it may be anonymous."""
    kind = section.removesuffix("s")
    entries: dict[str, ConfigEntry] = {}
    for file in files:
        listed = file.fields.get(section)
        for element in listed if isinstance(listed, list) else ():
            if isinstance(element, dict) and isinstance(element.get("name"), str):
                fields = element.get(kind)
                entry = ConfigEntry(
                    name=element["name"], fields=fields if isinstance(fields, dict) else {}, folder=file.folder
                )
                entries.setdefault(entry.name, entry)
    if name in entries:
        return entries[name]
    if section == "users" and not name:
        return ConfigEntry(name="", fields={}, folder="")
    hint = nearest(name, entries) or (f"it has: {', '.join(map(shown, sorted(entries)))}" if entries else "")
    raise InputError(Mistake(f'the kubeconfig has no {kind} "{shown(name)}"', hint=hint))


def _within_cluster(flags: KubectlFlags, variables: Mapping[str, str]) -> Settings | None:
    """Return how a pod reaches its own cluster, if this is one; kubectl falls back to that too."""
    host, port = variables.get("KUBERNETES_SERVICE_HOST"), variables.get("KUBERNETES_SERVICE_PORT")
    if not host or not port or not os.path.exists(os.path.join(SERVICE_ACCOUNT, "token")):
        return None
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    namespace = decode(read_file(os.path.join(SERVICE_ACCOUNT, "namespace")), "namespace").strip()
    return Settings(
        cluster=ConfigEntry(
            name="", fields={"server": server, "certificate-authority": "ca.crt"}, folder=SERVICE_ACCOUNT
        ),
        user=ConfigEntry(name="", fields={"tokenFile": "token"}, folder=SERVICE_ACCOUNT),
        context="",
        namespace=flags.namespace or namespace,
        flags=flags,
    )
