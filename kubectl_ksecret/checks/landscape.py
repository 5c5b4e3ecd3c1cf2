"""All that the rules of `check` look at: environments side by side, what is built of them, and the tree around them."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from ..errors import Mistake
from ..files.contents import Content
from ..files.project import Project
from ..frozen import Record
from ..kustomize.layers import Layers, way
from ..manifests.committed import FOLDER
from ..model.kubernetes import Subject
from ..model.resolution import Environment
from ..objects.documents import Document
from ..sealing.validity import Validity
from . import Fault, Rule, Scene


class Root(Record):
    """A kustomization that is deployed, as it is built, with all overlays in it: together they provide its Secrets.

    `layers` are the kustomizations that it is made of, by folder.
    """

    folder: str
    environments: Sequence[Environment]
    objects: Sequence[Document]
    layers: Layers = {}

    def way_to(self, environment: Environment) -> Sequence[Document]:
        """The kustomizations from here to the Secrets of an overlay; none if they are not listed."""
        folder = os.path.realpath(environment.folder)
        return way(self.layers, self.folder, {folder, os.path.realpath(os.path.join(folder, FOLDER))})


def overlay_of(environment: Environment) -> Subject:
    """An overlay, as the object that something is wrong with."""
    return Subject("SecretOverlay", "", environment.name)


class Outdated(Record):
    """The files of an overlay that `render --write` would change, or why it can't."""

    files: Sequence[str] = ()
    mistakes: Sequence[Mistake] = ()


class Landscape(Record):
    """Facts alone: nothing here needs a key, a network or cryptography.

    `scenes` are the overlays that were asked for, `environments` all of the project that can be read. `certificates`
    (or why one can't be read) and `outdated` are known of overlays, by name. `tree` are the documents of every YAML
    file in the folders that the roots reach, by file; `unreadable` those that are no YAML. `tracked` are the files that
    Git tracks, by their path from the project's root; None without Git. `contents` are what they hold that is secret,
    or was made unreadable.
    """

    project: Project
    now: datetime
    scenes: Sequence[Scene]
    environments: Sequence[Environment]
    roots: Sequence[Root]
    certificates: Mapping[str, Validity | str]
    outdated: Mapping[str, Outdated] = {}
    tree: Mapping[str, Sequence[Document]]
    unreadable: Sequence[Mistake]
    tracked: Collection[str] | None
    contents: Sequence[Content] = ()


def of_each_scene(rule: Rule) -> Rule:
    """The same rule, for all overlays of a landscape."""

    def find(landscape: Landscape) -> Iterator[Fault]:
        for scene in landscape.scenes:
            yield from rule.find(scene)

    find.__doc__ = rule.find.__doc__
    return Rule(name=rule.name, severity=rule.severity, find=find)
