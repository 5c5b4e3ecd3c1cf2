"""Sealing: everything that holds keys. The sealers of the backends, their formats, certificates and identities."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ..backends import BACKENDS, implementation
from ..errors import InputError, Mistake
from ..manifests.committed import Manifest
from ..manifests.record import Entries
from ..model.kubernetes import Object
from ..model.resolution import Environment, Secret
from ..model.types.backends import BackendSpec, SealedSecret, Sops
from ..sensitive import Sensitive


class Sealer(Protocol):
    """Seals the Secrets of one environment."""

    def fingerprint(self, secret: Secret) -> str:
        """Return that of the certificate or recipients that a Secret is sealed for now."""

    def readers(self) -> Sequence[str]:
        """Return who can open what is sealed: the certificate's fingerprint, or the recipients."""

    def files(self) -> Sequence[str]:
        """Return the files of the project that say who, beside the overlay."""

    def held(self, secret: Secret, manifest: Manifest | None) -> Mapping[str, str]:
        """Return the keys that are sealed and can stay as they are, with their ciphertext."""

    def needed(self, secret: Secret, manifest: Manifest | None, chosen: Collection[str]) -> Collection[str]:
        """Return the keys whose values it takes to seal the chosen ones."""

    def warnings(self, secret: Secret, manifest: Manifest | None) -> Iterator[Mistake]:
        """Find what sealing a Secret changes beside its values, and its user should know."""

    def seal(
        self, secret: Secret, manifest: Manifest | None, values: Mapping[str, Sensitive], entries: Entries
    ) -> Object | None:
        """Return the Secret with these values in it.

        `entries` are what is known of all that it will hold; the digests of the new ciphertext are added here.
        """


OpenSealer = Callable[[Environment, datetime, Mapping[str, str]], Sealer]


def _sealed_secret(environment: Environment, now: datetime, variables: Mapping[str, str]) -> Sealer:
    from .sealedsecret import SealedSecretSealer  # --help must not load cryptography

    return SealedSecretSealer(environment, now)


def _sops(environment: Environment, now: datetime, variables: Mapping[str, str]) -> Sealer:
    from .sops import SopsSealer

    return SopsSealer(environment, now, variables)


SEALERS: dict[type[BackendSpec], OpenSealer] = {SealedSecret: _sealed_secret, Sops: _sops}

if missing := {kind.__name__ for kind in BACKENDS if implementation(kind).seals} - {k.__name__ for k in SEALERS}:
    raise TypeError(f"no sealer for {', '.join(sorted(missing))}")


def open_sealer(environment: Environment, now: datetime, variables: Mapping[str, str]) -> Sealer:
    """Return the sealer of an environment; `variables` say where the user's age identities are.

    Raises InputError if there is nothing to seal, or the certificate or the recipients can't be used.
    """
    opener = SEALERS.get(type(environment.backend))
    if opener is None:
        raise InputError(
            Mistake(
                f"overlay {environment.name} has nothing to seal",
                environment.overlay.spec.origin.key("backend"),
                f"{environment.backend.operator} reads its values in the cluster"
                if environment.backend.fetched
                else f"kubectl ksecret sync {environment.name} takes its values from the source",
            )
        )
    return opener(environment, now, variables)
