"""How a store names another object, such as the Secret that holds its credentials."""

from ...model.kubernetes import Object
from ...model.resolution import Environment
from ...model.types.stores import Store


def namespace_of(environment: Environment, store: Store) -> Object:
    """Return the namespace that a reference must state: a store of the whole cluster says where the object lies."""
    return {"namespace": environment.namespace} if store.kind == "ClusterSecretStore" else {}
