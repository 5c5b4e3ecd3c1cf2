"""What a store of Vault needs beside its credentials: a CA that can be read. What Vault itself refuses, Events say."""

from base64 import b64decode
from collections.abc import Iterator

from ...backends.stores.vault import VaultProvider
from ...objects.documents import mapping
from .examination import Examination, Question, Step
from .remedies import correction
from .stores import readable

_AUTHORITY = "the store can know Vault's certificate"


def _authority(examination: Examination) -> Iterator[Step]:
    for reference, live in readable(examination):
        fields = mapping(mapping(mapping(live.get("spec")).get("provider")).get(VaultProvider.name))
        if not (bundle := fields.get("caBundle")):
            continue
        fault = _fault(examination, str(bundle))
        yield Step(
            question=_AUTHORITY,
            subject=reference.subject,
            verdict="failed" if fault else "passed",
            cause=fault or "caBundle holds certificates that are valid",
            remedy="\n".join(correction(examination, live, "spec.source.vault.caFile", "caBundle")) if fault else "",
        )


def _fault(examination: Examination, bundle: str) -> str:
    """Return what is wrong with a caBundle; a certificate that has ended makes the others no worse."""
    from cryptography import x509

    try:
        certificates = x509.load_pem_x509_certificates(b64decode(bundle, validate=True))
    except ValueError:
        return "caBundle holds no certificate in PEM"
    ends = max(certificate.not_valid_after_utc for certificate in certificates)
    return f"the certificate of caBundle ended on {ends:%Y-%m-%d}" if ends < examination.request.now else ""


QUESTIONS = (Question(_AUTHORITY, _authority),)
