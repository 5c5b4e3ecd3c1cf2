"""Lets an old repository in: writes exceptions for what is found now, by rule and object."""

import os
from collections.abc import Collection, Mapping, Sequence

from ..checks import Finding, exceptions, rules
from ..checks.scope import Repository
from ..errors import InputError, Mistake, Place
from ..files.folder import locked
from ..files.project import decode
from ..frozen import Record
from ..model.resolution import Environment
from ..yamlio import editing
from .survey import all_of, reach

Entry = Mapping[str, str]


class Acceptance(Record):
    """Why findings are accepted, and the last day on which they are."""

    reason: str
    until: str = ""


class WrittenException(Record):
    """An exception, and the file that it was written to."""

    file: str
    rule: str
    object: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule} of {self.object}"


class WrittenExceptions(Record):
    """The exceptions that were written, and the findings that can't be accepted: those about exceptions."""

    written: Sequence[WrittenException]
    left: Sequence[Finding]


def accept(
    repository: Repository, findings: Sequence[Finding], acceptance: Acceptance, *, dry_run: bool = False
) -> WrittenExceptions:
    """Write an exception for each rule and object of these findings, unless it is a dry run.

    A finding of no overlay is accepted by the first chosen one that its file belongs to, or else the first chosen one.
    Raises InputError if one needs a last day, or an overlay is written in a way that can't be edited.
    """
    about_exceptions = {rule.name for rule in rules.OF_EXCEPTIONS}
    accepted = [finding for finding in findings if finding.rule not in about_exceptions]
    refuse(accepted, acceptance.until, repository.now.date().isoformat())
    overlays_of = reach(repository)
    accepted_by: dict[str, dict[tuple[str, str], None]] = {}
    for finding in accepted:
        named = exceptions.object_of(finding, repository.project)
        accepted_by.setdefault(_overlay_of(finding, repository, overlays_of), {})[finding.rule, named] = None
    environments = {environment.name: environment for environment in reversed(all_of(repository))}
    by_overlay = [
        (environments[name], [_entry(*pair, acceptance) for pair in pairs]) for name, pairs in accepted_by.items()
    ]
    for environment, entries in by_overlay:
        _edited(environment, entries)  # all of them can be edited, or none is
    if not dry_run:
        for environment, entries in by_overlay:
            _write(environment, entries)
    written = [exception for environment, entries in by_overlay for exception in _written(environment, entries)]
    left = [finding for finding in findings if finding.rule in about_exceptions]
    return WrittenExceptions(written=written, left=left)


def refuse(findings: Sequence[Finding], until: str, today: str) -> None:
    """Raises InputError for a last day that is missing or over."""
    if not until and any(finding.rule == exceptions.PLAINTEXT for finding in findings):
        raise InputError(Mistake("an exception for a plaintext Secret needs a last day", hint="say --until YYYY-MM-DD"))
    if until and until < today:
        raise InputError(Mistake(f"{until} is over, so the exceptions would silence nothing"))


def _overlay_of(finding: Finding, repository: Repository, overlays_of: Mapping[str, Collection[str]]) -> str:
    if finding.overlay:
        return finding.overlay
    chosen = [overlay.environment.name for overlay in repository.overlays]
    place = finding.place
    reaching = overlays_of.get(place.file, ()) if place else ()
    return next((name for name in (*chosen, *sorted(reaching)) if name in reaching), chosen[0])


def _entry(rule: str, named: str, acceptance: Acceptance) -> Entry:
    until = {"until": acceptance.until} if acceptance.until else {}
    return {"rule": rule, "object": named, "reason": acceptance.reason, **until}


def _write(environment: Environment, entries: Sequence[Entry]) -> None:
    folder, name = os.path.split(environment.project.inside(environment.file))
    with locked(folder) as held:
        held.write(name, _edited(environment, entries))


def _written(environment: Environment, entries: Sequence[Entry]) -> list[WrittenException]:
    shown = environment.project.name(environment.file)
    return [WrittenException(file=shown, rule=entry["rule"], object=entry["object"]) for entry in entries]


def _edited(environment: Environment, entries: Sequence[Entry]) -> bytes:
    content, shown = environment.project.read(environment.file), environment.project.name(environment.file)
    return editing.encoded(with_exceptions(decode(content, shown), shown, entries), content)


def with_exceptions(text: str, file: str, entries: Sequence[Entry]) -> str:
    """Return the text of an overlay with further entries in spec.exceptions.

    Raises InputError if it is written in a way in which they can't be added without a risk for the rest.
    """
    document = editing.only_document(text, file)
    spec = document.value.get("spec") if document else None
    stated = editing.value_at(spec, ("exceptions",))
    if not isinstance(spec, dict) or not (stated is None or isinstance(stated, list)):
        place = editing.place_of(document.node, ("spec", "exceptions"), file) if document else Place(file)
        raise InputError(Mistake("expected a SecretOverlay", place))
    return editing.with_field(text, file, ("spec", "exceptions"), [*(stated or ()), *map(dict, entries)])
