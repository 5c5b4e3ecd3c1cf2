"""What a backend has for one Secret alone, as an overlay states it: one type for each backend that has any."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Literal

from ...errors import Mistake
from .backends import BackendSpec, ExternalSecret, ManifestMetadata, scopes_refused
from .names import Duration, Name
from .origin import Alternative, Stated
from .policies import CreationPolicy, DeletionPolicy, RefreshPolicy, Scope, policies_refused


class BackendOverride(Alternative):
    """What a backend has for one Secret alone.

    metadata: Metadata of its manifest, over that of all.
    """

    metadata: ManifestMetadata | None = None

    @property
    def field(self) -> str:
        """Return the name of the backend that it is of."""
        return next(name for name, type_ in OVERRIDES.items() if type_ is type(self))

    @property
    def object_name(self) -> str | None:
        """Return the name of the object, where it is not the Secret's."""
        return None

    @property
    def reads_elsewhere(self) -> bool:
        """Return whether the values do not come from the overlay's source."""
        return False

    @abstractmethod
    def mistakes(self, backend: BackendSpec) -> Iterator[Mistake]:
        """Find what is wrong with it over a backend of its own type."""


class StoreReference(Stated):
    """Another store, which exists already.

    name: Name of the store.
    kind: SecretStore, or ClusterSecretStore.
    """

    name: Name
    kind: Literal["SecretStore", "ClusterSecretStore"] = "SecretStore"


class ExternalSecretOverride(BackendOverride):
    """What the ExternalSecret of one Secret has instead.

    metadata: Metadata of its manifest, over that of all.
    name: Name of the object, where it is not the Secret's.
    refreshInterval: How often the operator reads the source.
    refreshPolicy: When it does.
    creationPolicy: Whose the Secret is.
    deletionPolicy: What happens to the Secret when the source no longer holds it.
    store: The store that is read.
    """

    name: Name | None = None
    refresh_interval: Duration | None = None
    refresh_policy: RefreshPolicy | None = None
    creation_policy: CreationPolicy | None = None
    deletion_policy: DeletionPolicy | None = None
    store: StoreReference | None = None

    @property
    def object_name(self) -> str | None:
        """Return the name that is stated."""
        return self.name

    @property
    def reads_elsewhere(self) -> bool:
        """Return whether it has another store."""
        return self.store is not None

    def mistakes(self, backend: BackendSpec) -> Iterator[Mistake]:
        """Find policies that the operator's webhook refuses together, where one is of all and one of this."""
        assert isinstance(backend, ExternalSecret)
        if self.creation_policy or self.deletion_policy:
            creation = self.creation_policy or backend.creation_policy
            yield from policies_refused(creation, self.deletion_policy or backend.deletion_policy, self.origin)


class SealedSecretOverride(BackendOverride):
    """What the SealedSecret of one Secret has instead.

    metadata: Metadata of its manifest, over that of all.
    scope: What the ciphertext is bound to.
    """

    scope: Scope | None = None

    def mistakes(self, backend: BackendSpec) -> Iterator[Mistake]:
        """Find a scope that is set behind the back of `scope`."""
        return scopes_refused(self.metadata)


OVERRIDES: dict[str, type[BackendOverride]] = {
    "externalSecret": ExternalSecretOverride,
    "sealedSecret": SealedSecretOverride,
}
