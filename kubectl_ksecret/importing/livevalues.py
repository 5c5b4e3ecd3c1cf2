"""The values of live Secrets, sealed straight into the manifests of the overlay that was imported of them."""

from collections.abc import Iterator
from datetime import datetime

from ..actions import trust
from ..actions.seal import SealOutcome, SealPorts, SealRequest, seal
from ..cluster import listing
from ..cluster.api import Api
from ..model.loading import select
from ..sealing import certificate
from ..sources import GivenSecrets
from . import ImportedOverlay


def seal_live(
    overlay: ImportedOverlay, api: Api, ports: SealPorts, fetched: bytes | None, now: datetime
) -> Iterator[SealOutcome]:
    """Seal the values of an overlay's Secrets, which are read of the cluster once the overlay is trusted.

    A certificate that was `fetched` of the cluster itself is trusted, and nothing else of the overlay.
    """
    if fetched is not None:
        [environment] = select([overlay.file])
        trust.trust_readers(environment, [certificate.load(fetched, now).fingerprint])

    namespace = api.settings.namespace

    def given() -> GivenSecrets:
        values = listing.read_values(api, namespace, overlay.unsealed)
        return GivenSecrets(values=values, namespaces=dict.fromkeys(values, namespace))

    yield from seal(SealRequest(overlay=overlay.file), ports.but(given=given), now)
