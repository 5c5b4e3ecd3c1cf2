"""Finds and reads overlays and their declarations, all mistakes at once."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from ..errors import InputError, Mistake, Place, nearest, shown
from ..files.project import Project
from ..frozen import Record
from ..yamlio import Node, ScalarNode, compose
from .reading.reader import Reading, read
from .resolution import Environment, bring_together
from .types import overlay as overlay_type
from .types.declaration import SecretDeclaration
from .types.origin import Stated, pairs_of
from .types.overlay import OverlaySpec, SecretOverlay
from .validation import sharing
from .validation.declaration import mistakes_among, mistakes_in
from .validation.environment import mistakes

API_VERSION = "ksecret.dev/v1alpha1"
_KIND_HINTS = {"SecretDeclaration": "the folders that spec.declarations names hold nothing else"}
Object = TypeVar("Object", bound=Stated)


class Base:
    """The declarations of an overlay, as far as they can be read."""

    def __init__(self) -> None:
        self.read: list[SecretDeclaration] = []
        self.declarations: dict[str, SecretDeclaration] = {}  # of those that have a name, by name
        self.mistakes: list[Mistake] = []
        self.complete = True  # False if a declaration may be missing because of a mistake

    def lacks(self, *mistakes: Mistake) -> None:
        """Note why something could not be read."""
        self.mistakes += mistakes
        self.complete = False

    def add(self, file: "_File") -> None:
        """Take in the declarations of one more file."""
        self.mistakes += file.mistakes
        self.complete &= file.complete
        for declaration in file.declarations:
            self.read.append(declaration)
            if not declaration.metadata.origin.sure_of("name"):
                self.complete = False
                continue
            first = self.declarations.setdefault(declaration.name, declaration)
            if first is not declaration:  # nor one file that is named twice
                place, before = (declared.metadata.origin.at("name") for declared in (declaration, first))
                self.mistakes.append(Mistake(f"{declaration.name} is declared twice", place, f"first at {before}"))


class Loader:
    """Reads the environments of one project; a base that several overlays use is read once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._files: dict[str, _File] = {}

    def load(self, file: str) -> Environment:
        """Read the environment of an overlay's file. Raises InputError with every mistake found."""
        name = self.project.name(file)
        nodes = compose(self.project.read_text(file), name)
        if len(nodes) != 1:
            place = Reading(name).origin(nodes[1]).at() if nodes else Place(name)
            raise InputError(Mistake(f"expected one SecretOverlay in the file, found {len(nodes)} documents", place))
        return self.load_node(file, nodes[0], Reading(name))

    def load_node(self, file: str, node: Node, reading: Reading) -> Environment:
        """Read the environment of an overlay that is parsed already; its paths start at the folder of `file`."""
        overlay = _object(SecretOverlay, node, reading)
        if overlay is None:
            raise InputError(*reading.mistakes)
        folder = os.path.dirname(file)
        base = self._base(folder, overlay.spec)
        environment = bring_together(self.project, file, overlay, base.declarations)
        wrong = [
            *reading.mistakes,
            *self._paths(folder, overlay.spec),
            *base.mistakes,
            *mistakes_among(base.read, base.declarations, base.complete),
            *mistakes(environment, base.complete),
        ]
        if wrong:
            raise InputError(*in_order(wrong))
        return environment

    def _paths(self, folder: str, spec: OverlaySpec) -> Iterator[Mistake]:
        """Find paths that lead out of the project, among those that are read later, if at all."""
        paths: list[tuple[str, Place]] = []
        if spec.kustomization != OverlaySpec.kustomization:
            paths.append((spec.kustomization, spec.origin.at("kustomization")))
        if spec.backend is not None:
            paths += spec.backend.paths()
        if spec.source is not None and spec.source.kind is not None:
            paths += spec.source.kind.paths()
        for path, place in paths:
            try:
                self.project.inside(os.path.join(folder, path), place)
            except InputError as error:
                yield from error.mistakes

    def _base(self, folder: str, spec: OverlaySpec) -> Base:
        base = Base()
        if not spec.origin.sure_of("declarations"):
            base.complete = False
        elif not spec.declarations:
            base.lacks(Mistake("an overlay needs declarations", spec.origin.at("declarations")))
        for index, named in enumerate(spec.declarations):
            place = spec.origin.element("declarations", index)
            try:
                self._add(base, os.path.normpath(os.path.join(folder, named)), place)
            except InputError as error:
                base.lacks(*error.mistakes)
        return base

    def _add(self, base: Base, path: str, place: Place) -> None:
        if not os.path.exists(self.project.inside(path, place)):
            hint = "paths start at the folder of ksecret.yaml"
            raise InputError(Mistake(f"{self.project.name(path)} does not exist", place, hint))
        empty = True
        for file in self.project.yaml_files(path, place):
            try:
                read_file = self._file(file, place)
            except InputError as error:
                read_file = _File(declarations=[], mistakes=error.mistakes, complete=False)
            base.add(read_file)
            empty &= not read_file.declarations and not read_file.mistakes
        if empty:
            base.lacks(Mistake(f"{self.project.name(path)} holds no SecretDeclaration", place))

    def _file(self, file: str, named_at: Place) -> "_File":
        read_file = self._files.get(file)
        if read_file is None:
            text = self.project.read_text(file, named_at)
            read_file = self._files[file] = _declarations_of(text, self.project.name(file))
        return read_file


class _File(Record):
    """What one file declares, as far as it can be read; `complete` if that is all of it."""

    declarations: Sequence[SecretDeclaration]
    mistakes: Sequence[Mistake]
    complete: bool


def _declarations_of(text: str, file: str) -> _File:
    reading = Reading(file)
    try:
        read_as = [_object(SecretDeclaration, node, reading) for node in compose(text, file)]
    except InputError as error:
        return _File(declarations=[], mistakes=error.mistakes, complete=False)
    declarations = [declaration for declaration in read_as if declaration is not None]
    wrong = [*reading.mistakes, *(mistake for declaration in declarations for mistake in mistakes_in(declaration))]
    return _File(declarations=declarations, mistakes=wrong, complete=len(declarations) == len(read_as))


def in_order(wrong: Iterable[Mistake]) -> list[Mistake]:
    """Return mistakes by file and place, as one works through them."""
    return sorted(wrong, key=lambda mistake: mistake.place or Place(""))


def _object(type_: type[Object], node: Node, reading: Reading) -> Object | None:
    """Return the node as an object of this kind, read whole or in part; None if it is of another kind or version."""
    fields = {key.value: value for key, value in pairs_of(node) if isinstance(value, ScalarNode)}
    kind, stated_kind, version = type_.__name__, fields.get("kind"), fields.get("apiVersion")
    if stated_kind is None or stated_kind.value != kind:
        subject = stated_kind.value if stated_kind is not None and stated_kind.value.isalnum() else "another document"
        hint = "" if subject in (SecretDeclaration.__name__, SecretOverlay.__name__) else nearest(subject, [kind])
        reading.mistake(
            stated_kind or node, f"expected a {kind}, found {shown(subject)}", hint or _KIND_HINTS.get(kind, "")
        )
    elif version is None or version.value != API_VERSION:
        reading.mistake(version or node, f"expected apiVersion {API_VERSION}")
    else:
        return read(type_, node, reading)
    return None


def select(arguments: Sequence[str]) -> list[Environment]:
    """Return the overlays of the command line: names, files or folders; all of the project if there are none.

    Raises InputError with every mistake in the chosen ones; mistakes elsewhere in the project are not theirs.
    """
    project = Project.around(_start(arguments))
    loader = Loader(project)
    files = project.find(overlay_type.FILE)
    chosen, mistakes = _chosen(project, arguments, files)
    loaded: dict[str, Environment] = {}
    for file in dict.fromkeys((*chosen, *files)):
        try:
            loaded[file] = loader.load(file)
        except InputError as error:
            if file in chosen:
                mistakes += error.mistakes
    environments = [loaded[file] for file in chosen if file in loaded]
    if not mistakes:
        everything = list(loaded.values())
        mistakes = [*_one_name(everything, environments), *sharing.mistakes(everything, environments)]
    if mistakes:
        raise InputError(*in_order(mistakes))
    return environments


def readable(project: Project, chosen: Sequence[Environment] = ()) -> list[Environment]:
    """Return the overlays of a project that have no mistake, and those that were chosen, wherever they lie."""
    loader = Loader(project)
    environments = {environment.file: environment for environment in chosen}
    for file in project.find(overlay_type.FILE):
        if file not in environments:
            try:
                environments[file] = loader.load(file)
            except InputError:
                continue  # it is reported to whoever chooses it
    return [environments[file] for file in sorted(environments)]


def _start(arguments: Sequence[str]) -> str:
    """Return the folder that says which project it is: of the first argument that is a path, or where we are."""
    path = next((argument for argument in arguments if os.path.exists(argument)), ".")
    return path if os.path.isdir(path) else os.path.dirname(path) or "."


def _chosen(project: Project, arguments: Sequence[str], files: Sequence[str]) -> tuple[list[str], list[Mistake]]:
    if not arguments:
        hint = "to make one, see: kubectl ksecret init --help"
        return list(files), [] if files else [Mistake(f"there is no {overlay_type.FILE} in {project.root}", None, hint)]
    chosen: list[str] = []
    mistakes = []
    names: dict[str, list[str]] = {}
    for file in files:
        names.setdefault(name_of(project, file), []).append(file)
    for argument in arguments:
        if argument in names:
            chosen += names[argument]
        elif os.path.isdir(argument):
            below = project.find(overlay_type.FILE, os.path.realpath(argument))
            mistakes += [] if below else [Mistake(f"there is no {overlay_type.FILE} below {argument}")]
            chosen += below
        elif os.path.isfile(argument):
            # The same path as a search gives: of a link itself, in the folder that it really lies in.
            folder, name = os.path.split(argument)
            chosen.append(os.path.join(os.path.realpath(folder), name))
        else:
            mistakes.append(Mistake(f"no overlay is named {argument}", None, nearest(argument, names)))
            chosen += names.get("", ())  # it may be one whose name can't be read: its mistakes are reported too
    return list(dict.fromkeys(chosen)), mistakes


def name_of(project: Project, file: str) -> str:
    """Return the name that a file gives its overlay, however wrong the rest of it is; empty if it gives none."""
    try:
        nodes = compose(project.read_text(file), project.name(file))
    except InputError:
        return ""
    for key, value in pairs_of(nodes[0]) if nodes else ():
        if key.value == "metadata":
            return next((v.value for k, v in pairs_of(value) if k.value == "name" and isinstance(v, ScalarNode)), "")
    return ""


def _one_name(everything: Sequence[Environment], chosen: Sequence[Environment]) -> list[Mistake]:
    mistakes = []
    for environment in chosen:
        for other in everything:
            reported = other in chosen and other.file < environment.file
            if other.name == environment.name and other is not environment and not reported:
                place, second = (named.overlay.metadata.origin.at("name") for named in (environment, other))
                mistakes.append(Mistake(f"two overlays are named {environment.name}", place, f"the other at {second}"))
    return mistakes
