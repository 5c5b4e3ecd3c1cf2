"""What the cluster knows of Secrets of which nothing is committed: the records on them, and no value."""

from collections.abc import Mapping

from ..cluster.api import Api
from ..cluster.guard import refuse_another_cluster, refuse_another_namespace
from ..cluster.secrets import find_secret
from ..manifests import record
from ..model.resolution import Environment


def live_records(environment: Environment, api: Api) -> Mapping[str, record.Entries]:
    """Return the records of an overlay's Secrets by their names; a Secret that is not there has none.

    Raises InputError for another cluster than the overlay's, Refusal if the cluster can't be asked.
    """
    namespace = environment.namespace
    refuse_another_namespace(api, namespace)
    refuse_another_cluster(environment, api, namespace)
    secrets = {name: find_secret(api, namespace, name) for name in environment.secrets}
    return {name: secret.record for name, secret in secrets.items() if secret is not None}
