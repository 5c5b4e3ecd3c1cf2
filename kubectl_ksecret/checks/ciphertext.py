"""Sealed values and what seals them, as far as it shows without a key: `check` alone looks at it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from ..backends import backend_of, sealedsecret
from ..backends.sealedsecret import SealedSecretBackend
from ..errors import InputError, Mistake
from ..kustomize import layers
from ..manifests import record
from ..manifests.committed import Manifest
from ..model.backend import CertificateFile
from ..model.kubernetes import Subject
from ..objects.documents import Document
from ..sealing.validity import HINT, Validity, judge
from . import Fault, Scene, Severity, rule
from .landscape import Landscape, Root, overlay_of

_SOON = timedelta(days=30)


@rule("malformed-ciphertext", "error")
def malformed(landscape: Landscape) -> Iterator[Fault]:
    """A sealed value is no ciphertext: its base64, its length or its structure is broken.

    The controller can't open it, so the Secret is not made or not renewed. Restore it from Git, or seal it again.
    """
    ours: set[str] = set()
    for scene in landscape.scenes:
        backend = backend_of(scene.environment)
        for name, manifest in scene.committed.items():
            ours |= {name, manifest.file}
            if manifest.object["kind"] == backend.kind:
                for key, reason in backend.malformed(manifest.object):
                    yield _malformed(scene, manifest, f"{name}/{key}", reason)
    for document in (document for root in landscape.roots for document in root.objects):
        subject = document.subject
        if _is_sealed(document) and not {document.file, subject.name} & ours:
            for key, reason in SealedSecretBackend().malformed(document.object):
                path = SealedSecretBackend().path_of(key)
                yield Fault(
                    message=f"{subject.name}/{key} {reason}",
                    place=document.place(*path),
                    hint="restore it from Git, or seal it again",
                    subject=subject,
                    field=".".join(path),
                )


def _malformed(scene: Scene, manifest: Manifest, address: str, reason: str) -> Fault:
    """Return what is wrong with the ciphertext of a declared Secret."""
    environment, backend = scene.environment, backend_of(scene.environment)
    name, _, key = address.partition("/")
    path = backend.path_of(key)
    return Fault(
        message=f"{address} {reason}",
        place=manifest.place(*path),
        hint=f"run: kubectl ksecret seal {environment.name} {address}",
        subject=Subject(backend.kind, environment.namespace, name),
        field=".".join(path),
        overlay=environment.name,
    )


def _is_sealed(document: Document) -> bool:
    return document.subject.kind == sealedsecret.KIND and document.group == sealedsecret.GROUP


def _certificates(landscape: Landscape) -> Iterator[tuple[Scene, CertificateFile, Validity | str]]:
    """Find the certificates of the overlays, each with where it is named, and what is known of it."""
    for scene in landscape.scenes:
        named = backend_of(scene.environment).certificate(scene.environment)
        if named is not None:
            yield scene, named, landscape.certificates[scene.environment.name]


def _of_certificate(
    scene: Scene, named: CertificateFile, *, message: str, hint: str, severity: Severity | None = None
) -> Fault:
    return Fault(
        message=message,
        place=named.named_at,
        hint=hint,
        subject=overlay_of(scene.environment),
        field=named.field,
        overlay=scene.environment.name,
        severity=severity,
    )


@rule("certificate-ended", "error")
def certificate_ended(landscape: Landscape) -> Iterator[Fault]:
    """The certificate of an overlay can't seal any more: it has ended, ends soon, or can't be read.

    Nothing can be sealed when it is urgent. Fetch the controller's current one with `kubeseal --fetch-cert`.
    """
    for scene, named, certificate in _certificates(landscape):
        if isinstance(certificate, str):
            yield _of_certificate(scene, named, message=certificate, hint=HINT)
            continue
        for fact in judge(certificate, now=landscape.now, warn=_SOON):
            severity: Severity = "warning" if fact.kind == "ends-soon" else "error"
            yield _of_certificate(scene, named, message=fact.message, hint=HINT, severity=severity)


@rule("certificate-changed", "error")
def certificate_changed(landscape: Landscape) -> Iterator[Fault]:
    """The certificate of an overlay is another one than that of its sealed values.

    Whoever swapped it could read what is sealed next. Restore it, or seal with `--accept` if it is the controller's.
    """
    for scene, named, certificate in _certificates(landscape):
        if isinstance(certificate, str):
            continue
        documents = [manifest.object for manifest in scene.committed.values()]
        recorded = record.fingerprints(documents, backend_of(scene.environment))
        for fact in judge(certificate, now=landscape.now, recorded=recorded):
            if fact.kind == "another":
                seal = f"kubectl ksecret seal {scene.environment.name} --accept {certificate.fingerprint}"
                hint = f"if the controller really has a new key: {seal}"
                yield _of_certificate(scene, named, message=fact.message, hint=hint)


@rule("recipients-changed", "error")
def recipients_changed(landscape: Landscape) -> Iterator[Fault]:
    """A SOPS file is encrypted for others than the declared age recipients.

    Somebody can read it who should not, or cannot who should. Restore them, or `kubectl ksecret seal` with `--accept`.
    """
    for scene in landscape.scenes:
        environment, backend = scene.environment, backend_of(scene.environment)
        mistakes: dict[Mistake, Fault] = {}
        for name, manifest in scene.committed.items():
            try:
                flaws = list(backend.reader_flaws(environment, name, manifest.object))
            except InputError as error:
                # What the project says of the recipients is the same for every file.
                mistakes |= {mistake: _of_overlay(scene, mistake) for mistake in error.mistakes}
                continue
            for flaw in flaws:
                yield Fault(
                    message=flaw.message,
                    place=manifest.place(*flaw.path),
                    hint=flaw.hint,
                    subject=Subject(backend.kind, environment.namespace, name),
                    field=".".join(flaw.path),
                    overlay=environment.name,
                )
        yield from mistakes.values()


def _of_overlay(scene: Scene, mistake: Mistake) -> Fault:
    return Fault(
        message=mistake.message,
        place=mistake.place,
        hint=mistake.hint,
        subject=overlay_of(scene.environment),
        overlay=scene.environment.name,
    )


@rule("strict-scope-broken", "error")
def strict_scope_broken(landscape: Landscape) -> Iterator[Fault]:
    """Kustomize gives a SealedSecret a name or a namespace that its values are not sealed for.

    The controller can't open it there. Take the prefix or namespace away, or seal it with a wider scope.
    """
    for root in landscape.roots:
        ours = dict(_ours(landscape, root))
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


def _ours(landscape: Landscape, root: Root) -> Iterator[tuple[str, _Bound | None]]:
    """Find the committed SealedSecrets of a root's overlays, by file and by the name that kustomize gives them.

    None is what is sealed for another place: that is a finding of its own.
    """
    names = {environment.name for environment in root.environments}
    for scene in landscape.scenes:
        environment, backend = scene.environment, backend_of(scene.environment)
        if environment.name not in names or backend.kind != sealedsecret.KIND:
            continue
        renaming = layers.renaming(root.way_to(environment))
        for name, manifest in scene.committed.items():
            secret, document = environment.secrets[name], manifest.object
            as_declared = sealedsecret.is_bound_as_declared(environment, secret, document)
            bound = _Bound(name, str(document["metadata"].get("namespace", ""))) if as_declared else None
            yield manifest.file, bound
            yield renaming.of(name), bound


def _broken(root: Root, document: Document, bound: _Bound) -> Iterator[Fault]:
    name, namespace = bound
    # Its metadata may be anything where it is not ours.
    scope = sealedsecret.scope_of({"metadata": {"annotations": document.annotations}})
    subject, overlays = document.subject, root.environments
    overlay = overlays[0].name if len(overlays) == 1 else ""
    if scope == "strict" and name and name != subject.name:
        what = f"{name} is sealed for its name, and is {subject.name} in the build"
        hint = "take the prefix or suffix away, or seal with the scope namespace-wide"
        yield Fault(what, document.place("metadata", "name"), hint, subject, "metadata.name", overlay)
    # That of an overlay is compared with the overlay's; what kustomize sets otherwise is told there.
    elif scope != "cluster-wide" and namespace not in ("", subject.namespace) and not _is_set(root, subject.namespace):
        what = f"{name} is sealed for the namespace {namespace}, and is in {subject.namespace} in the build"
        hint = f"deploy it to {namespace}, or seal it again"
        yield Fault(what, document.place("metadata", "namespace"), hint, subject, "metadata.namespace", overlay)


def _is_set(root: Root, namespace: str) -> bool:
    """Whether a kustomization sets this namespace though it is no overlay's."""
    sets = any(layer.object.get("namespace") == namespace for layer in root.layers.values())
    return sets and all(environment.namespace != namespace for environment in root.environments)


RULES = (malformed, certificate_ended, certificate_changed, recipients_changed, strict_scope_broken)
