"""The backends: one room each, with everything about a backend that needs no key.

A new one is a type in model/types, a room here, and a module in sealing/ if it seals.
"""

from collections.abc import Callable

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


def _external_secret() -> Backend:
    from .externalsecret import ExternalSecretBackend

    return ExternalSecretBackend()


def _sealed_secret() -> Backend:
    from .sealedsecret import SealedSecretBackend

    return SealedSecretBackend()


def _sops() -> Backend:
    from .sops import SopsBackend

    return SopsBackend()


def _plain_secret() -> Backend:
    from .secret import PlainSecretBackend

    return PlainSecretBackend()


def _vault_secrets_operator() -> Backend:
    from .vaultsecretsoperator import VaultSecretsOperatorBackend

    return VaultSecretsOperatorBackend()


def _ack_secret_manager() -> Backend:
    from .acksecretmanager import AckSecretManagerBackend

    return AckSecretManagerBackend()


# What makes the implementation of each type. A build has one backend, so that the others are not even imported.
BACKENDS: dict[type[BackendSpec], Callable[[], Backend]] = {
    ExternalSecret: _external_secret,
    SealedSecret: _sealed_secret,
    Sops: _sops,
    PlainSecret: _plain_secret,
    VaultSecretsOperator: _vault_secrets_operator,
    AckSecretManager: _ack_secret_manager,
}

if missing := set(types.BACKENDS.values()) - BACKENDS.keys():
    raise TypeError(f"no implementation of {', '.join(sorted(kind.__name__ for kind in missing))}")


_made: dict[type[BackendSpec], Backend] = {}


def implementation(kind: type[BackendSpec]) -> Backend:
    """Return the implementation of a type of backend."""
    if kind not in _made:
        _made[kind] = BACKENDS[kind]()
    return _made[kind]


def backend_of(environment: Environment) -> Backend:
    """Return the implementation of an environment's backend."""
    return implementation(type(environment.backend))


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
