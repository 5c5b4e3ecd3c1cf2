"""Write into an overlay which cluster it belongs to."""

from ..backends import backend_of
from ..cluster.api import Api
from ..cluster.guard import namespace_uid, refuse_another_namespace
from ..frozen import Record
from ..model.resolution import Environment
from .deployment import deployment
from .overlayfile import editable


class Pin(Record):
    """The UID of the namespace that an overlay is deployed to, and the one that was written before.

    `seals` says whether the overlay seals for a certificate, which a cluster's controller has.
    """

    file: str
    namespace: str
    server: str
    uid: str
    before: str
    seals: bool

    @property
    def changed(self) -> bool:
        """Whether the overlay belonged to another cluster, or to none that was known."""
        return self.uid != self.before


def pin(environment: Environment, api: Api) -> Pin:
    """Pin an overlay to the cluster at hand.

    Raises InputError if the cluster lacks the namespace or the overlay can't be edited, Refusal if it is not reached.
    """
    namespace = deployment(environment).namespace
    refuse_another_namespace(api, namespace)
    cluster = environment.overlay.spec.cluster
    outcome = Pin(
        file=environment.project.name(environment.file),
        namespace=namespace,
        server=api.server,
        uid=namespace_uid(api, namespace),
        before=cluster.uid if cluster else "",
        seals=backend_of(environment).certificate(environment) is not None,
    )
    if outcome.changed:
        with editable(environment) as overlay:
            overlay.set(("spec", "cluster", "uid"), outcome.uid)
    return outcome
