"""Sealed values and what seals them, as far as it shows without a key: `check` alone looks at it."""

import os
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from ..backends import sealedsecret
from ..errors import InputError, Place, shown
from ..kustomize import layers
from ..manifests import record, sopsconfig
from ..manifests import sops as outside
from ..manifests.committed import FOLDER, Manifest, file_of
from ..model.kubernetes import Object, Subject
from ..model.types.backends import SealedSecret, Sops
from ..objects.documents import Document, mapping
from . import Fault, Scene, Severity, rule
from .landscape import Landscape, Root, overlay_of

_RSA_LENGTHS = (256, 384, 512, 1024)  # in bytes: of keys of 2048 bits and more
_TAG = 16
_SOON = timedelta(days=30)


@rule("malformed-ciphertext", "error")
def malformed(landscape: Landscape) -> Iterator[Fault]:
    """A sealed value is no ciphertext: its base64, its length or its structure is broken.

    The controller can't open it, so the Secret is not made or not renewed. Restore it from Git, or seal it again.
    """
    ours: set[str] = set()
    for scene in landscape.scenes:
        for name, manifest in scene.committed.items():
            ours |= {name, manifest.file}
            if not isinstance(scene.environment.backend, SealedSecret) or manifest.object["kind"] != sealedsecret.KIND:
                continue
            for key, why in _malformed(manifest.object):
                address = f"{name}/{key}"
                subject = Subject(sealedsecret.KIND, scene.environment.namespace, name)
                place = manifest.place("spec", "encryptedData", key)
                hint = f"run: kubectl ksecret seal {scene.environment.name} {address}"
                what, field = f"{address} {why}", f"spec.encryptedData.{key}"
                yield Fault(what, place, hint, subject, field, scene.environment.name)
    for document in (document for root in landscape.roots for document in root.objects):
        subject = document.subject
        if _is_sealed(document) and not {document.file, subject.name} & ours:
            for key, why in _malformed(document.object):
                place = document.place("spec", "encryptedData", key)
                what, field = f"{subject.name}/{key} {why}", f"spec.encryptedData.{key}"
                yield Fault(what, place, "restore it from Git, or seal it again", subject, field)


def _is_sealed(document: Document) -> bool:
    return document.subject.kind == sealedsecret.KIND and document.group == sealedsecret.API.partition("/")[0]


def _malformed(document: Object) -> Iterator[tuple[str, str]]:
    """The keys whose ciphertext is none, and why."""
    for key, text in mapping(mapping(document.get("spec")).get("encryptedData")).items():
        if why := _why_malformed(text):
            yield str(key), why


def _why_malformed(text: object) -> str:
    """What is wrong with a ciphertext: the length of the RSA part, that part, the AES-GCM part with its tag."""
    if not isinstance(text, str):
        return "is no text"
    try:
        content = b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError:
        return "is not base64"
    length = int.from_bytes(content[:2], "big")
    if len(content) < 2 or length not in _RSA_LENGTHS:
        return "does not begin as a sealed value does"
    return "is cut off" if len(content) < 2 + length + _TAG else ""


def _sealing(landscape: Landscape) -> Iterator[tuple[Scene, SealedSecret]]:
    for scene in landscape.scenes:
        if isinstance(scene.environment.backend, SealedSecret):
            yield scene, scene.environment.backend


@rule("certificate-ended", "error")
def certificate_ended(landscape: Landscape) -> Iterator[Fault]:
    """The certificate of an overlay can't seal any more: it has ended, ends soon, or can't be read.

    Nothing can be sealed when it is urgent. Fetch the controller's current one with `kubeseal --fetch-cert`.
    """
    for scene, backend in _sealing(landscape):
        name = scene.environment.name
        sealing = landscape.certificates[name]
        severity: Severity = "error"
        if sealing.broken:
            message = sealing.broken
        elif sealing.not_after and sealing.not_after <= landscape.now:
            message = f"the certificate of {name} ended on {sealing.not_after:%Y-%m-%d}"
        elif sealing.not_after and sealing.not_after < landscape.now + _SOON:
            message, severity = f"the certificate of {name} ends on {sealing.not_after:%Y-%m-%d}", "warning"
        else:
            continue
        place, hint = backend.origin.at("certificate"), "kubeseal --fetch-cert prints the current one"
        field = "spec.backend.sealedSecret.certificate"
        yield Fault(message, place, hint, overlay_of(scene.environment), field, name, severity)


@rule("certificate-changed", "error")
def certificate_changed(landscape: Landscape) -> Iterator[Fault]:
    """The certificate of an overlay is another one than that of its sealed values.

    Whoever swapped it could read what is sealed next. Restore it, or seal with `--accept` if it is the controller's.
    """
    for scene, backend in _sealing(landscape):
        found = landscape.certificates[scene.environment.name].fingerprint
        recorded = record.fingerprints(manifest.object for manifest in scene.committed.values())
        if found and recorded and found not in recorded:
            name = scene.environment.name
            what = f"the certificate of {name} is another one than that of the sealed values"
            hint = f"if the controller really has a new key: kubectl ksecret seal {name} --accept {found}"
            place, field = backend.origin.at("certificate"), "spec.backend.sealedSecret.certificate"
            yield Fault(what, place, hint, overlay_of(scene.environment), field, name)


@rule("recipients-changed", "error")
def recipients_changed(landscape: Landscape) -> Iterator[Fault]:
    """A SOPS file is encrypted for others than the declared age recipients.

    Somebody can read it who should not, or cannot who should. Restore them, or `kubectl ksecret seal` with `--accept`.
    """
    for scene in landscape.scenes:
        backend = scene.environment.backend
        if not isinstance(backend, Sops):
            continue
        told = set()
        for name, manifest in scene.committed.items():
            try:
                fault = _recipients_fault(scene, backend, name, manifest)
            except InputError as error:
                message, place, hint, _ = error.mistakes[0]
                fault = Fault(message, place, hint, overlay_of(scene.environment), overlay=scene.environment.name)
            if fault and (fault.message, fault.place) not in told:
                told.add((fault.message, fault.place))
                yield fault


def _recipients_fault(scene: Scene, backend: Sops, name: str, manifest: Manifest) -> Fault | None:
    """What is wrong with the recipients of a file. Raises InputError for rules of .sops.yaml that can't be used."""
    environment = scene.environment
    found = set(outside.recipients(manifest.object))
    if not found:
        return None  # told as a broken sops block
    path = os.path.normpath(os.path.join(environment.path(FOLDER), file_of(name)))
    ruled, rules = sopsconfig.recipients(environment.project, path)
    subject, overlay = Subject("Secret", environment.namespace, name), environment.name
    if backend.age and ruled and set(backend.age) != set(ruled):
        what, hint = f"the recipients are not those of {rules}", "leave them out here, or make them equal"
        return Fault(what, backend.origin.at("age"), hint, overlay_of(environment), "spec.backend.sops.age", overlay)
    declared = set(backend.age or ruled)
    place: Place = manifest.place(outside.BLOCK, "age")
    recorded = record.fingerprints([manifest.object])
    if found != declared:
        added = " ".join(f"--accept {each}" for each in sorted(declared - found))
        hint = f"if the declared ones are meant: kubectl ksecret seal {environment.name} {added}".rstrip()
        what = f"{name} {_said(found - declared, declared - found)}"
        return Fault(what, place, hint, subject, "sops.age", overlay)
    if recorded and outside.fingerprint(found) not in recorded:
        hint = "compare the sops block with the commit before, and seal again"
        what = f"{name} names other recipients than those that it was sealed for"
        return Fault(what, place, hint, subject, "sops.age", overlay)
    return None


def _said(added: set[str], lacking: set[str]) -> str:
    parts = (
        f"is encrypted for {_named(added)}, not declared" if added else "",
        f"is not encrypted for {_named(lacking)}, declared" if lacking else "",
    )
    return " and ".join(part for part in parts if part)


def _named(recipients: set[str]) -> str:
    return ", ".join(f"{shown(each[:16])}…" for each in sorted(recipients))


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
                known = [each for each in (document.file, document.subject.name) if each in ours]
                bound = ours[known[0]] if known else written
                if bound:
                    yield from _broken(root, document, bound)


class _Bound(NamedTuple):
    """The name and namespace that a SealedSecret was written with; empty where it was without."""

    name: str
    namespace: str


def _ours(landscape: Landscape, root: Root) -> Iterator[tuple[str, _Bound | None]]:
    """The committed SealedSecrets of a root's overlays, by file and by the name that kustomize gives them.

    None is what is sealed for another place: that is told elsewhere.
    """
    names = {each.name for each in root.environments}
    for scene, backend in _sealing(landscape):
        environment = scene.environment
        renaming = layers.renaming(root.way_to(environment))
        for name, manifest in scene.committed.items() if environment.name in names else ():
            secret, found = environment.secrets[name], manifest.object
            as_declared = sealedsecret.is_bound_as_declared(environment, backend, secret, found)
            bound = _Bound(name, str(found["metadata"].get("namespace", ""))) if as_declared else None
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
    sets = any(each.object.get("namespace") == namespace for each in root.layers.values())
    return sets and all(each.namespace != namespace for each in root.environments)


RULES = (malformed, certificate_ended, certificate_changed, recipients_changed, strict_scope_broken)
