"""Are the committed Secrets those that are declared? What must hold before a sealed overlay is rendered."""

from collections.abc import Iterator

from ..backends import held, sealedsecret, sops
from ..errors import Mistake, Place, nearest, shown
from ..manifests import record
from ..manifests import sops as outside
from ..manifests.committed import Manifest
from ..model.kubernetes import Object, Subject
from ..model.resolution import Made, Secret
from ..model.types.backends import SealedSecret, Sops
from . import Fault, Scene, rule

_SEALING = (SealedSecret, Sops)


def _sealed(scene: Scene) -> Iterator[tuple[Secret, Manifest]]:
    for name, secret in scene.environment.secrets.items():
        if name in scene.committed and isinstance(scene.environment.backend, _SEALING):
            yield secret, scene.committed[name]


def _fault(scene: Scene, secret: str, message: str, place: Place | None, hint: str) -> Fault:
    """What is wrong with a committed Secret, or one that should be."""
    kind = sealedsecret.KIND if isinstance(scene.environment.backend, SealedSecret) else "Secret"
    subject = Subject(kind, scene.environment.namespace, secret)
    return Fault(message, place, hint, subject, overlay=scene.environment.name)


def _seal(scene: Scene, address: str = "") -> str:
    return f"run: kubectl ksecret seal {scene.environment.name}" + (f" {address}" if address else "")


@rule("not-sealed", "error")
def not_sealed(scene: Scene) -> Iterator[Fault]:
    """A declared key is not sealed.

    The pods that read it stay in CreateContainerConfigError. `kubectl ksecret seal` seals it.
    """
    if not isinstance(scene.environment.backend, _SEALING):
        return
    for name, secret in scene.environment.secrets.items():
        sealed = held(scene.environment.backend, scene.committed[name].object) if name in scene.committed else {}
        spec = secret.declaration.spec
        for key in secret.keys:
            if key not in sealed:
                yield _fault(
                    scene,
                    name,
                    f"{name}/{key} is not sealed in {scene.environment.name}",
                    spec.origin.key("keys", key),
                    _seal(scene),
                )


@rule("sealed-not-declared", "error")
def not_declared(scene: Scene) -> Iterator[Fault]:
    """A sealed key is not declared, or not where it is declared to be.

    It lives on in one environment only. `kubectl ksecret render --write` drops it; a SOPS file takes a `seal`.
    """
    section = ("spec", "encryptedData") if isinstance(scene.environment.backend, SealedSecret) else ("data",)
    for secret, manifest in _sealed(scene):
        for key in held(scene.environment.backend, manifest.object):
            if key not in secret.keys:
                hint = nearest(key, secret.keys) or f"run: kubectl ksecret render {scene.environment.name} --write"
                if isinstance(scene.environment.backend, Sops):
                    hint = nearest(key, secret.keys) or _seal(scene)
                what = f"{secret.name}/{key} is sealed but not declared"
                yield _fault(scene, secret.name, what, manifest.place(*section, key), hint)
        for key in _beside_data(scene, manifest.object):
            what = f"{secret.name}/{key} stands in stringData, which goes before data"
            yield _fault(scene, secret.name, what, manifest.place("stringData", key), _seal(scene))


def _beside_data(scene: Scene, document: Object) -> list[str]:
    """What a Secret holds in another form than ours: the API server takes it before what is checked here."""
    found = document.get("stringData") if isinstance(scene.environment.backend, Sops) else None
    return [str(key) for key in found] if isinstance(found, dict) else []


@rule("sealed-for-another-place", "error")
def sealed_for_another_place(scene: Scene) -> Iterator[Fault]:
    """A manifest is of another kind, name, namespace or scope than is declared.

    No controller opens it here. `kubectl ksecret seal` seals it for the place where it is.
    """
    for secret, manifest in _sealed(scene):
        if elsewhere := _elsewhere(scene, secret, manifest):
            yield _fault(scene, secret.name, elsewhere.message, elsewhere.place, elsewhere.hint)


def _elsewhere(scene: Scene, secret: Secret, manifest: Manifest) -> Mistake | None:
    """Why a manifest is none of this Secret in this environment."""
    environment, backend, document = scene.environment, scene.environment.backend, manifest.object
    kind = sealedsecret.KIND if isinstance(backend, SealedSecret) else "Secret"
    hint = _seal(scene, secret.name)
    if document["kind"] != kind:
        return Mistake(f"expected a {kind}, found another kind", manifest.place("kind"), hint)
    if document["metadata"].get("name") != secret.name:
        return Mistake(f"sealed for another Secret than {secret.name}", manifest.place("metadata", "name"), hint)
    if not isinstance(backend, SealedSecret):
        return None
    if (found := sealedsecret.scope_of(document)) != backend.scope:
        place = manifest.place("metadata", "annotations")
        return Mistake(f"{secret.name} is sealed with the scope {found}, not {backend.scope}", place, hint)
    if not sealedsecret.is_bound_as_declared(environment, backend, secret, document):
        place = manifest.place("metadata", "namespace")
        return Mistake(f"{secret.name} is sealed for another namespace than {environment.namespace}", place, hint)
    return None


@rule("not-encrypted", "error")
def not_encrypted(scene: Scene) -> Iterator[Fault]:
    """A Secret that SOPS should have encrypted holds plain text, or its sops block is broken.

    The value is in the repository for all to read, or nobody can open it. Change a value that leaked, then seal.
    """
    if not isinstance(scene.environment.backend, Sops):
        return
    for secret, manifest in _sealed(scene):
        for path, mistake in outside.mistakes(manifest.object):
            place, hint = manifest.place(*path), _seal(scene, secret.name)
            yield _fault(scene, secret.name, f"{secret.name}: {mistake}", place, hint)


@rule("manifest-out-of-date", "error")
def out_of_date(scene: Scene) -> Iterator[Fault]:
    """The API version, type, labels, annotations or template of a manifest are no longer the declared ones.

    The environments differ where they should be equal. `kubectl ksecret render --write` mends it without any value.
    """
    environment, backend = scene.environment, scene.environment.backend
    for secret, manifest in _sealed(scene):
        if _elsewhere(scene, secret, manifest):
            continue
        if isinstance(backend, SealedSecret):
            wanted = sealedsecret.shell(environment, backend, secret)
        elif isinstance(backend, Sops):
            wanted = sops.shell(environment, backend, secret, {})
        else:
            return
        # A MAC over the metadata too, as sops itself makes it, takes the data key to be made anew.
        offline = isinstance(backend, SealedSecret) or outside.mac_survives_rewriting(manifest.object)
        hint = f"run: kubectl ksecret render {environment.name} --write" if offline else _seal(scene)
        for path in _FIELDS:
            if _field(manifest.object, path) != _field(wanted, path):
                what = f"{'.'.join(path)} of {secret.name} is not the declared one"
                yield _fault(scene, secret.name, what, manifest.place(*path), hint)


_FIELDS = (
    ("apiVersion",),
    ("metadata", "namespace"),
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("spec", "template"),
    ("type",),
)


def _field(document: Object, path: tuple[str, ...]) -> object:
    found: object = document
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if path[-1] == "annotations" and isinstance(found, dict):
        found = {name: value for name, value in found.items() if name != record.ANNOTATION}
    return found or None


@rule("foreign-field", "error")
def foreign_field(scene: Scene) -> Iterator[Fault]:
    """A committed SealedSecret has a field that none of ours has.

    It passes into the build as it is, a value in plain text too. `kubectl ksecret render --write` drops it; change a
    value that leaked.
    """
    for secret, manifest in _sealed(scene):
        if manifest.object["kind"] != sealedsecret.KIND or not isinstance(scene.environment.backend, SealedSecret):
            continue
        hint = f"run: kubectl ksecret render {scene.environment.name} --write"
        for path in _foreign(manifest.object):
            what = f"{secret.name} has a field that no SealedSecret of ours has: {shown('.'.join(path))}"
            yield _fault(scene, secret.name, what, _key(manifest, path), hint)


def _key(manifest: Manifest, path: tuple[str, ...]) -> Place:
    from ..objects import documents  # for a fault alone: most builds have none

    return documents.read(manifest.text, manifest.file)[0].key(*path)


def _foreign(document: Object) -> Iterator[tuple[str, ...]]:
    """The fields of a SealedSecret, outside of its template, that are not made here."""
    for path, ours in _OURS.items():
        found: object = document
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        for name, value in found.items() if isinstance(found, dict) else ():
            # Older releases of kubeseal write creationTimestamp: null.
            if name not in ours and value is not None:
                yield (*path, str(name))


_OURS: dict[tuple[str, ...], frozenset[str]] = {
    (): frozenset({"apiVersion", "kind", "metadata", "spec", "status"}),
    ("metadata",): frozenset({"name", "namespace", "labels", "annotations"}),
    ("spec",): frozenset({"encryptedData", "template"}),
}


@rule("template-changed", "error")
def template_changed(scene: Scene) -> Iterator[Fault]:
    """A template or a parameter has changed since its key was sealed.

    Production holds what the old template made. `kubectl ksecret seal` resolves it anew.
    """
    parameters = scene.environment.overlay.spec.parameters
    for secret, manifest in _sealed(scene):
        made = {name: value for name, value in secret.keys.items() if isinstance(value, Made)}
        entries = record.of(manifest.object) if made else {}
        for name, value in made.items():
            sealed_as = entries[name].template if name in entries else None
            if sealed_as and sealed_as != record.template_digest(value.parts, parameters):
                yield _fault(
                    scene,
                    secret.name,
                    f"the template of {secret.name}/{name} has changed since it was sealed",
                    value.key.origin.at("template"),
                    _seal(scene),
                )


RULES = (
    not_sealed,
    not_declared,
    sealed_for_another_place,
    foreign_field,
    not_encrypted,
    out_of_date,
    template_changed,
)


def told(scene: Scene) -> set[str]:
    """The committed files of which these rules say what is wrong."""
    return {fault.place.file for each in RULES for fault in each.find(scene) if fault.place}
