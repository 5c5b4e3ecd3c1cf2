"""Sealed values and what seals them, as far as it shows without a key: `check` alone looks at it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from ..backends import backend_of, sealedsecret
from ..backends.sealedsecret import SealedSecretBackend
from ..errors import InputError, Mistake
from ..manifests import record
from ..manifests.committed import Manifest
from ..model.backend import CertificateFile
from ..model.kubernetes import Subject
from ..objects.documents import Document
from ..sealing.validity import HINT, Validity, judge
from . import CommittedOverlay, Finding, Severity, rule
from .scope import Build, Repository, overlay_subject

_SOON = timedelta(days=30)


@rule("malformed-ciphertext", "error")
def malformed(repository: Repository) -> Iterator[Finding]:
    """A sealed value is no ciphertext: its base64, its length or its structure is broken.

    The controller can't open it, so the Secret is not made or not renewed. Restore it from Git, or seal it again.
    """
    ours: set[str] = set()
    for overlay in repository.overlays:
        backend = backend_of(overlay.environment)
        for name, manifest in overlay.manifests.items():
            ours |= {name, manifest.file}
            if manifest.object["kind"] == backend.kind:
                for key, reason in backend.malformed(manifest.object):
                    yield _malformed(overlay, manifest, f"{name}/{key}", reason)
    for document in (document for root in repository.builds for document in root.objects):
        subject = document.subject
        if _is_sealed(document) and not {document.file, subject.name} & ours:
            for key, reason in SealedSecretBackend().malformed(document.object):
                path = SealedSecretBackend().path_of(key)
                yield Finding(
                    message=f"{subject.name}/{key} {reason}",
                    place=document.place(*path),
                    hint="restore it from Git, or seal it again",
                    subject=subject,
                    field=".".join(path),
                )


def _malformed(overlay: CommittedOverlay, manifest: Manifest, address: str, reason: str) -> Finding:
    """Return what is wrong with the ciphertext of a declared Secret."""
    environment, backend = overlay.environment, backend_of(overlay.environment)
    name, _, key = address.partition("/")
    path = backend.path_of(key)
    return Finding(
        message=f"{address} {reason}",
        place=manifest.place(*path),
        hint=f"run: kubectl ksecret seal {environment.name} {address}",
        subject=Subject(backend.kind, environment.namespace, name),
        field=".".join(path),
        overlay=environment.name,
    )


def _is_sealed(document: Document) -> bool:
    return document.subject.kind == sealedsecret.KIND and document.group == sealedsecret.GROUP


def _certificates(repository: Repository) -> Iterator[tuple[CommittedOverlay, CertificateFile, Validity | str]]:
    """Find the certificates of the overlays, each with where it is named, and what is known of it."""
    for overlay in repository.overlays:
        named = backend_of(overlay.environment).certificate(overlay.environment)
        if named is not None:
            yield overlay, named, repository.certificates[overlay.environment.name]


def _of_certificate(
    overlay: CommittedOverlay, named: CertificateFile, *, message: str, hint: str, severity: Severity | None = None
) -> Finding:
    return Finding(
        message=message,
        place=named.named_at,
        hint=hint,
        subject=overlay_subject(overlay.environment),
        field=named.field,
        overlay=overlay.environment.name,
        milder=severity,
    )


@rule("certificate-ended", "error")
def certificate_ended(repository: Repository) -> Iterator[Finding]:
    """The certificate of an overlay can't seal any more: it has ended, ends soon, or can't be read.

    Nothing can be sealed when it is urgent. Fetch the controller's current one with `kubeseal --fetch-cert`.
    """
    for overlay, named, certificate in _certificates(repository):
        if isinstance(certificate, str):
            yield _of_certificate(overlay, named, message=certificate, hint=HINT)
            continue
        for fact in judge(certificate, now=repository.now, warn=_SOON):
            severity: Severity = "warning" if fact.kind == "ends-soon" else "error"
            yield _of_certificate(overlay, named, message=fact.message, hint=HINT, severity=severity)


@rule("sealed-by-another-hand", "warning")
def sealed_by_another_hand(overlay: CommittedOverlay) -> Iterator[Finding]:
    """A ciphertext is not the one that its entry in the record speaks of: something else sealed it.

    Nobody knows what it holds and who can open it; the record still names the old certificate and version. If it was
    not meant so, restore it from Git; else seal that key, which is all that clears this.
    """
    environment, backend = overlay.environment, backend_of(overlay.environment)
    for name, manifest in overlay.manifests.items():
        entries, held = record.of(manifest.object, backend), backend.held(manifest.object)
        # What is no ciphertext at all is a finding of its own.
        broken = {flaw.path for flaw in backend.unencrypted(manifest.object)}
        broken |= {backend.path_of(key) for key, _ in backend.malformed(manifest.object)}
        for key, provenance in entries.items():
            path = backend.path_of(key)
            if path not in broken and record.is_by_another_hand(provenance, held[key]):
                yield Finding(
                    message=f"{name}/{key} was sealed by another hand since {provenance.time}",
                    place=manifest.place(*path),
                    hint=f"run: kubectl ksecret seal {environment.name} {name}/{key}",
                    subject=Subject(backend.kind, environment.namespace, name),
                    field=".".join(path),
                    overlay=environment.name,
                )


@rule("certificate-changed", "error")
def certificate_changed(repository: Repository) -> Iterator[Finding]:
    """The certificate of an overlay is another one than that of its sealed values.

    Whoever swapped it could read what is sealed next. Restore it, or seal with `--accept` if it is the controller's.
    """
    for overlay, named, certificate in _certificates(repository):
        if isinstance(certificate, str):
            continue
        documents = [manifest.object for manifest in overlay.manifests.values()]
        recorded = record.fingerprints(documents, backend_of(overlay.environment))
        for fact in judge(certificate, now=repository.now, recorded=recorded):
            if fact.kind == "another":
                seal = f"kubectl ksecret seal {overlay.environment.name} --accept {certificate.fingerprint}"
                hint = f"if the controller really has a new key: {seal}"
                yield _of_certificate(overlay, named, message=fact.message, hint=hint)


@rule("recipients-changed", "error")
def recipients_changed(repository: Repository) -> Iterator[Finding]:
    """A SOPS file is encrypted for others than the declared age recipients.

    Somebody can read it who should not, or cannot who should. Restore them, or `kubectl ksecret seal` with `--accept`.
    """
    for overlay in repository.overlays:
        environment, backend = overlay.environment, backend_of(overlay.environment)
        mistakes: dict[Mistake, Finding] = {}
        for name, manifest in overlay.manifests.items():
            try:
                flaws = list(backend.reader_flaws(environment, name, manifest.object))
            except InputError as error:
                # What the project says of the recipients is the same for every file.
                mistakes |= {mistake: _of_overlay(overlay, mistake) for mistake in error.mistakes}
                continue
            for flaw in flaws:
                yield Finding(
                    message=flaw.message,
                    place=manifest.place(*flaw.path),
                    hint=flaw.hint,
                    subject=Subject(backend.kind, environment.namespace, name),
                    field=".".join(flaw.path),
                    overlay=environment.name,
                )
        yield from mistakes.values()


def _of_overlay(overlay: CommittedOverlay, mistake: Mistake) -> Finding:
    return Finding(
        message=mistake.message,
        place=mistake.place,
        hint=mistake.hint,
        subject=overlay_subject(overlay.environment),
        overlay=overlay.environment.name,
    )


@rule("strict-scope-broken", "error")
def strict_scope_broken(repository: Repository) -> Iterator[Finding]:
    """Kustomize gives a SealedSecret a name or a namespace that its values are not sealed for.

    The controller can't open it there. Take the prefix or namespace away, or seal it with a wider scope.
    """
    for root in repository.builds:
        ours = dict(_ours(repository, root))
        for document in root.objects:
            if _is_sealed(document):
                written = _Bound(document.written("metadata", "name"), document.written("metadata", "namespace"))
                # A build from elsewhere names no file of ours, but the name that it has there.
                names = [name for name in (document.file, document.subject.name) if name in ours]
                bound = ours[names[0]] if names else written
                if bound:
                    yield from _broken(root, document, bound)


class _Bound(NamedTuple):
    """The name and namespace that a SealedSecret was written with; empty where it was without."""

    name: str
    namespace: str


def _ours(repository: Repository, root: Build) -> Iterator[tuple[str, _Bound | None]]:
    """Find the committed SealedSecrets of a root's overlays, by file and by the name that kustomize gives them.

    None is what is sealed for another place: that is a finding of its own.
    """
    names = {environment.name for environment in root.environments}
    for overlay in repository.overlays:
        environment, backend = overlay.environment, backend_of(overlay.environment)
        if environment.name not in names or backend.kind != sealedsecret.KIND:
            continue
        renaming = root.renaming_of(environment)
        for name, manifest in overlay.manifests.items():
            secret, document = environment.secrets[name], manifest.object
            as_declared = sealedsecret.is_bound_as_declared(environment, secret, document)
            bound = _Bound(name, str(document["metadata"].get("namespace", ""))) if as_declared else None
            yield manifest.file, bound
            yield renaming.of(name), bound


def _broken(root: Build, document: Document, bound: _Bound) -> Iterator[Finding]:
    name, namespace = bound
    # Its metadata may be anything where it is not ours.
    scope = sealedsecret.scope_of({"metadata": {"annotations": document.annotations}})
    subject, overlays = document.subject, root.environments
    overlay = overlays[0].name if len(overlays) == 1 else ""
    if scope == "strict" and name and name != subject.name:
        message = f"{name} is sealed for its name, and is {subject.name} in the build"
        hint = "take the prefix or suffix away, or seal with the scope namespace-wide"
        yield Finding(
            message=message,
            place=document.place("metadata", "name"),
            hint=hint,
            subject=subject,
            field="metadata.name",
            overlay=overlay,
        )
    # That of an overlay is compared with the overlay's; what kustomize sets otherwise is reported there.
    elif scope != "cluster-wide" and namespace not in ("", subject.namespace) and not _is_set(root, subject.namespace):
        message = f"{name} is sealed for the namespace {namespace}, and is in {subject.namespace} in the build"
        hint = f"deploy it to {namespace}, or seal it again"
        yield Finding(
            message=message,
            place=document.place("metadata", "namespace"),
            hint=hint,
            subject=subject,
            field="metadata.namespace",
            overlay=overlay,
        )


def _is_set(root: Build, namespace: str) -> bool:
    """Whether a kustomization sets this namespace though it is no overlay's."""
    sets = any(layer.object.get("namespace") == namespace for layer in root.layers.values())
    return sets and all(environment.namespace != namespace for environment in root.environments)


RULES = (
    malformed,
    certificate_ended,
    certificate_changed,
    recipients_changed,
    sealed_by_another_hand,
    strict_scope_broken,
)
