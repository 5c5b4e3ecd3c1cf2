"""Are the committed Secrets those that are declared? What must hold before a sealed overlay is rendered."""

from collections.abc import Iterator

from ..backends import backend_of
from ..errors import Place, nearest, shown
from ..manifests import record
from ..manifests.committed import Manifest
from ..model.backend import Backend, Path
from ..model.kubernetes import Subject
from ..model.resolution import Made, Secret
from . import Fault, Scene, rule


def _sealed(scene: Scene) -> Iterator[tuple[Secret, Manifest, Backend]]:
    """Find the declared Secrets of which something is committed, in an overlay whose backend seals."""
    backend = backend_of(scene.environment)
    for name, secret in scene.environment.secrets.items() if backend.seals else ():
        if name in scene.committed:
            yield secret, scene.committed[name], backend


def _fault(scene: Scene, secret: str, message: str, *, place: Place | None, hint: str) -> Fault:
    """Return what is wrong with a committed Secret, or one that should be."""
    subject = Subject(backend_of(scene.environment).kind, scene.environment.namespace, secret)
    return Fault(message=message, place=place, hint=hint, subject=subject, overlay=scene.environment.name)


def _seal(scene: Scene, address: str = "") -> str:
    return f"run: kubectl ksecret seal {scene.environment.name}" + (f" {address}" if address else "")


def _write(scene: Scene) -> str:
    return f"run: kubectl ksecret render {scene.environment.name} --write"


@rule("not-sealed", "error")
def not_sealed(scene: Scene) -> Iterator[Fault]:
    """A declared key is not sealed.

    The pods that read it stay in CreateContainerConfigError. `kubectl ksecret seal` seals it.
    """
    backend = backend_of(scene.environment)
    if not backend.seals:
        return
    for name, secret in scene.environment.secrets.items():
        held = backend.held(scene.committed[name].object) if name in scene.committed else {}
        declared = secret.declaration.spec
        for key in secret.keys:
            if key not in held:
                message = f"{name}/{key} is not sealed in {scene.environment.name}"
                yield _fault(scene, name, message, place=declared.origin.key("keys", key), hint=_seal(scene))


@rule("sealed-not-declared", "error")
def not_declared(scene: Scene) -> Iterator[Fault]:
    """A sealed key is not declared, or not where it is declared to be.

    It lives on in one environment only. `kubectl ksecret render --write` drops it; a SOPS file takes a `seal`.
    """
    for secret, manifest, backend in _sealed(scene):
        for key in backend.held(manifest.object):
            if key not in secret.keys:
                hint = nearest(key, secret.keys) or (_write(scene) if backend.drops_keys else _seal(scene))
                message = f"{secret.name}/{key} is sealed but not declared"
                yield _fault(scene, secret.name, message, place=manifest.place(*backend.path_of(key)), hint=hint)
        for path in backend.shadowing(manifest.object):
            message = f"{secret.name}/{path[-1]} stands in {path[0]}, which goes before data"
            yield _fault(scene, secret.name, message, place=manifest.place(*path), hint=_seal(scene))


@rule("sealed-for-another-place", "error")
def sealed_for_another_place(scene: Scene) -> Iterator[Fault]:
    """A manifest is of another kind, name, namespace or scope than is declared.

    No controller opens it here. `kubectl ksecret seal` seals it for the place where it is.
    """
    for secret, manifest, backend in _sealed(scene):
        flaw = backend.misplacement(scene.environment, secret, manifest.object)
        if flaw:
            hint = _seal(scene, secret.name)
            yield _fault(scene, secret.name, flaw.message, place=manifest.place(*flaw.path), hint=hint)


@rule("not-encrypted", "error")
def not_encrypted(scene: Scene) -> Iterator[Fault]:
    """A Secret that SOPS should have encrypted holds plain text, or its sops block is broken.

    The value is in the repository for all to read, or nobody can open it. Change a value that leaked, then seal.
    """
    for secret, manifest, backend in _sealed(scene):
        for flaw in backend.unencrypted(manifest.object):
            message, hint = f"{secret.name}: {flaw.message}", _seal(scene, secret.name)
            yield _fault(scene, secret.name, message, place=manifest.place(*flaw.path), hint=hint)


@rule("manifest-out-of-date", "error")
def out_of_date(scene: Scene) -> Iterator[Fault]:
    """The API version, type, labels, annotations or template of a manifest are no longer the declared ones.

    The environments differ where they should be equal. `kubectl ksecret render --write` mends it without any value.
    """
    for secret, manifest, backend in _sealed(scene):
        if backend.misplacement(scene.environment, secret, manifest.object):
            continue
        # A MAC over the metadata too, as sops itself makes it, takes the data key to be made anew.
        hint = _write(scene) if backend.rewritable(manifest.object) else _seal(scene)
        for path in backend.outdated_fields(scene.environment, secret, manifest.object):
            message = f"{'.'.join(path)} of {secret.name} is not the declared one"
            yield _fault(scene, secret.name, message, place=manifest.place(*path), hint=hint)


@rule("foreign-field", "error")
def foreign_field(scene: Scene) -> Iterator[Fault]:
    """A committed SealedSecret has a field that none of ours has.

    It passes into the build as it is, a value in plain text too. `kubectl ksecret render --write` drops it; change a
    value that leaked.
    """
    for secret, manifest, backend in _sealed(scene):
        if manifest.object["kind"] != backend.kind:
            continue
        for path in backend.foreign_fields(manifest.object):
            message = f"{secret.name} has a field that no {backend.kind} of ours has: {shown('.'.join(path))}"
            yield _fault(scene, secret.name, message, place=_place_of_name(manifest, path), hint=_write(scene))


def _place_of_name(manifest: Manifest, path: Path) -> Place:
    """Return where a field's name stands; its value may be one that leaked."""
    from ..objects import documents  # for a finding alone: most builds have none

    return documents.read(manifest.text, manifest.file)[0].key(*path)


@rule("template-changed", "error")
def template_changed(scene: Scene) -> Iterator[Fault]:
    """A template or a parameter has changed since its key was sealed.

    Production holds what the old template made. `kubectl ksecret seal` resolves it anew.
    """
    parameters = scene.environment.overlay.spec.parameters
    for secret, manifest, backend in _sealed(scene):
        templates = {name: value for name, value in secret.keys.items() if isinstance(value, Made)}
        entries = record.of(manifest.object, backend) if templates else {}
        for name, value in templates.items():
            sealed_as = entries[name].template if name in entries else None
            if sealed_as and sealed_as != record.template_digest(value.parts, parameters):
                message = f"the template of {secret.name}/{name} has changed since it was sealed"
                place = value.key.origin.at("template")
                yield _fault(scene, secret.name, message, place=place, hint=_seal(scene))


RULES = (
    not_sealed,
    not_declared,
    sealed_for_another_place,
    foreign_field,
    not_encrypted,
    out_of_date,
    template_changed,
)


def files_with_findings(scene: Scene) -> set[str]:
    """Return the committed files of which these rules say what is wrong."""
    return {fault.place.file for rule in RULES for fault in rule.find(scene) if fault.place}
