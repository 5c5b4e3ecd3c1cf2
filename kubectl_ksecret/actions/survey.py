"""All that `check` looks at: what is committed and built of environments, and lies in the tree around them."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from ..backends import backend_of, read_committed
from ..checks import CommittedOverlay
from ..checks.scope import Build, Outdated, Repository
from ..errors import InputError, Mistake
from ..files import contents, git
from ..files.project import Project
from ..frozen import Record
from ..kustomize import building, layers
from ..model.loading import readable
from ..model.resolution import Environment
from ..objects.documents import KUSTOMIZATION_FILES, Tree
from ..sealing.validity import Validity, read_validity
from . import render


class Built(Record):
    """A build that somebody else made, and the file that it is in."""

    file: str
    text: str


def survey(chosen: Sequence[Environment], built: Built | None, now: datetime) -> Repository:
    """All that the rules look at. Raises InputError for what can't be read, Refusal for what can't be built."""
    project = chosen[0].project
    everything = readable(project, chosen)
    tree = Tree(project)
    roots = list(_roots(project, chosen, everything, tree) if built is None else _given(chosen, everything, built))
    tracked = git.tracked(project)
    files = {file: tree.documents(file) for root in roots for file in _files(project, root)}
    return Repository(
        project=project,
        now=now,
        overlays=[CommittedOverlay(environment=each, manifests=read_committed(each)) for each in chosen],
        environments=everything,
        builds=roots,
        certificates=dict(_certificates((*chosen, *everything))),
        outdated={each.name: _outdated(each) for each in chosen},
        tree={project.name(file): documents for file, documents in files.items()},
        unreadable=tree.unreadable,
        tracked=tracked,
        contents=list(contents.search(project, tracked or ())),
    )


def root_of(environment: Environment) -> str:
    """The folder of the kustomization that deploys an overlay."""
    return os.path.realpath(environment.path(environment.overlay.spec.kustomization))


def _roots(
    project: Project, chosen: Sequence[Environment], everything: Sequence[Environment], tree: Tree
) -> Iterator[Build]:
    for folder in dict.fromkeys(map(root_of, chosen)):
        if not any(os.path.exists(os.path.join(folder, name)) for name in KUSTOMIZATION_FILES):
            continue  # a rule says so
        within = [each for each in everything if root_of(each) == folder]
        said = within[0].overlay.spec.origin.at("kustomization")
        instead = f"kubectl ksecret check {within[0].name} --built -"
        objects = building.build(project, folder, tree, said, instead)
        yield Build(
            project=project, folder=folder, environments=within, objects=objects, layers=layers.read(project, folder)
        )


def _given(chosen: Sequence[Environment], everything: Sequence[Environment], built: Built) -> Iterator[Build]:
    folders = list(dict.fromkeys(map(root_of, chosen)))
    if len(folders) > 1:
        names = ", ".join(each.name for each in chosen)
        raise InputError(Mistake("a build is of one kustomization", hint=f"name its overlay, one of: {names}"))
    within = [each for each in everything if root_of(each) == folders[0]]
    objects, read = building.given(built.text, built.file), layers.read(chosen[0].project, folders[0])
    yield Build(project=chosen[0].project, folder=folders[0], environments=within, objects=objects, layers=read)


def _files(project: Project, root: Build) -> Iterator[str]:
    """The YAML files of the folders that a root reaches."""
    for reached in dict.fromkeys((root.folder, *root.layers)):
        yield from (file for file in project.yaml_files(reached) if not _is_helm_template(file))
        if os.path.exists(without_ending := os.path.join(reached, "Kustomization")):
            yield without_ending


def _is_helm_template(file: str) -> bool:
    """Whether it is of a chart, and YAML only when Helm has filled it in; what kustomize inflates of it is built."""
    folder = os.path.dirname(file)
    while (above := os.path.dirname(folder)) != folder:
        if os.path.basename(folder) == "templates" and os.path.isfile(os.path.join(above, "Chart.yaml")):
            return True
        folder = above
    return False


def _certificates(environments: Iterable[Environment]) -> Iterator[tuple[str, Validity | str]]:
    """Find what is known of the certificates of overlays, or why nothing is."""
    for environment in environments:
        if backend_of(environment).certificate(environment) is None:
            continue
        try:
            certificate = read_validity(environment)
        except ValueError as error:
            yield environment.name, str(error)
            continue
        if certificate is not None:
            yield environment.name, certificate


def _outdated(environment: Environment) -> Outdated:
    try:
        return Outdated(files=render.outdated(environment, record_too=False))
    except InputError as error:
        return Outdated(mistakes=error.mistakes)


def all_of(repository: Repository) -> list[Environment]:
    """The overlays that were chosen, wherever they lie, and the project's others."""
    chosen = {scene.environment.file: scene.environment for scene in repository.overlays}
    return list({**chosen, **{each.file: each for each in repository.environments if each.file not in chosen}}.values())


def declaring(environment: Environment) -> Iterator[str]:
    """The files that say what an environment is, as messages show them."""
    yield environment.overlay.origin.file
    for declaration in environment.declarations.values():
        yield declaration.origin.file


def reach(repository: Repository) -> Mapping[str, Collection[str]]:
    """The overlays to which a file belongs, by file."""
    project, found = repository.project, dict[str, set[str]]()
    for root in repository.builds:
        built = (document.file for document in root.objects)
        for file in (*map(project.name, _files(project, root)), *built):
            found.setdefault(file, set()).update(each.name for each in root.environments)
    for environment in all_of(repository):
        for file in declaring(environment):
            found.setdefault(file, set()).add(environment.name)
    return found
