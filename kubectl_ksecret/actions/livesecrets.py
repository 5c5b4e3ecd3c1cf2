"""The values of an overlay's live Secrets, under their declared names."""

from ..cluster import listing
from ..cluster.api import Api
from ..model.resolution import Environment
from ..sources import GivenSecrets
from .deployment import deployment_to


def read(environment: Environment, api: Api) -> GivenSecrets:
    """Return the values. Raises InputError for another cluster than the overlay's, Refusal if it can't be asked."""
    deployed = deployment_to(api, environment)
    values = {}
    for name in environment.secrets:
        live_name = deployed.secrets[name].name if name in deployed.secrets else name
        values[name] = listing.read_values(api, deployed.namespace, [live_name])[live_name]
    return GivenSecrets(values=values, namespaces=dict.fromkeys(values, environment.namespace))
