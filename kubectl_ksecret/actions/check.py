"""Judges environments: what is committed, built and lies around it, and, where it is asked for, the values."""

import os
from collections.abc import Collection, Iterator, Sequence

from ..checks import Finding, check, exceptions, rules, values
from ..checks.scope import Repository
from ..errors import InputError, Mistake, Place
from ..files import search
from ..files.project import decode
from ..frozen import Record
from ..model.resolution import Environment
from ..model.types.overlay import FILE
from ..sources import OpenedBy
from .provision import Keys, SourceValues, refuse_bad_patterns
from .survey import all_of, declaring, reach


class Checked(Record):
    """What was found, how much of it is accepted, and whose values were not looked at, with the reason."""

    findings: Sequence[Finding]
    left_out: Sequence[Mistake] = ()
    silenced: int = 0


def judge(repository: Repository, opened_by: OpenedBy | None) -> Checked:
    """What the rules find, less what exceptions accept; of values too, where sources may be opened.

    Raises Refusal if a source can't be read. Values are looked for in the files that Git tracks.
    """
    found = repository.check(rules.OF_REPOSITORY)
    if opened_by is None:
        return _less_exceptions(repository, Checked(findings=found), {rule.name for rule in rules.OF_REPOSITORY})
    of_values = _check_values(repository, opened_by)
    checked = Checked(findings=[*found, *of_values.findings], left_out=of_values.left_out)
    asked = (*rules.OF_REPOSITORY, *(() if of_values.left_out else rules.OF_VALUES))
    return _less_exceptions(repository, checked, {rule.name for rule in asked})


def _check_values(repository: Repository, opened_by: OpenedBy) -> Checked:
    environments = [overlay.environment for overlay in repository.overlays]
    refuse_bad_patterns(environments)
    left_out = {each.name: mistake for each in environments if (mistake := _unread(each))}
    held = [_held(each, opened_by) for each in environments if each.name not in left_out]
    held = list(_with_what_is_written(held, repository))
    return Checked(findings=check(held, rules.OF_VALUES), left_out=list(left_out.values()))


def _unread(environment: Environment) -> Mistake | None:
    """Why the values of an environment are not read, if they are not."""
    place = environment.overlay.spec.origin.at("source")
    if environment.source is None:
        return Mistake(f"the values of {environment.name} are not checked: it has no source", place)
    if environment.source.kind.runs_program:
        what = f"the values of {environment.name} are not checked: a command runs in seal and rotate alone"
        return Mistake(what, place)
    return None


def _held(environment: Environment, opened_by: OpenedBy) -> values.Held:
    provision = SourceValues(environment, opened_by)
    keys: Keys = {name: list(secret.values) for name, secret in environment.secrets.items()}
    there = provision.versions(keys)
    disabled = {name for name, version in there.items() if version and not version.enabled}
    # A source of versions has none of a certificate, which is no value that could be read.
    untold = {name for name, version in there.items() if version is None} if environment.has_versions else set()
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


def _with_what_is_written(held: Sequence[values.Held], repository: Repository) -> Iterator[values.Held]:
    project, texts = repository.project, values.texts_of(held)
    found: dict[str, dict[values.Written, None]] = {}
    for hit in search.search(project, repository.tracked or (), texts):
        environment, address, how = texts[hit.text]
        place = Place(project.name(os.path.join(project.root, hit.path)), hit.line, hit.column)
        found.setdefault(environment, {})[values.Written(address, how, place)] = None
    for each in held:
        yield each.but(written=list(found.get(each.environment.name, ())))


def _less_exceptions(repository: Repository, checked: Checked, asked: Collection[str]) -> Checked:
    """The same without what exceptions accept, and with what is wrong with these.

    Of an exception in an overlay that was not chosen, or of a rule that is not among those that were asked of all,
    nothing is said.
    """
    chosen = {overlay.environment.name for overlay in repository.overlays}
    stated = [*_of_overlays(repository), *_of_comments(repository)]
    judged = exceptions.judge(
        checked.findings,
        stated,
        repository.project,
        reach(repository) if any(each.object for each in stated) else {},
        {rule.name for rule in (*rules.OF_REPOSITORY, *rules.OF_VALUES)},
        asked if _is_whole(repository) else (),
        repository.now.date().isoformat(),
    )
    about = [each for each in check(judged, rules.OF_EXCEPTIONS) if not each.overlay or each.overlay in chosen]
    return Checked(findings=[*judged.kept, *about], left_out=checked.left_out, silenced=judged.silenced)


def told_once(findings: Sequence[Finding]) -> list[Finding]:
    """What several overlays find, word for word the same, as in the base that they share, is told with the first."""
    first: dict[object, Finding] = {}
    for each in findings:
        first.setdefault((each.rule, each.severity, each.as_mistake(), each.field), each)
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
