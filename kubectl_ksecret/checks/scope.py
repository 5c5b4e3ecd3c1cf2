"""What the rules of `check` look at: builds, committed overlays, and the repository that holds them."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache

from ..errors import Mistake
from ..files.contents import Content
from ..files.project import Project
from ..frozen import Record
from ..kustomize.contents import Named
from ..kustomize.layers import Layers, Renaming, namespace, renaming, way
from ..manifests.committed import FOLDER
from ..model.kubernetes import Subject
from ..model.resolution import Environment
from ..objects.documents import Document
from ..sealing.validity import Validity
from . import CommittedOverlay, Finding, Rule

Tree = Mapping[str, Sequence[Document]]  # the documents of files, by file


class Build(Record):
    """A kustomization that is deployed, as it is built, with all overlays in it: together they provide its Secrets.

    `chosen` are the names of those overlays that were asked for. `layers` are the kustomizations that the build is
    made of, by folder, `tree` holds the documents of every YAML file in these folders, and `patches` are those that
    stand in a kustomization itself. `leading_out` are files outside of their folder, which it may read.
    """

    project: Project
    folder: str
    environments: Sequence[Environment] = ()
    chosen: Collection[str] = ()
    objects: Sequence[Document]
    layers: Layers = {}
    tree: Tree = {}
    patches: Sequence[Document] = ()
    leading_out: Sequence[Named] = ()

    def way_to(self, environment: Environment) -> Sequence[Document]:
        """Return the kustomizations from here to the Secrets of an overlay; none if they are not listed."""
        return _way_to(self, environment)

    def renaming_of(self, environment: Environment) -> Renaming:
        """Return what the kustomizations make of the names of an overlay's Secrets."""
        return renaming(self.layers, self.way_to(environment))

    def namespace_of(self, environment: Environment) -> str:
        """Return the namespace that an overlay's Secrets are put into: its own, unless a kustomization sets another."""
        setting = namespace(self.layers, self.way_to(environment))
        return str(setting.object["namespace"]) if setting else environment.namespace

    @property
    def name(self) -> str:
        """How messages name it: by its overlays, or else by its folder."""
        names = " and ".join(environment.name for environment in self.environments)
        return names or self.project.name(self.folder)

    @property
    def usual_namespace(self) -> str:
        """Where objects that name no namespace are deployed: that of the overlays, if they share one."""
        namespaces = {environment.namespace for environment in self.environments}
        return namespaces.pop() if len(namespaces) == 1 else ""

    @property
    def only_overlay(self) -> str:
        """The name of its overlay, if it has one only."""
        return self.environments[0].name if len(self.environments) == 1 else ""


@cache
def _way_to(build: Build, environment: Environment) -> Sequence[Document]:
    """Return the way that every rule asks for: to find it, each listed name is looked up in the file system."""
    folder = os.path.realpath(environment.folder)
    return way(build.layers, build.folder, {folder, os.path.realpath(os.path.join(folder, FOLDER))})


def overlay_subject(environment: Environment) -> Subject:
    """Return an overlay as the object that something is wrong with."""
    return Subject("SecretOverlay", "", environment.name)


class Unbuilt(Record):
    """A kustomization that can't be built, with all overlays in it, and why, unless another rule says that."""

    environments: Sequence[Environment] = ()
    mistake: Mistake | None


class Outdated(Record):
    """The files of an overlay that `render --write` would change, or why it can't write them."""

    files: Sequence[str] = ()
    mistakes: Sequence[Mistake] = ()


class Repository(Record):
    """Everything that was asked for, and what lies around it. All of it is fact: no rule reads a file or runs a tool.

    `overlays` are those that were asked for, `environments` all of the project that can be read, `unbuilt` what could
    not be built. `certificates` (or why one can't be read) and `outdated` are known by the name of the overlay. `tree`
    holds the documents of every YAML file in the folders that the builds reach; `unreadable` are the files that are no
    YAML. `tracked` are the files that Git tracks, by their path from the project's root, None without Git. `contents`
    are what they hold that is secret or made unreadable. Not `is_sure`, if it is not certain where an object is from.
    """

    project: Project
    now: datetime
    overlays: Sequence[CommittedOverlay]
    environments: Sequence[Environment]
    builds: Sequence[Build]
    unbuilt: Sequence[Unbuilt] = ()
    certificates: Mapping[str, Validity | str]
    outdated: Mapping[str, Outdated] = {}
    tree: Tree
    unreadable: Sequence[Mistake]
    tracked: Collection[str] | None
    contents: Sequence[Content] = ()
    is_sure: bool = True

    def build_of(self, environment: Environment) -> Build | None:
        """Return the build that an overlay is deployed with, if it is built."""
        for build in self.builds:
            if any(other.name == environment.name for other in build.environments):
                return build
        return None

    def build_holding(self, document: Document) -> Build | None:
        """Return the build that an object is of."""
        for build in self.builds:
            if any(other is document for other in build.objects):
                return build
        return None

    def check(self, rules: Iterable[Rule]) -> list[Finding]:
        """Return the findings of these rules, each in all that it looks at, in the order of the rules."""
        return [finding for rule in rules for finding in self._findings(rule)]

    def _findings(self, rule: Rule) -> Iterable[Finding]:
        if rule.takes is Repository:
            yield from rule.findings(self)
        elif rule.takes is CommittedOverlay:
            for overlay in self.overlays:
                yield from rule.findings(overlay)
        else:
            # What two builds have in common, such as a file of their base, is reported once.
            reported = set()
            for build in self.builds:
                for finding in rule.findings(build):
                    identity = (finding.message, finding.place, finding.field, finding.overlay)
                    if finding.overlay or identity not in reported:
                        reported.add(identity)
                        yield finding
