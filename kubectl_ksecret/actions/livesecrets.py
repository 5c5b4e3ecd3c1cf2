"""The values of an overlay's live Secrets, under their declared names."""

from ..cluster import listing
from ..cluster.api import Api
from ..cluster.guard import refuse_another_cluster, refuse_another_namespace
from ..model.resolution import Environment
from ..sources import GivenSecrets
from .deployment import deployment


def read(environment: Environment, api: Api) -> GivenSecrets:
    """Return the values. Raises InputError for another cluster than the overlay's, Refusal if it can't be asked."""
    deployed = deployment(environment)
    refuse_another_namespace(api, deployed.namespace)
    refuse_another_cluster(environment, api, deployed.namespace)
    values = {}
    for name in environment.secrets:
        live_name = deployed.secrets[name].name if name in deployed.secrets else name
        values[name] = listing.read_values(api, deployed.namespace, [live_name])[live_name]
    return GivenSecrets(values=values, namespaces=dict.fromkeys(values, environment.namespace))
