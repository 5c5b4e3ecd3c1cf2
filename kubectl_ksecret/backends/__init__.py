"""Pure: an environment and what is committed in, objects out. What is wrong with them is for checks to say."""

from ..manifests.committed import Committed
from ..model.kubernetes import Object
from ..model.resolution import Environment
from ..model.types.backends import BackendSpec, ExternalSecret, SealedSecret, Sops


def render(environment: Environment, committed: Committed) -> list[Object]:
    """The objects of an environment, in their one order: the store, then the Secrets by name."""
    backend = environment.backend
    if isinstance(backend, ExternalSecret):
        from . import externalsecret

        return externalsecret.render(environment, backend)
    if isinstance(backend, SealedSecret | Sops):
        return [committed[name].object for name in environment.secrets if name in committed]
    raise TypeError(type(backend).__name__)


def held(backend: BackendSpec, document: Object) -> dict[str, str]:
    """What a committed object holds of each key, sealed."""
    if isinstance(backend, SealedSecret):
        from . import sealedsecret

        return sealedsecret.sealed(document)
    if isinstance(backend, Sops):
        from . import sops

        return sops.encrypted(document)
    return {}


def mend(environment: Environment, committed: Committed) -> list[Object]:
    """What the committed folder should hold, as far as that needs no value."""
    backend = environment.backend
    if isinstance(backend, ExternalSecret):
        return render(environment, committed)
    kept = [(secret, committed[name].object) for name, secret in environment.secrets.items() if name in committed]
    if isinstance(backend, SealedSecret):
        from . import sealedsecret

        return [sealedsecret.mend(environment, backend, secret, document) for secret, document in kept]
    if isinstance(backend, Sops):
        from . import sops

        return [sops.mend(environment, backend, secret, document) for secret, document in kept]
    raise TypeError(type(backend).__name__)
