"""The workloads, and what else reads a Secret: through what each gets each key, and whether it is there to be got."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from ...cluster.api import Refused
from ...cluster.resources import CRON_JOBS, ROLLOUTS, Resources
from ...cluster.workloads import KINDS
from ...errors import nearest_name
from ...frozen import Record
from ...model.kubernetes import ALIBABA, OPERATOR, VAULT_OPERATOR
from ...objects.documents import Document
from ...objects.reads import SecretRead, reads
from ..deployment import DeployedSecret
from .examination import Examination, Question, Step, Verdict, unasked
from .routes import Route, routes

_ROUTES = "each container gets its keys"
_PAUSED = "no workload is paused"
_MAKERS = (OPERATOR, f"generators.{OPERATOR}", "bitnami.com", VAULT_OPERATOR, ALIBABA)
_RESOURCES: Mapping[str, Resources] = {kind.name: kind.resources for kind in KINDS} | {"CronJob": CRON_JOBS}


class SecretReader(Record):
    """A live workload, or another object of the build, that reads Secrets; `reads` are the places that do."""

    document: Document
    reads: Sequence[SecretRead]

    @property
    def name(self) -> str:
        """Its name, as kubectl prints it: deployment.apps/backend."""
        return _full_name(self.document)


def _full_name(document: Document) -> str:
    kind, _, name = document.subject
    return f"{kind.lower()}.{document.group}/{name}" if document.group else f"{kind.lower()}/{name}"


def named(examination: Examination) -> Mapping[str, str]:
    """Return the declared names of the overlay's Secrets by those that they have in the cluster."""
    deployed = examination.deployment.secrets or examination.secrets
    return {secret.name: name for name, secret in deployed.items()}


def is_looked_at(examination: Examination, read: SecretRead) -> bool:
    """Whether the user asks about what is read; without addresses everything counts."""
    if not examination.request.addresses:
        return True
    name = named(examination).get(read.secret)
    addresses = {address for address in examination.request.addresses if address.partition("/")[0] == name}
    return any("/" not in address or read.key in (None, address.partition("/")[2]) for address in addresses)


def readers_of(examination: Examination, kind: str) -> list[SecretReader]:
    """Return the live workloads of a kind that read Secrets. Raises Refused without the right to list them."""
    resources, further = _RESOURCES[kind], examination.environment.overlay.spec.references
    if resources == ROLLOUTS and not examination.serves(resources):
        return []
    workloads = []
    for live in examination.all(resources, examination.namespace):
        # What is listed has no apiVersion and kind of its own.
        document = Document("", None, {"apiVersion": f"{resources.group}/{resources.version}", "kind": kind, **live})
        looked_at = [read for read in reads(document, further) if is_looked_at(examination, read)]
        if looked_at:
            workloads.append(SecretReader(document=document, reads=looked_at))
    return workloads


def live_of(examination: Examination, name: str) -> tuple[DeployedSecret | None, Collection[str] | None]:
    """Return a Secret of the overlay by its name in the cluster, and the keys that it has there; None if it has none.

    Of a Secret that is not the overlay's it is only known whether it is there.
    """
    declared = named(examination).get(name)
    secret = examination.secrets.get(declared) or examination.deployment.secrets.get(declared) if declared else None
    if secret is not None:
        live = examination.live(secret)
        return secret, live.keys if live else None
    return None, () if examination.is_there(name) else None


def _ways(examination: Examination) -> Iterator[Step]:
    for kind in _RESOURCES:
        try:
            workloads = readers_of(examination, kind)
        except Refused as refused:
            yield unasked(_ROUTES, f"{_RESOURCES[kind].full_name} in {examination.namespace}", refused)
            continue
        for workload in workloads:
            yield from _of_reader(examination, workload)
    yield from _not_deployed(examination)
    for reader in _others(examination):
        for step in _of_reader(examination, reader):
            yield step.but(cause=f"{step.cause}; as it is built")


def _of_reader(examination: Examination, reader: SecretReader) -> Iterator[Step]:
    """Yield a step for each way of a key; those of a Secret that is not there are one."""
    absent: dict[str, list[Step]] = {}
    for read in reader.reads:
        for step in _of_read(examination, reader, read):
            if step.verdict == "failed" and f": {_no_secret(read.secret)}" in step.cause:
                absent.setdefault(read.secret, []).append(step)
            else:
                yield step
    for secret, (first, *others) in absent.items():
        missing = f": {_no_secret(secret)}"
        more = f", and {len(others)} more" if others else ""
        yield first.but(cause=first.cause.replace(missing, more + missing))


def _others(examination: Examination) -> Iterator[SecretReader]:
    """Find what else in the build reads Secrets, such as an Ingress or a workload of another kind.

    What makes Secrets, and the stores with their credentials, are looked at by other questions.
    """
    further = examination.environment.overlay.spec.references
    for document in examination.deployment.objects:
        resources = _RESOURCES.get(document.subject.kind)
        if document.group in _MAKERS or (resources is not None and resources.group == document.group):
            continue
        here = [
            read
            for read in reads(document, further)
            if read.certain and read.namespace in ("", examination.namespace) and is_looked_at(examination, read)
        ]
        if here:
            yield SecretReader(document=document, reads=here)


def _of_read(examination: Examination, workload: SecretReader, read: SecretRead) -> Iterator[Step]:
    secret, keys = live_of(examination, read.secret)
    if secret is None and keys is not None:
        return  # another one's Secret, which is there
    containers = {str(container) for container in _container_names(workload.document)}
    for route in routes(workload.document, read, keys or ()):
        if not is_looked_at(examination, read._replace(key=route.key)):
            continue
        where = f"{route.container}: {route}" if route.container and len(containers) > 1 else str(route)
        missing = keys is None or (route.key is not None and route.key not in keys)
        verdict: Verdict = "failed" if missing and not route.optional else "passed"
        cause, remedy = where, ""
        if missing:
            cause += f": {_absence(examination, route, keys)}" + ("; it is optional" if route.optional else "")
        if verdict == "failed":
            remedy = next_step(examination, read.secret, route.key, workload)
        yield Step(question=_ROUTES, subject=workload.name, verdict=verdict, cause=cause, remedy=remedy, listed=True)


def _container_names(document: Document) -> Iterator[object]:
    template = ("spec", "jobTemplate", "spec") if document.subject.kind == "CronJob" else ("spec",)
    for field in ("containers", "initContainers"):
        for container in document.at(*template, "template", "spec", field) or ():
            yield container.get("name")


def _absence(examination: Examination, route: Route, keys: Collection[str] | None) -> str:
    if keys is None:
        near = nearest_name(route.secret, {*named(examination)} - {route.secret})
        return _no_secret(route.secret) + (f"; {near} is declared" if near else "")
    near = nearest_name(route.key or "", keys)
    return "the Secret has no such key" + (f"; it has {near}" if near else "")


def _no_secret(name: str) -> str:
    return f"there is no Secret {name}"


def next_step(examination: Examination, secret: str, key: str | None, workload: SecretReader | None = None) -> str:
    """Return what brings a Secret or a key that is missing, or where its reference stands."""
    environment, declared = examination.environment, named(examination).get(secret)
    if declared in examination.broken:
        return f"mend {secret} first; see above: {examination.broken[declared]}"
    if declared is not None and (key is None or key in environment.secrets[declared].keys):
        return f"kubectl ksecret sync {environment.name} {declared}"
    for other in examination.neighbours:
        if secret in other.secrets and (key is None or key in other.secrets[secret].keys):
            address = secret if key is None else f"{secret}/{key}"
            return f"kubectl ksecret doctor {other.name} {address}, which declares it"
    subjects = {document.subject for document in examination.deployment.objects}
    if workload is None or not subjects or workload.document.subject in subjects:
        return f"kubectl ksecret check {environment.name}"
    return f"kubectl edit {workload.name} --namespace={examination.namespace}"


def _not_deployed(examination: Examination) -> Iterator[Step]:
    further = examination.environment.overlay.spec.references
    for document in examination.deployment.objects:
        resources = _RESOURCES.get(document.subject.kind)
        if resources is None or document.group != resources.group:
            continue
        if not any(is_looked_at(examination, read) for read in reads(document, further)):
            continue
        try:
            live = {workload["metadata"]["name"] for workload in examination.all(resources, examination.namespace)}
        except Refused:
            continue
        if document.subject.name not in live:
            yield Step(
                question=_ROUTES,
                subject=_full_name(document),
                verdict="not applicable",
                cause="it is built, and not in the cluster",
            )


def _paused(examination: Examination) -> Iterator[Step]:
    for kind in ("Deployment", "Rollout"):
        try:
            workloads = readers_of(examination, kind)
        except Refused:
            continue  # the question before this one said so
        for workload in workloads:
            if workload.document.at("spec", "paused") is True:
                plain_name = workload.name.replace(".apps/", "/")
                command = f"kubectl rollout resume {plain_name} --namespace={examination.namespace}"
                if kind == "Rollout":
                    name = workload.document.subject.name
                    command = f"kubectl argo rollouts promote {name} --namespace={examination.namespace}"
                yield Step(
                    question=_PAUSED,
                    subject=workload.name,
                    verdict="failed",
                    cause="it is paused, so sync can't restart it, and its pods keep the values that they have",
                    remedy=command,
                )


QUESTIONS = (Question(_ROUTES, _ways), Question(_PAUSED, _paused))
