"""Which of several overlays belong to the cluster at hand: one that is named alone is taken at its word."""

from collections.abc import Sequence

from ..cluster.api import Api
from ..cluster.guard import belongs
from ..errors import InputError, Mistake, shown
from ..frozen import Record
from ..model.resolution import Environment
from .deployment import namespace_at


class Belonging(Record):
    """The overlays to work on; those of other clusters; and those of which nothing says where they belong."""

    environments: Sequence[Environment]
    elsewhere: Sequence[str] = ()
    unknown: Sequence[Mistake] = ()


def belonging(environments: Sequence[Environment], api: Api, command: str) -> Belonging:
    """Return which overlays a command works on.

    Of several those that are pinned to this cluster: the overlays of a project lie in different clusters, and one that
    the user did not name must not reach the wrong one. Raises InputError if there is none, Refusal as Api does.
    """
    if len(environments) == 1:
        return Belonging(environments=environments)
    here, elsewhere, unknown = [], [], []
    for environment in environments:
        if environment.overlay.spec.cluster is None:
            unknown.append(_unpinned(environment, command))
        elif belongs(environment, api, namespace_at(api, environment)):
            here.append(environment)
        else:
            elsewhere.append(environment.name)
    if not here:
        mistake = Mistake(f"none of the overlays is pinned to the cluster at {api.server}", hint="name one of them")
        raise InputError(mistake, *unknown)
    return Belonging(environments=here, elsewhere=elsewhere, unknown=unknown)


def _unpinned(environment: Environment, command: str) -> Mistake:
    name = shown(environment.name)
    hint = f"kubectl ksecret {command} {name} takes it to be this one's; kubectl ksecret cluster pin {name} says so"
    return Mistake(f"nothing says which cluster {name} belongs to", environment.overlay.spec.origin.at(), hint)
