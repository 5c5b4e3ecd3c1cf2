"""The ExternalSecrets: whether they are there and synced, and if not, why; and what is in the way of a refresh."""

from collections.abc import Iterator, Mapping

from ...cluster.api import Refused
from ...cluster.arrival import condition
from ...cluster.externalsecret import ignores_refresh, way_out
from ...cluster.resources import EXTERNAL_SECRETS
from ...model.kubernetes import OPERATOR, Object
from ...objects.reads import store_references
from ...sources import entraerrors
from ..deployment import DeployedSecret
from .examination import Examination, Question, Step, Verdict
from .failures import LastFailure, last_failure
from .remedies import remedies
from .stores import readable, unserved

_SYNCED, _REFRESH = "the ExternalSecret is synced", "a refresh can be forced"
_OWNED = "nothing else makes the Secret"
_NOT_REALLY_READY = ("SecretMissing", "SecretDeleted")  # ESO says Ready=True all the same


def _synced(examination: Examination) -> Iterator[Step]:
    standing = _live(examination)
    for declared_name, secret in examination.secrets.items():
        name = secret.document.subject.name
        if name in standing:
            step = _of_external_secret(examination, secret, standing[name])
        else:
            step = _step(name, "failed", "there is no such ExternalSecret", _sync(examination, secret))
        if step.verdict == "failed":
            examination.broken[declared_name] = _SYNCED
        yield step


def _live(examination: Examination) -> Mapping[str, Object]:
    listed = examination.all(EXTERNAL_SECRETS, examination.namespace)
    return {live["metadata"]["name"]: live for live in listed}


def _readable(examination: Examination) -> Mapping[str, Object]:
    """Return the same where it may be listed; elsewhere the question before has named the missing right."""
    try:
        return _live(examination)
    except Refused:
        return {}


def _of_external_secret(examination: Examination, secret: DeployedSecret, live: Object) -> Step:
    name, status = live["metadata"]["name"], live.get("status") or {}
    ready, sync = condition(status, "Ready"), _sync(examination, secret)
    if live["metadata"].get("deletionTimestamp"):
        cause = "it is being deleted, for which its finalizer waits; that is the controller's to remove"
        return _step(name, "failed", cause, f"kubectl get externalsecrets --namespace={examination.namespace} --watch")
    broken = examination.broken.get(secret.secret.name)
    if _is_unserved(examination, secret):
        cause = f"nobody looks at it{f', since {_when(status)}' if ready else ''}; see above: {broken}"
        return _step(name, "failed", cause)
    if not ready:
        cause = "the controller has not looked at it" + (f"; see above: {broken}" if broken else "")
        return _step(name, "failed", cause, sync)
    if ready.get("status") != "True":
        failure = last_failure(examination, live, ("UpdateFailed", "MissingProviderSecret"))
        remedy, code = _remedy(examination, secret, failure), entraerrors.code_in(failure.cause)
        cause = f"{failure.cause}; {entraerrors.explained(code).cause}" if code else failure.cause
        return _step(name, "failed", cause, "\n".join((remedy, *failure.hints)))
    if ready.get("reason") in _NOT_REALLY_READY:
        cause = f"{ready['reason']}: there is no Secret {secret.name}, and this ExternalSecret does not make it"
        return _step(name, "failed", cause, sync)
    synced_generation = str(status.get("syncedResourceVersion") or "").partition("-")[0]
    if synced_generation and synced_generation != str(live["metadata"]["generation"]):
        reason = ignores_refresh(live)
        cause = "it has changed since it was synced" + (f"; {reason}" if reason else "")
        return _step(name, "failed", cause, way_out(secret.namespace, secret.name) if reason else sync)
    return _step(name, "passed", f"at {_when(status)}")


def _when(status: Object) -> str:
    return str(status.get("refreshTime") or "a time that it does not tell")


def _is_unserved(examination: Examination, secret: DeployedSecret) -> bool:
    """Whether no controller looks at a store of an ExternalSecret, and so none at the ExternalSecret itself."""
    named = {(kind, name) for _path, kind, name in store_references(secret.document.object)}
    return any(unserved(examination, live) for reference, live in readable(examination) if reference in named)


def _remedy(examination: Examination, secret: DeployedSecret, failure: LastFailure) -> str:
    """Return the next step after a failure to sync, by its cause."""
    live, sync = _live(examination)[secret.document.subject.name], _sync(examination, secret)
    if "Secret does not exist" in failure.cause or "does not exist in key" in failure.cause:
        return f"{sync}, once the store has it"
    if "is not ready" in failure.cause or ("could not get" in failure.cause and "SecretStore" in failure.cause):
        return f"{sync}, once the store is ready: see above"
    if "denied by spec.condition" in failure.cause:
        return f"{sync}, once the store lets the namespace in: see above"
    named = {(kind, name) for _path, kind, name in store_references(secret.document.object)}
    for reference, store in readable(examination):
        if reference in named and (steps := remedies(examination, failure.cause, store=store)):
            return "\n".join(steps)
    return f"kubectl describe externalsecret.{OPERATOR}/{live['metadata']['name']} --namespace={examination.namespace}"


def _refresh(examination: Examination) -> Iterator[Step]:
    """Name the ExternalSecrets that ignore a forced refresh, which is what their policy asks for."""
    standing = _readable(examination)
    for secret in examination.secrets.values():
        live = standing.get(secret.document.subject.name)
        if live and (reason := ignores_refresh(live)):
            remedy = way_out(secret.namespace, secret.name)
            step = _step(live["metadata"]["name"], "not applicable", reason, remedy)
            yield step.but(question=_REFRESH)


def _owned(examination: Examination) -> Iterator[Step]:
    """Find what else makes the same Secrets: a Secret has one owner."""
    standing = _readable(examination)
    for secret in examination.secrets.values():
        own, live = secret.document.subject.name, examination.live(secret) if standing else None
        owners = {("ExternalSecret", name) for name, other in standing.items() if _makes(other, secret.name)}
        owners |= {(owner.kind, owner.name) for owner in (live.owners if live else ())}
        for kind, name in sorted(owners - {("ExternalSecret", own)}):
            subject = f"secret/{secret.name}"
            yield _step(own, "failed", f"{kind} {name} makes it too", _release(examination, kind, name)).but(
                question=_OWNED, subject=subject
            )


def _makes(external_secret: Object, secret: str) -> bool:
    target = external_secret["spec"].get("target") or {}
    name = target.get("name") or external_secret["metadata"]["name"]
    return bool(name == secret and target.get("creationPolicy", "Owner") == "Owner")


def _release(examination: Examination, kind: str, name: str) -> str:
    group = {"ExternalSecret": f".{OPERATOR}", "SealedSecret": ".bitnami.com"}.get(kind, "")
    # The Secret stays, without the one that is deleted as its owner, until the other has taken it over.
    flags = f"--namespace={examination.namespace} --cascade=orphan"
    return f"kubectl delete {kind.lower()}{group}/{name} {flags}, if that is the one too many"


def _sync(examination: Examination, secret: DeployedSecret) -> str:
    return f"kubectl ksecret sync {examination.environment.name} {secret.secret.name}"


def _step(name: str, verdict: Verdict, cause: str, remedy: str = "") -> Step:
    subject = f"externalsecret.{OPERATOR}/{name}"
    return Step(question=_SYNCED, subject=subject, verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (Question(_SYNCED, _synced), Question(_REFRESH, _refresh), Question(_OWNED, _owned))
