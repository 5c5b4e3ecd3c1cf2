"""Stores of External Secrets Operator, read back into the source of an overlay and how its store signs in.

One module for each provider that `backends.stores` renders.
"""

from collections.abc import Iterable
from typing import Protocol

from ...backends import stores as rendered
from ...frozen import Record
from ...model.kubernetes import Object
from ...objects.documents import Document, mapping
from ..secrets import below
from . import azurekv
from .azurekv import AzureKeyVaultStores
from .source import StoreSource
from .vault import VaultStores

__all__ = ["StoreReading", "StoreSource", "normalised", "read"]


class ProviderReader(Protocol):
    """Reads the stores of a provider of External Secrets Operator; `name` is that in the store's spec.provider."""

    name: str

    def source(self, fields: Object, names: Iterable[object]) -> StoreSource | str:
        """Return the source that is read under these names; else the reason why an overlay can't name it."""

    def auth(self, fields: Object) -> Object | None:
        """Return how a store signs in, as an overlay has it; None where it can't.

        It need not be all: a comparison of what is rendered with what there was tells.
        """

    def name_in_source(self, remote: object, fields: Object) -> str:
        """Return the name in the source that an ExternalSecret means; nothing for what is none."""

    def normalised(self, fields: Object) -> Object:
        """Return the fields in one form, with the defaults filled in."""


# By the field of the source, as backends.stores has them.
PROVIDERS: dict[str, ProviderReader] = {"azureKeyVault": AzureKeyVaultStores(), "vault": VaultStores()}
if lacking := rendered.PROVIDERS.keys() - PROVIDERS.keys():
    raise ImportError(f"nothing reads the stores of {', '.join(sorted(lacking))}")


class StoreReading(Record):
    """What is known of the store that most ExternalSecrets of an environment read.

    `source` is what the overlay says of it; without one, `reason` says why. With a `provider` the names are read as
    those of one source; else they are carried over as they stand.
    """

    document: Document | None
    provider: ProviderReader | None = None
    source: StoreSource | None = None
    reason: str

    @property
    def auth(self) -> Object | None:
        """How the store signs in, as an overlay has it."""
        if self.document is None or self.provider is None or self.source is None:
            return None
        fields = _provider_of(self.document)
        return self.provider.auth(below(fields, self.provider.name)) if self.provider.name in fields else None

    def name_in_source(self, remote: object) -> str:
        """Return the name in the source that an ExternalSecret means; nothing for what is none."""
        if self.provider is None:
            return remote if isinstance(remote, str) else ""
        fields = _provider_of(self.document) if self.document else {}
        return self.provider.name_in_source(remote, below(fields, self.provider.name))


def read(document: Document | None, vault_url: str | None, names: Iterable[object]) -> StoreReading:
    """Read a store, if it is among the objects; the URL is that of a Key Vault which the user says that it reads."""
    if vault_url:
        source = azurekv.source_of(vault_url)
        return StoreReading(document=document, provider=PROVIDERS[source.field], source=source, reason="")
    if document is None:
        return StoreReading(document=None, reason="its store is not among these objects")
    for field, provider in PROVIDERS.items():
        fields = _provider_of(document)
        if provider.name in fields:
            found = provider.source(below(fields, provider.name), names)
            if isinstance(found, StoreSource):
                return StoreReading(document=document, provider=provider, source=found, reason="")
            # A name in Key Vault is read as one, wherever the vault is.
            kept = provider if field == azurekv.FIELD else None
            return StoreReading(document=document, provider=kept, reason=found)
    return StoreReading(document=document, reason="its store reads what no source of an overlay is")


def normalised(provider: Object) -> Object:
    """Return what a store's spec.provider means."""
    forms = {form.name: form for form in PROVIDERS.values()}
    return {
        name: forms[name].normalised(mapping(fields)) if name in forms else fields for name, fields in provider.items()
    }


def _provider_of(document: Document) -> Object:
    return below(document.object, "spec", "provider")
