"""The values of live Secrets, sealed straight into the manifests of the overlay that was imported of them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ..actions import trust
from ..actions.seal import SealOutcome, SealPorts, SealRequest, seal
from ..cluster import listing
from ..cluster.api import Api
from ..model.loading import select
from ..sealing import certificate
from ..sources import GivenSecrets
from . import ImportedOverlay


class TypedReaders(NamedTuple):
    """For whom values are sealed, as the user said it: a certificate, of the cluster itself or given, or recipients."""

    certificate: bytes | None
    recipients: Sequence[str]

    def names(self, now: datetime) -> list[str]:
        """Return the fingerprint or the recipients; none where the tree alone says it, as .sops.yaml does."""
        if self.certificate is not None:
            return [certificate.load(self.certificate, now).fingerprint]
        return sorted(self.recipients)


def seal_live(
    overlay: ImportedOverlay, api: Api, ports: SealPorts, typed: TypedReaders, now: datetime
) -> Iterator[SealOutcome]:
    """Seal the values of an overlay's Secrets, which are read of the cluster once the overlay is trusted.

    One that this import has made is trusted, as after `init`: all of it was typed. Of one that was there already the
    readers are trusted, and nothing else.
    """
    if readers := typed.names(now):
        [environment] = select([overlay.file])
        if overlay.is_new:
            trust.remember(trust.statement_of(environment, readers, files=(), source_typed=False))
        else:
            trust.trust_readers(environment, readers)

    namespace = api.settings.namespace

    def given() -> GivenSecrets:
        values = listing.read_values(api, namespace, overlay.unsealed)
        return GivenSecrets(values=values, namespaces=dict.fromkeys(values, namespace))

    yield from seal(SealRequest(overlay=overlay.file), ports.but(given=given), now)
