"""SealedSecrets: each value is encrypted by itself for the Sealed Secrets controller (pkg/crypto of v0.38)."""

import secrets
from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from ..backends.sealedsecret import KIND, SealedSecretBackend, bound_to, is_bound_as_declared, scope_for, spec_of
from ..errors import InputError, Mistake
from ..manifests import record
from ..manifests.committed import Manifest
from ..manifests.record import Entries
from ..model.kubernetes import Object
from ..model.resolution import Environment, Secret
from ..sensitive import Sensitive
from . import certificate
from .certificate import Certificate
from .validity import HINT

# A nonce of zeros is safe here: each session key encrypts one value and is thrown away.
_NONCE = bytes(12)


class SealedSecretSealer:
    """Seals each key of a Secret by itself, so that the others stay as they are."""

    def __init__(self, environment: Environment, now: datetime) -> None:
        """Raises InputError if the certificate can't be read or does not hold now."""
        self._environment, self._backend = environment, SealedSecretBackend()
        named_at = spec_of(environment).origin.at("certificate")
        pem = environment.project.read(environment.path(spec_of(environment).certificate), named_at)
        try:
            self._certificate = certificate.load(pem, now)
        except ValueError as error:
            raise InputError(Mistake(str(error), named_at, HINT)) from None

    def fingerprint(self, secret: Secret) -> str:
        """Return that of the certificate, for every Secret the same."""
        return self._certificate.fingerprint

    def readers(self) -> Sequence[str]:
        """Return the fingerprint of the certificate: whoever has its key can open what is sealed."""
        return (self._certificate.fingerprint,)

    def files(self) -> Sequence[str]:
        """Return the certificate's file."""
        return (self._environment.path(spec_of(self._environment).certificate),)

    def held(self, secret: Secret, manifest: Manifest | None) -> Mapping[str, str]:
        """Return the ciphertext that the controller can open under the declared scope, namespace and name."""
        if manifest is None or manifest.object.get("kind") != KIND:
            return {}
        if not is_bound_as_declared(self._environment, secret, manifest.object):
            return {}
        return self._backend.held(manifest.object)

    def needed(self, secret: Secret, manifest: Manifest | None, chosen: Collection[str]) -> Collection[str]:
        """Return the chosen ones."""
        return chosen

    def warnings(self, secret: Secret, manifest: Manifest | None) -> Iterator[Mistake]:
        """Find nothing: a SealedSecret does not say who can open it."""
        return iter(())

    def seal(
        self, secret: Secret, manifest: Manifest | None, values: Mapping[str, Sensitive], entries: Entries
    ) -> Object | None:
        """Return the shell with the old and the new ciphertext; nothing for a Secret of which nothing is sealed."""
        ciphertext = {key: text for key, text in self.held(secret, manifest).items() if key in secret.keys}
        recorded = dict(entries)
        scope = scope_for(self._environment, secret.name)
        _, label = bound_to(scope, self._environment.namespace, secret.name)
        for key, value in values.items():
            ciphertext[key] = b64encode(seal(value, self._certificate, label)).decode()
            recorded[key] = entries[key].but(digest=record.digest_of(ciphertext[key]))
        if not ciphertext:
            return None
        in_order = {key: ciphertext[key] for key in secret.keys if key in ciphertext}
        return self._backend.with_sealed(self._backend.shell(self._environment, secret), in_order, recorded)


def seal(value: Sensitive, certificate: Certificate, label: str) -> bytes:
    """Encrypt one value as the controller expects it.

    Return the big-endian uint16 length of the RSA part, the RSA part, and the AES-256-GCM part with its tag. The label
    binds the ciphertext to its scope: namespace/name, namespace, or empty.
    """
    session_key = secrets.token_bytes(32)
    wrapped_key = certificate.public_key.encrypt(session_key, _padding(label))
    ciphertext = AESGCM(session_key).encrypt(_NONCE, value.reveal(), None)
    return len(wrapped_key).to_bytes(2, "big") + wrapped_key + ciphertext


def unseal(sealed: bytes, keys: Iterable[RSAPrivateKey], label: str) -> Sensitive:
    """Return the value. Raises ValueError if none of the keys opens it."""
    length = int.from_bytes(sealed[:2], "big")
    wrapped_key, ciphertext = sealed[2 : 2 + length], sealed[2 + length :]
    for key in keys:
        try:
            session_key = key.decrypt(wrapped_key, _padding(label))
            return Sensitive(AESGCM(session_key).decrypt(_NONCE, ciphertext, None))
        except (ValueError, InvalidTag):
            continue
    raise ValueError("none of the keys opens it")


def _padding(label: str) -> OAEP:
    return OAEP(MGF1(SHA256()), SHA256(), label.encode())
