"""The backends that seal: what a committed Secret holds, and the Secret with new values in it."""

import os
from base64 import b64encode
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from ..backends import sealedsecret as sealedsecret_rendering
from ..backends import sops as sops_rendering
from ..errors import InputError, Mistake, Place
from ..manifests import committed, record, sopsconfig
from ..manifests import sops as outside
from ..manifests.committed import Manifest
from ..model.kubernetes import Object
from ..model.resolution import Environment, Secret
from ..model.types.backends import ExternalSecret, SealedSecret, Sops
from ..sensitive import Sensitive

Entries = Mapping[str, record.Entry]


class Sealer(Protocol):
    """Seals the Secrets of one environment."""

    def fingerprint(self, secret: Secret) -> str:
        """Of the certificate or recipients that a Secret is sealed for now."""

    def refused(
        self, secret: Secret, manifest: Manifest | None, known: Collection[str], accepted: Collection[str]
    ) -> Mistake | None:
        """Why a Secret can't be sealed unasked for another than the known fingerprints."""

    def held(self, secret: Secret, manifest: Manifest | None) -> Collection[str]:
        """The keys that are sealed and can stay as they are."""

    def needed(self, secret: Secret, manifest: Manifest | None, chosen: Collection[str]) -> Collection[str]:
        """The keys whose values it takes to seal the chosen ones."""

    def seal(
        self, secret: Secret, manifest: Manifest | None, values: Mapping[str, Sensitive], entries: Entries
    ) -> Object | None:
        """The Secret with these values in it; `entries` are what the record says of all that it will hold."""


def open_sealer(environment: Environment, now: datetime, variables: Mapping[str, str]) -> Sealer:
    """The sealer of an environment; `variables` say where the user's age identities are.

    Raises InputError if the certificate or the recipients can't be used.
    """
    backend = environment.backend
    if isinstance(backend, SealedSecret):
        return SealedSecretSealer(environment, backend, now)
    if isinstance(backend, Sops):
        return SopsSealer(environment, backend, now, variables)
    if isinstance(backend, ExternalSecret):
        raise InputError(
            Mistake(
                f"overlay {environment.name} has nothing to seal",
                environment.overlay.spec.origin.key("backend"),
                "External Secrets Operator reads its values in the cluster",
            )
        )
    raise TypeError(type(backend).__name__)


def _without_record(manifest: Manifest | None, place: Place, fingerprint: str) -> Mistake | None:
    """Ciphertext of which no record tells whose it is: a pull request may have removed that with the certificate."""
    if manifest is None or not record.sealed_keys(manifest.object):
        return None
    what = f"there is no record of what {manifest.file} was sealed with"
    return Mistake(what, place, f"if it is meant to seal from now on, add --accept {fingerprint}")


class SealedSecretSealer:
    """SealedSecrets: each key is sealed by itself."""

    def __init__(self, environment: Environment, backend: SealedSecret, now: datetime) -> None:
        self._environment, self._backend = environment, backend
        from ..sealing import certificate

        said = backend.origin.at("certificate")
        pem = environment.project.read(environment.path(backend.certificate), said)
        try:
            self._certificate = certificate.load(pem, now)
        except ValueError as error:
            raise InputError(Mistake(str(error), said, "kubeseal --fetch-cert prints the current one")) from None

    def fingerprint(self, secret: Secret) -> str:
        """Of the certificate, for every Secret the same."""
        return self._certificate.fingerprint

    def refused(
        self, secret: Secret, manifest: Manifest | None, known: Collection[str], accepted: Collection[str]
    ) -> Mistake | None:
        """A certificate that sealed nothing here yet must be accepted; so must any if no record says what did."""
        found, place = self._certificate.fingerprint, self._backend.origin.at("certificate")
        if found in known or found in accepted:
            return None
        if known:
            what = "the certificate is another one than that of the sealed values"
            return Mistake(what, place, f"if the controller really has a new key, add --accept {found}")
        return _without_record(manifest, place, found)

    def held(self, secret: Secret, manifest: Manifest | None) -> Collection[str]:
        """The keys with a ciphertext that the controller can open under the declared scope, namespace and name."""
        if manifest is None or manifest.object.get("kind") != sealedsecret_rendering.KIND:
            return ()
        if not sealedsecret_rendering.is_bound_as_declared(self._environment, self._backend, secret, manifest.object):
            return ()
        return sealedsecret_rendering.sealed(manifest.object).keys()

    def needed(self, secret: Secret, manifest: Manifest | None, chosen: Collection[str]) -> Collection[str]:
        """The chosen ones."""
        return chosen

    def seal(
        self, secret: Secret, manifest: Manifest | None, values: Mapping[str, Sensitive], entries: Entries
    ) -> Object | None:
        """The shell with the kept and the new ciphertext; nothing for a Secret of which nothing is sealed."""
        from ..sealing import sealedsecret

        held = self.held(secret, manifest)
        old = sealedsecret_rendering.sealed(manifest.object) if manifest else {}
        ciphertext = {key: old[key] for key in secret.keys if key in held}
        _, label = sealedsecret_rendering.bound_to(self._backend.scope, self._environment.namespace, secret.name)
        for key, value in values.items():
            ciphertext[key] = b64encode(sealedsecret.seal(value, self._certificate, label)).decode()
        if not ciphertext:
            return None
        shell = sealedsecret_rendering.shell(self._environment, self._backend, secret)
        return sealedsecret_rendering.with_sealed(shell, ciphertext, dict(entries))


class SopsSealer:
    """Secrets encrypted with SOPS: one data key and one MAC for all keys of a file."""

    def __init__(self, environment: Environment, backend: Sops, now: datetime, variables: Mapping[str, str]) -> None:
        from ..sealing import age

        self._environment, self._backend, self._now = environment, backend, now
        self._identities = age.identities(variables)
        self._recipients = {name: self._recipients_of(name) for name in environment.secrets}

    def _recipients_of(self, name: str) -> tuple[str, ...]:
        environment, declared = self._environment, self._backend.age
        path = os.path.join(environment.path(committed.FOLDER), committed.file_of(name))
        ruled, rules = sopsconfig.recipients(environment.project, os.path.normpath(path))
        if declared and ruled and set(declared) != set(ruled):
            what = f"the recipients are not those of {rules}"
            raise InputError(Mistake(what, self._backend.origin.at("age"), "leave them out here, or make them equal"))
        if not declared and not ruled:
            what = f"no age recipient is declared for {name}"
            place = self._backend.origin.at()
            raise InputError(Mistake(what, place, f"set backend.sops.age, or a creation rule in {sopsconfig.FILE}"))
        return declared or ruled

    def fingerprint(self, secret: Secret) -> str:
        """Of the Secret's recipients."""
        return outside.fingerprint(self._recipients[secret.name])

    def refused(
        self, secret: Secret, manifest: Manifest | None, known: Collection[str], accepted: Collection[str]
    ) -> Mistake | None:
        """Recipients other than those of the file, or of its record, must be accepted, each new one or the whole set.

        The names in the sops block are not enough: nothing binds them to the keys, so a pull request may swap both.
        """
        wanted, found = set(self._recipients[secret.name]), self.fingerprint(secret)
        before = set(outside.recipients(manifest.object)) if manifest else set()
        recorded = (record.fingerprints([manifest.object]) if manifest else set()) or known
        added, place = sorted(wanted - before), self._backend.origin.at("age")
        if found in accepted or set(added or wanted) <= set(accepted):
            return None
        if (not before or wanted == before) and found in recorded:
            return None
        if not recorded and (not before or wanted == before):
            return _without_record(manifest, place, found)
        named = added if before and added else [found]
        return Mistake(
            f"the recipients of {secret.name} are others than those of the sealed values",
            place,
            "if they are meant, add " + " ".join(f"--accept {each}" for each in named),
        )

    def held(self, secret: Secret, manifest: Manifest | None) -> Collection[str]:
        """The encrypted keys; none of a file that has to change as a whole and that no identity opens."""
        if manifest is None or not self._is_ours(secret, manifest):
            return ()
        if self._must_change(secret, manifest) and not self._opens(manifest):
            return ()
        # Another's file may hold some under stringData: sealing moves them to data.
        return {str(key) for field in outside.ENCRYPTED_FIELDS for key in manifest.object.get(field) or ()}

    def _is_ours(self, secret: Secret, manifest: Manifest) -> bool:
        document = manifest.object
        named = document["metadata"].get("name") == secret.name
        return named and document["kind"] == "Secret" and not any(outside.mistakes(document))

    def _must_change(self, secret: Secret, manifest: Manifest) -> bool:
        """Whether the file can't stay as it is, whatever the values."""
        document = manifest.object
        return (
            set(outside.recipients(document)) != set(self._recipients[secret.name])
            or not outside.mac_survives_rewriting(document)
            or not sops_rendering.encrypted(document).keys() <= secret.keys.keys()
        )

    def _opens(self, manifest: Manifest) -> bool:
        from ..sealing import age

        entries = outside.age_entries(manifest.object)
        return any(age.unwrap(entry["enc"], self._identities) for entry in entries)

    def needed(self, secret: Secret, manifest: Manifest | None, chosen: Collection[str]) -> Collection[str]:
        """The chosen ones; all of them if any is, for a file that no identity opens."""
        if not chosen or manifest is None or (self._is_ours(secret, manifest) and self._opens(manifest)):
            return chosen
        return secret.keys.keys()

    def seal(
        self, secret: Secret, manifest: Manifest | None, values: Mapping[str, Sensitive], entries: Entries
    ) -> Object | None:
        """The file with the least change; nothing for a Secret of which nothing is sealed."""
        from ..sealing import sops

        # One data key, so one set of recipients: what is kept is for them too from now on.
        entries = {key: entry.but(by=self.fingerprint(secret)) for key, entry in entries.items()}
        shell = sops_rendering.shell(self._environment, self._backend, secret, entries)
        recipients = self._recipients[secret.name]
        held = set(self.held(secret, manifest)) & secret.keys.keys()
        if manifest is not None and held and self._opens(manifest):
            if not values and not self._must_change(secret, manifest):
                return {**shell, "data": manifest.object["data"], outside.BLOCK: manifest.object[outside.BLOCK]}
            document = sops.open_document(manifest.text, manifest.file, self._identities)
            kept = held - values.keys()
            return sops.update(document, shell, values, kept=kept, recipients=recipients, now=self._now)
        if values:
            return sops.encrypt(shell, values, recipients, self._now)
        return sops_rendering.mend(self._environment, self._backend, secret, manifest.object) if manifest else None
