"""Checks what is deployed: what is committed, built and lies around it, and, where it is asked for, the values."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime

from ..checks import SEVERITIES, Finding, Rule, Severity, check, exceptions, rules, values
from ..checks.scope import Repository
from ..errors import InputError, Mistake, Place
from ..files import search
from ..files.project import decode
from ..frozen import Record
from ..kustomize.deployment import DEFAULT_TIMEOUT
from ..model.resolution import Environment
from ..model.types.overlay import FILE
from ..sources import OpenedBy
from . import render
from .accept import Acceptance, WrittenExceptions, accept
from .mend import mend
from .provision import Keys, SourceValues, refuse_bad_patterns
from .survey import Asked, Built, all_of, asked, declaring, reach, survey


class CheckRequest(Record):
    """What is to be checked, and what is to be done about it.

    `arguments` are overlays or folders, `built` is a build by somebody else. Values are looked at where sources may be
    `opened_by` something. With `fix` what has a safe mend is mended first, and each change is reported at once to
    `tell`. Findings milder than `min_severity` are left out. With an `acceptance` exceptions are written for the rest.
    """

    arguments: Sequence[str]
    built: Built | None = None
    opened_by: OpenedBy | None = None
    fix: bool = False
    dry_run: bool = False
    tell: Callable[[object], None]
    acceptance: Acceptance | None = None
    min_severity: Severity = "note"
    allow_remote: bool = False
    timeout: float = DEFAULT_TIMEOUT
    now: datetime


class CheckReport(Record):
    """The findings that remain, by which rules, and what was looked at.

    `left_out` are the environments whose values were not looked at, with the reason; `accepted` is what exceptions were
    written for.
    """

    findings: Sequence[Finding]
    rules: Sequence[Rule]
    repository: Repository
    roots: Sequence[str] = ()
    left_out: Sequence[Mistake] = ()
    silenced: int = 0
    accepted: WrittenExceptions | None = None


def run(request: CheckRequest) -> CheckReport:
    """Check what is asked for, after mending it if that is asked for too.

    Raises InputError for what can't be read, Refusal if nothing can build or a source can't be read.
    """
    asked = _asked(request)
    if request.acceptance is not None and not asked.environments:
        hint = "write a comment at the end of the line, or alone above it: # ksecret: ignore[RULE] REASON"
        raise InputError(Mistake("without an overlay, exceptions are comments", hint=hint))
    if request.fix:
        for environment in asked.environments:
            for file in render.outdated(environment) if request.dry_run else render.write(environment):
                request.tell(f"{file}: rendered")
        repository, checked = judge(asked, None, request.now)
        for change in mend((finding.mend for finding in checked.findings), dry_run=request.dry_run):
            request.tell(change)
        asked = _asked(request)
    repository, checked = judge(asked, request.opened_by, request.now)
    least = SEVERITIES.index(request.min_severity)
    findings = [finding for finding in checked.findings if SEVERITIES.index(finding.severity) >= least]
    acceptance, accepted = request.acceptance, None
    if acceptance is not None:
        accepted = accept(repository, findings, acceptance, dry_run=request.dry_run)
    return CheckReport(
        findings=reported_once(findings),  # an exception, on the other hand, is each overlay's own
        rules=(*rules.OF_REPOSITORY, *(rules.OF_VALUES if request.opened_by else ()), *rules.OF_EXCEPTIONS),
        repository=repository,
        roots=asked.roots,
        left_out=checked.left_out,
        silenced=checked.silenced,
        accepted=accepted,
    )


def _asked(request: CheckRequest) -> Asked:
    """Return what is asked for; the mistakes in it are mended first if that is asked for, and behind one is another."""
    while True:
        try:
            matches = asked(request.arguments)
        except InputError as error:
            mends = [mistake.mend for mistake in error.mistakes if request.fix]
            changes = mend(mends, dry_run=request.dry_run)
            for change in changes:
                request.tell(change)
            if not changes or request.dry_run:
                raise
        else:
            return matches.but(built=request.built, allow_remote=request.allow_remote, timeout=request.timeout)


class Checked(Record):
    """What was found, how much of it is accepted, and whose values were not looked at, with the reason."""

    findings: Sequence[Finding]
    left_out: Sequence[Mistake] = ()
    silenced: int = 0


def judge(asked: Asked, opened_by: OpenedBy | None, now: datetime) -> tuple[Repository, Checked]:
    """Return what the rules find, less what exceptions accept; of values too, where sources may be opened.

    Values are looked for in the files that Git tracks. Raises Refusal if a source can't be read.
    """
    repository = survey(asked, now)
    findings = repository.check(rules.OF_REPOSITORY)
    # kustomize can say where objects were written, but takes long over it: it is asked only if that would be shown.
    if (asked.built is None and not repository.is_sure) or any(
        _has_no_place(repository, finding) for finding in findings
    ):
        repository = survey(asked, now, with_origins=True)
        findings = repository.check(rules.OF_REPOSITORY)
    if opened_by is None:
        checked = Checked(findings=findings)
        return repository, _less_exceptions(repository, checked, {rule.name for rule in rules.OF_REPOSITORY})
    of_values = _check_values(repository, opened_by)
    checked = Checked(findings=[*findings, *of_values.findings], left_out=of_values.left_out)
    complete = (*rules.OF_REPOSITORY, *(() if of_values.left_out else rules.OF_VALUES))
    return repository, _less_exceptions(repository, checked, {rule.name for rule in complete})


def _has_no_place(repository: Repository, finding: Finding) -> bool:
    """Whether a finding is of an object of which it is not known where it was written."""
    folders = {repository.project.name(build.folder) for build in repository.builds}
    return finding.place is not None and finding.place.file in folders


def _check_values(repository: Repository, opened_by: OpenedBy) -> Checked:
    environments = [overlay.environment for overlay in repository.overlays]
    refuse_bad_patterns(environments)
    left_out = {environment.name: mistake for environment in environments if (mistake := _unread(environment))}
    held = [_held(environment, opened_by) for environment in environments if environment.name not in left_out]
    held = list(_with_what_is_written(held, repository))
    return Checked(findings=check(held, rules.OF_VALUES), left_out=list(left_out.values()))


def _unread(environment: Environment) -> Mistake | None:
    """Why the values of an environment are not read, if they are not."""
    place = environment.overlay.spec.origin.at("source")
    if environment.source is None:
        return Mistake(f"the values of {environment.name} are not checked: it has no source", place)
    if environment.source.kind.runs_program:
        message = f"the values of {environment.name} are not checked: a command runs in seal and rotate alone"
        return Mistake(message, place)
    return None


def _held(environment: Environment, opened_by: OpenedBy) -> values.Held:
    provision = SourceValues(environment, opened_by)
    keys: Keys = {name: list(secret.values) for name, secret in environment.secrets.items()}
    others = provision.versions(keys)
    disabled = {name for name, version in others.items() if version and not version.enabled}
    # A source of versions has none of a certificate, which is no value that could be read.
    untold = {name for name, version in others.items() if version is None} if environment.has_versions else set()
    readable = others.keys() - disabled - untold
    reading = provision.reading(
        {
            name: [key for key in keys_of_secret if all(r.name in readable for r in secret.remotes(key).values())]
            for (name, keys_of_secret), secret in zip(keys.items(), environment.secrets.values(), strict=True)
        }
    )
    return values.Held(
        environment=environment,
        names=others.keys() - disabled,
        disabled=disabled,
        lacking=reading.absent,
        values=reading.values,
        unusable=reading.mistakes,
    )


def _with_what_is_written(held: Sequence[values.Held], repository: Repository) -> Iterator[values.Held]:
    project, texts = repository.project, values.texts_of(held)
    matches: dict[str, dict[values.Written, None]] = {}
    for hit in search.search(project, repository.tracked or (), texts):
        environment, address, how = texts[hit.text]
        place = Place(project.name(os.path.join(project.root, hit.path)), hit.line, hit.column)
        matches.setdefault(environment, {})[values.Written(address, how, place)] = None
    for holding in held:
        yield holding.but(written=list(matches.get(holding.environment.name, ())))


def _less_exceptions(repository: Repository, checked: Checked, asked: Collection[str]) -> Checked:
    """The same without what exceptions accept, and with what is wrong with these.

    Of an exception in an overlay that was not chosen, or of a rule that is not among those that were asked of all,
    nothing is reported.
    """
    chosen = {overlay.environment.name for overlay in repository.overlays}
    stated = [*_of_overlays(repository), *_of_comments(repository)]
    judged = exceptions.judge(
        checked.findings,
        stated,
        repository.project,
        reach(repository) if any(exception.object for exception in stated) else {},
        {rule.name for rule in (*rules.OF_REPOSITORY, *rules.OF_VALUES)},
        asked if _is_whole(repository) else (),
        repository.now.date().isoformat(),
    )
    about = [
        finding for finding in check(judged, rules.OF_EXCEPTIONS) if not finding.overlay or finding.overlay in chosen
    ]
    return Checked(findings=[*judged.kept, *about], left_out=checked.left_out, silenced=judged.silenced)


def reported_once(findings: Sequence[Finding]) -> list[Finding]:
    """Return what several overlays find, word for word the same, as in the base that they share, with the first."""
    first: dict[object, Finding] = {}
    for finding in findings:
        sentence = (finding.message, finding.place, finding.hint)
        first.setdefault((finding.rule, finding.severity, sentence, finding.field), finding)
    return list(first.values())


def _of_overlays(repository: Repository) -> Iterator[exceptions.Accepted]:
    for environment in all_of(repository):
        yield from exceptions.of_overlay(environment)


def _of_comments(repository: Repository) -> Iterator[exceptions.Accepted]:
    declared = (file for overlay in repository.overlays for file in declaring(overlay.environment))
    for file in dict.fromkeys((*repository.tree, *declared)):
        try:
            content = repository.project.read_if_there(repository.project.shown_as(file)) or b""
            stated = exceptions.of_text(decode(content, file), file) if b"ksecret:" in content else []
        except InputError:
            continue  # a finding of its own
        yield from stated


def _is_whole(repository: Repository) -> bool:
    """Whether all overlays are looked at; what compares them may find something with others."""
    chosen = {overlay.environment.file for overlay in repository.overlays}
    return chosen.issuperset(repository.project.find(FILE))
