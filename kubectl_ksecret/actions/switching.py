"""What is left to do in the cluster once an environment has another backend: the Secret must be there all the time."""

from collections.abc import Iterator, Mapping, Sequence

from ..backends import backend_of
from ..errors import InputError, Mistake, Refusal
from ..frozen import Record
from ..model.resolution import Environment
from .deployment import deployment


class Instruction(Record):
    """One step to take: why, and the command."""

    reason: str
    command: str


class StandingObjects(Record):
    """What is deployed before a migration; `is_sure` if the build says so.

    `resource` is the kind of the objects that stand for the Secrets, empty if these stand for themselves; `names` are
    those of the objects, and `stores` what their operator reads a vault through, both as they are deployed.
    """

    resource: str
    names: Mapping[str, str]
    namespace: str
    stores: Sequence[str]
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


def standing(environment: Environment) -> StandingObjects:
    """Return what is deployed as long as the old manifests are there."""
    backend = backend_of(environment)
    names, namespace, stores, is_sure = dict[str, str](), environment.namespace, list[str](), True
    try:
        deployed = deployment(environment)
    except (InputError, Refusal):
        is_sure = False
    else:
        names = {name: secret.document.subject.name for name, secret in deployed.secrets.items()}
        namespace = deployed.namespace
        # One of the whole cluster has other readers. What names another one goes first.
        stores = [store.name for store in reversed(deployed.stores) if not store.kind.is_cluster_wide]
    return StandingObjects(
        resource="" if backend.kind == "Secret" else f"{backend.kind.lower()}.{backend.group}",
        names={name: names.get(name, name) for name in environment.secrets},
        namespace=namespace,
        stores=stores,
        is_sure=is_sure,
    )


def refuse_other_names(after: Environment, old: StandingObjects) -> None:
    """Raise InputError if the new Secrets would have other names, or be elsewhere: what reads them would not follow.

    What no build has follows no prefix and no namespace of a kustomization.
    """
    if after.backend.commits:
        return
    place, field = after.overlay.spec.origin.at("kustomization"), after.backend.field
    if renamed := next((name for name, live in old.names.items() if live != name), None):
        message = f"{renamed} is deployed as {old.names[renamed]}, and with {field} it would be {renamed}"
        raise InputError(Mistake(message, place, "take the prefix or suffix away, or choose another backend"))
    if old.namespace != after.namespace:
        message = f"{after.name} is deployed to {old.namespace}, and with {field} it would be to {after.namespace}"
        raise InputError(Mistake(message, place, f"write namespace: {old.namespace} in the overlay first"))


def instructions(before: Environment, after: Environment, old: StandingObjects) -> list[Instruction]:
    """Return what to do after a migration, in this order. Nothing has to be done where the backend stays."""
    if type(before.backend) is type(after.backend):
        return [Instruction(reason="Deliver it", command=f"kubectl ksecret sync {after.name}")]
    steps = list(_freeing(before, old)) if old.resource else []
    reason = "Let the new ones take the Secrets over, in place"
    steps.append(Instruction(reason=reason, command=f"kubectl ksecret sync {after.name} --adopt"))
    if before.backend.field == "ackSecretManager":
        steps.append(
            Instruction(reason="Start the operator again, with as many replicas as before", command=_scaled(1))
        )
    if old.stores:
        command = f"kubectl delete {' '.join(old.stores)} --namespace={old.namespace}"
        reason = "Unless anything else reads through it, take away what the operator read the old source by"
        steps.append(Instruction(reason=reason, command=command))
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
