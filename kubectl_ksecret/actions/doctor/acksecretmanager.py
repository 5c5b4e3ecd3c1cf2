"""ack-secret-manager: whether its stores and ExternalSecrets are there, and what the Secrets lack.

It reports next to nothing (read in the source of 0.5.8): the Secrets themselves are what can be looked at.
"""

from collections.abc import Iterator

from ...cluster.api import Refused
from ...cluster.ownership import gitops_step
from ...cluster.resources import ACK_EXTERNAL_SECRETS, ACK_SECRET_STORES
from ...errors import nearest_name, shown
from ...model.kubernetes import Object
from ...objects.documents import mapping, sequence
from ...values.placeholders import placeholder_in
from ..deployment import DeployedSecret
from ..diff import differs
from . import credentials
from .credentials import NeededCredential
from .examination import Examination, Question, Step, Verdict, unasked
from .operator import ACK_SECRET_MANAGER

_STORE, _COPIED = "the store is there and complete", "the ExternalSecret has become its Secret"
_LOG = f"kubectl logs --all-containers --selector={ACK_SECRET_MANAGER.label} --tail=50 --namespace="
_AUTH = ("spec", "KMS", "KMSAuth")


def _stores(examination: Examination) -> Iterator[Step]:
    for namespace, name in _references(examination):
        subject = f"secretstore.{ACK_SECRET_STORES.group}/{name}"
        try:
            live = examination.find(ACK_SECRET_STORES.among(namespace, name))
        except Refused as refused:
            yield unasked(_STORE, subject, refused)
            continue
        if live is None:
            yield _missing(examination, subject, namespace, name)
            continue
        auth: object = live
        for step in _AUTH:
            auth = mapping(auth).get(step)
        yield _of_auth(examination, subject, mapping(auth))
        for field in ("accessKey", "accessKeySecret"):
            if named := mapping(mapping(auth).get(field)):
                where = str(named.get("namespace") or namespace)
                credential = NeededCredential(subject, where, str(named.get("name")), str(named.get("key")))
                yield credentials.of_secret(examination, credential, _STORE)


def _references(examination: Examination) -> list[tuple[str, str]]:
    """Return the namespaces and names of the stores that the looked-at ExternalSecrets read."""
    references = [
        mapping(mapping(entry).get("secretStoreRef"))
        for secret in examination.secrets.values()
        for entry in sequence(mapping(secret.document.object.get("spec")).get("data"))
    ]
    return list(dict.fromkeys((str(named.get("namespace")), str(named.get("name"))) for named in references))


def _missing(examination: Examination, subject: str, namespace: str, name: str) -> Step:
    if examination.built("SecretStore", name):
        cause = "there is no such store, though the build has it"
        return _step(_STORE, subject, "failed", cause, examination.apply_command)
    try:
        names = [live["metadata"]["name"] for live in examination.all(ACK_SECRET_STORES, namespace)]
    except Refused:
        names = []
    near = nearest_name(name, names)
    cause = f"there is no such store in {namespace}" + (f"; there is one named {near}" if near else "")
    return _step(_STORE, subject, "failed", cause, f"kubectl get {ACK_SECRET_STORES.full_name} --namespace={namespace}")


def _of_auth(examination: Examination, subject: str, auth: Object) -> Step:
    role = auth.get("ramRoleARN")
    for field in ("oidcProviderARN", "ramRoleARN", "remoteRamRoleARN"):
        if form := placeholder_in(str(auth.get(field) or "")):
            environment = examination.environment
            correction = f"correct it in {environment.project.name(environment.file)}, then"
            commands = (f"kubectl ksecret render {environment.name} --write", examination.apply_command)
            cause = f"{field} is a placeholder ({form})"
            return _step(_STORE, subject, "failed", cause, "\n".join((correction, *commands)))
    if auth.get("oidcProviderARN"):
        cause = f"it signs in by RRSA as {shown(str(role))}; Alibaba Cloud alone knows whether it may"
        return _step(
            _STORE, subject, "not applicable", cause, f"{_LOG}{ACK_SECRET_MANAGER.namespace_of_pods(examination)}"
        )
    return _step(
        _STORE, subject, "passed", f"it signs in with an access key{f' as {shown(str(role))}' if role else ''}"
    )


def _copied(examination: Examination) -> Iterator[Step]:
    listed = examination.all(ACK_EXTERNAL_SECRETS, examination.namespace)
    standing = {live["metadata"]["name"]: live for live in listed}
    for name, secret in examination.secrets.items():
        step = _of_external_secret(examination, name, secret, standing.get(secret.document.subject.name))
        if step.verdict == "failed":
            examination.broken[name] = _COPIED
        yield step


def _of_external_secret(examination: Examination, name: str, secret: DeployedSecret, live: Object | None) -> Step:
    subject = f"externalsecret.{ACK_EXTERNAL_SECRETS.group}/{secret.document.subject.name}"
    overlay = examination.environment.name
    sync = f"kubectl ksecret sync {overlay} {name}"
    if live is None:
        return _step(_COPIED, subject, "failed", "there is no such ExternalSecret", sync)
    if differs(secret.document, live):
        cause = "the cluster has another form of it than the build: it is not applied yet"
        return _step(_COPIED, subject, "failed", cause, gitops_step(live) or sync)
    made = examination.live(secret)
    missing = sorted(secret.secret.keys.keys() - (made.keys if made else frozenset()))
    if not missing:
        return _step(_COPIED, subject, "passed", "it tells nobody when it read KMS last")
    lacks = f"lacks {', '.join(missing)}" if made else "does not exist"
    cause = f"the Secret {lacks}: KMS does not have it, or refuses to give it; its controller's log alone says which"
    return _step(
        _COPIED,
        subject,
        "failed",
        cause,
        f"kubectl ksecret status {overlay}\n{_LOG}{ACK_SECRET_MANAGER.namespace_of_pods(examination)}",
    )


def _step(question: str, subject: str, verdict: Verdict, cause: str = "", remedy: str = "") -> Step:
    return Step(question=question, subject=subject, verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (*ACK_SECRET_MANAGER.questions, Question(_STORE, _stores), Question(_COPIED, _copied))
