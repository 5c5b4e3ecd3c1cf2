"""Requests to one cluster. Answers are JSON objects; a refusal never holds what the server wrote about an object."""

import json
import os
import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from ..errors import Mistake, Refusal, printable, shown
from ..model.kubernetes import Object
from ..sensitive import Sensitive
from .kubeconfig import KubectlFlags, Settings, read
from .resources import Resources, Target
from .rights import MissingRight, missing_right
from .signin import Credential, sign_in

# Not a name that begins with "kubectl": Flux strips what such managers own, and another roll-out would follow.
FIELD_MANAGER = "ksecret"
APPLY, MERGE, JSON_PATCH = (
    "application/apply-patch+yaml",
    "application/merge-patch+json",
    "application/json-patch+json",
)
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PAGE = 500
# client-go, and so kubectl, asks again as often where the server says after how many seconds.
_ATTEMPTS = 10
_LONGEST_PAUSE_SECONDS = 10.0
# So often a write that met another one is made, as often as kubectl does.
_WRITES = 5
# Of a refusal by an admission rule its name alone is shown: what it says may quote the object.
_ADMISSION = re.compile(
    r"ValidatingAdmissionPolicy '(?P<policy>[a-z0-9.-]{1,253})' with binding"
    r'|admission webhook "(?P<webhook>[a-z0-9.-]{1,253})" denied'
)
_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


class Row(NamedTuple):
    """An object as `kubectl get` prints it: its columns, and its metadata."""

    cells: Sequence[Any]
    metadata: Object


class Unreachable(Refusal):
    """The cluster did not answer."""


class Refused(Refusal):
    """The cluster answered with a refusal.

    The answer's message is left out: it may quote the whole object, other keys' values included. Left are the status,
    the reason and the names of the fields.
    """

    def __init__(self, mistake: Mistake, status: int, reason: str, right: MissingRight | None = None) -> None:
        super().__init__(mistake)
        self.status, self.reason, self.right = status, reason, right

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may succeed later: the server is overloaded, or a part of it is away."""
        return self.status >= 500 or self.status == 429

    def but_named(self, names: Sequence[str]) -> "Refused":
        """Return the refusal with a hint that gives the right on objects of some names alone."""
        [mistake], right = self.mistakes, self.right and self.right.but(names=names)
        return Refused(mistake._replace(hint=right.remedy if right else ""), self.status, self.reason, right)


class Api:
    """Requests to the cluster of one context of the kubeconfig, signed in as its user."""

    def __init__(self, settings: Settings, variables: Mapping[str, str]) -> None:
        self.settings, self._variables = settings, variables
        self._connect()

    @property
    def server(self) -> str:
        """The URL of the API server, as messages show it."""
        return shown(self.settings.server)

    def get(self, target: Target, parameters: Mapping[str, str] | None = None) -> Object:
        """Return an object. Raises Refused if there is none, or if we may not read it."""
        return self._request("GET", target, parameters)

    def find(self, target: Target) -> Object | None:
        """Return an object, or None if there is none."""
        try:
            return self.get(target)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def all(self, target: Target, parameters: Mapping[str, str] | None = None) -> list[Object]:
        """Return all objects of a kind, page by page."""
        return self._pages(target, parameters, "application/json", "items")

    def rows(self, target: Target, parameters: Mapping[str, str] | None = None) -> list[Row]:
        """Return what `kubectl get` prints of one object, or of all.

        The columns of Secrets hold no value; the metadata may, in last-applied.
        """
        query = {"includeObject": "Metadata", **(parameters or {})}
        pages = self._pages(target, query, TABLE, "rows")
        return [Row(row["cells"], row["object"]["metadata"]) for row in pages]

    def serves(self, resources: Resources) -> bool:
        """Whether the cluster has a kind at all. Without rights on it a list is refused, be it served or not."""
        group = self.find(Resources(resources.group, resources.version, "").cluster_wide())
        return group is not None and any(entry.get("name") == resources.plural for entry in group.get("resources", ()))

    def apply(self, target: Target, manifest: Object, *, dry_run: bool = False) -> Object:
        """Apply an object server-side, be its fields others', and return it."""
        parameters = {"fieldManager": FIELD_MANAGER, "force": "true"} | _dry_run(dry_run)
        return self._write(target, parameters, manifest, APPLY)

    def patch(self, target: Target, patch: object, form: str, *, dry_run: bool = False) -> Object:
        """Patch an object and return it. `form` is MERGE, or JSON_PATCH, which may say what it must find."""
        parameters = {"fieldManager": FIELD_MANAGER} | _dry_run(dry_run)
        if form == JSON_PATCH:
            return self._request("PATCH", target, parameters, patch, form)
        return self._write(target, parameters, patch, form)

    def create(self, target: Target, manifest: Object, *, dry_run: bool = False) -> Object:
        """Create an object and return it."""
        return self._request("POST", target, {"fieldManager": FIELD_MANAGER} | _dry_run(dry_run), manifest)

    def text(self, target: Target, parameters: Mapping[str, str] | None = None) -> str:
        """Return an answer that is no JSON, such as a log or what a service behind the proxy says."""
        return self._answer("GET", target, parameters, None, "*/*").decode(errors="replace")

    def ask(self, target: Target, body: Object) -> str:
        """Hand JSON to a service behind the proxy, and return what it says."""
        return self._answer("POST", target, None, body, "*/*").decode(errors="replace")

    def _pages(self, target: Target, parameters: Mapping[str, str] | None, accept: str, field: str) -> list[Any]:
        query = {"limit": str(PAGE), **(parameters or {})}
        entries: list[Any] = []
        while True:
            try:
                page = _decoded(self._answer("GET", target, query, None, accept))
            except Refused as refused:
                if refused.status != 410 or "continue" not in query:
                    raise
                # etcd has compacted the revision that the pages are of. Like kubectl, ask for the whole list.
                entries, query = [], {**(parameters or {})}
                continue
            entries += page.get(field) or ()
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return entries
            query["continue"] = token

    def _write(self, target: Target, parameters: Mapping[str, str], body: object, form: str) -> Object:
        """Write what states no condition: where another write came in between, it is the same one again."""
        for _ in range(_WRITES - 1):
            try:
                return self._request("PATCH", target, parameters, body, form)
            except Refused as refused:
                if refused.status != 409:
                    raise
            time.sleep(0.1)
        return self._request("PATCH", target, parameters, body, form)

    def _request(
        self,
        method: str,
        target: Target,
        parameters: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Object:
        return _decoded(self._answer(method, target, parameters, body, "application/json", content_type))

    def _answer(
        self,
        method: str,
        target: Target,
        parameters: Mapping[str, str] | None,
        body: object,
        accept: str,
        content_type: str = "application/json",
    ) -> bytes:
        from urllib3 import HTTPHeaderDict

        if self._credential.expired(datetime.now(UTC)):
            self._connect()
        headers = HTTPHeaderDict({"Accept": accept, "Content-Type": content_type, "User-Agent": "kubectl-ksecret"})
        if self._credential.authorization:
            headers["Authorization"] = self._credential.authorization.reveal().decode()
        for name, value in self.settings.impersonation():
            headers.add(name, value)
        url = self.settings.server + target.path + (f"?{urlencode(parameters)}" if parameters else "")
        for attempt in range(_ATTEMPTS):
            with self._reaching():
                answer = self._client.call_api(
                    method,
                    url,
                    header_params=headers,
                    body=body,
                    _request_timeout=self.settings.flags.request_timeout or None,
                )
                content: bytes = answer.read()
            if answer.status < 400:
                return content
            refused = _refused(method, target, answer.status, content)
            pause = str(answer.headers.get("Retry-After") or "")
            if not (refused.is_temporary and pause.isdecimal()) or attempt == _ATTEMPTS - 1:
                raise refused
            time.sleep(min(float(pause), _LONGEST_PAUSE_SECONDS))
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn what goes wrong on the way into Unreachable. urllib3's errors are no OSErrors, and no ApiExceptions."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (ApiException, HTTPError, OSError) as error:
            raise Unreachable(
                Mistake(
                    f"the cluster at {self.server} did not answer: {_cause(error)}", hint="kubectl version asks it too"
                )
            ) from None

    def _connect(self) -> None:
        """Sign in and make the client; again when a plugin's credential has expired."""
        from kubernetes.client.api_client import ApiClient
        from kubernetes.client.configuration import Configuration
        from urllib3 import Retry

        cluster = self.settings.cluster
        self._credential: Credential = sign_in(self.settings, self._variables)
        configuration = Configuration()
        configuration.host = self.settings.server
        # urllib3 heeds Retry-After for GET alone, and reports what is refused in the end as a broken connection.
        configuration.retries = Retry(3, respect_retry_after_header=False)
        # Without a request timeout, as with kubectl, a connection that a VPN has lost would wait for ever.
        configuration.keep_alive = True
        configuration.verify_ssl = cluster.fields.get("insecure-skip-tls-verify") is not True
        if name := cluster.text("tls-server-name"):
            configuration.tls_server_name = name
        if proxy := cluster.text("proxy-url"):
            configuration.proxy = proxy
        self._client = ApiClient(configuration)
        if self.settings.server.startswith("https"):
            # The context is given to the pool: the client itself would write keys into files.
            pool = self._client.rest_client.pool_manager
            pool.connection_pool_kw["ssl_context"] = _tls(self.settings, self._credential)


def connect(flags: KubectlFlags, variables: Mapping[str, str]) -> Api:
    """Return the API of the cluster that kubectl would talk to with the same flags.

    Raises InputError for a kubeconfig that can't be used, and Refusal where signing in fails.
    """
    try:
        import kubernetes.client.api_client  # noqa: F401
    except ImportError:
        from ..files import installation

        hint = installation.extra("cluster")
        raise Refusal(Mistake("the kubernetes client is not installed", hint=hint)) from None
    settings = read(flags, variables)
    list(settings.impersonation())
    return Api(settings, variables)


def _dry_run(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _decoded(content: bytes) -> Object:
    try:
        answer = json.loads(content or b"{}")
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Refusal(Mistake("the cluster's answer is not what a Kubernetes API server gives"))
    return answer


def without_namespace(namespace: str) -> str:
    """Return what to do where the cluster lacks a namespace."""
    return f"kubectl create namespace {namespace}, or name the right cluster with --context"


def _refused(method: str, target: Target, status: int, content: bytes) -> Refused:
    """Return a refusal with the parts of the server's Status that hold no value."""
    reason, kind, fields, text = "", "", [], ""
    with suppress(ValueError, AttributeError, TypeError):
        answer = json.loads(content)
        text = str(answer.get("message"))
        reason = printable(str(answer.get("reason") or ""))
        details = answer.get("details") or {}
        kind = str(details.get("kind"))
        causes = details.get("causes") or ()
        fields = [shown(str(cause["field"])) for cause in causes if cause.get("field")]
    verb = _VERBS.get(method) or ("get" if target.name else "list")
    message = f"the cluster refused to {verb} {target}: {status} {reason}".rstrip()
    if fields:
        message += f" ({', '.join(dict.fromkeys(fields))})"
    if refuser := _ADMISSION.search(text):
        kind_of_refuser = "ValidatingAdmissionPolicy" if refuser["policy"] else "admission webhook"
        message += f", by the {kind_of_refuser} {refuser['policy'] or refuser['webhook']}"
    right = missing_right(text) if status == 403 else None
    hint = right.remedy if right else ""
    if status == 401:
        hint = "the kubeconfig's credential is not accepted; kubectl auth whoami asks who you are"
    elif status == 404 and kind == "namespaces" and target.namespace:
        hint = without_namespace(target.namespace)
    elif status == 404 and verb == "list":
        hint = f"the cluster does not serve {target.resources.full_name}: is their controller installed?"
    return Refused(Mistake(message, hint=hint), status, reason, right)


def _cause(error: BaseException) -> str:
    """Return why a server was not reached, in a few words. The text of the outer errors is long and repeats the URL."""
    while (inner := _inner(error)) is not None:
        error = inner
    if isinstance(error, ssl.SSLError):
        return shown(getattr(error, "verify_message", "") or error.reason or "TLS failed")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    name = type(error).__name__.removesuffix("Error")
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _inner(error: BaseException) -> BaseException | None:
    """Return the error that an error wraps: urllib3 keeps it in `reason` or among the arguments."""
    wrapped = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
    return next((candidate for candidate in wrapped if isinstance(candidate, BaseException)), None)


def _tls(settings: Settings, credential: Credential) -> ssl.SSLContext:
    authorities = settings.cluster.content("certificate-authority")
    context = ssl.create_default_context(cadata=authorities.reveal().decode("ascii", "ignore") if authorities else None)
    # Python 3.13 wants extensions in a CA's certificate that those of many clusters lack, which Go accepts.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if settings.cluster.fields.get("insecure-skip-tls-verify") is True:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if credential.certificate and credential.key:
        with _as_file(credential.certificate) as certificate, _as_file(credential.key) as key:
            context.load_cert_chain(certificate, key)
    return context


@contextmanager
def _as_file(content: Sensitive) -> Iterator[str]:
    """Give content to a library that takes paths alone: memory under a path, so that no kill leaves it on a disk."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("ksecret")
        try:
            os.write(descriptor, content.reveal())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    from tempfile import TemporaryDirectory

    # macOS has no such memory; the folder is its owner's alone, and is gone before the first request.
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "pem")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content.reveal())
        yield path
