"""The stores that the ExternalSecrets read: whether each is there, is looked at, and lets the namespace in."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ...cluster.api import Refused
from ...cluster.arrival import condition
from ...cluster.resources import CLUSTER_SECRET_STORES, NAMESPACES, SECRET_STORES, Target
from ...errors import nearest_name, shown
from ...model.kubernetes import OPERATOR, Object
from ...objects import selectors
from ...objects.documents import mapping, sequence
from ...objects.reads import store_references
from .examination import Examination, Question, Step, Verdict, unasked
from .failures import last_failure
from .operator import EXTERNAL_SECRETS_OPERATOR, option_of
from .remedies import remedies

READY, ALLOWED = "the store is there and ready", "the store may be used from the namespace"
# What a store says when it could not be set up, as ESO's pkg/controllers/secretstore writes it.
_FAILURES = ("InvalidProviderConfig", "ValidationUnknown", "InvalidStoreConfiguration", "ValidationFailed")
_DEFAULT_CLASS = "default"  # of ESO's flag --controller-class


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


def readable(examination: Examination) -> Iterator[tuple[ReadStore, Object]]:
    """Yield the live stores.

    Of a store that can't be read nothing is known; the question whether it is there names the missing right.
    """
    for reference in references(examination):
        try:
            live = examination.find(reference.target(examination.namespace))
        except Refused:
            continue
        if live is not None:
            yield reference, live


def of_provider(examination: Examination, provider: str) -> Iterator[tuple[ReadStore, Object]]:
    """Yield the live stores of a provider, such as azurekv, with what its field holds."""
    for reference, live in readable(examination):
        field = ((live.get("spec") or {}).get("provider") or {}).get(provider)
        if isinstance(field, dict):
            yield reference, field


def unserved(examination: Examination, live: Object) -> str:
    """Return why no controller looks at a store, as far as that is known; nothing for one that is looked at."""
    stated = str((live.get("spec") or {}).get("controller") or "")
    if not stated:
        return ""
    try:
        pods = EXTERNAL_SECRETS_OPERATOR.pods(examination)
    except Refused:
        return ""
    classes = {option_of(pod, "controller-class") or _DEFAULT_CLASS for pod in pods}
    if not classes or stated in classes:
        return ""
    return f"spec.controller is {shown(stated)}, and the controller that runs serves {', '.join(sorted(classes))}"


def _ready(examination: Examination) -> Iterator[Step]:
    for reference in references(examination):
        live = examination.find(reference.target(examination.namespace))
        step = _missing(examination, reference) if live is None else _of_store(examination, reference, live)
        if step.verdict == "failed":
            _note(examination, reference, READY)
        yield step


def _note(examination: Examination, reference: ReadStore, question: str) -> None:
    """Note for all Secrets that are read from a store where they broke."""
    for name, secret in examination.secrets.items():
        if any((kind, store) == reference for _, kind, store in store_references(secret.document.object)):
            examination.broken.setdefault(name, question)


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
    flag = reference.flag(examination.namespace)
    describe = f"kubectl describe {reference.subject}{flag}"
    if reason := unserved(examination, live):
        removal = json.dumps([{"op": "remove", "path": "/spec/controller"}])
        remedy = f"kubectl patch {reference.subject}{flag} --type=json --patch='{removal}', if that one is to serve it"
        return _step(reference, "failed", f"no controller looks at it: {reason}", remedy)
    if not ready:
        cause = "the controller has not looked at it"
        if controller := (live.get("spec") or {}).get("controller"):
            cause += f"; spec.controller is {shown(str(controller))}, and only a controller of that class does"
        return _step(reference, "failed", cause, describe)
    if ready.get("status") != "True":
        failure = last_failure(examination, live, _FAILURES)
        steps = remedies(examination, failure.cause, store=live) or [describe]
        return _step(reference, "failed", failure.cause, "\n".join((*steps, *failure.hints)))
    if ready.get("reason") == "ValidationUnknown":
        return _step(reference, "passed", "it can't be tried before an ExternalSecret reads it")
    provider = next(iter((live.get("spec") or {}).get("provider") or {}), "")
    remark = ", which says nothing about access to the vault" if provider == "azurekv" else ""
    return _step(reference, "passed", f"provider {provider}{remark}")


def _allowed(examination: Examination) -> Iterator[Step]:
    """Look whether the conditions of a ClusterSecretStore let the namespace in; without any, all are let in."""
    for reference, live in readable(examination):
        conditions = [mapping(entry) for entry in sequence((live.get("spec") or {}).get("conditions"))]
        if reference.kind != "ClusterSecretStore" or not conditions:
            continue
        try:
            step = _by_conditions(examination, reference, conditions)
        except Refused as refused:
            step = unasked(ALLOWED, reference.subject, refused)
        if step.verdict == "failed":
            _note(examination, reference, ALLOWED)
        yield step


def _by_conditions(examination: Examination, reference: ReadStore, conditions: Sequence[Object]) -> Step:
    namespace = examination.namespace
    if any(_lets_in(examination, entry, namespace) for entry in conditions):
        return _step(reference, "passed", f"its conditions let {namespace} in", question=ALLOWED)
    wanted = "; or ".join(filter(None, map(_worded, conditions)))
    cause = f"its conditions leave out {namespace}: they let in {wanted or 'no namespace at all'}"
    addition = json.dumps([{"op": "add", "path": "/spec/conditions/-", "value": {"namespaces": [namespace]}}])
    remedy = f"kubectl patch {reference.subject} --type=json --patch='{addition}', if it is for this namespace too"
    if built := examination.built(reference.kind, reference.name):
        remedy = f"add {namespace} to spec.conditions in {built.file}, then\n{examination.apply_command}"
    return _step(reference, "failed", cause, remedy, question=ALLOWED)


def _lets_in(examination: Examination, entry: Object, namespace: str) -> bool:
    """Whether a condition lets a namespace in, by one of its three fields (shouldProcessSecret in ESO 0.20)."""
    if namespace in sequence(entry.get("namespaces")):
        return True
    if any(_matches(str(pattern), namespace) for pattern in sequence(entry.get("namespaceRegexes"))):
        return True
    selector = entry.get("namespaceSelector")
    return isinstance(selector, dict) and selectors.in_object(selector).matches(_labels(examination, namespace))


def _matches(pattern: str, namespace: str) -> bool:
    """Whether a pattern matches anywhere in a name, as Go's regexp finds it; one that Python can't read does not."""
    try:
        return bool(re.search(pattern, namespace))
    except re.error:
        return False


def _labels(examination: Examination, namespace: str) -> Mapping[str, str]:
    live = examination.find(NAMESPACES.cluster_wide(namespace)) or {}
    return (live.get("metadata") or {}).get("labels") or {}


def _worded(entry: Object) -> str:
    """Return which namespaces a condition lets in."""
    names = [shown(str(name)) for name in sequence(entry.get("namespaces"))]
    patterns = [f"those that match {shown(str(pattern))}" for pattern in sequence(entry.get("namespaceRegexes"))]
    selector = entry.get("namespaceSelector")
    labels = [f"those with {shown(selectors.in_object(selector).text)}"] if isinstance(selector, dict) else []
    return ", ".join((*names, *patterns, *labels))


def _step(reference: ReadStore, verdict: Verdict, cause: str, remedy: str = "", *, question: str = READY) -> Step:
    return Step(question=question, subject=reference.subject, verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (Question(READY, _ready), Question(ALLOWED, _allowed))
