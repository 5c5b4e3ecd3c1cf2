"""What is left to do in the cluster once an environment has another backend: the Secret must be there all the time."""

from collections.abc import Iterator, Mapping

from ..backends import backend_of
from ..errors import InputError, Refusal
from ..frozen import Record
from ..model.resolution import Environment
from .deployment import deployment


class Instruction(Record):
    """One step to take: why, and the command."""

    reason: str
    command: str


class StandingObjects(Record):
    """The objects that stand for the Secrets, as they are deployed; `is_sure` if the build says so."""

    resource: str
    names: Mapping[str, str]
    namespace: str
    is_sure: bool

    @property
    def unfinalizing(self) -> str:
        """Return the command after which nothing is done when they are deleted."""
        patch = """--type=merge --patch='{"metadata": {"finalizers": null}}'"""
        return f"kubectl patch {self.resource} {' '.join(self.names.values())} --namespace={self.namespace} {patch}"

    @property
    def orphaning(self) -> str:
        """Return the command that deletes them, and leaves the Secrets."""
        names = " ".join(self.names.values())
        return f"kubectl delete {self.resource} {names} --namespace={self.namespace} --cascade=orphan"


def standing(environment: Environment) -> StandingObjects | None:
    """Return what stands for the Secrets as long as the old manifests are there; None if they stand for themselves."""
    backend = backend_of(environment)
    if backend.kind == "Secret":
        return None
    names, namespace, is_sure = dict.fromkeys(environment.secrets, ""), environment.namespace, True
    try:
        deployed = deployment(environment)
    except (InputError, Refusal):
        is_sure = False
    else:
        names = {name: secret.document.subject.name for name, secret in deployed.secrets.items()}
        namespace = deployed.namespace
    return StandingObjects(
        resource=f"{backend.kind.lower()}.{backend.group}",
        names={name: names.get(name) or name for name in environment.secrets},
        namespace=namespace,
        is_sure=is_sure,
    )


def instructions(before: Environment, after: Environment, old: StandingObjects | None) -> list[Instruction]:
    """Return what to do after a migration, in this order. Nothing has to be done where the backend stays."""
    if type(before.backend) is type(after.backend):
        return [Instruction(reason="Deliver it", command=f"kubectl ksecret sync {after.name}")]
    steps = [] if old is None else list(_freeing(before, old))
    if after.backend.field == "vaultSecretsOperator":
        folder = after.project.name(after.path(after.overlay.spec.kustomization))
        reason = "Apply how the operator signs in; it leaves the Secrets alone until the next step"
        steps.append(Instruction(reason=reason, command=f"kubectl apply --server-side -k {folder}"))
    reason = "Let the new ones take the Secrets over, in place"
    steps.append(Instruction(reason=reason, command=f"kubectl ksecret sync {after.name} --adopt"))
    if before.backend.field == "ackSecretManager":
        steps.append(
            Instruction(reason="Start the operator again, with as many replicas as before", command=_scaled(1))
        )
    return steps


def _freeing(before: Environment, old: StandingObjects) -> Iterator[Instruction]:
    """Yield how the old objects go and their Secrets stay."""
    if before.backend.field == "ackSecretManager":
        # Its finalizer deletes the Secret with its ExternalSecret, and it puts the finalizer back at every change.
        reason = (
            "The operator would delete the Secrets with their old objects: stop it, and wait until its pods are gone"
        )
        yield Instruction(reason=reason, command=_scaled(0))
        yield Instruction(reason="Take its finalizer off", command=old.unfinalizing)
    reason = "With Argo CD or Flux suspended until this is committed, free the Secrets of their old objects"
    unsure = "" if old.is_sure else " (the kustomization can't be built, so a prefix of names is not in this)"
    yield Instruction(reason=reason + unsure, command=old.orphaning)


def _scaled(replicas: int) -> str:
    return f"kubectl scale deployment ack-secret-manager --namespace=kube-system --replicas={replicas}"
