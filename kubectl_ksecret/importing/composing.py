"""Puts environments together in memory and checks them whole; a Secret that does not come out as it was stays."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .. import yamlio
from ..backends import backend_of
from ..errors import InputError, Mistake, Place
from ..frozen import Record
from ..manifests import committed, references, upkeep
from ..manifests.upkeep import Changes
from ..model.kubernetes import Object
from ..model.reading.reader import Reading, read
from ..model.resolution import Environment, bring_together
from ..model.types.declaration import SecretDeclaration
from ..model.types.overlay import FILE, OverlaySpec, SecretOverlay
from ..model.validation import sharing
from ..model.validation.declaration import mistakes_in
from ..model.validation.environment import mistakes
from ..objects.documents import KUSTOMIZATION_FILE, Path
from ..yamlio import MappingNode, Node
from . import comparing, matching, sealed
from .declaring import Declared, declare, overlay
from .existing import ExistingBase, FieldEdit, with_edits
from .matching import MatchedEnvironment, Same
from .secrets import ImportedSecret, title
from .selecting import ImportedEnvironment, Staying, stays
from .target import CERTIFICATE, ImportTarget

# By environment, the name of its certificate in the overlay, and its content if it has to be copied there.
Certificates = Mapping[str, tuple[str, bytes | None]]
_StayingByEnvironment = dict[str, dict[str, Staying]]
_Wrong = tuple[Mistake, Path]  # and the field of what was made, to which it belongs


class ComposedEnvironment(Record):
    """One environment ready to be written."""

    matched: MatchedEnvironment
    environment: Environment
    text: str
    changes: Changes
    files: frozenset[str]  # all that its folder is to hold, as names in it
    beside: Mapping[str, bytes]  # what ksecret.yaml names that is copied into its folder, by name
    store_is_rendered: bool
    differences: Sequence[Mistake]

    def is_sealed(self, old: str) -> bool:
        """Whether all that a Secret of this old name held is in the manifests."""
        secret = self.matched.imported.secrets[old]
        if secret.kind == "ExternalSecret":
            return True
        name = self.matched.renamed.get(old, old)
        moved = any(secret_name in (old, name) for secret_name, _ in self.matched.moved)
        after = self.matched.secrets.get(name)
        return bool(after and after.ciphertext) and not (moved and self.matched.resealed)

    @property
    def unsealed(self) -> list[str]:
        """The plain Secrets of which no value is sealed."""
        return [
            name
            for name, secret in self.matched.imported.secrets.items()
            if secret.kind == "Secret" and not secret.ciphertext and name in self.environment.secrets
        ]

    @property
    def left(self) -> list[Mistake]:
        """All that is not carried over."""
        imported = self.matched.imported
        return [*imported.ignored, *(stay.mistake for stay in imported.staying.values()), *self.differences]


class Composition(Record):
    """Everything: the files of the new declarations by name, and the environments.

    `edits` are made in what exists; `empty` are the environments of which everything stays.
    """

    declarations: Mapping[str, str]
    environments: Sequence[ComposedEnvironment]
    edits: Sequence[FieldEdit] = ()
    empty: Sequence[ImportedEnvironment] = ()

    @property
    def left(self) -> list[Mistake]:
        """All that is not carried over."""
        mistakes_ = [mistake for composed in self.environments for mistake in composed.left]
        for environment in self.empty:
            mistakes_ += [*environment.ignored, *(stay.mistake for stay in environment.staying.values())]
            mistakes_.append(Mistake(f"{environment.name}: nothing of it is imported"))
        return list(dict.fromkeys(mistakes_))


class _Trial(Record):
    """What came of one attempt, which is good if nothing has to stay."""

    composition: Composition
    staying: _StayingByEnvironment


def compose(
    environments: Sequence[ImportedEnvironment],
    same: Sequence[Same],
    target: ImportTarget,
    certificates: Certificates,
    base: ExistingBase,
) -> Composition:
    """Return what is to be written. Raises InputError where nothing of any environment can be imported.

    A Secret that can't be declared, or that would not be rendered as it was, stays; the others are put together anew
    without it, since it may have given a pattern or a label its form.
    """
    empty: list[ImportedEnvironment] = []
    while True:
        matched = matching.match(environments, same)
        trial = _try(matched, declare(matched, base), target, certificates, base)
        if not trial.staying:
            return trial.composition.but(empty=empty)
        environments = [environment.without(trial.staying.get(environment.name, {})) for environment in environments]
        empty += [environment for environment in environments if not environment.secrets]
        environments = [environment for environment in environments if environment.secrets]
        if not environments:
            raise InputError(*trial.composition.but(environments=(), empty=empty).left)


def _try(
    matched: Sequence[MatchedEnvironment],
    declared: Declared,
    target: ImportTarget,
    certificates: Certificates,
    base: ExistingBase,
) -> _Trial:
    texts: dict[str, str] = {}
    declarations: dict[str, SecretDeclaration] = {}
    staying: _StayingByEnvironment = {}
    edits: list[FieldEdit] = []
    for name, object_ in declared.declarations.items():
        having = [environment.name for environment in matched if name in environment.secrets]
        if name not in base.declarations:
            declarations[name], wrong, texts[f"{name}.yaml"] = _declaration(name, object_, target)
            edits += base.omissions(name, (), ", ".join(having))
        else:
            added = _added(name, declared, base, target)
            declarations[name], wrong = _extended(name, added, base, target)
            keys = [edit.path[-1] for edit in added if edit.path[1] == "keys"]
            edits += [*added, *(base.omissions(name, keys, ", ".join(having)) if keys else ())]
        if wrong:
            _note(staying, _undeclarable(name, matched, target, wrong))
    composed: list[ComposedEnvironment] = []
    for environment in () if staying else matched:
        trial = _Overlay(environment, declared, declarations, target)
        one = trial.composed(certificates.get(environment.name, (CERTIFICATE, None)))
        _note(staying, ((environment, stay) for stay in trial.staying))
        if one:
            composed.append(one)
    if not staying:
        new = [one.environment for one in composed]
        _refuse(sharing.mistakes([*base.environments, *new], new))
    composition = Composition(declarations=texts, environments=composed, edits=edits)
    return _Trial(composition=composition, staying=staying)


def _added(name: str, declared: Declared, base: ExistingBase, target: ImportTarget) -> list[FieldEdit]:
    """Return the keys that a declaration gets."""
    file, spec = base.file_of(name, target), declared.declarations[name]["spec"]
    return [
        FieldEdit(file, ("spec", "keys" if key in spec["keys"] else "inputs", key), written)
        for (secret, key), written in declared.added.items()
        if secret == name
    ]


def _extended(
    name: str, added: Sequence[FieldEdit], base: ExistingBase, target: ImportTarget
) -> tuple[SecretDeclaration, Sequence[_Wrong]]:
    """Return a declaration with more keys, and why it can't have them."""
    if not added:
        return base.declarations[name], []
    shown = target.project.name(added[0].file)
    try:
        text = with_edits(target.project.read_text(added[0].file), shown, added)
    except InputError as error:
        return base.declarations[name], [(error.mistakes[0], ())]
    reading, node = Reading(shown), yamlio.compose(text, shown)[0]
    declaration = read(SecretDeclaration, node, reading)
    wrong = reading.mistakes or list(mistakes_in(declaration))
    return declaration, [(mistake, _path_of(mistake.place, shown, node)) for mistake in wrong]


def _note(staying: _StayingByEnvironment, reasons: Iterable[tuple[MatchedEnvironment, Staying]]) -> None:
    for environment, stay in reasons:
        staying.setdefault(environment.name, {})[stay.secret] = stay


def _refuse(mistakes_: Iterable[Mistake]) -> None:
    """Raise InputError for what no Secret can be blamed for; the file with the mistake has not been written."""
    if wrong := [Mistake(f"can't be imported: {mistake.message}", None, mistake.hint) for mistake in mistakes_]:
        raise InputError(*wrong)


def _declaration(name: str, object_: Object, target: ImportTarget) -> tuple[SecretDeclaration, Sequence[_Wrong], str]:
    """Return a declaration as it is read back, what is wrong with it, and its text."""
    shown = target.project.name(os.path.join(target.declarations, f"{name}.yaml"))
    text = yamlio.dump([object_])
    reading, node = Reading(shown), yamlio.compose(text, shown)[0]
    declaration = read(SecretDeclaration, node, reading)
    wrong = reading.mistakes or list(mistakes_in(declaration))
    return declaration, [(mistake, _path_of(mistake.place, shown, node)) for mistake in wrong], text


def _undeclarable(
    name: str, matched: Sequence[MatchedEnvironment], target: ImportTarget, together: Sequence[_Wrong]
) -> Iterator[tuple[MatchedEnvironment, Staying]]:
    """Yield the environments in which a Secret can't be declared by itself; all of them if only together it can't."""
    having = [environment for environment in matched if name in environment.secrets]
    reasons = []
    for environment in having:
        alone = environment.but(secrets={name: environment.secrets[name]})
        _, wrong, _ = _declaration(name, declare([alone], ExistingBase()).declarations[name], target)
        reasons += [(environment, reason) for reason in wrong]
    if not reasons:
        reasons = [(environment, reason) for environment in having for reason in together]
    for environment, (mistake, path) in reversed(reasons):  # the first one stands
        yield environment, _stays(environment.secrets[name], mistake, path)


def _stays(secret: ImportedSecret, mistake: Mistake, path: Path) -> Staying:
    """Return a mistake in what was made of a Secret as one in what it was made of."""
    key = next((str(step) for step in path if step in secret.entries), None)
    place = secret.entries[key].place if key else None
    subject = f"{key}: " if key else ""
    return stays(secret.document, f"stays as it is: {subject}{mistake.message}", mistake.hint, place)


def _path_of(place: Place | None, file: str, root: Node) -> Path:
    """Return the path of the field that stands at a place of a file; nothing where it is another file's."""
    if place is None or place.file != file:
        return ()
    todo: list[tuple[Path, Node]] = [((), root)]
    while todo:
        above, node = todo.pop()
        for key, value in node.value if isinstance(node, MappingNode) else ():
            path = (*above, key.value)
            marks = (key.start_mark, value.start_mark)
            if any((mark.line + 1, mark.column + 1) == (place.line, place.column) for mark in marks):
                return path
            todo.append((path, value))
    return ()


class _Overlay:
    """An overlay that is tried in memory."""

    def __init__(
        self,
        matched: MatchedEnvironment,
        declared: Declared,
        declarations: Mapping[str, SecretDeclaration],
        target: ImportTarget,
    ) -> None:
        self._matched, self._declared, self._declarations, self._target = matched, declared, declarations, target
        self.staying: list[Staying] = []

    def composed(self, certificate: tuple[str, bytes | None]) -> ComposedEnvironment | None:
        """Return the environment, unless the overlay has mistakes; what has to stay is noted."""
        imported = self._matched.imported
        if not imported.is_external:
            name, content = certificate
            copied = {} if content is None else {CERTIFICATE: content}
            return self._with(sealed.backend_of(imported, self._target, name), copied, False, [])
        backend = imported.backend
        store, auth = imported.store.document, imported.store.auth
        beside = imported.store.source.files if imported.store.source else {}
        lost: list[Mistake] = []
        if store and auth:
            with_auth = backend | {"store": backend["store"] | {"auth": auth}}
            trial = self._read({"externalSecret": with_auth}, beside)
            if trial is None:
                return None
            rendered = next(iter(backend_of(trial[1]).mend(trial[1], {})))
            replaceable, differences = comparing.store_differences(store, rendered)
            lost = [difference.mistake for difference in differences]
            if replaceable:
                return self._with({"externalSecret": with_auth}, beside, True, lost)
        if store:
            reason = f"the {title(store)} stays as it is: keep its file"
            lost.append(Mistake(reason, store.place("kind")))
        return self._with({"externalSecret": backend}, beside, False, lost)

    def _read(self, backend: Object, beside: Mapping[str, bytes]) -> tuple[str, Environment] | None:
        """Return the overlay's text and the environment; None if Secrets are to blame for mistakes in it."""
        file = os.path.join(self._target.secrets(self._matched.name), FILE)
        shown = self._target.project.name(file)
        declarations = os.path.relpath(self._target.declarations, os.path.dirname(file))
        kustomization = os.path.relpath(self._target.kustomization(self._matched.name), os.path.dirname(file))
        fields = {"backend": backend, "declarations": [declarations]}
        if kustomization != OverlaySpec.kustomization:
            fields["kustomization"] = kustomization
        text = yamlio.dump([overlay(self._matched, self._declared, fields)])
        reading, node = Reading(shown), yamlio.compose(text, shown)[0]
        read_back = read(SecretOverlay, node, reading)
        if not reading.mistakes:
            files = {os.path.join(os.path.dirname(file), name): content for name, content in beside.items()}
            project = self._target.project.with_files(files)
            environment = bring_together(project, file, read_back, self._declarations)
            wrong = list(mistakes(environment))
        else:
            wrong = list(reading.mistakes)
        for mistake in wrong:
            self._blame(mistake, _path_of(mistake.place, shown, node))
        return None if wrong else (text, environment)

    def _blame(self, mistake: Mistake, path: Path) -> None:
        """Note the Secret that a mistake is about. Raises InputError if it is about none."""
        secrets = self._matched.secrets
        files = {
            self._target.project.name(os.path.join(self._target.declarations, f"{name}.yaml")): name for name in secrets
        }
        name = path[2] if path[:2] == ("spec", "overrides") else files.get(mistake.place.file if mistake.place else "")
        if name not in secrets:
            _refuse([mistake._replace(message=f"{self._matched.name}: {mistake.message}")])
        self.staying.append(_stays(secrets[str(name)], mistake, path[3:]))

    def _with(
        self, fields: Object, beside: Mapping[str, bytes], store_is_rendered: bool, lost: Sequence[Mistake]
    ) -> ComposedEnvironment | None:
        trial = self._read(fields, beside)
        if trial is None:
            return None
        text, environment = trial
        backend = backend_of(environment)
        rendered = backend.mend(environment, sealed.held(self._matched))
        differences = [*lost, *self._differences(environment, rendered)]
        return ComposedEnvironment(
            matched=self._matched,
            environment=environment,
            text=text,
            changes=upkeep.changes(environment, backend, rendered, {}),
            files=frozenset(_files(rendered, backend_of(environment).kind)),
            beside=beside,
            store_is_rendered=store_is_rendered,
            differences=differences,
        )

    def _differences(self, environment: Environment, rendered: Iterable[Object]) -> Iterator[Mistake]:
        """Yield the harmless ones; what would be another Secret than before stays."""
        backend = backend_of(environment)
        objects = {committed.secret_of(object_): object_ for object_ in rendered if object_["kind"] == backend.kind}
        for old, secret in self._matched.imported.secrets.items():
            name = self._matched.renamed.get(old, old)
            if name not in self._matched.secrets:  # all of its keys are another Secret's now
                continue
            elsewhere = {key for secret_name, key in self._matched.moved if secret_name in (old, name)}
            elsewhere |= {key for secret_name, key in self._matched.received if secret_name == name}
            if secret.kind == "Secret":
                shell = backend.shell(environment, environment.secrets[name])
                after = comparing.secret_made_by(shell, self._matched.secrets[name].keys)
            elif name in objects:
                after = objects[name]
            else:
                continue  # it is sealed anew under its new name
            for difference in comparing.differences(secret.document, after, self._matched.imported.store, elsewhere):
                if difference.is_harmless:
                    yield difference.mistake
                else:
                    self.staying.append(_would_lose(difference))


def _files(rendered: Iterable[Object], kind_of_secrets: str) -> Iterator[str]:
    """Yield the names of the files in an overlay's folder that these objects need."""
    manifests = [upkeep.file_name(object_, kind_of_secrets) for object_ in rendered]
    yield KUSTOMIZATION_FILE
    for name in (KUSTOMIZATION_FILE, references.FILE, *manifests):
        yield os.path.join(committed.FOLDER, name)


def _would_lose(difference: comparing.Difference) -> Staying:
    """Return why a Secret stays that would not be the same."""
    mistake = difference.mistake
    reason = f"stays as it is: {difference.field} {difference.change}"
    return stays(difference.document, reason, mistake.hint, mistake.place)
