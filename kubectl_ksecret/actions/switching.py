"""What is left to do in the cluster once an environment has another backend: the Secret must be there all the time."""

from collections.abc import Sequence

from ..backends import backend_of
from ..frozen import Record
from ..model.backend import Backend
from ..model.resolution import Environment


class Instruction(Record):
    """One step to take: why, and the command."""

    reason: str
    command: str


def instructions(before: Environment, after: Environment) -> list[Instruction]:
    """Return what to do after a migration, in this order. Nothing has to be done where the backend stays."""
    old, new = backend_of(before), backend_of(after)
    if type(before.backend) is type(after.backend):
        return [Instruction(reason="Deliver it", command=f"kubectl ksecret sync {after.name}")]
    steps = []
    if _stands_for_secrets(old):
        steps.append(
            Instruction(
                reason="With Argo CD or Flux suspended until this is committed, free the Secrets of their old objects",
                command=_orphaning(before, old),
            )
        )
    if new.kind in ("ExternalSecret", "SealedSecret", "Secret"):
        reason = "Let the new ones take the Secrets over, in place"
        steps.append(Instruction(reason=reason, command=f"kubectl ksecret sync {after.name} --adopt"))
    else:
        folder = after.project.name(after.path(after.overlay.spec.kustomization))
        reason = f"Apply the new ones, once {after.backend.operator} may overwrite the Secrets"
        steps.append(Instruction(reason=reason, command=f"kubectl apply --server-side -k {folder}"))
    return steps


def _stands_for_secrets(backend: Backend) -> bool:
    """Whether an object other than the Secret itself owns it."""
    return backend.kind != "Secret"


def _orphaning(environment: Environment, backend: Backend) -> str:
    names: Sequence[str] = list(environment.secrets)
    resource = f"{backend.kind.lower()}.{backend.group}"
    return f"kubectl delete {resource} {' '.join(names)} --namespace={environment.namespace} --cascade=orphan"
