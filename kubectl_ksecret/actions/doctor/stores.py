"""The stores that the ExternalSecrets read: whether they are there, and what their conditions and Events say."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...cluster.api import Refused
from ...cluster.arrival import condition
from ...cluster.resources import CLUSTER_SECRET_STORES, SECRET_STORES, Target
from ...errors import nearest_name
from ...model.kubernetes import OPERATOR, Object
from ...objects.reads import store_references
from .examination import Examination, Question, Step, Verdict
from .failures import last_failure

_READY = "the store is there and ready"
# What a store says when it could not be set up, as ESO's pkg/controllers/secretstore writes it.
_FAILURES = ("InvalidProviderConfig", "ValidationUnknown", "InvalidStoreConfiguration", "ValidationFailed")


class ReadStore(NamedTuple):
    """A store as an ExternalSecret names it."""

    kind: str
    name: str

    @property
    def subject(self) -> str:
        """The store as kubectl names it."""
        return f"{self.kind.lower()}.{OPERATOR}/{self.name}"

    def target(self, namespace: str) -> Target:
        """Return the target of a request for it."""
        if self.kind == "ClusterSecretStore":
            return CLUSTER_SECRET_STORES.cluster_wide(self.name)
        return SECRET_STORES.among(namespace, self.name)

    def flag(self, namespace: str) -> str:
        """Return the flag by which kubectl finds it, with a space before it, or nothing."""
        return "" if self.kind == "ClusterSecretStore" else f" --namespace={namespace}"


def references(examination: Examination) -> list[ReadStore]:
    """Return the stores that the looked-at ExternalSecrets read."""
    named = (
        ReadStore(kind, name)
        for secret in examination.secrets.values()
        for _path, kind, name in store_references(secret.document.object)
    )
    return list(dict.fromkeys(named))


def of_provider(examination: Examination, provider: str) -> Iterator[tuple[ReadStore, Object]]:
    """Yield the live stores of a provider, such as azurekv, with what its field holds.

    Of a store that can't be read nothing is known; the question whether it is there names the missing right.
    """
    for reference in references(examination):
        try:
            live = examination.find(reference.target(examination.namespace))
        except Refused:
            continue
        field = ((live or {}).get("spec", {}).get("provider") or {}).get(provider)
        if isinstance(field, dict):
            yield reference, field


def _ready(examination: Examination) -> Iterator[Step]:
    for reference in references(examination):
        live = examination.find(reference.target(examination.namespace))
        yield _missing(examination, reference) if live is None else _of_store(examination, reference, live)


def _missing(examination: Examination, reference: ReadStore) -> Step:
    if examination.built(reference.kind, reference.name):
        return _step(reference, "failed", "there is no such store, though the build has it", examination.apply_command)
    near = nearest_name(reference.name, _names(examination, reference))
    cause = "there is no such store" + (f"; there is one named {near}" if near else "")
    flag = f" --namespace={examination.namespace}"
    return _step(reference, "failed", cause, f"kubectl get secretstores,clustersecretstores{flag}")


def _names(examination: Examination, reference: ReadStore) -> Sequence[str]:
    """Return the names of the stores of a kind, as far as they may be listed."""
    target = reference.target(examination.namespace)
    try:
        return [live["metadata"]["name"] for live in examination.all(target.resources, target.namespace)]
    except Refused:
        return []


def _of_store(examination: Examination, reference: ReadStore, live: Object) -> Step:
    ready = condition(live.get("status") or {}, "Ready")
    describe = f"kubectl describe {reference.subject}{reference.flag(examination.namespace)}"
    if not ready:
        cause = "the controller has not looked at it"
        if controller := (live.get("spec") or {}).get("controller"):
            cause += f"; spec.controller is {controller}, and only a controller of that class does"
        return _step(reference, "failed", cause, describe)
    if ready.get("status") != "True":
        failure = last_failure(examination, live, _FAILURES)
        return _step(reference, "failed", failure.cause, "\n".join((describe, *failure.hints)))
    if ready.get("reason") == "ValidationUnknown":
        return _step(reference, "passed", "it can't be tried before an ExternalSecret reads it")
    provider = next(iter((live.get("spec") or {}).get("provider") or {}), "")
    remark = ", which says nothing about access to the vault" if provider == "azurekv" else ""
    return _step(reference, "passed", f"provider {provider}{remark}")


def _step(reference: ReadStore, verdict: Verdict, cause: str, remedy: str = "") -> Step:
    return Step(question=_READY, subject=reference.subject, verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (Question(_READY, _ready),)
