"""The stores that External Secrets Operator reads: one module for each of its providers that an overlay can set up."""

from collections.abc import Sequence
from typing import Protocol

from ...manifests.metadata import metadata
from ...model.kubernetes import OPERATOR, STORES, Object
from ...model.resolution import Environment
from ...model.types.backends import ExternalSecret
from ...model.types.stores import AUTHS_OF, Store
from .azurekv import AzureKeyVaultProvider
from .vault import VaultProvider

Fields = tuple[tuple[str, str], ...]


class Provider(Protocol):
    """A provider of External Secrets Operator.

    `name` is that in the store's spec.provider. `secret_paths` and `account_paths` lead from there to the names of the
    Secrets and the ServiceAccounts with which a store signs in, as kustomize writes paths.
    """

    name: str
    secret_paths: Sequence[str]
    account_paths: Sequence[str]

    def render(self, environment: Environment, store: Store) -> Object:
        """Return what the store's spec.provider holds. Raises InputError if a file that it needs can't be read."""


# By the field of the source.
PROVIDERS: dict[str, Provider] = {"azureKeyVault": AzureKeyVaultProvider(), "vault": VaultProvider()}
if lacking := AUTHS_OF.keys() - PROVIDERS.keys():
    raise ImportError(f"nothing renders the stores of {', '.join(sorted(lacking))}")


def store(environment: Environment, backend: ExternalSecret) -> Object:
    """Return the store of an overlay that says how it signs in."""
    source = environment.source
    if source is None:
        raise AssertionError("the model lets only sources through that ESO reads")
    provider = PROVIDERS[source.kind.field]
    stated = metadata(environment, backend.store.name, backend.metadata)
    if backend.store.kind == "ClusterSecretStore":
        stated.pop("namespace")
    return {
        "apiVersion": f"{OPERATOR}/v1",
        "kind": backend.store.kind,
        "metadata": stated,
        "spec": {"provider": {provider.name: provider.render(environment, backend.store)}},
    }


def secret_fields() -> Fields:
    """Return the fields in which a store names the Secrets that hold its credentials."""
    return tuple(
        (kind, f"spec/provider/{provider.name}/{path}")
        for kind in STORES
        for provider in PROVIDERS.values()
        for path in provider.secret_paths
    )


def account_fields() -> Fields:
    """Return the fields in which a store names the ServiceAccount as which it signs in."""
    return tuple(
        (kind, f"spec/provider/{provider.name}/{path}")
        for kind in STORES
        for provider in PROVIDERS.values()
        for path in provider.account_paths
    )
