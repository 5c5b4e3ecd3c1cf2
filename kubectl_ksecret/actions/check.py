"""Judges environments: what is committed, built and lies around it, and, where it is asked for, the values."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from ..checks import Finding, Scene, check, exceptions, rules, values
from ..checks.landscape import Landscape, Outdated, Root, Sealing
from ..errors import InputError, Mistake, Place
from ..files import contents, git, search
from ..files.project import Project, decode
from ..frozen import Record
from ..manifests import building, committed, kustomization, layers
from ..manifests.documents import Tree
from ..model.environment import Environment
from ..model.loading import readable
from ..model.overlay import FILE, Command, SealedSecret
from ..sources import OpenedBy, has_versions
from . import render
from .provision import FromSource, Keys, refuse_bad_patterns


class Checked(Record):
    """What was found, how much of it is accepted, and whose values were not looked at, with the reason."""

    findings: Sequence[Finding]
    left_out: Sequence[Mistake] = ()
    silenced: int = 0


class Built(Record):
    """A build that somebody else made, and the file that it is in."""

    file: str
    text: str


def survey(chosen: Sequence[Environment], built: Built | None, now: datetime) -> Landscape:
    """All that the rules look at. Raises InputError for what can't be read, Refusal for what can't be built."""
    project = chosen[0].project
    everything = readable(project)
    tree = Tree(project)
    roots = list(_roots(project, chosen, everything, tree) if built is None else _given(chosen, everything, built))
    tracked = git.tracked(project)
    files = {file: tree.documents(file) for root in roots for file in _files(project, root)}
    return Landscape(
        project=project,
        now=now,
        scenes=[Scene(environment=each, committed=committed.read_sealed(each)) for each in chosen],
        environments=everything,
        roots=roots,
        certificates={each.name: _sealing(each) for each in everything if isinstance(each.backend, SealedSecret)},
        outdated={each.name: _outdated(each) for each in chosen},
        tree={project.name(file): documents for file, documents in files.items()},
        unreadable=list(tree.unreadable.values()),
        tracked=tracked,
        contents=list(contents.search(project, tracked or ())),
    )


def root_of(environment: Environment) -> str:
    """The folder of the kustomization that deploys an overlay."""
    return os.path.realpath(environment.path(environment.overlay.spec.kustomization))


def _roots(
    project: Project, chosen: Sequence[Environment], everything: Sequence[Environment], tree: Tree
) -> Iterator[Root]:
    for folder in dict.fromkeys(map(root_of, chosen)):
        if not any(os.path.exists(os.path.join(folder, name)) for name in kustomization.NAMES):
            continue  # a rule says so
        within = [each for each in everything if root_of(each) == folder]
        said = within[0].overlay.spec.origin.at("kustomization")
        instead = f"kubectl ksecret check {within[0].name} --built -"
        objects = building.build(project, folder, tree, said, instead)
        yield Root(folder=folder, environments=within, objects=objects, layers=layers.read(project, folder))


def _given(chosen: Sequence[Environment], everything: Sequence[Environment], built: Built) -> Iterator[Root]:
    folders = list(dict.fromkeys(map(root_of, chosen)))
    if len(folders) > 1:
        names = ", ".join(each.name for each in chosen)
        raise InputError(Mistake("a build is of one kustomization", hint=f"name its overlay, one of: {names}"))
    within = [each for each in everything if root_of(each) == folders[0]]
    objects, read = building.given(built.text, built.file), layers.read(chosen[0].project, folders[0])
    yield Root(folder=folders[0], environments=within, objects=objects, layers=read)


def _files(project: Project, root: Root) -> Iterator[str]:
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


def _sealing(environment: Environment) -> Sealing:
    from ..sealing import certificate

    assert isinstance(environment.backend, SealedSecret)
    try:
        pem = environment.project.read(environment.path(environment.backend.certificate))
        found = certificate.read(pem)
    except (InputError, ValueError) as error:
        return Sealing(broken=error.mistakes[0].message if isinstance(error, InputError) else str(error))
    return Sealing(fingerprint=found.fingerprint, not_before=found.not_before, not_after=found.not_after)


def _outdated(environment: Environment) -> Outdated:
    try:
        return Outdated(files=render.outdated(environment))
    except InputError as error:
        return Outdated(mistakes=error.mistakes)


def check_landscape(landscape: Landscape) -> Checked:
    """What the rules find."""
    return Checked(findings=check(landscape, rules.OF_LANDSCAPE))


def check_values(environments: Sequence[Environment], opened_by: OpenedBy, tracked: Collection[str] | None) -> Checked:
    """What is wrong with the values, read into memory alone. Raises Refusal if a source can't be read.

    They are looked for in the files that Git tracks.
    """
    refuse_bad_patterns(environments)
    left_out = {each.name: mistake for each in environments if (mistake := _unread(each))}
    held = [_held(each, opened_by) for each in environments if each.name not in left_out]
    if held:
        held = list(_with_what_is_written(held, tracked or ()))
    return Checked(findings=check(held, rules.OF_VALUES), left_out=list(left_out.values()))


def _unread(environment: Environment) -> Mistake | None:
    """Why the values of an environment are not read, if they are not."""
    place = environment.overlay.spec.origin.at("source")
    if environment.source is None:
        return Mistake(f"the values of {environment.name} are not checked: it has no source", place)
    if isinstance(environment.source.kind, Command):
        what = f"the values of {environment.name} are not checked: a command runs in seal and rotate alone"
        return Mistake(what, place)
    return None


def _held(environment: Environment, opened_by: OpenedBy) -> values.Held:
    provision = FromSource(environment, opened_by)
    keys: Keys = {name: list(secret.values) for name, secret in environment.secrets.items()}
    there = provision.versions(keys)
    disabled = {name for name, version in there.items() if version and not version.enabled}
    # A source of versions has none of a certificate, which is no value that could be read.
    untold = {name for name, version in there.items() if version is None} if has_versions(environment) else set()
    readable = there.keys() - disabled - untold
    reading = provision.reading(
        {
            name: [key for key in wanted if all(r.name in readable for r in secret.remotes(key).values())]
            for (name, wanted), secret in zip(keys.items(), environment.secrets.values(), strict=True)
        }
    )
    return values.Held(
        environment=environment,
        names=there.keys() - disabled,
        disabled=disabled,
        values=reading.values,
        unusable=reading.mistakes,
    )


def _with_what_is_written(held: Sequence[values.Held], tracked: Collection[str]) -> Iterator[values.Held]:
    project, texts = held[0].environment.project, values.texts_of(held)
    found: dict[str, dict[values.Written, None]] = {}
    for hit in search.search(project, tracked, texts):
        environment, address, how = texts[hit.text]
        place = Place(project.name(os.path.join(project.root, hit.path)), hit.line, hit.column)
        found.setdefault(environment, {})[values.Written(address, how, place)] = None
    for each in held:
        yield each.but(written=list(found.get(each.environment.name, ())))


def together(checked: Sequence[Checked]) -> Checked:
    """All that was found."""
    return Checked(
        findings=[finding for each in checked for finding in each.findings],
        left_out=[mistake for each in checked for mistake in each.left_out],
    )


def less_exceptions(landscape: Landscape, checked: Checked, values_checked: bool) -> Checked:
    """The same without what exceptions accept, and with what is wrong with these.

    Of an exception in an overlay that was not chosen, or whose rule had not all to look at, nothing is said.
    """
    silenceable = {rule.name for rule in (*rules.OF_LANDSCAPE, *rules.OF_VALUES)}
    chosen = {scene.environment.name for scene in landscape.scenes}
    stated = [*_of_overlays(landscape), *_of_comments(landscape)]
    judged = exceptions.judge(
        checked.findings,
        stated,
        landscape.project,
        reach(landscape) if any(each.object for each in stated) else {},
        silenceable,
        _complete(landscape, values_checked and not checked.left_out),
        landscape.now.date().isoformat(),
    )
    about = [each for each in check(judged, rules.OF_EXCEPTIONS) if not each.overlay or each.overlay in chosen]
    return Checked(findings=[*judged.kept, *about], left_out=checked.left_out, silenced=judged.silenced)


def told_once(findings: Sequence[Finding]) -> list[Finding]:
    """What several overlays find, word for word the same, as in the base that they share, is told with the first."""
    first: dict[object, Finding] = {}
    for each in findings:
        first.setdefault((each.rule, each.severity, each.mistake, each.field), each)
    return list(first.values())


def all_of(landscape: Landscape) -> list[Environment]:
    """The overlays that were chosen, wherever they lie, and the project's others."""
    chosen = {scene.environment.file: scene.environment for scene in landscape.scenes}
    return list({**chosen, **{each.file: each for each in landscape.environments if each.file not in chosen}}.values())


def _of_overlays(landscape: Landscape) -> Iterator[exceptions.Accepted]:
    for environment in all_of(landscape):
        yield from exceptions.of_overlay(environment)


def _of_comments(landscape: Landscape) -> Iterator[exceptions.Accepted]:
    declared = (file for scene in landscape.scenes for file in _declaring(scene.environment))
    for file in dict.fromkeys((*landscape.tree, *declared)):
        try:
            content = landscape.project.read_if_there(landscape.project.shown_as(file)) or b""
            stated = exceptions.of_text(decode(content, file), file) if b"ksecret:" in content else []
        except InputError:
            continue  # a finding of its own
        yield from stated


def _declaring(environment: Environment) -> Iterator[str]:
    yield environment.overlay.origin.file
    for declaration in environment.declarations.values():
        yield declaration.origin.file


def reach(landscape: Landscape) -> Mapping[str, Collection[str]]:
    """The overlays to which a file belongs, by file."""
    project, found = landscape.project, dict[str, set[str]]()
    for root in landscape.roots:
        built = (document.file for document in root.objects)
        for file in (*map(project.name, _files(project, root)), *built):
            found.setdefault(file, set()).update(each.name for each in root.environments)
    for environment in all_of(landscape):
        for file in _declaring(environment):
            found.setdefault(file, set()).add(environment.name)
    return found


def _complete(landscape: Landscape, values_checked: bool) -> Collection[str]:
    """The rules that have had all of the project to look at, so that an exception that matches nothing is of no use."""
    chosen = {scene.environment.file for scene in landscape.scenes}
    if not chosen.issuperset(landscape.project.find(FILE)):
        return ()  # what compares overlays may find something with the others
    return {rule.name for rule in (*rules.OF_LANDSCAPE, *(rules.OF_VALUES if values_checked else ()))}
