"""Vault Secrets Operator: whether it can sign in to Vault, and whether each VaultStaticSecret has become its Secret.

What is looked at, and how it is worded, follows Vault Secrets Operator 0.10.0.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from ...cluster.api import Refused
from ...cluster.messages import names_of, scrubbed
from ...cluster.ownership import edited_keys, gitops_step
from ...cluster.resources import VAULT_AUTHS, VAULT_CONNECTIONS, VAULT_STATIC_SECRETS, Resources
from ...cluster.vaultstaticsecret import FAILURES
from ...errors import nearest_name, shown
from ...model.kubernetes import Object
from ...objects.documents import mapping
from ..deployment import DeployedSecret
from ..diff import differs
from . import credentials
from .credentials import NeededCredential
from .examination import Examination, Question, Step, Verdict, unasked
from .failures import moment
from .operator import VAULT_SECRETS_OPERATOR
from .remedies import VaultLogin, of_vault

_SIGN_IN, _SYNCED = "the operator can sign in to Vault", "the VaultStaticSecret is synced"
_DEFAULT = "default"  # the VaultAuth and the VaultConnection of the operator's own namespace
# After how long a failure that lasts has shown itself again: mostly, and after so many Events of one object.
_REPEATED, _SELDOM_REPEATED, _MANY_EVENTS = timedelta(minutes=2), timedelta(minutes=6), 25
_APP_ROLE_KEY, _CA_KEY = "id", "ca.crt"


class _Reference(NamedTuple):
    """A VaultAuth or a VaultConnection as another object names it."""

    kind: str
    resources: Resources
    namespace: str
    name: str

    @property
    def subject(self) -> str:
        return f"{self.kind.lower()}.{self.resources.group}/{self.name}"


def _signing_in(examination: Examination) -> Iterator[Step]:
    for reference in _auths(examination):
        try:
            auth = examination.find(reference.resources.among(reference.namespace, reference.name))
        except Refused as refused:
            yield unasked(_SIGN_IN, reference.subject, refused)
            continue
        if auth is None:
            yield _missing(examination, reference)
            continue
        yield from _connecting(examination, reference, auth)
        yield _of_auth(examination, reference, auth)
        for credential in _needed(examination, reference, auth):
            ask = credentials.of_secret if credential.key else credentials.of_account
            yield ask(examination, credential, _SIGN_IN)


def _auths(examination: Examination) -> list[_Reference]:
    """Return the VaultAuths that the looked-at VaultStaticSecrets name."""
    names = [
        _named("VaultAuth", VAULT_AUTHS, mapping(secret.document.object.get("spec")).get("vaultAuthRef"), examination)
        for secret in examination.secrets.values()
    ]
    return list(dict.fromkeys(names))


def _named(kind: str, resources: Resources, stated: object, examination: Examination) -> _Reference:
    """Return what a reference means: NAME, NAMESPACE/NAME, or without one that of the operator's own namespace."""
    namespace, _, name = str(stated or "").rpartition("/")
    if not name:
        return _Reference(kind, resources, VAULT_SECRETS_OPERATOR.namespace_of_pods(examination), _DEFAULT)
    return _Reference(kind, resources, namespace or examination.namespace, name)


def _missing(examination: Examination, reference: _Reference) -> Step:
    if examination.built(reference.kind, reference.name):
        cause = f"there is no such {reference.kind}, though the build has it"
        return _step(_SIGN_IN, reference.subject, "failed", cause, examination.apply_command)
    cause = f"there is no such {reference.kind} in {reference.namespace}"
    try:
        live = examination.all(reference.resources, reference.namespace)
    except Refused:
        live = []
    if near := nearest_name(reference.name, [entry["metadata"]["name"] for entry in live]):
        cause += f"; there is one named {near}"
    remedy = f"kubectl get {reference.resources.full_name} --namespace={reference.namespace}"
    return _step(_SIGN_IN, reference.subject, "failed", cause, remedy)


def _connecting(examination: Examination, auth: _Reference, live: Object) -> Iterator[Step]:
    """Look at the VaultConnection of a VaultAuth."""
    stated = mapping(live.get("spec")).get("vaultConnectionRef")
    reference = _named("VaultConnection", VAULT_CONNECTIONS, stated, examination)
    if stated and "/" not in str(stated):
        reference = reference._replace(namespace=auth.namespace)
    try:
        connection = examination.find(reference.resources.among(reference.namespace, reference.name))
    except Refused as refused:
        yield unasked(_SIGN_IN, reference.subject, refused)
        return
    if connection is None:
        yield _misled(examination, auth, stated) or _missing(examination, reference)
        return
    spec = mapping(connection.get("spec"))
    address = shown(str(spec.get("address")))
    valid = mapping(connection.get("status")).get("valid")
    if valid is True:
        yield _step(_SIGN_IN, reference.subject, "passed", address)
    elif valid is False:
        cause, hint = _last_event(examination, connection)
        steps = [step for step in (*_of_connection(examination, reference, cause), hint) if step]
        yield _step(_SIGN_IN, reference.subject, "failed", f"{address}: {cause}", "\n".join(steps))
    else:
        yield _unseen(reference)
    if authority := spec.get("caCertSecretRef"):
        credential = NeededCredential(
            reference.subject, reference.namespace, str(authority), _CA_KEY, use="knows Vault"
        )
        yield credentials.of_secret(examination, credential, _SIGN_IN)


def _misled(examination: Examination, auth: _Reference, stated: object) -> Step | None:
    """Return the step about a VaultAuth that names another VaultConnection than in the build."""
    built = examination.built(auth.kind, auth.name)
    wanted = built.at("spec", "vaultConnectionRef") if built is not None else None
    if wanted in (None, stated):
        return None
    cause = f"it names the VaultConnection {shown(str(stated))}, which is not there, and in the build {wanted}"
    return _step(_SIGN_IN, auth.subject, "failed", cause, examination.apply_command)


def _of_connection(examination: Examination, reference: _Reference, cause: str) -> list[str]:
    """Return what to do about a connection that fails."""
    describe = f"kubectl describe {reference.subject} --namespace={reference.namespace}"
    if not examination.built(reference.kind, reference.name):
        return [describe]
    environment = examination.environment
    field = "spec.backend.vaultSecretsOperator.caSecretName" if "certificate" in cause else "spec.source.vault.address"
    correction = f"correct {field} in {environment.project.name(environment.file)}, if it is wrong; then"
    return [correction, f"kubectl ksecret render {environment.name} --write", examination.apply_command]


def _unseen(reference: _Reference) -> Step:
    remedy = f"kubectl describe {reference.subject} --namespace={reference.namespace}"
    return _step(_SIGN_IN, reference.subject, "failed", "the operator has not looked at it", remedy)


def _of_auth(examination: Examination, reference: _Reference, live: Object) -> Step:
    status = mapping(live.get("status"))
    if status.get("valid") is True:
        login = _login(live, examination.namespace)
        return _step(_SIGN_IN, reference.subject, "passed", f"role {shown(login.role)} at {shown(login.mount)}")
    if status.get("valid") is not False:
        return _unseen(reference)
    cause = scrubbed(str(status.get("error") or ""), names_of(live))
    remedy = f"kubectl describe {reference.subject} --namespace={reference.namespace}"
    return _step(_SIGN_IN, reference.subject, "failed", cause, remedy)


def _login(auth: Object, namespace: str) -> VaultLogin:
    spec = mapping(auth.get("spec"))
    kubernetes, app_role = mapping(spec.get("kubernetes")), mapping(spec.get("appRole"))
    return VaultLogin(
        mount=str(spec.get("mount") or ""),
        role=str(kubernetes.get("role") or app_role.get("roleId") or ""),
        account=str(kubernetes.get("serviceAccount") or ""),
        namespace=namespace,
    )


def _needed(examination: Examination, reference: _Reference, auth: Object) -> Iterator[NeededCredential]:
    """Yield what the sign-in needs. The operator looks for it beside the VaultStaticSecret, and not beside itself."""
    spec, namespace = mapping(auth.get("spec")), examination.namespace
    if account := mapping(spec.get("kubernetes")).get("serviceAccount"):
        yield NeededCredential(reference.subject, namespace, str(account))
    if secret := mapping(spec.get("appRole")).get("secretRef"):
        yield NeededCredential(reference.subject, namespace, str(secret), _APP_ROLE_KEY)


def _synced(examination: Examination) -> Iterator[Step]:
    standing = {live["metadata"]["name"]: live for live in examination.all(VAULT_STATIC_SECRETS, examination.namespace)}
    for name, secret in examination.secrets.items():
        live = standing.get(secret.document.subject.name)
        step = _of_static_secret(examination, name, secret, live)
        if step.verdict == "failed":
            examination.broken[name] = _SYNCED
        yield step


def _of_static_secret(examination: Examination, name: str, secret: DeployedSecret, live: Object | None) -> Step:
    subject = f"vaultstaticsecret.{VAULT_STATIC_SECRETS.group}/{secret.document.subject.name}"
    sync = f"kubectl ksecret sync {examination.environment.name} {name}"
    if live is None:
        return _step(_SYNCED, subject, "failed", "there is no such VaultStaticSecret", sync)
    if differs(secret.document, live):
        cause = "the cluster has another form of it than the build: it is not applied yet"
        return _step(_SYNCED, subject, "failed", cause, gitops_step(live) or sync)
    failure, hint = _last_event(examination, live, of_static_secret=True)
    synced = mapping(live.get("status")).get("lastGeneration") == live["metadata"]["generation"]
    if failure:
        steps = (*_remedies(examination, live, failure, sync), hint)
        return _step(_SYNCED, subject, "failed", failure, "\n".join(filter(None, steps)))
    if not synced:
        cause = "the operator has not read Vault for it in this form" + ("; no Event says why" if not hint else "")
        describe = f"kubectl describe {subject} --namespace={examination.namespace}"
        return _step(_SYNCED, subject, "failed", cause, "\n".join(filter(None, (describe, hint))))
    return _drift(examination, subject, secret) or _step(_SYNCED, subject, "passed")


def _drift(examination: Examination, subject: str, secret: DeployedSecret) -> Step | None:
    """Return the step about a Secret that somebody wrote by hand: the operator undoes it when it reads Vault next."""
    try:
        live = examination.live(secret)
    except Refused:
        return None  # the question about the Secret names the missing right
    edited = sorted(edited_keys(live.object) & secret.secret.keys.keys()) if live is not None else []
    if not edited:
        return None
    after = shown(str(mapping(secret.document.object.get("spec")).get("refreshAfter") or "an hour"))
    cause = (
        f"somebody wrote {', '.join(edited)} into the Secret with kubectl after it was synced; the operator undoes it "
        f"when it reads Vault next, within {after}"
    )
    return _step(
        _SYNCED, subject, "failed", cause, f"kubectl ksecret doctor {examination.environment.name} --wait --timeout=0"
    )


def _last_event(examination: Examination, live: Object, *, of_static_secret: bool = False) -> tuple[str, str]:
    """Return why an object fails, if its last Event says so, and the right without which nobody knows."""
    try:
        events = examination.events(live)
    except Refused as refused:
        if refused.status != 403:
            raise
        return "" if of_static_secret else "its Events may not be read", refused.mistakes[0].hint
    last = events[-1] if events else {}
    if of_static_secret and (last.get("reason") not in FAILURES or _is_past(examination, events)):
        return "", ""
    return scrubbed(str(last.get("message") or "it is not valid, and no Event says why"), names_of(live)), ""


def _is_past(examination: Examination, events: Sequence[Object]) -> bool:
    """Whether a failure is over: it would have been repeated, while nothing tells that the same values were read again.

    The operator tries again within a minute, and after 25 Events of one object client-go lets one through in 5 minutes.
    """
    try:
        last = moment(str(events[-1].get("lastTimestamp")))
    except ValueError:
        return False
    count = sum(int(event.get("count") or 1) for event in events)
    return last < examination.request.now - (_SELDOM_REPEATED if count >= _MANY_EVENTS else _REPEATED)


def _remedies(examination: Examination, live: Object, cause: str, sync: str) -> list[str]:
    """Return the next steps after a failure of a VaultStaticSecret, by its cause."""
    if "not the owner of the destination Secret" in cause:
        return [f"{sync} --adopt"]
    if any(sentence in cause for sentence in ("empty response from Vault", "the entry has no", "the entry is not")):
        spec = live["spec"]
        where = f"{spec.get('mount')} {spec.get('path')}"
        return [f"kubectl ksecret doctor {examination.environment.name} --wait, once Vault has it in {where}"]
    described = f"kubectl describe vaultstaticsecret.{VAULT_STATIC_SECRETS.group}/{live['metadata']['name']}"
    return _of_login(examination, cause) or [f"{described} --namespace={examination.namespace}"]


def _of_login(examination: Examination, cause: str) -> list[str]:
    for reference in _auths(examination):
        try:
            auth = examination.find(reference.resources.among(reference.namespace, reference.name))
        except Refused:
            continue
        if auth is not None:
            return of_vault(cause, _login(auth, examination.namespace))
    return []


def _step(question: str, subject: str, verdict: Verdict, cause: str = "", remedy: str = "") -> Step:
    return Step(question=question, subject=subject, verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (*VAULT_SECRETS_OPERATOR.questions, Question(_SIGN_IN, _signing_in), Question(_SYNCED, _synced))
