"""Objects of an environment, for showing or for its committed folder."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..backends import backend_of, mend, read_committed
from ..backends import render as objects_of
from ..checks import CommittedOverlay, Finding, check, sealed
from ..files.folder import Folder, locked
from ..frozen import Record
from ..manifests import committed, upkeep
from ..model.kubernetes import Object
from ..model.resolution import Environment


class Rendered(Record):
    """Objects, or the findings that stand against them."""

    objects: Sequence[Object]
    findings: Sequence[Finding]


def render(environment: Environment) -> Rendered:
    """What is shown of an environment; with findings it is nothing. Raises InputError for an unreadable manifest."""
    manifests = read_committed(environment)
    findings = check(CommittedOverlay(environment=environment, manifests=manifests), sealed.RULES)
    return Rendered(objects=[] if findings else objects_of(environment, manifests), findings=findings)


@contextmanager
def writing(environment: Environment) -> Iterator[Folder]:
    """The overlay's folder, locked; its manifests must lie in the project."""
    folder = environment.project.inside(environment.folder)
    environment.project.inside(os.path.join(folder, committed.FOLDER))
    with locked(folder) as held:
        yield held


def outdated(environment: Environment) -> list[str]:
    """The files that `write` would change."""
    return [environment.project.name(environment.path(name)) for name in _changes(environment).files]


def write(environment: Environment) -> list[str]:
    """Do all that needs no value; the files that changed."""
    with writing(environment) as folder:
        changes = _changes(environment)
        changes.apply(folder)
    return [environment.project.name(environment.path(name)) for name in changes.files]


def _changes(environment: Environment) -> upkeep.Changes:
    manifests = committed.read(environment)
    return upkeep.changes(environment, backend_of(environment), mend(environment, manifests), manifests)
