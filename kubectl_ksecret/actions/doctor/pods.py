"""The pods: those that wait for a Secret or a key, and those that hold older values than the Secret."""

import re
from collections.abc import Iterator, Sequence

from ...cluster.api import FIELD_MANAGER
from ...cluster.ownership import data_written
from ...cluster.resources import PODS
from ...cluster.secrets import SecretMetadata
from ...errors import printable, shown
from ...frozen import Record
from ...objects.documents import Document
from ...objects.reads import SecretRead, reads
from .examination import Examination, Question, Step
from .routes import Route, routes
from .workloads import is_looked_at, live_of, named, next_step

_START = "each pod starts"
_PRESENT = "each container has the present values"
_CONFIGURATION = "CreateContainerConfigError"
# As the kubelet words it, in the status of a container or in an Event of its pod.
_NO_KEY = re.compile(r"couldn't find key (?P<key>\S+) in Secret [^/\s]+/(?P<secret>\S+)")
_NO_SECRET = re.compile(r'secret "(?P<secret>[^"]+)" not found')
_NO_FILE = re.compile(
    r'MountVolume\.SetUp failed for volume "(?P<volume>[^"]+)" *: references non-existent secret key: (?P<key>\S+)'
)
_NO_CREDENTIALS = re.compile(r"Unable to retrieve some image pull secrets \((?P<secret>[^),]+)[^)]*\)")


class Lack(Record):
    """What a pod waits for, and how the kubelet says it."""

    secret: str
    key: str | None
    message: str


def _starting(examination: Examination) -> Iterator[Step]:
    waiting = 0
    for pod in _reading_pods(examination):
        lack = _lack(examination, pod)
        if lack is None:
            continue
        waiting += 1
        name, namespace = pod.subject.name, examination.namespace
        _, keys = live_of(examination, lack.secret)
        is_there = keys is not None and (lack.key is None or lack.key in keys)
        cause, remedy = lack.message, next_step(examination, lack.secret, lack.key)
        if is_there:
            cause += "; it is there now, and the kubelet tries again by itself"
            remedy = f"kubectl wait --for=condition=Ready pod/{name} --namespace={namespace} --timeout=3m"
        yield Step(question=_START, subject=f"pod/{name}", verdict="failed", cause=cause, remedy=remedy)
    if not waiting:
        cause = "no pod waits for a Secret or a key"
        yield Step(question=_START, subject=f"namespace/{examination.namespace}", verdict="passed", cause=cause)


def _reading_pods(examination: Examination) -> Iterator[Document]:
    """Yield the pods of the namespace that read what the user asks about."""
    for live in examination.all(PODS, examination.namespace):
        if live["metadata"].get("deletionTimestamp"):
            continue
        document = Document("", None, {"apiVersion": "v1", "kind": "Pod", **live})
        if any(_looked_at(examination, document)):
            yield document


def _looked_at(examination: Examination, pod: Document) -> Iterator[SecretRead]:
    return (read for read in reads(pod) if is_looked_at(examination, read))


def _lack(examination: Examination, pod: Document) -> Lack | None:
    """Return what a pod waits for: by the status of a container, or, where a volume is missing, by its last Event."""
    status = pod.object.get("status") or {}
    waiting = [
        state["waiting"]
        for field in ("initContainerStatuses", "containerStatuses")
        for container in status.get(field) or ()
        if "waiting" in (state := container.get("state") or {})
    ]
    for state in waiting:
        if state.get("reason") == _CONFIGURATION and (lack := _worded(pod, str(state.get("message") or ""))):
            return lack
    if status.get("phase") != "Pending" and not waiting:
        return None
    for event in reversed(examination.events(pod.object)):
        if event.get("reason") in ("FailedMount", "FailedToRetrieveImagePullSecret"):
            return _worded(pod, str(event.get("message") or ""))
    return None


def _worded(pod: Document, message: str) -> Lack | None:
    """Return what a message of the kubelet says is missing. Only the sentence that is known is shown of it."""
    if match := _NO_KEY.search(message):
        return Lack(secret=match["secret"], key=match["key"], message=printable(match.group()))
    if match := _NO_FILE.search(message):
        secret = next((read.secret for read in reads(pod) if read.key == match["key"]), "")
        return Lack(secret=secret, key=match["key"], message=printable(match.group())) if secret else None
    if match := _NO_SECRET.search(message) or _NO_CREDENTIALS.search(message):
        return Lack(secret=match["secret"], key=None, message=printable(match.group()))
    return None


class _Stale(Record):
    """A container that was started before what it reads was written."""

    pod: str
    container: str
    started: str
    route: Route
    written: str
    writer: str


def _present(examination: Examination) -> Iterator[Step]:
    by_workload: dict[str, list[_Stale]] = {}
    looked_at = 0
    for pod in _reading_pods(examination):
        if _owner(pod).startswith("job.batch/"):
            continue  # it runs to its end with what it was started with
        # A pod that waits for a Secret is another question.
        looked_at += any(_live(examination, read) for read in _looked_at(examination, pod))
        if stale := list(_stale(examination, pod)):
            by_workload.setdefault(_owner(pod), []).extend(stale)
    for workload, containers in by_workload.items():
        yield Step(
            question=_PRESENT,
            subject=workload,
            verdict="failed",
            cause=_older(containers),
            remedy=_restart(examination, workload, sorted({stale.pod for stale in containers})),
        )
    if looked_at and not by_workload:
        pods = "1 pod" if looked_at == 1 else f"{looked_at} pods"
        cause = f"{pods} looked at: each started after its Secrets were last written, or follows them"
        yield Step(question=_PRESENT, subject=f"namespace/{examination.namespace}", verdict="passed", cause=cause)


def _live(examination: Examination, read: SecretRead) -> SecretMetadata | None:
    """Return the Secret that is read, if it is one of those that are looked at."""
    declared = named(examination).get(read.secret)
    secret = examination.secrets.get(declared) if declared else None
    return examination.live(secret) if secret else None


def _stale(examination: Examination, pod: Document) -> Iterator[_Stale]:
    """Find the containers that keep what they were started with, and were started before the Secret was written.

    A container that restarts within its pod gets the present values, so its own start counts, not the pod's.
    """
    started = {
        container["name"]: state["running"].get("startedAt") or ""
        for container in (pod.object.get("status") or {}).get("containerStatuses") or ()
        if "running" in (state := container.get("state") or {})
    }
    for read in _looked_at(examination, pod):
        live = _live(examination, read)
        for route in routes(pod, read, live.keys) if live else ():
            time, writer = _written(live, route) if live else ("", "")
            if route.fixed and started.get(route.container, "~") < time:
                yield _Stale(
                    pod=pod.subject.name,
                    container=route.container,
                    started=started[route.container],
                    route=route,
                    written=time,
                    writer=writer,
                )


def _written(live: SecretMetadata, route: Route) -> tuple[str, str]:
    """Return when what is read was last written, and by whom.

    managedFields says it of the Secret as a whole: a Secret that is written again with the same values counts as well.
    Of one that `sync` makes the record says it of each key, since `sync` itself writes the Secret twice: the entry in
    managedFields moves when it notes that the readers have restarted.
    """
    written = data_written(live.object)
    if written[1] != FIELD_MANAGER or live.restarting:
        return written
    entries = live.record
    times = [entries[key].time for key in (live.keys if route.key is None else (route.key,)) if key in entries]
    # The record has the clock of whoever ran `sync`, which may be ahead of the cluster's.
    return min(max(times, default=""), written[0]), written[1]


def _older(containers: Sequence[_Stale]) -> str:
    first = containers[0]
    pods = {stale.pod for stale in containers}
    count = f"; {len(pods)} pods are older" if len(pods) > 1 else ""
    targets = ", ".join(sorted({stale.route.target for stale in containers if stale.pod == first.pod}))
    return (
        f"{first.pod} started at {first.started}, before {first.route.secret} was last written, at {first.written} by "
        f"{first.writer}: {targets} may hold older values{count}"
    )


def _owner(pod: Document) -> str:
    """Return what makes a pod, as kubectl names it, without a request: a ReplicaSet's name has its hash."""
    labels = pod.metadata.get("labels") or {}
    for owner in pod.metadata.get("ownerReferences") or ():
        name, kind = shown(str(owner.get("name"))), str(owner.get("kind"))
        group = str(owner.get("apiVersion")).rpartition("/")[0]
        if kind == "ReplicaSet":
            if rollout := labels.get("rollouts-pod-template-hash"):
                return f"rollout.argoproj.io/{name.removesuffix(f'-{rollout}')}"
            if template := labels.get("pod-template-hash"):
                return f"deployment.apps/{name.removesuffix(f'-{template}')}"
        return f"{shown(kind.lower())}{'.' if group else ''}{shown(group)}/{name}"
    return f"pod/{pod.subject.name}"


def _restart(examination: Examination, workload: str, pods: Sequence[str]) -> str:
    """Return the command after which new pods take the place of some; what makes them may be of any kind."""
    kind, _, name = workload.partition("/")
    flag = f"--namespace={examination.namespace}"
    if kind == "pod":
        return f"kubectl delete pod {name} {flag}\nmake it again: nothing owns it"
    if kind == "rollout.argoproj.io":
        return f"kubectl argo rollouts restart {name} {flag}"
    if kind in ("deployment.apps", "statefulset.apps", "daemonset.apps"):
        return f"kubectl rollout restart {kind.removesuffix('.apps')}/{name} {flag}"
    return f"kubectl delete pod {' '.join(pods)} {flag}, if {workload} makes others in their place"


QUESTIONS = (Question(_START, _starting), Question(_PRESENT, _present))
