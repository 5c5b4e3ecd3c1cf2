"""The annotations of Vault's Agent Injector, of which it accepts misspelt ones without a word.

As vault-k8s 1.6.2 reads them (agent-inject/agent/annotations.go). An annotation of one secret ends in the name that
`agent-inject-secret-NAME` or a template introduces.
"""

import re
from collections.abc import Iterator

from ..errors import nearest
from ..objects.documents import Document, Path, dotted, mapping
from ..objects.reads import pod_metadata_path, runs_pods
from . import Finding, Severity, rule
from .objects import built, once, place_of
from .scope import Repository

_PREFIX = "vault.hashicorp.com/"
_INJECT = f"{_PREFIX}agent-inject"
_INTRODUCING = ("agent-inject-secret", "agent-inject-template", "agent-inject-template-file")
_OF_ONE_SECRET = (
    "agent-inject-command",
    "agent-inject-file",
    "agent-inject-perms",
    "agent-template-left-delim",
    "agent-template-right-delim",
    "error-on-missing-key",
    "preserve-secret-case",
    "secret-volume-path",
)
# What follows these is a parameter's name, which the injector passes on as it is.
_OPEN = ("agent-telemetry", "auth-config")
_WHOLE = frozenset(
    [
        "agent-inject",
        "agent-inject-status",
        "agent-inject-containers",
        "agent-inject-default-template",
        "agent-inject-token",
        "agent-image",
        "agent-request-namespace",
        "agent-init-first",
        "agent-pre-populate",
        "agent-pre-populate-only",
        "agent-configmap",
        "agent-extra-secret",
        "agent-limits-cpu",
        "agent-limits-mem",
        "agent-limits-ephemeral",
        "agent-requests-cpu",
        "agent-requests-mem",
        "agent-requests-ephemeral",
        "agent-revoke-on-shutdown",
        "agent-revoke-grace",
        "namespace",
        "agent-run-as-user",
        "agent-run-as-group",
        "agent-run-as-same-user",
        "agent-share-process-namespace",
        "agent-set-security-context",
        "agent-service-account-token-volume-name",
        "service",
        "proxy-address",
        "tls-skip-verify",
        "tls-secret",
        "tls-server-name",
        "ca-cert",
        "ca-key",
        "client-cert",
        "client-key",
        "client-max-retries",
        "client-timeout",
        "go-max-procs",
        "log-level",
        "log-format",
        "role",
        "auth-type",
        "auth-path",
        "secret-volume-path",
        "preserve-secret-case",
        "agent-cache-enable",
        "agent-cache-use-auto-auth-token",
        "agent-cache-listener-port",
        "agent-cache-exit-on-err",
        "agent-copy-volume-mounts",
        "template-config-exit-on-retry-failure",
        "template-static-secret-render-interval",
        "template-max-connections-per-host",
        "agent-enable-quit",
        "auth-min-backoff",
        "auth-max-backoff",
        "agent-disable-idle-connections",
        "agent-disable-keep-alives",
        "agent-json-patch",
        "agent-init-json-patch",
        "agent-auto-auth-exit-on-err",
    ]
)
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("", "0", "f", "F", "FALSE", "false", "False")


@rule("injector-annotation", "warning")
def injector_annotation(repository: Repository) -> Iterator[Finding]:
    """An annotation for Vault's Agent Injector does nothing, or keeps the pods from starting.

    The injector reads the annotations of pods alone, and passes over what it does not know: a misspelt name leaves a
    file out, and nobody says so until the application misses it. Correct the name, put it under the pod template's
    metadata, or switch injection on with `vault.hashicorp.com/agent-inject: "true"`. With the Kubernetes sign-in it
    refuses a pod without a role.
    """
    yield from once(_findings(repository))


def _findings(repository: Repository) -> Iterator[Finding]:
    for document in built(repository):
        if not runs_pods(document):
            continue
        annotations = _Annotations(repository, document)
        yield from annotations.misplaced()
        if annotations.names:
            yield from annotations.not_injected() or annotations.without_role()
            yield from annotations.unknown()
            yield from annotations.of_no_secret()


class _Annotations:
    """The injector's annotations of the pods of a workload; names are without the prefix."""

    def __init__(self, repository: Repository, document: Document) -> None:
        self._build, self._document = repository.build_holding(document), document
        self._path: Path = (*pod_metadata_path(document), "annotations")
        value = document.at(*self._path)
        self._values = {name: text for name, text in mapping(value).items() if name.startswith(_PREFIX)}
        self.names = [name.removeprefix(_PREFIX) for name in self._values]
        self._secrets = {name for name in map(self._introduced, self.names) if name}

    def _introduced(self, name: str) -> str:
        """Return the name of the secret that an annotation introduces, if it does; an empty value introduces none."""
        for kind in sorted(_INTRODUCING, key=len, reverse=True):
            if name.startswith(f"{kind}-") and str(self._values[_PREFIX + name]).strip():
                return name.removeprefix(f"{kind}-")
        return ""

    def misplaced(self) -> Iterator[Finding]:
        """Find annotations of the workload itself, which no pod gets."""
        if self._path == ("metadata", "annotations"):
            return
        for name in self._document.annotations:
            if name.startswith(_PREFIX):
                message = f"{name} is on the {self._document.subject.kind} itself, and the injector looks at pods alone"
                hint = f"move it to {dotted(self._path)}"
                yield self._finding(("metadata", "annotations"), name, message, hint)

    def not_injected(self) -> list[Finding]:
        """Find annotations of pods that are not injected."""
        path, stated = self._path, self._values.get(_INJECT)
        if stated is None:
            first = next(iter(self._values))
            message = f"{self._named()} has annotations for the injector and no {_INJECT}: nothing is injected"
            return [self._finding(path, first, message, f'add {_INJECT}: "true"')]
        if str(stated) in (*_TRUE, *_FALSE):
            return []
        message = f"{_INJECT} of {self._named()} is no boolean, so that the injector refuses the pods"
        return [self._finding(path, _INJECT, message, 'write "true"')]

    def without_role(self) -> list[Finding]:
        """Find pods that the injector refuses, since nothing names the role to sign in with."""
        stated = {name for name in self.names if self._values[_PREFIX + name]}
        if str(self._values[_INJECT]) in _FALSE or stated & {"role", "auth-config-role", "agent-configmap"}:
            return []
        if self._values.get(f"{_PREFIX}auth-type", "kubernetes") != "kubernetes":
            return []
        message = f"{self._named()} names no role of Vault, so that the injector refuses the pods"
        return [self._finding(self._path, _INJECT, message, f"add {_PREFIX}role", milder="note")]

    def unknown(self) -> Iterator[Finding]:
        """Find names that the injector does not know."""
        for name in self.names:
            if name in _WHOLE or any(re.match(rf"{kind}-.", name) for kind in (*_INTRODUCING, *_OF_ONE_SECRET, *_OPEN)):
                continue
            message = f"the injector knows no annotation {_PREFIX}{name}, and passes over it"
            yield self._finding(self._path, _PREFIX + name, message, nearest(_PREFIX + name, self._known()))

    def of_no_secret(self) -> Iterator[Finding]:
        """Find annotations of one secret where no annotation introduces the secret."""
        for name in self.names:
            kind = next((kind for kind in _OF_ONE_SECRET if name.startswith(f"{kind}-")), "")
            secret = name.removeprefix(f"{kind}-")
            if kind and secret not in self._secrets:
                message = f"{_PREFIX}{name} does nothing: no annotation {_INJECT}-secret-{secret} introduces it"
                yield self._finding(self._path, _PREFIX + name, message, nearest(secret, self._secrets))

    def _known(self) -> list[str]:
        """Return the annotations that could have been meant, those of each secret included."""
        kinds = (*_INTRODUCING, *_OF_ONE_SECRET)
        ends = {name.rpartition("-")[2] for name in self.names} | self._secrets
        return [_PREFIX + name for name in (*_WHOLE, *(f"{kind}-{end}" for kind in kinds for end in ends))]

    def _named(self) -> str:
        return f"{self._document.subject.kind} {self._document.subject.name}"

    def _finding(self, path: Path, name: str, message: str, hint: str, milder: Severity | None = None) -> Finding:
        return Finding(
            message=message,
            place=place_of(self._build, self._document, (*path, name)),
            hint=hint,
            subject=self._document.subject,
            field=dotted(path),
            milder=milder,
        )


RULES = (injector_annotation,)
