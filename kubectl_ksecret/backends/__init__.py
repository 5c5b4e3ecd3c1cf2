"""The backends: one room each, with everything about a backend that needs no key.

A new one is a type in model/types, a room here, and a module in sealing/ if it seals.
"""

from ..manifests import access, committed
from ..manifests.committed import Committed
from ..model.backend import Backend
from ..model.kubernetes import Object
from ..model.resolution import Environment
from ..model.types import backends as types
from ..model.types.backends import (
    AckSecretManager,
    BackendSpec,
    ExternalSecret,
    PlainSecret,
    SealedSecret,
    Sops,
    VaultSecretsOperator,
)
from .acksecretmanager import AckSecretManagerBackend
from .externalsecret import ExternalSecretBackend
from .sealedsecret import SealedSecretBackend
from .secret import PlainSecretBackend
from .sops import SopsBackend
from .vaultsecretsoperator import VaultSecretsOperatorBackend

BACKENDS: dict[type[BackendSpec], Backend] = {
    ExternalSecret: ExternalSecretBackend(),
    SealedSecret: SealedSecretBackend(),
    Sops: SopsBackend(),
    PlainSecret: PlainSecretBackend(),
    VaultSecretsOperator: VaultSecretsOperatorBackend(),
    AckSecretManager: AckSecretManagerBackend(),
}

if missing := set(types.BACKENDS.values()) - BACKENDS.keys():
    raise TypeError(f"no implementation of {', '.join(sorted(kind.__name__ for kind in missing))}")


def backend_of(environment: Environment) -> Backend:
    """Return the implementation of an environment's backend."""
    return BACKENDS[type(environment.backend)]


def read_committed(environment: Environment) -> Committed:
    """Return the committed objects that a rendering starts from; none where it follows from the declarations alone.

    Raises InputError with every file that is no object.
    """
    return committed.read(environment) if backend_of(environment).builds_on_committed else {}


def render(environment: Environment, manifests: Committed) -> list[Object]:
    """Return the objects of an environment in their one order. What is wrong with them is for checks to say."""
    return [*backend_of(environment).render(environment, objects_of(manifests)), *access.objects(environment)]


def mend(environment: Environment, manifests: Committed) -> list[Object]:
    """Return what the committed folder should hold, as far as that needs no value."""
    return backend_of(environment).mend(environment, objects_of(manifests))


def objects_of(manifests: Committed) -> dict[str, Object]:
    """Return the committed objects without their files."""
    return {name: manifest.object for name, manifest in manifests.items()}
