"""All that `check` looks at: what is committed and built of environments, and lies in the tree around them."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from ..backends import backend_of, read_committed
from ..checks import CommittedOverlay
from ..checks.scope import Build, Outdated, Repository, Unbuilt
from ..errors import InputError, Mistake
from ..files import contents, git
from ..files.project import Project
from ..frozen import Record
from ..kustomize import building, deployment, layers, patches
from ..kustomize import contents as named_files
from ..kustomize.deployment import Deployed
from ..manifests.committed import FOLDER
from ..model.loading import readable, select
from ..model.resolution import Environment
from ..model.types.overlay import FILE
from ..objects.documents import KUSTOMIZATION_FILES, Tree
from ..sealing.named import read_validity
from ..sealing.validity import Validity
from . import render


class Built(Record):
    """A build that somebody else made, and the file that it is in."""

    file: str
    text: str


class Asked(Record):
    """What is to be looked at: overlays, or the roots among the kustomizations of a tree that has no overlay.

    `built` is the build of what is named, by somebody else.
    """

    project: Project
    environments: Sequence[Environment] = ()
    roots: Sequence[str] = ()
    built: Built | None = None
    allow_remote: bool = False
    timeout: float = deployment.DEFAULT_TIMEOUT

    def build(self, tree: Tree, *, with_origins: bool) -> list[Deployed]:
        """Build the kustomizations that deploy what is asked for, side by side."""
        folders = [folder for folder in self.folders if has_kustomization(folder)]
        return deployment.build(
            self.project,
            folders,
            tree,
            with_origins=with_origins,
            allow_remote=self.allow_remote,
            timeout=self.timeout,
        )

    @property
    def folders(self) -> list[str]:
        """The folders that are deployed."""
        return list(dict.fromkeys((*map(root_of, self.environments), *self.roots)))


def asked(arguments: Sequence[str]) -> Asked:
    """Return what the OVERLAY arguments mean, or the tree or folders that they name where these hold no overlay.

    Raises InputError with every mistake in the overlays, and if there is nothing to look at.
    """
    folders = [os.path.realpath(argument) for argument in arguments] if arguments else [os.path.realpath(".")]
    if not all(map(os.path.isdir, folders)):
        return _of_overlays(arguments)
    project = Project.around(folders[0])
    searched = folders if arguments else [project.root]
    if any(project.find(FILE, folder) for folder in searched):
        return _of_overlays(arguments)
    roots = list(dict.fromkeys(root for folder in searched for root in _roots_below(project, folder)))
    if not roots:
        message = " and ".join(project.name(folder) for folder in folders)
        hint = "name a folder that holds kustomizations; to make an overlay, see: kubectl ksecret init --help"
        raise InputError(Mistake(f"no overlay and no kustomization in {message}", hint=hint))
    return Asked(project=project, roots=roots)


def _of_overlays(arguments: Sequence[str]) -> Asked:
    environments = select(arguments)
    return Asked(project=environments[0].project, environments=environments)


def _roots_below(project: Project, folder: str) -> list[str]:
    """Return the kustomizations of a tree that no other one lists."""
    files = [file for name in KUSTOMIZATION_FILES for file in project.find(name, folder)]
    roots = dict.fromkeys(sorted(os.path.realpath(os.path.dirname(file)) for file in files))
    listed: set[str] = set()
    for root in roots:
        listed.update(reached for reached in layers.read(project, root) if reached != root)
    return [root for root in roots if root not in listed] or list(roots)


def has_kustomization(folder: str) -> bool:
    """Whether a folder can be built."""
    return any(os.path.exists(os.path.join(folder, name)) for name in KUSTOMIZATION_FILES)


def survey(asked: Asked, now: datetime, *, with_origins: bool = False) -> Repository:
    """Return all that the rules look at.

    Raises InputError for what can't be read, Refusal if nothing can build.
    """
    project, chosen = asked.project, asked.environments
    everything = readable(project, chosen)
    tree = Tree(project)
    deployed = asked.build(tree, with_origins=with_origins) if asked.built is None else [_given(asked, asked.built)]
    tracked = git.tracked(project)
    builds = [
        _build(asked, everything, kustomization, tree) for kustomization in deployed if kustomization.failure is None
    ]
    files = {file for kustomization in deployed for file in _files(project, kustomization.folder, kustomization.layers)}
    documents = {project.name(file): tree.documents(file) for file in sorted(files)}
    return Repository(
        project=project,
        now=now,
        overlays=[
            CommittedOverlay(environment=environment, manifests=read_committed(environment)) for environment in chosen
        ],
        environments=everything,
        builds=[build.but(tree=documents) for build in builds],
        unbuilt=list(_unbuilt(everything, deployed)),
        certificates=dict(_certificates((*chosen, *everything))),
        outdated={environment.name: _outdated(environment) for environment in chosen},
        tree=documents,
        unreadable=tree.unreadable,
        tracked=tracked,
        contents=list(contents.search(project, tracked or ())),
        is_sure=all(kustomization.is_sure for kustomization in deployed),
    )


def root_of(environment: Environment) -> str:
    """Return the folder of the kustomization that deploys an overlay."""
    return os.path.realpath(environment.path(environment.overlay.spec.kustomization))


def _build(asked: Asked, everything: Sequence[Environment], deployed: Deployed, tree: Tree) -> Build:
    return Build(
        project=asked.project,
        folder=deployed.folder,
        environments=[environment for environment in everything if root_of(environment) == deployed.folder],
        chosen=[environment.name for environment in asked.environments],
        objects=deployed.objects,
        layers=deployed.layers,
        patches=patches.read(asked.project, deployed.layers),
        leading_out=deployed.leading_out,
    )


def _given(asked: Asked, built: Built) -> Deployed:
    if len(asked.folders) > 1:
        names = [environment.name for environment in asked.environments] or [
            asked.project.name(folder) for folder in asked.folders
        ]
        raise InputError(Mistake("a build is of one kustomization", hint=f"name it, one of: {', '.join(names)}"))
    objects = building.given(built.text, built.file)
    return Deployed(folder=asked.folders[0], layers=layers.read(asked.project, asked.folders[0]), objects=objects)


def _unbuilt(everything: Sequence[Environment], deployed: Sequence[Deployed]) -> Iterator[Unbuilt]:
    for kustomization in deployed:
        if kustomization.failure is None:
            continue
        environments = [environment for environment in everything if root_of(environment) == kustomization.folder]
        mistake: Mistake | None = kustomization.failure
        if any(_was_never_rendered(environment) for environment in environments):
            mistake = None  # that its keys are not sealed is what has to be said
        elif kustomization.remedy:
            shown = (
                environments[0].project.name(kustomization.folder)
                if environments
                else os.path.relpath(kustomization.folder)
            )
            named = environments[0].name if environments else shown
            mistake = kustomization.failure._replace(
                hint=f"{kustomization.remedy} {shown} | kubectl ksecret check {named} --built -"
            )
        yield Unbuilt(environments=environments, mistake=mistake)


def _was_never_rendered(environment: Environment) -> bool:
    """Whether an overlay whose values are sealed has no committed folder yet, which no build can do without."""
    return backend_of(environment).seals and not has_kustomization(environment.path(FOLDER))


def _files(project: Project, folder: str, reached: layers.Layers) -> Iterator[str]:
    """Yield the YAML files of the folders that a root reaches, and those that it lists from elsewhere."""
    for each in dict.fromkeys((folder, *reached)):
        yield from (file for file in project.yaml_files(each) if not _is_helm_template(file))
        if os.path.exists(without_ending := os.path.join(each, "Kustomization")):
            yield without_ending
    folders = tuple(os.path.join(folder, "") for folder in reached)
    for file in named_files.files(reached):
        real = os.path.realpath(file)
        if not real.startswith(folders) and real.startswith(os.path.join(project.root, "")):
            yield os.path.normpath(file)


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
    """Return the overlays that were chosen, wherever they lie, and the project's others."""
    chosen = {overlay.environment.file: overlay.environment for overlay in repository.overlays}
    return list(
        {
            **chosen,
            **{
                environment.file: environment
                for environment in repository.environments
                if environment.file not in chosen
            },
        }.values()
    )


def declaring(environment: Environment) -> Iterator[str]:
    """Yield the files that say what an environment is, as messages show them."""
    yield environment.overlay.origin.file
    for declaration in environment.declarations.values():
        yield declaration.origin.file


def reach(repository: Repository) -> Mapping[str, Collection[str]]:
    """Return the overlays to which a file belongs, by file."""
    project, overlays = repository.project, dict[str, set[str]]()
    for build in repository.builds:
        built = (document.file for document in build.objects)
        for file in (*map(project.name, _files(project, build.folder, build.layers)), *built):
            overlays.setdefault(file, set()).update(environment.name for environment in build.environments)
    for environment in all_of(repository):
        for file in declaring(environment):
            overlays.setdefault(file, set()).add(environment.name)
    return overlays
