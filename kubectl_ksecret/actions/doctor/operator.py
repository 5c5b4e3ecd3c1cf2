"""External Secrets Operator itself: whether the cluster serves its objects, and whether its controller runs."""

from collections.abc import Iterator, Sequence

from ...cluster.arrival import condition
from ...cluster.resources import DEPLOYMENTS, EXTERNAL_SECRETS, PODS, STATEFUL_SETS, Resources
from ...model.kubernetes import OPERATOR, Object
from .examination import Examination, Question, Step, Verdict

_SERVED, _RUNNING = "External Secrets Operator is installed", "its controller runs"
# The label that every release of the chart gives to the controller; its webhook has another one.
LABEL = "app.kubernetes.io/name=external-secrets"
_CHART = "helm upgrade --install external-secrets external-secrets --repo https://charts.external-secrets.io"
_INSTALL = f"{_CHART} --namespace external-secrets --create-namespace"


def _served(examination: Examination) -> Iterator[Step]:
    group = examination.find(Resources(OPERATOR, "", "").cluster_wide()) or {}
    versions = [str(version.get("version")) for version in group.get("versions") or ()]
    version = EXTERNAL_SECRETS.version
    if version in versions:
        yield _of_group("passed", f"it serves {OPERATOR}/{version}")
    elif versions:
        cause = f"it serves {OPERATOR}/{', '.join(versions)} alone; {version} came with External Secrets Operator 0.16"
        yield _of_group("failed", cause, f"upgrade it, such as with: {_CHART} --namespace external-secrets")
    else:
        yield _of_group("failed", f"the cluster does not serve {OPERATOR}", _INSTALL)


def _of_group(verdict: Verdict, cause: str, remedy: str = "") -> Step:
    subject = f"apiservice/{EXTERNAL_SECRETS.version}.{OPERATOR}"
    return Step(question=_SERVED, subject=subject, verdict=verdict, cause=cause, remedy=remedy)


def _running(examination: Examination) -> Iterator[Step]:
    pods = controller_pods(examination)
    for pod in pods:
        yield _of_pod(pod)
    if pods:
        return
    workloads = [
        (kind, workload)
        for kind, resources in (("deployment", DEPLOYMENTS), ("statefulset", STATEFUL_SETS))
        for workload in examination.all(resources, selector=LABEL)
    ]
    for kind, workload in workloads:
        yield _without_pods(kind, workload)
    if not workloads:
        cause = f"no pod of the cluster has the label {LABEL}"
        remedy = f"kubectl get pods --all-namespaces --selector={LABEL}"
        yield Step(question=_RUNNING, subject="pod", verdict="unknown", cause=cause, remedy=remedy)


def _of_pod(pod: Object) -> Step:
    metadata, status = pod["metadata"], pod.get("status") or {}
    ready = condition(status, "Ready").get("status") == "True"
    waiting = [
        str(reason)
        for container in status.get("containerStatuses") or ()
        if (reason := ((container.get("state") or {}).get("waiting") or {}).get("reason"))
    ]
    cause = f"in namespace {metadata['namespace']}"
    if not ready:
        cause += f", not ready: {', '.join(waiting) or status.get('phase') or 'it has no status'}"
    return Step(
        question=_RUNNING,
        subject=f"pod/{metadata['name']}",
        verdict="passed" if ready else "failed",
        cause=cause,
        remedy="" if ready else f"kubectl describe pod {metadata['name']} --namespace={metadata['namespace']}",
    )


def _without_pods(kind: str, workload: Object) -> Step:
    name, namespace = workload["metadata"]["name"], workload["metadata"]["namespace"]
    scaled_down = workload["spec"].get("replicas") == 0
    return Step(
        question=_RUNNING,
        subject=f"{kind}.apps/{name}",
        verdict="failed",
        cause=f"in namespace {namespace}, {'scaled to 0' if scaled_down else 'it has no pod'}",
        remedy=f"kubectl scale {kind} {name} --namespace={namespace} --replicas=1"
        if scaled_down
        else f"kubectl describe {kind} {name} --namespace={namespace}",
    )


def controller_pods(examination: Examination) -> Sequence[Object]:
    """Return the pods of the controller. Raises Refused without the right to list pods of all namespaces."""
    return examination.all(PODS, selector=LABEL)


QUESTIONS = (Question(_SERVED, _served), Question(_RUNNING, _running))
