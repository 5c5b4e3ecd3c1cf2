"""The certificate of an overlay: showing it, replacing it, and which ones the committed values were sealed with."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from ..backends import backend_of
from ..cluster import certificates
from ..cluster.api import Api
from ..cluster.guard import refuse_another_cluster
from ..errors import InputError, Mistake, Refusal
from ..files.folder import locked
from ..frozen import Record
from ..manifests import committed, record
from ..model.backend import CertificateFile
from ..model.resolution import Environment
from ..sealing import certificate
from ..sealing.validity import Validity, judge
from . import trust
from .deployment import namespace_at


class OverlayCertificate(Record):
    """The certificate that an overlay's file holds now, and the fingerprint of the one before if that was another."""

    file: str
    validity: Validity
    before: str = ""
    changed: bool = False
    warnings: Sequence[Mistake] = ()


def current(environment: Environment, now: datetime) -> OverlayCertificate:
    """Return the certificate that an overlay has. Raises InputError if it has none that can be used."""
    named = _named(environment)
    try:
        validity = certificate.read(environment.project.read(named.path, named.named_at))
    except ValueError as error:
        hint = f"kubectl ksecret certificate {environment.name} --fetch"
        raise InputError(Mistake(str(error), named.named_at, hint)) from None
    return OverlayCertificate(
        file=environment.project.name(named.path), validity=validity, warnings=_warnings(named, validity, now)
    )


def fetch(environment: Environment, api: Api, controller: certificates.Controller, now: datetime) -> OverlayCertificate:
    """Replace the certificate by that of the cluster's controller. Raises InputError for another cluster."""
    _named(environment)
    refuse_another_cluster(environment, api, namespace_at(api, environment))
    pem = certificates.from_controller(api, controller, otherwise="the certificate with --url")
    return replace(environment, pem, now, trusted=True)


def replace(environment: Environment, pem: bytes, now: datetime, *, trusted: bool) -> OverlayCertificate:
    """Write a certificate into an overlay's file.

    One that the cluster itself gave is `trusted`: what this clone seals for is that certificate from now on, while
    everything else of the overlay still has to be confirmed. Raises InputError if the overlay has no certificate,
    Refusal for what can't seal.
    """
    named = _named(environment)
    validity = usable(pem, now)
    before = _fingerprint(environment, named)
    changed = before != validity.fingerprint
    path = environment.project.inside(named.path, named.named_at)
    if changed:
        with locked(os.path.dirname(path)) as folder:
            folder.write(os.path.basename(path), validity.pem)
            folder.clean()
    if trusted:
        trust.trust_readers(environment, [validity.fingerprint])
    return OverlayCertificate(
        file=environment.project.name(named.path), validity=validity, before=before, changed=changed
    )


def usable(pem: bytes, now: datetime) -> certificate.Certificate:
    """Return a certificate that a controller or a URL gave. Raises Refusal for what can't seal."""
    try:
        return certificate.load(pem, now)
    except ValueError as error:
        raise Refusal(Mistake(f"what was given can't seal: {error}")) from None


def needed(environment: Environment) -> Mapping[str, Sequence[str]]:
    """Return, by the fingerprints of certificates, the keys that were sealed with them, as far as records say.

    A key that no record speaks of stands under an empty fingerprint.
    """
    backend = backend_of(environment)
    addresses: dict[str, list[str]] = {}
    for name, manifest in committed.read(environment).items():
        entries = record.of(manifest.object, backend)
        for key, ciphertext in backend.held(manifest.object).items():
            provenance = entries.get(key)
            known = provenance is not None and not record.is_by_another_hand(provenance, ciphertext)
            fingerprint = provenance.by if provenance and known else ""
            addresses.setdefault(fingerprint, []).append(f"{name}/{key}")
    return {fingerprint: sorted(keys) for fingerprint, keys in sorted(addresses.items())}


def _named(environment: Environment) -> CertificateFile:
    named = backend_of(environment).certificate(environment)
    if named is None:
        place = environment.overlay.spec.origin.key("backend")
        raise InputError(Mistake(f"overlay {environment.name} has no certificate", place))
    return named


def _fingerprint(environment: Environment, named: CertificateFile) -> str:
    """Return the fingerprint of what the file holds; empty for a file that is missing or holds no certificate."""
    content = environment.project.read_if_there(named.path)
    try:
        return certificate.read(content).fingerprint if content is not None else ""
    except ValueError:
        return ""


def _warnings(named: CertificateFile, validity: Validity, now: datetime) -> list[Mistake]:
    return [Mistake(fact.message, named.named_at) for fact in judge(validity, now=now)]
