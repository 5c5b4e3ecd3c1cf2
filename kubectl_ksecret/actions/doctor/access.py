"""Who else than its readers can read a Secret through the API of the cluster."""

from collections.abc import Iterator, Sequence

from ...checks.access import advice, readable_by_others, sentence
from ...cluster.api import Refused
from ...cluster.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, Resources
from ...objects.access import Permissions, Way
from ...objects.documents import Document, mapping
from .examination import Examination, Question, Step, Verdict

_NOBODY_ELSE = "nobody but its readers can read a Secret through the API"
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
    readers = {
        secret.name: [_deployed(examination, reader) for reader in stated]
        for secret in examination.secrets.values()
        if (stated := secret.secret.declaration.spec.readers) is not None
    }
    if not readers:
        yield _step(examination, "not applicable", "no declaration says in spec.readers who they are")
        return
    documents: list[Document] = []
    is_whole = True
    for kind, resources in _KINDS:
        try:
            documents += _listed(examination, kind, resources)
        except Refused as refused:
            if refused.status != 403:
                raise
            is_whole = False
            [mistake] = refused.mistakes
            cause = f"not all of it could be asked: {mistake.message}"
            yield _step(examination, "unknown", cause, mistake.hint)
    yield from _of_ways(examination, Permissions(documents, examination.namespace), readers, is_whole=is_whole)


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


QUESTIONS = (Question(_NOBODY_ELSE, _ask),)
