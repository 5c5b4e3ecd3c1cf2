"""The workloads of a namespace that read Secrets: restarting them as each kind wants it, and their roll-outs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ..frozen import Record
from ..model.kubernetes import Object
from ..model.types.overlay import SecretReference
from ..objects.documents import Document
from ..objects.reads import reads
from .api import MERGE, Api
from .arrival import Outcome, View
from .resources import DAEMON_SETS, DEPLOYMENTS, ROLLOUTS, STATEFUL_SETS, Resources, Target

RESTARTED = "kubectl.kubernetes.io/restartedAt"


class Kind(NamedTuple):
    """A kind of workload: how it is restarted, and why a roll-out of it is not complete yet."""

    name: str
    resources: Resources
    restart: Callable[[Object, str], Object]
    pending: Callable[[Object], str]


class Workload(Record):
    """A workload that reads Secrets, and which; an optional key counts too."""

    kind: Kind
    object: Object
    secrets: Collection[str]

    @property
    def name(self) -> str:
        """Its name, as kubectl prints it: deployment.apps/backend."""
        group = self.kind.resources.group
        return f"{self.kind.name.lower()}.{group}/{self.object['metadata']['name']}"

    @property
    def target(self) -> Target:
        """The target of requests about it."""
        metadata = self.object["metadata"]
        return self.kind.resources.among(metadata["namespace"], metadata["name"])


def readers(api: Api, namespace: str, secrets: Collection[str], further: Sequence[SecretReference]) -> list[Workload]:
    """Return the workloads that read any of these Secrets. A kind that the cluster does not serve has none."""
    workloads = []
    for kind in KINDS:
        for live in _all(api, kind, namespace):
            # What is listed has no apiVersion and kind of its own.
            workload = {"apiVersion": _version(kind), "kind": kind.name, **live}
            if names := {read.secret for read in reads(Document("", None, workload), further)} & {*secrets}:
                workloads.append(Workload(kind=kind, object=workload, secrets=sorted(names)))
    return workloads


def kind_of(document: Document) -> Kind | None:
    """Return the kind of an object, if it is a workload that can be restarted."""
    return next(
        (kind for kind in KINDS if (kind.resources.group, kind.name) == (document.group, document.subject.kind)), None
    )


def restart(api: Api, workload: Workload, time: str, *, dry_run: bool = False) -> Outcome | None:
    """Restart a workload. Returns why it can't be restarted, if it can't."""
    if obstacle := _obstacle(workload):
        return Outcome(state="failed", cause=obstacle)
    api.patch(workload.target, workload.kind.restart(workload.object, time), MERGE, dry_run=dry_run)
    return None


def _obstacle(workload: Workload) -> str:
    """Return why the pods of a workload can't be made anew, and the commands that do it; nothing if they can."""
    spec, namespace = workload.object.get("spec") or {}, workload.object["metadata"]["namespace"]
    # Of a Deployment alone: Argo Rollouts restarts the pods of a paused Rollout too.
    if workload.kind.resources == DEPLOYMENTS and spec.get("paused") is True:
        name = workload.name.replace(".apps", "")
        steps = (f"kubectl rollout {verb} {name} --namespace={namespace}" for verb in ("resume", "restart"))
        return f"it is paused, so its pods keep the old values: {' && '.join(steps)}"
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        labels = (spec.get("selector") or {}).get("matchLabels") or {}
        selector = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
        # kubectl may wait for ever for a pod that a StatefulSet has made anew under its name.
        deletion = f"kubectl delete pods --selector={selector} --namespace={namespace} --wait=false"
        return f"its updateStrategy is OnDelete, so its pods keep the old values: {deletion}"
    return ""


class RollOut:
    """The roll-out of a workload that was restarted."""

    def __init__(self, api: Api, workload: Workload) -> None:
        self._api, self._workload = api, workload
        self._pending = "it was restarted"

    def look(self, view: View) -> Outcome | None:
        """Return the outcome once all pods are new ones and available."""
        live = self._api.find(self._workload.target)
        if live is None:
            return Outcome(state="failed", cause="somebody deleted it")
        status = live.get("status") or {}
        if status.get("observedGeneration", 0) in (live["metadata"]["generation"], str(live["metadata"]["generation"])):
            self._pending = self._workload.kind.pending(live)
            if not self._pending:
                return Outcome(state="arrived")
            if failure := _given_up(status):
                return Outcome(state="failed", cause=failure)
        return None

    def give_up(self, view: View) -> Outcome:
        """Return what the roll-out waits for."""
        return Outcome(state="failed", cause=f"the roll-out is not complete: {self._pending}")


def _all(api: Api, kind: Kind, namespace: str) -> list[Object]:
    if kind.resources.group != DEPLOYMENTS.group and not api.serves(kind.resources):
        return []
    return api.all(kind.resources.among(namespace))


def _version(kind: Kind) -> str:
    return f"{kind.resources.group}/{kind.resources.version}"


def _annotate_template(_workload: Object, time: str) -> Object:
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED: time}}}}}


def _restart_at(_workload: Object, time: str) -> Object:
    return {"spec": {"restartAt": time}}


def _given_up(status: Object) -> str:
    conditions: Sequence[Mapping[str, str]] = status.get("conditions") or ()
    for condition in conditions:
        if (condition.get("type"), condition.get("reason")) == ("Progressing", "ProgressDeadlineExceeded"):
            return "the roll-out exceeded its progress deadline"
    return ""


def _deployment_pending(live: Object) -> str:
    desired, status = live["spec"].get("replicas", 1), live.get("status") or {}
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    if updated < desired:
        return f"{updated} of {desired} pods are new"
    if total > updated:
        return f"{total - updated} old pods are still there"
    return f"{available} of {updated} new pods are available" if available < updated else ""


def _stateful_set_pending(live: Object) -> str:
    spec, status = live["spec"], live.get("status") or {}
    desired, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    strategy = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    new = desired - (strategy.get("partition") or 0)
    updated = status.get("updatedReplicas", 0)
    if updated < new:
        return f"{updated} of {new} pods are new"
    return f"{ready} of {desired} pods are ready" if ready < desired else ""


def _daemon_set_pending(live: Object) -> str:
    status = live.get("status") or {}
    desired = status.get("desiredNumberScheduled", 0)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    if updated < desired:
        return f"{updated} of {desired} pods are new"
    return f"{available} of {desired} pods are available" if available < desired else ""


def _rollout_pending(live: Object) -> str:
    status = live.get("status") or {}
    if status.get("restartedAt") != live["spec"].get("restartAt"):
        return "Argo Rollouts has not restarted all pods"
    # A roll-out that waits for somebody at one of its steps is none of ours: all its pods are new ones.
    return "" if status.get("phase") in ("Healthy", "Paused") else f"its phase is {status.get('phase', 'unknown')}"


KINDS = (
    Kind("Deployment", DEPLOYMENTS, _annotate_template, _deployment_pending),
    Kind("StatefulSet", STATEFUL_SETS, _annotate_template, _stateful_set_pending),
    Kind("DaemonSet", DAEMON_SETS, _annotate_template, _daemon_set_pending),
    # Argo Rollouts restarts pods without a new ReplicaSet.
    Kind("Rollout", ROLLOUTS, _restart_at, _rollout_pending),
)
