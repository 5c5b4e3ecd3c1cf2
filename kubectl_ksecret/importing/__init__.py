"""Makes declarations and overlays of what a team has now, so that they render the same again; overwrites nothing."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from ..actions.init import placed_certificate, project_around, refuse_same_name
from ..errors import InputError, Mistake, Refusal
from ..frozen import Record
from ..model.types.names import Name
from ..model.types.overlay import FILE
from . import existing, notes, selecting, writing
from .collecting import CollectedObjects, EnvironmentArgument, OverlayForm
from .composing import Certificates, Composition, compose
from .graph import Graph
from .matching import Same
from .secrets import fits
from .selecting import ImportedEnvironment
from .target import CERTIFICATE, ImportTarget
from .wiring import Wiring, apply, edited, plan

__all__ = [
    "CollectedObjects",
    "EnvironmentArgument",
    "ImportReport",
    "ImportRequest",
    "ImportedOverlay",
    "OverlayForm",
    "Same",
    "import_environments",
]


class ImportRequest(Record):
    """What shall be imported; `certificates` are files' names and contents by environment.

    Those that are `fetched` are no files yet. Without `into` the tree that is deployed goes over to what is imported;
    `wire` edits it. With `seals` the values are sealed into the manifests right after.
    """

    environments: Sequence[EnvironmentArgument]
    into: str | None = None
    wire: bool = False
    same: Sequence[Same] = ()
    certificates: Mapping[str, tuple[str, bytes]] = {}
    fetched: Mapping[str, bytes] = {}
    seals: bool = False
    dry_run: bool = False


class ImportedOverlay(Record):
    """The path of a ksecret.yaml, whether this import made it, and the plain Secrets of which no value is sealed."""

    file: str
    is_new: bool
    unsealed: Sequence[str]


class ImportReport(Record):
    """What was made, what could not be carried over, what is left to do by hand, and the lines that go and come.

    `overlays` are those of the environments of which anything was imported.
    """

    overlays: Mapping[str, ImportedOverlay]
    written: Sequence[str]
    left: Sequence[Mistake]
    notes: Sequence[str]
    wiring: Wiring
    wired: bool


def import_environments(request: ImportRequest, now: datetime) -> ImportReport:
    """Import all environments together. Raises InputError or Refusal, with nothing written, if that can't be."""
    _refuse_names(request.environments)
    target = _target(request)
    environments = _selected(request.environments)
    _refuse_idle_options(request, environments)
    graph = Graph(target.project, [environment.collected.root for environment in environments])
    if request.into is None:
        target = target.but(deployed=_deployed(environments, graph))
    composition, contents = _composed(request, environments, target, _certificates(request, target, now))
    wiring = plan(composition, graph, target)
    edits = edited(wiring) if request.wire else {}
    joined = writing.joined(composition, target)
    if request.wire and not edits:
        raise InputError(*map(Mistake, wiring.withheld), Mistake("there is nothing to wire", hint="leave out --wire"))
    written = [os.path.join(folder, name) for folder in contents for name in contents[folder]]
    overlays = _overlays(composition, target)
    if not request.dry_run:
        writing.write(contents)
        writing.replace(joined)
        apply(edits, composition, wiring, target)
    return ImportReport(
        overlays=overlays,
        written=[target.project.name(path) for path in (*written, *joined, *edits)],
        left=composition.left,
        notes=_notes(composition, target, seals=request.seals),
        wiring=wiring,
        wired=request.wire,
    )


def _composed(
    request: ImportRequest,
    environments: Sequence[ImportedEnvironment],
    target: ImportTarget,
    certificates: Certificates,
) -> tuple[Composition, writing.Files]:
    """Return what is to be written: a new base, or, where others use one at its place, what joins that."""
    base = existing.find(target, [environment.name for environment in environments])
    composition = compose(environments, request.same, target, certificates, base)
    contents = writing.files(composition, target)
    if request.seals:
        contents = writing.without_sealed(contents, composition, target)
    writing.refuse_existing(contents, composition, target, seals=request.seals)
    return composition, contents


def _deployed(environments: Sequence[ImportedEnvironment], graph: Graph) -> dict[str, str]:
    """Return the one kustomization that deploys an environment, by its name."""
    deployed = {}
    for environment in environments:
        collected = environment.collected
        files = {os.path.realpath(collected.project.shown_as(document.file)) for document in environment.documents}
        roots = {collected.root} if collected.root else set().union(*map(graph.roots, files))
        if len(roots) == 1:
            deployed[environment.name] = roots.pop()
    return deployed


def _refuse_names(arguments: Sequence[EnvironmentArgument]) -> None:
    for argument in arguments:
        if not fits(Name, argument.name):
            message = f"{argument.path}: {argument.name or 'it'} can't be an overlay's name"
            raise InputError(Mistake(message, hint="name it: NAME=PATH"))
    names = [argument.name for argument in arguments]
    if twice := [name for name in names if names.count(name) > 1]:
        hint = "environments have different names: NAME=PATH"
        raise InputError(Mistake(f"two environments are named {twice[0]}", hint=hint))


def _target(request: ImportRequest) -> ImportTarget:
    if request.wire and request.into is not None:
        raise InputError(Mistake("--wire edits the tree that is deployed, and --into makes another one"))
    into = os.path.realpath(request.into or ".")
    target = ImportTarget(project=project_around(into), into=into)
    for argument in request.environments:
        refuse_same_name(target.project, argument.name, os.path.join(target.secrets(argument.name), FILE))
    return target


def _selected(arguments: Sequence[EnvironmentArgument]) -> list[ImportedEnvironment]:
    """Return every environment. Raises InputError with the mistakes of them all."""
    environments: list[ImportedEnvironment] = []
    mistakes: list[Mistake] = []
    for argument in arguments:
        try:
            environments.append(selecting.select(argument))
        except Refusal:
            raise
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(*mistakes)
    return environments


def _refuse_idle_options(request: ImportRequest, environments: Sequence[ImportedEnvironment]) -> None:
    """Raise InputError for an option that changes nothing."""
    urls = {argument.name for argument in request.environments if argument.vault_url and not argument.live}
    for environment in environments:
        if environment.name in urls and not environment.is_external:
            message = f"--vault-url {environment.name}: {environment.name} has no ExternalSecret"
            raise InputError(Mistake(message, hint="leave it out"))
    sealed = {environment.name for environment in environments if not environment.is_external}
    if request.certificates and sealed.isdisjoint(request.certificates):
        shown = ", ".join(sorted(request.certificates))
        raise InputError(Mistake(f"--certificate: nothing of {shown} is sealed", hint="leave it out"))


def _certificates(request: ImportRequest, target: ImportTarget, now: datetime) -> Certificates:
    """Return the certificates as the overlays name them, and the content of those that are copied there."""
    placed: dict[str, tuple[str, bytes | None]] = {
        name: placed_certificate(given, target.project, target.secrets(name), now)
        for name, given in request.certificates.items()
    }
    return placed | {name: (CERTIFICATE, content) for name, content in request.fetched.items()}


def _overlays(composition: Composition, target: ImportTarget) -> dict[str, ImportedOverlay]:
    """Return the overlays; to be asked before anything is written."""
    overlays = {}
    for composed in composition.environments:
        file = os.path.join(target.secrets(composed.environment.name), FILE)
        overlays[composed.environment.name] = ImportedOverlay(
            file=file, is_new=not os.path.lexists(file), unsealed=composed.unsealed
        )
    return overlays


def _notes(composition: Composition, target: ImportTarget, *, seals: bool) -> list[str]:
    left = list(notes.of_matching([composed.matched for composed in composition.environments]))
    for composed in composition.environments:
        left += notes.of_environment(composed, target, seals=seals)
    return left
