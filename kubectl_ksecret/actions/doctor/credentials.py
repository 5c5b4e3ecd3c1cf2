"""What the stores sign in with, whatever their provider: the Secrets and the ServiceAccounts that they name."""

from collections.abc import Iterator
from shlex import quote
from typing import NamedTuple

from ...cluster.api import Refused
from ...cluster.resources import SECRET_STORES, SECRETS, SERVICE_ACCOUNTS
from ...errors import nearest_name, shown
from ...model.kubernetes import Object
from ...objects.documents import Document, mapping, sequence
from ...objects.reads import reads
from .examination import Examination, Question, Step, unasked
from .stores import ReadStore, readable

QUESTION = "the store's credentials are there"


class NeededCredential(NamedTuple):
    """An object that is needed to sign in, and by whom. A ServiceAccount has no key.

    `remark` follows what is missing; `use` says what is done with it.
    """

    user: str
    namespace: str
    name: str
    key: str | None = None
    remark: str = ""
    use: str = "signs in"


def of_secret(examination: Examination, credential: NeededCredential, question: str = QUESTION) -> Step:
    """Return the step about a Secret that something signs in with; its values are not looked at."""
    name, key, namespace = credential.name, credential.key, credential.namespace
    subject = f"{SECRETS.plural.removesuffix('s')}/{name}"
    try:
        live = examination.secret(namespace, name)
    except Refused as refused:
        return unasked(question, subject, refused.but_named([name]))
    if live is not None and key in (None, *live.keys):
        cause = f"it has {key}" if key else "it is there"
        return Step(question=question, subject=subject, verdict="passed", cause=cause)
    cause = f"there is no such Secret in {namespace}" + credential.remark
    if live is not None:
        near = nearest_name(key or "", live.keys)
        cause = f"it lacks {key}" + (f"; it has {near}" if near else "")
    cause += f", with which {credential.user} {credential.use}"
    deployed = {secret.name: declared for declared, secret in examination.deployment.secrets.items()}
    # A declaration of another namespace is not asked: a reference may lead anywhere.
    if name in deployed and namespace == examination.namespace:
        remedy = f"kubectl ksecret sync {examination.environment.name} {deployed[name]}"
    else:
        # Applied server-side, the other keys stay, and no value gets into last-applied.
        making = f"kubectl create secret generic {name} --namespace={namespace} --from-file={quote(key or 'KEY')}=FILE"
        # A manager of its own for each key: one that applied another key before would take that back.
        applying = f"kubectl apply --server-side --field-manager={quote(f'ksecret-{key or name}')} --filename=-"
        remedy = f"{making} --dry-run=client --output=yaml | {applying}"
    return Step(question=question, subject=subject, verdict="failed", cause=cause, remedy=remedy)


def of_account(examination: Examination, credential: NeededCredential, question: str = QUESTION) -> Step:
    """Return the step about a ServiceAccount that something signs in as."""
    name, namespace = credential.name, credential.namespace
    subject = f"serviceaccount/{name}"
    try:
        live = examination.find(SERVICE_ACCOUNTS.among(namespace, name))
    except Refused as refused:
        return unasked(question, subject, refused)
    if live is not None:
        return Step(question=question, subject=subject, verdict="passed", cause="it is there")
    cause = f"{credential.user} signs in with it, and there is no such ServiceAccount in {namespace}{credential.remark}"
    remedy = f"kubectl create serviceaccount {name} --namespace={namespace}"
    if examination.built("ServiceAccount", name):
        remedy = examination.apply_command
    return Step(question=question, subject=subject, verdict="failed", cause=cause, remedy=remedy)


def _ask(examination: Examination) -> Iterator[Step]:
    for reference, live in readable(examination):
        for credential in dict.fromkeys(_secrets(examination, reference, live)):
            yield of_secret(examination, credential)
        for credential in dict.fromkeys(_accounts(examination, reference, live)):
            yield of_account(examination, credential)


def _secrets(examination: Examination, reference: ReadStore, live: Object) -> Iterator[NeededCredential]:
    # What was fetched by its name may have no apiVersion and kind of its own.
    head = {"apiVersion": f"{SECRET_STORES.group}/{SECRET_STORES.version}", "kind": reference.kind}
    for read in reads(Document("", None, {**live, **head})):
        stated = "" if read.elsewhere or read.namespace == live["metadata"].get("namespace") else read.namespace
        namespace, remark = _where(examination, reference, stated)
        yield NeededCredential(reference.subject, namespace, read.secret, read.key, remark)


def _accounts(examination: Examination, reference: ReadStore, live: Object) -> Iterator[NeededCredential]:
    for account in _references(mapping(live.get("spec")).get("provider")):
        namespace, remark = _where(examination, reference, str(account.get("namespace") or ""))
        yield NeededCredential(reference.subject, namespace, str(account["name"]), remark=remark)


def _references(value: object) -> Iterator[Object]:
    """Yield the references to ServiceAccounts, of which every provider has the field serviceAccountRef."""
    for element in sequence(value):
        yield from _references(element)
    for field, below in mapping(value).items():
        if field == "serviceAccountRef" and isinstance(mapping(below).get("name"), str):
            yield below
        else:
            yield from _references(below)


def _where(examination: Examination, reference: ReadStore, stated: str) -> tuple[str, str]:
    """Return the namespace in which a store looks for what it names, and what is to be said of it.

    A store of one namespace looks in its own, whatever it states; one of the whole cluster, that states none, beside
    the ExternalSecret that uses it.
    """
    if reference.kind == "ClusterSecretStore" or stated in ("", examination.namespace):
        return stated or examination.namespace, ""
    return examination.namespace, f", where a SecretStore looks, though it names {shown(stated)}"


QUESTIONS = (Question(QUESTION, _ask),)
