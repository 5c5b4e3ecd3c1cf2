"""The pods of a controller, whichever it is: why they do not run, and what brings them back."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ...cluster.arrival import condition
from ...cluster.resources import DEPLOYMENTS, STATEFUL_SETS, Resources
from ...errors import shown
from ...model.kubernetes import Object

# What may make a controller's pods, as kubectl names it.
KINDS: Mapping[str, Resources] = {"deployment": DEPLOYMENTS, "statefulset": STATEFUL_SETS}


class Standstill(NamedTuple):
    """Why a controller does not run, and the command for it."""

    cause: str
    remedy: str


def of_pod(pod: Object) -> Standstill | None:
    """Return why a pod is not ready, or None if it is."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    if condition(status, "Ready").get("status") == "True":
        return None
    reasons = ", ".join(waiting_for(pod)) or shown(str(status.get("phase") or "it has no status"))
    return Standstill(f"not ready: {reasons}", f"kubectl describe pod {metadata['name']} {_in(pod)}")


def waiting_for(pod: Object) -> Iterator[str]:
    """Yield the reasons for which containers of a pod wait, such as CrashLoopBackOff."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason")
        if reason:
            yield shown(str(reason))


def without_pods(kind: str, workload: Object) -> Standstill:
    """Return why a workload has no pod, as what is said of it; `kind` is as kubectl takes it, such as deployment."""
    name = f"{kind}/{workload['metadata']['name']}"
    if (workload.get("spec") or {}).get("replicas") == 0:
        return Standstill("is scaled to 0", f"kubectl scale {name} {_in(workload)} --replicas=1")
    return Standstill("has no pod", f"kubectl describe {name} {_in(workload)}")


def _in(live: Object) -> str:
    return f"--namespace={live['metadata']['namespace']}"
