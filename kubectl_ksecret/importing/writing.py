"""Puts together what is written, in memory and checked whole, before the first file is made."""

import os
from collections.abc import Iterator, Mapping, Sequence

from .. import yamlio
from ..backends import backend_of, render
from ..backends.sealedsecret import SealedSecretBackend
from ..errors import InputError, Mistake
from ..files.folder import locked
from ..files.project import Project
from ..frozen import Record
from ..manifests import kustomization, upkeep
from ..manifests.upkeep import Changes
from ..model.kubernetes import Object
from ..model.reading.reader import Reading, read
from ..model.resolution import Environment, bring_together
from ..model.types.backends import ExternalSecret
from ..model.types.declaration import SecretDeclaration
from ..model.types.overlay import FILE, SecretOverlay
from ..model.validation import sharing
from ..model.validation.declaration import mistakes_in
from ..model.validation.environment import mistakes
from ..objects.documents import KUSTOMIZATION_FILE, KUSTOMIZATION_FILES
from . import comparing, externalsecrets
from .declaring import Declared, overlay
from .found import called
from .matching import Matched

CERTIFICATE = "sealing.pem"
DECLARATIONS = "generators"


class Composed(Record):
    """One environment ready to be written."""

    matched: Matched
    environment: Environment
    text: str
    changes: Changes
    certificate: bytes | None
    left: Sequence[Mistake]
    store_gone: bool


class Target(Record):
    """Where everything goes."""

    project: Project
    into: str

    @property
    def declarations(self) -> str:
        """The shared base."""
        return os.path.join(self.into, DECLARATIONS)

    def folder(self, environment: str) -> str:
        """The folder of an overlay that is deployed."""
        return os.path.join(self.into, "overlays", environment)

    def secrets(self, environment: str) -> str:
        """The overlay's own folder."""
        return os.path.join(self.folder(environment), "secrets")


def refuse_existing(target: Target, environments: Sequence[str]) -> None:
    """Raises InputError if anything that would be written to is there already."""
    found = []
    if os.path.lexists(target.declarations):
        found.append(target.declarations)
    for name in environments:
        secrets = target.secrets(name)
        target.project.inside(secrets)
        if os.path.lexists(secrets) and (not os.path.isdir(secrets) or set(os.listdir(secrets)) - {CERTIFICATE}):
            found.append(secrets)
    target.project.inside(target.declarations)
    if found:
        hint = "nothing is overwritten: give all environments at once, and a new folder with --into"
        raise InputError(*(Mistake(f"{target.project.name(each)} exists already", hint=hint) for each in found))


def declarations_of(declared: Declared, target: Target) -> tuple[dict[str, str], dict[str, SecretDeclaration]]:
    """The files of the declarations, and what they say. Raises InputError for what can't be declared."""
    files, found, wrong = {}, {}, []
    for name, object_ in declared.declarations.items():
        file = f"{name}.yaml"
        files[file] = yamlio.dump([object_])
        shown = target.project.name(os.path.join(target.declarations, file))
        reading = Reading(shown)
        found[name] = read(SecretDeclaration, yamlio.compose(files[file], shown)[0], reading)
        wrong += reading.mistakes or list(mistakes_in(found[name]))
    _refuse(wrong)
    return files, found


def _refuse(wrong: Sequence[Mistake]) -> None:
    """The file that a mistake would stand in is not there to be looked at."""
    said = [Mistake(f"can't be imported: {each.place}: {each.message}", None, each.hint) for each in wrong]
    if said:
        raise InputError(*said)


def compose(
    matched: Matched,
    declared: Declared,
    declarations: Mapping[str, SecretDeclaration],
    target: Target,
    certificate: tuple[str, bytes | None],
) -> Composed:
    """An environment's files. Raises InputError if they would not render."""
    found = matched.found
    secrets = target.secrets(found.name)
    path = os.path.relpath(target.declarations, secrets)
    backend: Object
    if found.backend is None:
        backend = {"sealedSecret": {"certificate": certificate[0], "scope": found.scope}}
        text, environment = _overlay(overlay(matched, declared, backend, path), declarations, target)
        return _composed(matched, environment, text, certificate[1], False, ())
    auth = externalsecrets.auth(found.store) if found.store else None
    rest: list[Mistake] = []
    if auth and found.store:
        store = found.backend["store"] | {"auth": auth}
        backend = {"externalSecret": found.backend | {"store": store}}
        text, environment = _overlay(overlay(matched, declared, backend, path), declarations, target)
        assert isinstance(environment.backend, ExternalSecret)
        rendered = render(environment, {})[0]
        replaceable, rest = comparing.store(found.store, rendered)
        if replaceable:
            return _composed(matched, environment, text, None, True, rest)
    if found.store:
        said = f"the {called(found.store)} stays as it is: keep its file"
        rest.append(Mistake(said, found.store.place("kind")))
    backend = {"externalSecret": found.backend}
    text, environment = _overlay(overlay(matched, declared, backend, path), declarations, target)
    return _composed(matched, environment, text, None, False, rest)


def _overlay(object_: Object, declarations: Mapping[str, SecretDeclaration], target: Target) -> tuple[str, Environment]:
    name = object_["metadata"]["name"]
    file = os.path.join(target.secrets(name), FILE)
    shown = target.project.name(file)
    text = yamlio.dump([object_])
    reading = Reading(shown)
    said = read(SecretOverlay, yamlio.compose(text, shown)[0], reading)
    _refuse(reading.mistakes)
    environment = bring_together(target.project, file, said, declarations)
    _refuse(list(mistakes(environment)))
    return text, environment


def refuse_clashes(composed: Sequence[Composed]) -> None:
    """Raises InputError for keys that meet in one source."""
    environments = [each.environment for each in composed]
    _refuse(list(sharing.mistakes(environments, environments)))


def _composed(
    matched: Matched,
    environment: Environment,
    text: str,
    certificate: bytes | None,
    store_gone: bool,
    left: Sequence[Mistake],
) -> Composed:
    objects = _objects(matched, environment)
    return Composed(
        matched=matched,
        environment=environment,
        text=text,
        changes=upkeep.changes(environment, backend_of(environment), objects.values(), {}),
        certificate=certificate,
        left=[*left, *_differences(matched, environment, objects)],
        store_gone=store_gone,
    )


def _objects(matched: Matched, environment: Environment) -> dict[str, Object]:
    """What the manifests hold, by name of the object; a Secret without ciphertext is still to be sealed."""
    backend = backend_of(environment)
    if not backend.seals:
        return {f"{each['kind']}/{each['metadata']['name']}": each for each in render(environment, {})}
    assert isinstance(backend, SealedSecretBackend)
    return {
        f"SealedSecret/{name}": backend.with_sealed(
            backend.shell(environment, secret), dict(matched.secrets[name].ciphertext), {}
        )
        for name, secret in environment.secrets.items()
        if matched.secrets[name].ciphertext
    }


def _differences(matched: Matched, environment: Environment, objects: Mapping[str, Object]) -> Iterator[Mistake]:
    """What each old object said and the new one does not."""
    for old, found in matched.found.secrets.items():
        name, original = matched.renamed.get(old, old), found.document
        if name not in matched.secrets:  # all of its keys are another Secret's now
            continue
        ignored = {key for secret, key in matched.moved if secret in (old, name)}
        ignored |= {key for secret, key in matched.received if secret == name}
        rendered = objects.get(f"{found.kind}/{name}")
        if found.kind == "ExternalSecret" and rendered:
            yield from comparing.external_secret(original, rendered, ignored)
        elif found.kind == "SealedSecret" and rendered:
            yield from comparing.sealed_secret(original, rendered, ignored)
        elif found.kind == "Secret" and backend_of(environment).seals:
            secret = environment.secrets[name]
            shell = backend_of(environment).shell(environment, secret)
            yield from comparing.plain_secret(original, shell, secret.keys, ignored)


Files = dict[str, dict[str, bytes]]  # by folder and name in it, in the order in which they are written


def files(composed: Sequence[Composed], declarations: Mapping[str, str], target: Target) -> Files:
    """All that is to be written; a kustomization that is there already is its owner's."""
    found: Files = {target.declarations: {name: text.encode() for name, text in declarations.items()}}
    for each in composed:
        secrets = found[target.secrets(each.environment.name)] = {FILE: each.text.encode()}
        if each.certificate:
            secrets[CERTIFICATE] = each.certificate
        secrets |= {**each.changes.written, **each.changes.listed}
        deployed = target.folder(each.environment.name)
        if not old_kustomization(deployed):
            namespace = yamlio.dump([[each.environment.namespace]]).removeprefix("- ").strip()
            found[deployed] = {KUSTOMIZATION_FILE: kustomization.deployed(namespace).encode()}
    return found


def old_kustomization(folder: str) -> str | None:
    """The kustomization that is deployed already, if there is one."""
    paths = (os.path.join(folder, name) for name in KUSTOMIZATION_FILES)
    return next((path for path in paths if os.path.lexists(path)), None)


def write(found: Files) -> None:
    """Make the files."""
    for folder, contents in found.items():
        with locked(folder) as held:
            for name, content in contents.items():
                held.write(name, content)
            held.clean()
