"""The backends that seal: what a committed Secret holds, and the Secret with new values in it."""

import base64
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol, assert_never

from ..errors import InputError, Mistake
from ..manifests import record
from ..manifests.committed import Manifest
from ..model.environment import Environment, Secret
from ..model.kubernetes import Object
from ..model.overlay import ExternalSecret, SealedSecret, Sops
from ..rendering import sealedsecret
from ..sealing import certificate
from ..sealing import sealedsecret as format_
from ..sensitive import Sensitive

Entries = Mapping[str, record.Entry]


class Sealer(Protocol):
    """Seals the Secrets of one environment."""

    def fingerprint(self, secret: Secret) -> str:
        """Of the certificate or recipients that a Secret is sealed for now."""

    def refused(self, secret: Secret, known: Collection[str], accepted: Collection[str]) -> Mistake | None:
        """Why this fingerprint can't be used unasked."""

    def held(self, secret: Secret, manifest: Manifest | None) -> Collection[str]:
        """The keys that are sealed and can stay as they are."""

    def needed(self, secret: Secret, manifest: Manifest | None, chosen: Collection[str]) -> Collection[str]:
        """The keys whose values it takes to seal the chosen ones."""

    def seal(
        self, secret: Secret, manifest: Manifest | None, values: Mapping[str, Sensitive], entries: Entries
    ) -> Object | None:
        """The Secret with these values in it; `entries` are what the record says of all that it will hold."""


def open_sealer(environment: Environment, now: datetime) -> Sealer:
    """The sealer of an environment. Raises InputError if its certificate or recipients can't be used."""
    backend = environment.backend
    if isinstance(backend, SealedSecret):
        return SealedSecretSealer(environment, backend, now)
    if isinstance(backend, Sops):
        raise NotImplementedError
    if isinstance(backend, ExternalSecret):
        raise InputError(
            Mistake(
                f"overlay {environment.name} has nothing to seal",
                environment.overlay.spec.origin.key("backend"),
                "External Secrets Operator reads its values in the cluster",
            )
        )
    assert_never(backend)


class SealedSecretSealer:
    """SealedSecrets: each key is sealed by itself."""

    def __init__(self, environment: Environment, backend: SealedSecret, now: datetime) -> None:
        self._environment, self._backend = environment, backend
        said = backend.origin.at("certificate")
        pem = environment.project.read(environment.path(backend.certificate), said)
        try:
            self._certificate = certificate.load(pem, now)
        except ValueError as error:
            raise InputError(Mistake(str(error), said, "kubeseal --fetch-cert prints the current one")) from None

    def fingerprint(self, secret: Secret) -> str:
        """Of the certificate, for every Secret the same."""
        return self._certificate.fingerprint

    def refused(self, secret: Secret, known: Collection[str], accepted: Collection[str]) -> Mistake | None:
        """A certificate that sealed nothing here yet must be accepted."""
        found = self._certificate.fingerprint
        if not known or found in known or found in accepted:
            return None
        return Mistake(
            "the certificate is another one than that of the sealed values",
            self._backend.origin.at("certificate"),
            f"if the controller really has a new key, add --accept {found}",
        )

    def held(self, secret: Secret, manifest: Manifest | None) -> Collection[str]:
        """The keys with a ciphertext that the controller can open under the declared scope, namespace and name."""
        if manifest is None or manifest.object.get("kind") != sealedsecret.KIND:
            return ()
        if not sealedsecret.is_bound_as_declared(self._environment, self._backend, secret, manifest.object):
            return ()
        return sealedsecret.sealed(manifest.object).keys()

    def needed(self, secret: Secret, manifest: Manifest | None, chosen: Collection[str]) -> Collection[str]:
        """The chosen ones."""
        return chosen

    def seal(
        self, secret: Secret, manifest: Manifest | None, values: Mapping[str, Sensitive], entries: Entries
    ) -> Object | None:
        """The shell with the kept and the new ciphertext; nothing for a Secret of which nothing is sealed."""
        held = self.held(secret, manifest)
        old = sealedsecret.sealed(manifest.object) if manifest else {}
        ciphertext = {key: old[key] for key in secret.keys if key in held}
        _, label = sealedsecret.bound_to(self._backend.scope, self._environment.namespace, secret.name)
        for key, value in values.items():
            ciphertext[key] = base64.b64encode(format_.seal(value, self._certificate, label)).decode()
        if not ciphertext:
            return None
        shell = sealedsecret.shell(self._environment, self._backend, secret)
        return sealedsecret.with_sealed(shell, ciphertext, dict(entries))
