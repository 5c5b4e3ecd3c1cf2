"""Kustomizations as they are deployed: refused where they lead out of the project, else built, and never run."""

import os
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ..errors import InputError, Mistake, Place, Refusal, printable
from ..files.project import Project
from ..objects.documents import KUSTOMIZATION_FILES, Document, Tree
from . import building, contents, layers, origins
from .building import BuildOutcome, Request
from .contents import Named
from .layers import Layers

DEFAULT_TIMEOUT = 300.0  # seconds


class Deployed(NamedTuple):
    """A kustomization and its objects, or why it could not be built and a command that builds it.

    `leading_out` are the files outside of their folder that it was allowed to read. The places are `sure` if no object
    that matters could be from two files.
    """

    folder: str
    layers: Layers
    objects: Sequence[Document] = ()
    failure: Mistake | None = None
    remedy: str = ""
    leading_out: Sequence[Named] = ()
    is_sure: bool = True


def build(
    project: Project,
    folders: Sequence[str],
    tree: Tree,
    *,
    with_origins: bool = False,
    allow_remote: bool = False,
    timeout: float = DEFAULT_TIMEOUT,
) -> list[Deployed]:
    """Build these folders side by side; with origins it is kustomize that says where each object was written.

    Raises:
        Refusal: there is neither kubectl nor kustomize.
    """
    deployed = [Deployed(folder=folder, layers=layers.read(project, folder)) for folder in folders]
    refused = [_refused(project, kustomization, allow_remote=allow_remote) for kustomization in deployed]
    left = [kustomization for kustomization in refused if kustomization.failure is None]
    requests = [
        Request(
            folder=kustomization.folder,
            is_component=_is_component(kustomization),
            origins=with_origins,
            allow_remote=allow_remote,
        )
        for kustomization in left
    ]
    outcomes = building.build(requests, timeout, meanwhile=partial(_read_listed, left, tree))
    again = [index for index, outcome in enumerate(outcomes) if outcome.is_restricted]
    leading_out = {index: contents.leading_out(project, left[index].layers) for index in again}
    again = [index for index in again if leading_out[index]]
    unrestricted = building.build([requests[index]._replace(unrestricted=True) for index in again], timeout)
    outcomes_by_folder = {kustomization.folder: outcome for kustomization, outcome in zip(left, outcomes, strict=True)}
    outcomes_by_folder |= {left[index].folder: outcome for index, outcome in zip(again, unrestricted, strict=True)}
    named = {left[index].folder: leading_out[index] for index in again}
    return [
        kustomization
        if kustomization.failure is not None
        else _finished(
            project, kustomization, outcomes_by_folder[kustomization.folder], tree, named.get(kustomization.folder, ())
        )
        for kustomization in refused
    ]


def _read_listed(deployed: Sequence[Deployed], tree: Tree) -> None:
    """Read the files that the objects of a build come from, while kustomize builds."""
    for kustomization in deployed:
        for path in contents.resources(kustomization.layers):
            tree.documents(path)


def build_one(project: Project, folder: str, tree: Tree, named_at: Place, instead: str) -> Deployed:
    """Build one folder, with the origins of its objects.

    Raises:
        InputError: it is none, or lies outside of the project.
        Refusal: it can't be built; `instead` is the command that takes a build by another program.
    """
    real = project.inside(folder, named_at)
    if not any(os.path.exists(os.path.join(real, name)) for name in KUSTOMIZATION_FILES):
        hint = "spec.kustomization names the folder of the one that is deployed"
        raise InputError(Mistake(f"{project.name(real)} has no kustomization.yaml", named_at, hint))
    (deployed,) = build(project, [real], tree, with_origins=True)
    if deployed.failure is not None:
        message, place, hint, _ = deployed.failure
        way = f"{deployed.remedy} {project.name(folder)} | {instead}" if deployed.remedy else hint
        raise Refusal(Mistake(message, place or named_at, way))
    return deployed


def _refused(project: Project, deployed: Deployed, *, allow_remote: bool) -> Deployed:
    refusal = next(contents.refusals(project, deployed.layers, allow_remote=allow_remote), None)
    return deployed if refusal is None else deployed._replace(failure=refusal)


def _is_component(deployed: Deployed) -> bool:
    root = next(iter(deployed.layers.values()), None)
    return root is not None and root.object.get("kind") == "Component"


def _finished(
    project: Project, deployed: Deployed, outcome: BuildOutcome, tree: Tree, leading_out: Sequence[Named]
) -> Deployed:
    shown = project.name(deployed.folder)
    if outcome.reason:
        return deployed._replace(failure=_failure(shown, deployed, outcome), remedy=outcome.remedy)
    if "config.kubernetes.io/origin" in outcome.text:
        objects, is_sure = origins.annotated(project, outcome, shown, tree), True
    else:
        built = building.objects_of(outcome.text, shown)
        objects, is_sure = origins.located(project, built, deployed.layers, tree)
    return deployed._replace(objects=objects, is_sure=is_sure, leading_out=leading_out)


def _failure(shown: str, deployed: Deployed, outcome: BuildOutcome) -> Mistake:
    """Return why a kustomization can't be built, at the line that names what is not there, where that is the reason."""
    message = f"{shown} can't be built: {outcome.reason}"
    root = next(iter(deployed.layers.values()), None)
    place = root.place() if root else Place(shown)
    hint = "" if outcome.remedy else f"see what it says: kubectl kustomize {shown}"
    lacking = next(contents.missing(deployed.layers), None)
    if lacking is not None and not outcome.remedy:
        message, place = (
            f"{shown} can't be built: it names {printable(lacking.text)}, which is not there",
            lacking.place,
        )
        hint = ""
    return Mistake(message, place, hint)
