"""How the tree that a team deploys goes over to what was imported: lines that go, and lines that come.

Both are one step, for every kustomization that deploys a line of a shared base: half of it would lose an object, or
have it twice.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import InputError, Mistake, Place, Refusal, printable
from ..files.project import decode
from ..frozen import Record
from ..kustomize import deployment, layers
from ..model.kubernetes import Subject
from ..model.loading import readable
from ..objects import documents
from ..objects.documents import KUSTOMIZATION_FILES, Document, Tree, sequence
from ..yamlio import editing
from . import removing, writing
from .composing import ComposedEnvironment, Composition
from .graph import Graph
from .removing import Removal, Replaced
from .target import ImportTarget


class Addition(NamedTuple):
    """A resource that a kustomization gets."""

    file: str
    shown: str
    resource: str

    def __str__(self) -> str:
        return printable(f"{self.shown}: - {self.resource} (to resources)")


class Wiring(Record):
    """What is to be edited. `later` goes once its values are sealed; `withheld` says why something must wait.

    `unlisted` are the files that no kustomization lists after that, as messages show them.
    """

    removals: Sequence[Removal] = ()
    additions: Sequence[Addition] = ()
    later: Sequence[Removal] = ()
    withheld: Sequence[str] = ()
    unlisted: Sequence[str] = ()


class _Root(Record):
    """The kustomization that deploys an environment, and what has to change in it and below it."""

    composed: ComposedEnvironment
    folder: str
    removals: Sequence[Removal]
    problem: str = ""

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.composed.environment.name


def plan(composition: Composition, graph: Graph, target: ImportTarget) -> Wiring:
    """Return the edits of all environments together."""
    roots: list[_Root] = []
    lines: list[Removal] = []
    for composed in composition.environments:
        removals, problem = _removals(composed)
        folder = target.deployed.get(composed.environment.name)
        if folder:
            roots.append(_Root(composed=composed, folder=folder, removals=removals, problem=problem))
        else:
            lines += removals
    wired, withheld = _settled(roots, graph, target)
    lines += [removal for root in wired for removal in root.removals]
    lines = list(dict.fromkeys(lines))
    at_once = [removal for removal in lines if not removal.sealed_first]
    return Wiring(
        removals=_without_emptied(at_once, graph),
        additions=[addition for root in wired if (addition := _addition(root, target))],
        later=[removal for removal in lines if removal.sealed_first],
        withheld=withheld,
        unlisted=_unlisted(at_once, graph, target),
    )


def _removals(composed: ComposedEnvironment) -> tuple[list[Removal], str]:
    """Return the lines that stand for what is imported, and why they can't go, if they can't."""
    imported = composed.matched.imported
    replaced = [
        Replaced(secret.document, name, not composed.is_sealed(name)) for name, secret in imported.secrets.items()
    ]
    if imported.store.document and composed.store_is_rendered:
        replaced.append(Replaced(imported.store.document, "", False))
    try:
        return list(removing.removals(imported.collected, replaced)), ""
    except InputError as error:
        mistake = error.mistakes[0]
        return [], f"{mistake.place}: {mistake.message}; {mistake.hint}"


def _settled(roots: Sequence[_Root], graph: Graph, target: ImportTarget) -> tuple[list[_Root], list[str]]:
    """Return the roots whose lines can go, and why those of the others can't.

    A line that another root deploys too can go only if that one gets what was imported as well.
    """
    earlier = {
        os.path.realpath(environment.path(environment.overlay.spec.kustomization)): set(environment.secrets)
        for environment in readable(target.project)
    }
    reasons = {root.name: f"{root.name}: {root.problem}" for root in roots if root.problem}
    while True:
        wired = [root for root in roots if root.name not in reasons]
        provided = {root.folder: set(root.removals) for root in wired}
        stuck = {}
        for root in wired:
            for removal in root.removals:
                others = graph.roots(os.path.dirname(removal.file) if removal.path else removal.file)
                lacking = [
                    folder
                    for folder in sorted(others - {root.folder})
                    if removal not in provided.get(folder, set()) and not removal.secrets <= earlier.get(folder, {""})
                ]
                if lacking:
                    shown = ", ".join(map(target.project.name, lacking))
                    stuck[root.name] = (
                        f"{root.name}: {removal} can't go yet, {shown} deploys it too; "
                        "import that at the same time, and what is left there first"
                    )
        if not stuck:
            return wired, [printable(reason) for reason in reasons.values()]
        reasons |= stuck


def _addition(root: _Root, target: ImportTarget) -> Addition | None:
    """Return the resource that deploys what was imported; None where it is listed already."""
    name = kustomization_of(root.folder)
    kustomization = root.composed.matched.imported.collected.layers.get(root.folder)
    resource = os.path.relpath(target.secrets(root.name), root.folder)
    listed = sequence(kustomization.object.get("resources")) if kustomization else []
    if resource in [os.path.normpath(str(entry)) for entry in listed]:
        return None
    return Addition(os.path.join(root.folder, name), target.project.name(os.path.join(root.folder, name)), resource)


def kustomization_of(folder: str) -> str:
    """Return the name of a folder's kustomization."""
    return next(name for name in KUSTOMIZATION_FILES if os.path.isfile(os.path.join(folder, name)))


def _without_emptied(removals: Sequence[Removal], graph: Graph) -> list[Removal]:
    """Return the removals; of a folder of which nothing is left its own entry goes, since no empty one is built."""
    lines = list(removals)
    for folder in {os.path.dirname(removal.file): None for removal in removals if removal.path}:
        inside = [removal for removal in lines if removal.path and os.path.dirname(removal.file) == folder]
        document = graph.kustomization(folder)
        parents = sorted(graph.parents(folder))
        if document is None or not parents or not _is_emptied(document, inside):
            continue
        secrets = frozenset(name for removal in inside for name in removal.secrets)
        lines = [removal for removal in lines if removal not in inside]
        for parent in parents:
            lines += _entries(graph, parent, folder, secrets)
    return lines


def _unlisted(removals: Sequence[Removal], graph: Graph, target: ImportTarget) -> list[str]:
    """Return the files that are listed by nothing but the lines that go."""
    listing: dict[str, set[str]] = {}
    for removal in removals:
        if removal.path and removal.path[0] in layers.BELOW:
            folder = os.path.dirname(removal.file)
            kustomization = graph.kustomization(folder)
            name = str(kustomization.at(*removal.path)) if kustomization else ""
            listing.setdefault(os.path.realpath(os.path.join(folder, name)), set()).add(folder)
    return [target.project.name(path) for path, folders in listing.items() if graph.listing(path) <= folders]


def _is_emptied(kustomization: Document, removals: Sequence[Removal]) -> bool:
    """Whether a kustomization has nothing left to build."""
    gone = {removal.path for removal in removals}
    for field, entries in kustomization.object.items():
        if isinstance(entries, list) and any((field, index) not in gone for index in range(len(entries))):
            return False
    return True


def _entries(graph: Graph, parent: str, folder: str, secrets: frozenset[str]) -> Iterator[Removal]:
    """Yield the entries of a kustomization that list another folder."""
    document = graph.kustomization(parent)
    for field, index, name in graph.listed(parent):
        if document and os.path.realpath(os.path.join(parent, name)) == folder:
            yield Removal(
                place=document.place(field, index),
                text=f"- {name}",
                file=os.path.join(parent, kustomization_of(parent)),
                path=(field, index),
                secrets=secrets,
                sealed_first=False,
            )


# What --wire does.


def edited(wiring: Wiring) -> dict[str, bytes]:
    """Return the new contents of the files that are edited, by path.

    Raises:
        InputError: one of them can't be edited without a risk for what stands around; the hint says what to write.
    """
    contents = {}
    paths = dict.fromkeys([removal.file for removal in wiring.removals] + [line.file for line in wiring.additions])
    for path in paths:
        with open(path, "rb") as file:
            before = file.read()
        removals = [removal for removal in wiring.removals if removal.file == path]
        text = decode(before, path)
        if removals and not removals[0].path:
            text = removing.without(text, [removal.place.line for removal in removals], path)
        else:
            added = [addition.resource for addition in wiring.additions if addition.file == path]
            text = _with_lists(text, path, removals, added)
        contents[path] = editing.encoded(text, before)
    return contents


def _with_lists(text: str, file: str, removals: Sequence[Removal], added: Sequence[str]) -> str:
    """Return a kustomization without some entries of its lists, and with more resources."""
    document = editing.only_document(text, file)
    fields = document.value if document else {}
    gone = {removal.path for removal in removals}
    for field in dict.fromkeys([str(removal.path[0]) for removal in removals] + ["resources"] * bool(added)):
        entries = [entry for index, entry in enumerate(sequence(fields.get(field))) if (field, index) not in gone]
        text = editing.with_field(text, file, [field], entries + (list(added) if field == "resources" else []))
    return text


def apply(contents: Mapping[str, bytes], composition: Composition, wiring: Wiring, target: ImportTarget) -> None:
    """Edit the files, and build what is deployed; if an object were lost, everything is put back.

    Raises:
        Refusal: the result does not build, or lacks an object.
    """
    before = {path: _content(path) for path in contents}
    writing.replace(contents)
    try:
        for composed in composition.environments:
            folder = target.deployed.get(composed.environment.name)
            if folder and any(addition.file.startswith(folder) for addition in wiring.additions):
                _refuse_loss(composed, folder, wiring)
    except InputError:
        writing.replace(before)
        raise


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _refuse_loss(composed: ComposedEnvironment, folder: str, wiring: Wiring) -> None:
    """Build what an environment deploys now, and compare it with what it deployed."""
    collected, imported = composed.matched.imported.collected, composed.matched.imported
    place = Place(collected.project.name(folder))
    instead = f"kubectl ksecret import {imported.name}=-"
    built = deployment.build_one(collected.project, folder, Tree(collected.project), place, instead).objects
    after = {document.subject for document in built}
    replaced = [secret.document for name, secret in imported.secrets.items() if composed.is_sealed(name)]
    store = imported.store.document
    replaced += [store] if store and composed.store_is_rendered else []
    generated = {document.subject.name for document in collected.documents if not document.object.get("apiVersion")}
    lost = [
        document.subject
        for document in collected.documents
        if document not in replaced and document.subject not in after and document.subject.name not in generated
    ]
    for content in composed.changes.written.values():
        lost += [subject for subject in _subjects(content) if not _is_built(subject, after)]
    if lost:
        kind, _, name = lost[0]
        message = f"with these edits {place} would lose the {kind} {name}, so all files are as they were"
        raise Refusal(Mistake(printable(message), hint="import without --wire, and edit by hand"))


def _subjects(content: bytes) -> list[Subject]:
    """Return the objects of a written manifest."""
    return [document.subject for document in documents.read(content.decode(), "manifest")]


def _is_built(subject: Subject, built: Collection[Subject]) -> bool:
    """Whether a build has an object, which may have got a prefix and a suffix."""
    return any(other.kind == subject.kind and subject.name in other.name for other in built)
