"""Who else than its readers can read a Secret through the API of the cluster, and whether its readers can."""

from collections.abc import Iterator, Sequence

from ...checks.access import advice, readable_by_others, sentence
from ...cluster.api import Refused
from ...cluster.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, Resources
from ...objects.access import Permissions, Way
from ...objects.documents import Document, mapping
from .examination import Examination, Question, Step, Verdict

_NOBODY_ELSE = "nobody but its readers can read a Secret through the API"
_ABLE = "each reader can read its Secret through the API"
# Each kind is listed once. A RoleBinding in another namespace gives nothing here.
_KINDS = (
    ("Role", ROLES),
    ("RoleBinding", ROLE_BINDINGS),
    ("ClusterRole", CLUSTER_ROLES),
    ("ClusterRoleBinding", CLUSTER_ROLE_BINDINGS),
)
_IN_NAMESPACE = (ROLES, ROLE_BINDINGS)
_BOOTSTRAPPING = "kubernetes.io/bootstrapping"  # the API server makes what has it


def _ask(examination: Examination) -> Iterator[Step]:
    readers = _readers(examination)
    if not readers:
        yield _step(examination, "not applicable", "no declaration says in spec.readers who they are")
        return
    permissions, unasked = _permissions(examination)
    yield from unasked
    yield from _of_ways(examination, permissions, readers, is_whole=not unasked)


def _able(examination: Examination) -> Iterator[Step]:
    """Look whether the readers of a Secret can read it. Only a program that asks the API itself needs the right."""
    readers = _readers(examination)
    permissions, unasked = _permissions(examination) if readers else (None, [])
    if permissions is None or unasked:
        return  # the question before has named the missing right
    access = examination.environment.overlay.spec.access
    for secret, accounts in readers.items():
        unable = [account for account in accounts if not permissions.lets_read(account, secret)]
        subject = f"secret/{secret}"
        names = ", ".join(f"ServiceAccount {account}" for account in unable)
        if not unable:
            if accounts:
                yield Step(question=_ABLE, subject=subject, verdict="passed", cause=", ".join(accounts))
        elif access is not None and access.create:
            cause = f"{names}: no Role lets it read {secret}, though the overlay has one rendered"
            yield Step(question=_ABLE, subject=subject, verdict="failed", cause=cause, remedy=examination.apply_command)
        else:
            cause = f"{names}: no Role lets it ask the API; to take keys through env or a volume it needs none"
            remedy = _role(examination, secret, unable)
            yield Step(question=_ABLE, subject=subject, verdict="not applicable", cause=cause, remedy=remedy)


def _role(examination: Examination, secret: str, accounts: Sequence[str]) -> str:
    """Return the commands that let readers ask for a Secret."""
    name, flag = f"{secret}-readers", f"--namespace={examination.namespace}"
    subjects = " ".join(f"--serviceaccount={examination.namespace}:{account}" for account in accounts)
    role = f"kubectl create role {name} {flag} --verb=get --resource=secrets --resource-name={secret}"
    return f"{role} && kubectl create rolebinding {name} {flag} --role={name} {subjects}, if they do ask it"


def _permissions(examination: Examination) -> tuple[Permissions, list[Step]]:
    """Return the rights in the namespace, and a step for each kind that may not be listed."""
    documents: list[Document] = []
    unasked: list[Step] = []
    for kind, resources in _KINDS:
        try:
            documents += _listed(examination, kind, resources)
        except Refused as refused:
            if refused.status != 403:
                raise
            [mistake] = refused.mistakes
            cause = f"not all of it could be asked: {mistake.message}"
            unasked.append(_step(examination, "unknown", cause, mistake.hint))
    return Permissions(documents, examination.namespace), unasked


def _readers(examination: Examination) -> dict[str, list[str]]:
    """Return the readers of the Secrets that name them, by the Secrets' names in the cluster."""
    return {
        secret.name: [_deployed(examination, reader) for reader in stated]
        for secret in examination.secrets.values()
        if (stated := secret.secret.declaration.spec.readers) is not None
    }


def _deployed(examination: Examination, reader: str) -> str:
    """Return the name that a reader has in the cluster: a kustomization may rename a ServiceAccount, too."""
    for document in examination.deployment.objects:
        if document.subject.kind == "ServiceAccount" and document.written("metadata", "name") == reader:
            return document.subject.name
    return reader


def _listed(examination: Examination, kind: str, resources: Resources) -> Iterator[Document]:
    namespace = examination.namespace if resources in _IN_NAMESPACE else ""
    for live in examination.all(resources, namespace):
        # What is listed has no apiVersion and kind of its own.
        head = {"apiVersion": f"{resources.group}/{resources.version}", "kind": kind}
        yield Document("", None, {**head, **live})


def _of_ways(
    examination: Examination, permissions: Permissions, readers: dict[str, list[str]], *, is_whole: bool
) -> Iterator[Step]:
    """Yield a step for each way that nobody expects; that there is none can be said only where all could be asked."""
    ways: dict[tuple[int, int], tuple[Way, list[str]]] = {}
    for secret, accounts in readers.items():
        for way in permissions.ways(secret, accounts):
            _, secrets = ways.setdefault((id(way.binding), way.position), (way, []))
            secrets.append(secret)
    accepted = [way for way, _ in ways.values() if not way.operator and _is_accepted(examination, way)]
    others = [
        (way, secrets)
        for way, secrets in ways.values()
        if not (way.operator or _is_of_kubernetes(way) or way in accepted)
    ]
    for way, secrets in others:
        yield Step(
            question=_NOBODY_ELSE,
            subject=_name(way),
            verdict="failed",
            cause=sentence(way, secrets),
            remedy=advice(way, examination.namespace, secrets),
        )
    expected = _expected([way for way, _ in ways.values()], accepted)
    if not others and is_whole:
        yield _step(examination, "passed", expected and f"besides, as it has to be: {expected}")
    elif expected:
        yield _step(examination, "passed", f"these have to: {expected}")


def _is_of_kubernetes(way: Way) -> bool:
    """Whether it is one of the controllers that every cluster has, of which nobody can take the rights away."""
    labels = mapping(way.binding.metadata.get("labels"))
    is_bootstrapped = labels.get(_BOOTSTRAPPING) == "rbac-defaults" and way.binding.subject.name.startswith("system:")
    return is_bootstrapped and way.holder.namespace == "kube-system" and bool(way.holder.name)


def _is_accepted(examination: Examination, way: Way) -> bool:
    """Whether the overlay has an exception for the binding, of the rule of `check` that finds the same in a build."""
    kind, namespace, name = way.binding.subject
    names, today = (f"{kind}/{name}", f"{kind}/{namespace}/{name}"), f"{examination.request.now:%Y-%m-%d}"
    return any(
        exception.rule == readable_by_others.name
        and exception.object in names
        and (exception.until is None or exception.until >= today)
        for exception in examination.environment.overlay.spec.exceptions
    )


def _expected(ways: Sequence[Way], accepted: Sequence[Way]) -> str:
    """Return whose rights are left out, in words."""
    own = {way.holder for way in ways if _is_of_kubernetes(way)}
    operators = sorted({f"{way.holder}, which makes Secrets" for way in ways if way.operator})
    controllers = [f"{len(own)} of Kubernetes' own controllers"] if own else []
    by_exception = sorted({f"{way.holder}, by an exception of the overlay" for way in accepted})
    return "; ".join([*controllers, *operators, *by_exception])


def _name(way: Way) -> str:
    subject = way.binding.subject
    return f"{subject.kind.lower()}.{way.binding.group}/{subject.name}"


def _step(examination: Examination, verdict: Verdict, cause: str, remedy: str = "") -> Step:
    subject = f"namespace/{examination.namespace}"
    return Step(question=_NOBODY_ELSE, subject=subject, verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (Question(_NOBODY_ELSE, _ask), Question(_ABLE, _able))
