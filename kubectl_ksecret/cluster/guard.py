"""The cluster that an overlay belongs to: known by the UID of its namespace there.

A user with rights in one namespace alone can read that, and no two clusters have a namespace of the same UID.
"""

from ..errors import InputError, Mistake, shown
from ..model.resolution import Environment
from .api import Api, without_namespace
from .resources import NAMESPACES


def namespace_uid(api: Api, namespace: str) -> str:
    """Return the UID of a namespace. Raises InputError if this cluster has none of the name, Refusal as Api does."""
    live = api.find(NAMESPACES.cluster_wide(namespace))
    if live is None:
        hint = without_namespace(namespace)
        raise InputError(Mistake(f"the cluster at {api.server} has no namespace {namespace}", hint=hint))
    return str(live["metadata"]["uid"])


def belongs(environment: Environment, api: Api, namespace: str) -> bool:
    """Whether an overlay is pinned to this cluster."""
    cluster = environment.overlay.spec.cluster
    live = api.find(NAMESPACES.cluster_wide(namespace)) if cluster is not None else None
    return cluster is not None and live is not None and live["metadata"]["uid"] == cluster.uid


def refuse_another_cluster(environment: Environment, api: Api, namespace: str) -> None:
    """Raise InputError if the overlay is pinned to a cluster and this is another one."""
    cluster = environment.overlay.spec.cluster
    if cluster is None or namespace_uid(api, namespace) == cluster.uid:
        return
    message = f"overlay {environment.name} belongs to another cluster than the one at {api.server}"
    hint = f"choose its cluster with --context; after a move: kubectl ksecret cluster pin {shown(environment.name)}"
    raise InputError(Mistake(message, cluster.origin.at("uid"), hint))


def refuse_another_namespace(api: Api, namespace: str) -> None:
    """Raise InputError if `-n` names another namespace than the one that is deployed to, as kubectl does."""
    named = api.settings.flags.namespace
    if named is not None and named != namespace:
        raise InputError(Mistake(f"the overlay is deployed to {namespace}, not to {shown(named)}", hint="leave out -n"))
