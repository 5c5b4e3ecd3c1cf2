"""Finds and reads overlays and their declarations, all mistakes at once."""

import os
from collections.abc import Iterable, Sequence
from typing import TypeVar

from ..errors import InputError, Mistake, Place, nearest
from ..files.project import Project
from ..frozen import Record
from ..yamlio import Node, ScalarNode, compose
from . import declaration as declaration_type
from . import overlay as overlay_type
from . import sharing
from .declaration import SecretDeclaration
from .declared import Declarations
from .environment import Environment, bring_together
from .overlay import SecretOverlay
from .reader import Reading, Stated, pairs_of, read

API_VERSION = "ksecret.dev/v1alpha1"
Object = TypeVar("Object", bound=Stated)


class Loader:
    """Reads the environments of one project; a base that several overlays use is read once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._files: dict[str, list[SecretDeclaration] | InputError] = {}

    def load(self, file: str) -> Environment:
        """The environment of an overlay's file. Raises InputError with every mistake found."""
        name = self.project.name(file)
        reading = Reading(name)
        nodes = compose(self.project.read_text(file), name)
        if len(nodes) != 1:
            raise InputError(Mistake(f"expected one SecretOverlay in the file, found {len(nodes)}", Place(name)))
        return self.load_node(file, nodes[0], reading)

    def load_node(self, file: str, node: Node, reading: Reading) -> Environment:
        """The same for an overlay already parsed; its paths start at the folder of `file`."""
        overlay = _object(SecretOverlay, overlay_type.KIND, node, reading)
        if overlay is None or reading.mistakes:
            raise InputError(*reading.mistakes)
        declarations = self._declarations(os.path.dirname(file), overlay)
        return bring_together(self.project, file, overlay, declarations)

    def _declarations(self, folder: str, overlay: SecretOverlay) -> Declarations:
        found: dict[str, SecretDeclaration] = {}
        mistakes: list[Mistake] = []
        if not overlay.spec.declarations:
            mistakes.append(Mistake("an overlay needs declarations", overlay.spec.origin.at("declarations")))
        for index, named in enumerate(overlay.spec.declarations):
            place = overlay.spec.origin.element("declarations", index)
            path = os.path.normpath(os.path.join(folder, named))
            if not os.path.exists(self.project.inside(path, place)):
                mistakes.append(
                    Mistake(
                        f"{self.project.name(path)} does not exist", place, "paths start at the folder of ksecret.yaml"
                    )
                )
                continue
            count = len(mistakes)
            declared = 0
            for file in self.project.yaml_files(path, place):
                try:
                    declarations = self._file(file)
                except InputError as error:
                    mistakes += error.mistakes
                    continue
                declared += len(declarations)
                mistakes += _add(declarations, found)
            if not declared and count == len(mistakes):
                mistakes.append(Mistake(f"{self.project.name(path)} holds no SecretDeclaration", place))
        if mistakes:
            raise InputError(*mistakes)
        return found

    def _file(self, file: str) -> list[SecretDeclaration]:
        known = self._files.get(file)
        if known is None:
            try:
                known = _declarations_of(self.project.read_text(file), self.project.name(file))
            except InputError as error:
                known = error
            self._files[file] = known
        if isinstance(known, InputError):
            raise known
        return known


def _add(declarations: Iterable[SecretDeclaration], found: dict[str, SecretDeclaration]) -> list[Mistake]:
    mistakes = []
    for declaration in declarations:
        first = found.setdefault(declaration.name, declaration)
        if first is not declaration:
            place = declaration.metadata.origin.at("name")
            hint = f"first at {first.metadata.origin.at('name')}"
            if place != first.metadata.origin.at("name"):  # not one file that is named twice
                mistakes.append(Mistake(f"{declaration.name} is declared twice", place, hint))
    return mistakes


def _declarations_of(text: str, file: str) -> list[SecretDeclaration]:
    reading = Reading(file)
    found = [_object(SecretDeclaration, declaration_type.KIND, node, reading) for node in compose(text, file)]
    if reading.mistakes:
        raise InputError(*reading.mistakes)
    return [declaration for declaration in found if declaration is not None]


def _object(type_: type[Object], kind: str, node: Node, reading: Reading) -> Object | None:
    said = {key.value: value for key, value in pairs_of(node) if isinstance(value, ScalarNode)}
    found = said.get("kind")
    if found is None or found.value != kind:
        what = found.value if found is not None and found.value.isalnum() else "another document"
        reading.mistake(found or node, f"expected a {kind}, found {what}", nearest(what, [kind]))
        return None
    version = said.get("apiVersion")
    if version is None or version.value != API_VERSION:
        reading.mistake(version or node, f"expected apiVersion {API_VERSION}")
        return None
    return read(type_, node, reading)


class Selection(Record):
    """The overlays that a command works on, and all of their project."""

    project: Project
    chosen: Sequence[Environment]
    all: Sequence[Environment]


def select(arguments: Sequence[str]) -> Selection:
    """The overlays of the command line: names, files or folders; all of the project if there are none.

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
        mistakes = [*_one_name(list(loaded.values()), environments), *sharing.mistakes(loaded.values(), environments)]
    if mistakes:
        raise InputError(*mistakes)
    return Selection(project=project, chosen=environments, all=list(loaded.values()))


def _start(arguments: Sequence[str]) -> str:
    """The first argument that is a path says which project it is; else the working directory."""
    path = next((argument for argument in arguments if os.path.exists(argument)), ".")
    return path if os.path.isdir(path) else os.path.dirname(path) or "."


def _chosen(project: Project, arguments: Sequence[str], files: Sequence[str]) -> tuple[list[str], list[Mistake]]:
    if not arguments:
        if files:
            return list(files), []
        return [], [
            Mistake(f"there is no {overlay_type.FILE} in {project.root}", None, "kubectl ksecret init DIR makes one")
        ]
    chosen: list[str] = []
    mistakes = []
    names: dict[str, list[str]] = {}
    for file in files:
        names.setdefault(name_of(project, file), []).append(file)
    for argument in arguments:
        if argument in names:
            chosen += names[argument]
        elif os.path.isdir(argument):
            found = project.find(overlay_type.FILE, os.path.realpath(argument))
            mistakes += [] if found else [Mistake(f"there is no {overlay_type.FILE} below {argument}")]
            chosen += found
        elif os.path.isfile(argument):
            chosen.append(os.path.realpath(argument))
        else:
            mistakes.append(Mistake(f"no overlay is named {argument}", None, nearest(argument, names)))
    return list(dict.fromkeys(chosen)), mistakes


def name_of(project: Project, file: str) -> str:
    """The name that a file gives its overlay, however wrong the rest of it is; empty if it gives none."""
    try:
        nodes = compose(project.read_text(file), project.name(file))
    except InputError:
        return ""
    for key, value in pairs_of(nodes[0]) if nodes else ():
        if key.value == "metadata":
            return next((str(v.value) for k, v in pairs_of(value) if k.value == "name"), "")
    return ""


def _one_name(all_: Sequence[Environment], chosen: Sequence[Environment]) -> list[Mistake]:
    mistakes = []
    for environment in chosen:
        for other in all_:
            if other.name == environment.name and other is not environment:
                place = environment.overlay.metadata.origin.at("name")
                first = other.overlay.metadata.origin.at("name")
                mistakes.append(Mistake(f"two overlays are named {environment.name}", place, f"the other at {first}"))
    return mistakes
