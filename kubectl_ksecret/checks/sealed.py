"""Are the committed Secrets those that are declared? What must hold before a sealed overlay is rendered."""

from collections.abc import Iterator

from ..backends import backend_of
from ..errors import Place, nearest, shown
from ..manifests import record
from ..manifests.committed import Manifest
from ..model.backend import Backend, Path
from ..model.kubernetes import Subject
from ..model.resolution import Derived, Secret
from . import CommittedOverlay, Finding, rule


def _sealed(overlay: CommittedOverlay) -> Iterator[tuple[Secret, Manifest, Backend]]:
    """Find the declared Secrets of which something is committed, in an overlay whose backend seals."""
    backend = backend_of(overlay.environment)
    for name, secret in overlay.environment.secrets.items() if backend.seals else ():
        if name in overlay.manifests:
            yield secret, overlay.manifests[name], backend


def _fault(overlay: CommittedOverlay, secret: str, message: str, *, place: Place | None, hint: str) -> Finding:
    """Return what is wrong with a committed Secret, or one that should be."""
    subject = Subject(backend_of(overlay.environment).kind, overlay.environment.namespace, secret)
    return Finding(
        message=message,
        place=place,
        hint=hint,
        subject=subject,
        overlay=overlay.environment.name,
    )


def _seal(overlay: CommittedOverlay, address: str = "") -> str:
    return f"run: kubectl ksecret seal {overlay.environment.name}" + (f" {address}" if address else "")


def _write(overlay: CommittedOverlay) -> str:
    return f"run: kubectl ksecret render {overlay.environment.name} --write"


@rule("not-sealed", "error")
def not_sealed(overlay: CommittedOverlay) -> Iterator[Finding]:
    """A declared key is not sealed.

    The pods that read it stay in CreateContainerConfigError. `kubectl ksecret seal` seals it.
    """
    backend = backend_of(overlay.environment)
    if not backend.seals:
        return
    for name, secret in overlay.environment.secrets.items():
        held = backend.held(overlay.manifests[name].object) if name in overlay.manifests else {}
        declared = secret.declaration.spec
        for key in secret.keys:
            if key not in held:
                message = f"{name}/{key} is not sealed in {overlay.environment.name}"
                yield _fault(overlay, name, message, place=declared.origin.key("keys", key), hint=_seal(overlay))


@rule("sealed-not-declared", "error")
def not_declared(overlay: CommittedOverlay) -> Iterator[Finding]:
    """A sealed key is not declared, or not where it is declared to be.

    It lives on in one environment only. `kubectl ksecret render --write` drops it; a SOPS file takes a `seal`.
    """
    for secret, manifest, backend in _sealed(overlay):
        for key in backend.held(manifest.object):
            if key not in secret.keys:
                hint = nearest(key, secret.keys) or (_write(overlay) if backend.drops_keys else _seal(overlay))
                message = f"{secret.name}/{key} is sealed but not declared"
                yield _fault(overlay, secret.name, message, place=manifest.place(*backend.path_of(key)), hint=hint)
        for path in backend.shadowing(manifest.object):
            message = f"{secret.name}/{path[-1]} stands in {path[0]}, which goes before data"
            yield _fault(overlay, secret.name, message, place=manifest.place(*path), hint=_seal(overlay))


@rule("sealed-for-another-place", "error")
def sealed_for_another_place(overlay: CommittedOverlay) -> Iterator[Finding]:
    """A manifest is of another kind, name, namespace or scope than is declared.

    No controller opens it here. `kubectl ksecret seal` seals it for the place where it is.
    """
    for secret, manifest, backend in _sealed(overlay):
        flaw = backend.misplacement(overlay.environment, secret, manifest.object)
        if flaw:
            hint = _seal(overlay, secret.name)
            yield _fault(overlay, secret.name, flaw.message, place=manifest.place(*flaw.path), hint=hint)


@rule("not-encrypted", "error")
def not_encrypted(overlay: CommittedOverlay) -> Iterator[Finding]:
    """A Secret that SOPS should have encrypted holds plain text, or its sops block is broken.

    The value is in the repository for all to read, or nobody can open it. Change a value that leaked, then seal.
    """
    for secret, manifest, backend in _sealed(overlay):
        for flaw in backend.unencrypted(manifest.object):
            message, hint = f"{secret.name}: {flaw.message}", _seal(overlay, secret.name)
            yield _fault(overlay, secret.name, message, place=manifest.place(*flaw.path), hint=hint)


@rule("manifest-out-of-date", "error")
def out_of_date(overlay: CommittedOverlay) -> Iterator[Finding]:
    """The API version, type, labels, annotations or template of a manifest are no longer the declared ones.

    The environments differ where they should be equal. `kubectl ksecret render --write` mends it without any value.
    """
    for secret, manifest, backend in _sealed(overlay):
        if backend.misplacement(overlay.environment, secret, manifest.object):
            continue
        # A MAC over the metadata too, as sops itself makes it, takes the data key to be made anew.
        hint = _write(overlay) if backend.rewritable(manifest.object) else _seal(overlay)
        for path in backend.outdated_fields(overlay.environment, secret, manifest.object):
            message = f"{'.'.join(path)} of {secret.name} is not the declared one"
            yield _fault(overlay, secret.name, message, place=manifest.place(*path), hint=hint)


@rule("foreign-field", "error")
def foreign_field(overlay: CommittedOverlay) -> Iterator[Finding]:
    """A committed SealedSecret has a field that none of ours has.

    It passes into the build as it is, a value in plain text too. `kubectl ksecret render --write` drops it; change a
    value that leaked.
    """
    for secret, manifest, backend in _sealed(overlay):
        if manifest.object["kind"] != backend.kind:
            continue
        for path in backend.foreign_fields(manifest.object):
            message = f"{secret.name} has a field that no {backend.kind} of ours has: {shown('.'.join(path))}"
            yield _fault(overlay, secret.name, message, place=_place_of_name(manifest, path), hint=_write(overlay))


def _place_of_name(manifest: Manifest, path: Path) -> Place:
    """Return where a field's name stands; its value may be one that leaked."""
    from ..objects import documents  # for a finding alone: most builds have none

    return documents.read(manifest.text, manifest.file)[0].key(*path)


@rule("template-changed", "error")
def template_changed(overlay: CommittedOverlay) -> Iterator[Finding]:
    """A template or a parameter has changed since its key was sealed.

    Production holds what the old template made. `kubectl ksecret seal` resolves it anew.
    """
    parameters = overlay.environment.overlay.spec.parameters
    for secret, manifest, backend in _sealed(overlay):
        templates = {name: value for name, value in secret.keys.items() if isinstance(value, Derived)}
        entries = record.of(manifest.object, backend) if templates else {}
        for name, value in templates.items():
            sealed_as = entries[name].template if name in entries else None
            if sealed_as and sealed_as != record.template_digest(value.parts, parameters):
                message = f"the template of {secret.name}/{name} has changed since it was sealed"
                place = value.key.origin.at("template")
                yield _fault(overlay, secret.name, message, place=place, hint=_seal(overlay))


RULES = (
    not_sealed,
    not_declared,
    sealed_for_another_place,
    foreign_field,
    not_encrypted,
    out_of_date,
    template_changed,
)


def files_with_findings(overlay: CommittedOverlay) -> set[str]:
    """Return the committed files of which these rules say what is wrong."""
    return {fault.place.file for rule in RULES for fault in rule.find(overlay) if fault.place}
