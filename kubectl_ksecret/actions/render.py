"""Objects of an environment, for showing or for its committed folder."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..backends import backend_of, mend, read_committed
from ..backends import render as objects_of
from ..checks import CommittedOverlay, Finding, check
from ..checks.limits import BEFORE_RENDERING
from ..checks.limits import RULES as BACKEND_LIMITS
from ..errors import InputError
from ..files.folder import Folder, locked
from ..frozen import Record
from ..manifests import committed, record, upkeep
from ..model.kubernetes import Object
from ..model.resolution import Environment


class Rendered(Record):
    """Objects, or the findings that stand against them."""

    objects: Sequence[Object]
    findings: Sequence[Finding]


def render(environment: Environment) -> Rendered:
    """Return what is shown of an environment, nothing with findings. Raises InputError for an unreadable manifest."""
    manifests = read_committed(environment)
    findings = check(CommittedOverlay(environment=environment, manifests=manifests), BEFORE_RENDERING)
    return Rendered(objects=[] if findings else objects_of(environment, manifests), findings=findings)


def render_all(environments: Iterable[Environment]) -> Rendered:
    """Return what is shown of environments, one after another; with a finding in any of them nothing is to be shown."""
    rendered = [render(environment) for environment in environments]
    return Rendered(
        objects=[document for one in rendered for document in one.objects],
        findings=[finding for one in rendered for finding in one.findings],
    )


@contextmanager
def writing(environment: Environment) -> Iterator[Folder]:
    """Lock the overlay's folder, and return it; its manifests must lie in the project, and not in Git's own folder."""
    folder = environment.project.inside(environment.folder)
    environment.project.inside(os.path.join(folder, committed.FOLDER))
    with locked(folder) as locked_folder:
        yield locked_folder


def outdated(environment: Environment, *, record_too: bool = True) -> list[str]:
    """Return the files that `write` would change.

    Without `record_too`, not those in which only the record stands in another place or form: they deploy the same.
    """
    changes = _changes(environment, record_too=record_too)
    return [environment.project.name(environment.path(name)) for name in changes.files]


def outdated_files(environments: Iterable[Environment]) -> Iterator[str]:
    """Yield the files that `write` would change, overlay by overlay."""
    for environment in environments:
        yield from outdated(environment)


def written_files(environments: Iterable[Environment]) -> Iterator[str]:
    """Do all that needs no value, overlay by overlay, and yield the files that changed."""
    for environment in environments:
        yield from write(environment)


def write(environment: Environment) -> list[str]:
    """Do all that needs no value, and return the files that changed.

    Raises InputError, with nothing written, for a Secret that the backend can't make.
    """
    if limits := check(CommittedOverlay(environment=environment, manifests={}), BACKEND_LIMITS):
        raise InputError(*(finding.as_mistake() for finding in limits))
    with writing(environment) as folder:
        changes = _changes(environment)
        changes.apply(folder)
    return [environment.project.name(environment.path(name)) for name in changes.files]


def _changes(environment: Environment, *, record_too: bool = True) -> upkeep.Changes:
    manifests = committed.read(environment)
    objects = mend(environment, manifests)
    if not record_too:
        written = {name: manifest.object for name, manifest in manifests.items()}
        objects = [_as_written(document, written.get(committed.secret_of(document))) for document in objects]
    return upkeep.changes(environment, backend_of(environment), objects, manifests)


def _as_written(document: Object, written: Object | None) -> Object:
    """Return the committed object where it differs from the rendered one in its record alone."""
    return written if written is not None and record.without(written) == record.without(document) else document
