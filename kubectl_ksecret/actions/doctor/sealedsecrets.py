"""The SealedSecrets: whether the controller can open each, and whether each has become its Secret."""

from collections.abc import Iterator, Sequence

from ...backends import backend_of
from ...cluster.api import Refused
from ...cluster.arrival import condition
from ...cluster.certificates import NoController
from ...cluster.messages import names_of, scrubbed
from ...cluster.ownership import edited_keys, gitops_step
from ...cluster.resources import SEALED_SECRETS
from ...cluster.sealedsecret import KIND, record_of
from ...cluster.secrets import SecretMetadata
from ...cluster.verification import Verifier
from ...model.kubernetes import Object
from ..deployment import DeployedSecret
from ..diff import differs
from . import controller
from .bindings import Diagnostician, explained, sealed_for
from .examination import Examination, Question, Step, Verdict

_OPENS = "the controller can open each SealedSecret"
_UNSEALED = "each SealedSecret is applied and unsealed"
_FAILURES = ("ErrUnsealFailed", "ErrUpdateFailed")


def _opening(examination: Examination) -> Iterator[Step]:
    if not examination.secrets or not controller.answers(examination):
        return
    verifier = Verifier(examination.api, examination.controller())
    diagnostician = Diagnostician(examination, verifier)
    groups = list(_groups(examination))
    asked = 0
    for group in groups:
        first, *others = group
        examination.progress(asked, len(examination.secrets))
        step = _opens(examination, first, verifier, diagnostician)
        yield step
        for name in others:
            asked += 1
            examination.progress(asked, len(examination.secrets))
            if step.verdict == "passed":
                cause = f"unsealed in this very form by a key that also opens {first}"
                yield _step(_OPENS, examination.secrets[name], "passed", cause)
            else:
                yield _opens(examination, name, verifier, diagnostician)
        asked += 1
    examination.progress(asked, len(examination.secrets))


def _groups(examination: Examination) -> Iterator[Sequence[str]]:
    """Yield the Secrets of which one stands for all: the controller has opened each of them, by the same keys.

    The endpoint takes two questions a second, so 200 Secrets that have arrived would take as many seconds to no end.
    """
    by_keys: dict[frozenset[str], list[str]] = {}
    for name, secret in examination.secrets.items():
        makers = sealed_for(backend_of(examination.environment), secret).values()
        if _has_arrived(examination, secret):
            by_keys.setdefault(frozenset(makers), []).append(name)
        else:
            yield [name]
    yield from by_keys.values()


def _has_arrived(examination: Examination, secret: DeployedSecret) -> bool:
    """Whether the Secret came out of this very ciphertext; without the right to read it nobody knows."""
    built = record_of(_object(secret))
    try:
        live = examination.live(secret) if built else None
    except Refused as refused:
        if refused.status != 403:
            raise
        return False
    return live is not None and live.record_text == built


def _opens(examination: Examination, name: str, verifier: Verifier, diagnostician: Diagnostician) -> Step:
    secret, overlay = examination.secrets[name], examination.environment.name
    for key, reason in backend_of(examination.environment).malformed(_object(secret)):
        examination.broken[name] = _OPENS
        remedy = f"kubectl ksecret seal {overlay} {name}/{key} --reseal"
        return _step(_OPENS, secret, "failed", f"the ciphertext of {key} {reason}", remedy)
    opening = verifier.ask(_object(secret))
    if opening == "opened":
        return _step(_OPENS, secret, "passed")
    examination.broken[name] = _OPENS
    if opening == "unreadable":
        cause = "the controller can't read it as a SealedSecret"
        return _step(_OPENS, secret, "failed", cause, f"kubectl ksecret check {overlay}")
    diagnosis = diagnostician.diagnose(secret)
    cause, remedy = explained(examination, secret, diagnosis)
    if diagnosis.binding is None:
        makers = sealed_for(backend_of(examination.environment), secret)
        fingerprints = sorted(filter(None, {makers[key] for key in diagnosis.keys}))
        cause += f"; sealed for {', '.join(fingerprints)}" if fingerprints else ""
        remedy = _new_seal(examination, secret)
    return _step(_OPENS, secret, "failed", cause, remedy)


def _new_seal(examination: Examination, secret: DeployedSecret) -> str:
    """Return the command that seals for a key that the controller has."""
    overlay = examination.environment.name
    if controller.seals_for_another(examination):
        return f"kubectl ksecret certificate {overlay} --fetch\nkubectl ksecret seal {overlay} --reseal"
    return f"kubectl ksecret seal {overlay} {secret.secret.name} --reseal"


def _unsealing(examination: Examination) -> Iterator[Step]:
    if not examination.serves(SEALED_SECRETS):
        return
    standing = {live["metadata"]["name"]: live for live in examination.all(SEALED_SECRETS, examination.namespace)}
    for name, secret in examination.secrets.items():
        step = _unsealed(examination, name, secret, standing.get(secret.document.subject.name))
        if step.verdict == "failed":
            examination.broken.setdefault(name, _UNSEALED)
        yield step


def _unsealed(examination: Examination, name: str, secret: DeployedSecret, standing: Object | None) -> Step:
    sync = f"kubectl ksecret sync {examination.environment.name} {name}"
    if standing is None:
        live = examination.live(secret)
        if live is not None and not live.managed_by_sealed_secrets:
            return _step(_UNSEALED, secret, "failed", *_unmanaged(examination, name, live))
        return _step(_UNSEALED, secret, "failed", *_unless_broken(examination, name, "it is not in the cluster", sync))
    if differs(secret.document, standing):
        cause = "the cluster has another form of it than the build: it is not applied yet"
        remedy = gitops_step(standing) or sync
        return _step(_UNSEALED, secret, "failed", *_unless_broken(examination, name, cause, remedy))
    live = examination.live(secret)
    if live is not None and (edited := sorted(edited_keys(live.object) & secret.secret.keys.keys())):
        cause = f"somebody wrote {', '.join(edited)} into the Secret with kubectl after it was unsealed"
        return _step(_UNSEALED, secret, "failed", cause, sync)
    return _by_witness(examination, name, secret, standing, live)


def _unless_broken(examination: Examination, name: str, cause: str, remedy: str) -> tuple[str, str]:
    """Return a cause and its remedy, or where to begin if the controller could not open it anyway."""
    broken = examination.broken.get(name)
    return (f"{cause}; see above: {broken}", "") if broken else (cause, remedy)


def _by_witness(
    examination: Examination, name: str, secret: DeployedSecret, standing: Object, live: SecretMetadata | None
) -> Step:
    """Judge by the record on the Secret, the status of this generation, and the last Event, in this order.

    The status may stand still for good: its update can be lost in a conflict, and can be switched off.
    """
    sync = f"kubectl ksecret sync {examination.environment.name} {name}"
    status, generation = standing.get("status") or {}, standing["metadata"]["generation"]
    synced = condition(status, "Synced") if status.get("observedGeneration") == generation else {}
    expected = record_of(standing)
    if live is not None and expected and live.record_text == expected:
        return _step(_UNSEALED, secret, "passed", "" if synced else _behind(status, generation))
    message = synced.get("message") if synced.get("status") == "False" else _last_failure(examination, standing)
    if message:
        cause, remedy = _failure(examination, name, live, message, shown=scrubbed(message, names_of(standing)))
        return _step(_UNSEALED, secret, "failed", cause, remedy or sync)
    if synced.get("status") != "True":
        cause = f"the controller has not looked at it: {_behind(status, generation)}"
        return _step(_UNSEALED, secret, "failed", cause, _log(examination))
    if live is None:
        return _step(_UNSEALED, secret, "failed", "its status is Synced, and there is no such Secret", sync)
    if expected and live.record_text:
        return _step(_UNSEALED, secret, "failed", "the Secret is that of an earlier seal", sync)
    return _step(_UNSEALED, secret, "passed")


def _behind(status: Object, generation: int) -> str:
    observed = status.get("observedGeneration")
    seen = f"its status speaks of generation {observed}, of {generation}" if observed else "it has no status"
    return f"{seen}: lost in a conflict, or switched off with --update-status=false"


def _last_failure(examination: Examination, standing: Object) -> str:
    """Return the message of the last Event if that is a failure; empty without the right to read Events."""
    try:
        events = examination.events(standing)
    except Refused as refused:
        if refused.status != 403:
            raise
        return ""
    last = events[-1] if events else {}
    return str(last.get("message") or "") if last.get("reason") in _FAILURES else ""


def _failure(
    examination: Examination, name: str, live: SecretMetadata | None, message: str, *, shown: str
) -> tuple[str, str]:
    """Return the cause behind what the controller says, and the next step if it is another one than `sync`."""
    if "already exists and is not managed" in message:
        return _unmanaged(examination, name, live)
    if "immutable" in message:
        namespace, live_name = examination.namespace, examination.secrets[name].name
        cause = f"the Secret is immutable, or of another type: it has to be made anew ({shown})"
        return cause, f"kubectl delete secret {live_name} --namespace={namespace}"
    if "no key could decrypt" in message:
        if name in examination.broken:
            return f"{shown}; see above: {examination.broken[name]}", ""
        return f"{shown}: the controller gave up on it", ""
    return shown, ""


def _unmanaged(examination: Examination, name: str, live: SecretMetadata | None) -> tuple[str, str]:
    """Return what stands in the way of the controller, and the commands that take it over, a line each."""
    declared = examination.secrets[name].secret.keys.keys()
    losing = sorted(live.keys - declared) if live else []
    maker = f"made by {live.owners[0].kind} {live.owners[0].name}" if live and live.owners else "made by hand"
    loss = f"; it would lose {', '.join(losing)}" if losing else ""
    remedy = f"kubectl ksecret sync {examination.environment.name} {name} --adopt"
    if live and live.owners:
        remedy = f"{live.owners[0].freeing(live.namespace)}\n{remedy}"
    return f"a Secret of this name exists, {maker}, and is not the controller's{loss}", remedy


def _log(examination: Examination) -> str:
    """Return the command that shows what the controller says of itself."""
    where = examination.request.controller
    try:
        name = examination.controller().service
    except (NoController, Refused):
        name = where.names[0]
    return f"kubectl logs --namespace={where.namespace} service/{name} --tail=20"


def _step(question: str, secret: DeployedSecret, verdict: Verdict, cause: str = "", remedy: str = "") -> Step:
    name = f"{KIND.lower()}.{SEALED_SECRETS.group}/{secret.document.subject.name}"
    return Step(question=question, subject=name, verdict=verdict, cause=cause, remedy=remedy)


def _object(secret: DeployedSecret) -> Object:
    return secret.document.object


QUESTIONS = (Question(_OPENS, _opening), Question(_UNSEALED, _unsealing))
