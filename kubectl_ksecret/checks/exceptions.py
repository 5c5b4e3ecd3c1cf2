"""Exceptions: findings that somebody accepts, on purpose and with a reason; and what is wrong with exceptions."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from .. import yamlio
from ..errors import InputError, Place, nearest, shown, typo
from ..files.project import Project
from ..frozen import Record
from ..model.kubernetes import Subject
from ..model.resolution import Environment
from ..model.types.names import is_object_name
from ..yamlio import Node
from ..yamlio.editing import scalars
from . import Finding, rule

_OF_CLUSTER = "readable-by-others"
PLAINTEXT = "plaintext-secret"
_RULES = "docs/rules.md has them all"
_MARK = "ksecret:"
_COMMENT = re.compile(
    r"(?:(?P<alone>^[ \t]*)|(?<=[ \t]))(?P<sign>#)[ \t]*ksecret:[ \t]*ignore\b"
    r"(?:\[(?P<rule>[^\]\n]*)\])?(?P<reason>.*)$",
    re.MULTILINE,
)


class Accepted(Record):
    """One exception; of an overlay it is for an `object`, as a comment for a `line` of its file."""

    rule: str
    reason: str
    place: Place
    until: str = ""
    object: str = ""
    overlay: str = ""
    line: int = 0


class Judged(Record):
    """What became of findings and exceptions; `used` are the exceptions that silence something."""

    kept: Sequence[Finding]
    silenced: int
    stated: Sequence[Accepted]
    used: Collection[Accepted]
    objects: Mapping[str, Collection[str]]  # of all findings, by rule
    rules: Collection[str]  # all that can be silenced
    complete: Collection[str]  # those that found all that they can: what matches nothing there is of no use
    today: str


def of_overlay(environment: Environment) -> Iterator[Accepted]:
    """Yield what an overlay accepts."""
    for exception in environment.overlay.spec.exceptions:
        yield Accepted(
            rule=exception.rule,
            reason=exception.reason,
            place=exception.origin.at("rule"),
            until=exception.until or "",
            object=exception.object,
            overlay=environment.name,
        )


def of_text(text: str, file: str) -> list[Accepted]:
    """Return what the comments of a YAML file accept; `#` in a text of it is no comment."""
    matches = list(_COMMENT.finditer(text)) if _MARK in text else []
    if not matches:
        return []
    try:
        texts = _texts(text, yamlio.compose_foreign(text, file))
    except InputError:
        return []  # a finding of its own
    comments = [comment for comment in matches if not any(start <= comment.start("sign") < end for start, end in texts)]
    lines = {text.count("\n", 0, comment.start("sign")) + 1: comment for comment in comments}
    return [_of_comment(text, file, line, comment, lines) for line, comment in lines.items()]


def _of_comment(
    text: str, file: str, line: int, comment: re.Match[str], others: Mapping[int, re.Match[str]]
) -> Accepted:
    at = comment.start("sign" if comment["rule"] is None else "rule")
    target = line
    while target in others and others[target]["alone"] is not None:  # several may stand above one line
        target += 1
    place = Place(file, line, at - text.rfind("\n", 0, at))
    return Accepted(rule=comment["rule"] or "", reason=comment["reason"].strip(), place=place, line=target)


def _texts(text: str, documents: Sequence[Node]) -> list[tuple[int, int]]:
    """Return where texts begin and end; behind the sign of a block scalar there may be a comment."""
    matches = []
    for node in scalars(documents):
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        is_block = text[start : start + 1] in ("|", ">")
        matches.append((text.find("\n", start) + 1 if is_block else start, end))
    return matches


def object_of(finding: Finding, project: Project) -> str:
    """Return the name by which an exception accepts it: its object, or else its file from the project's root."""
    named = "/".join(filter(None, finding.subject)) if finding.subject and finding.subject.name else ""
    if named and is_object_name(named) and not named.startswith("File/"):
        return named
    return f"File/{project.from_root(finding.place.file if finding.place else project.root)}"


def judge(
    findings: Sequence[Finding],
    stated: Sequence[Accepted],
    project: Project,
    overlays_of: Mapping[str, Collection[str]],
    rules: Collection[str],
    complete: Collection[str],
    today: str,
) -> Judged:
    """Return which findings remain.

    An overlay accepts for itself alone: findings of it, and those of no overlay in the files that it reaches, which are
    `overlays_of`; in a file that none reaches, any of them does.
    """
    of_objects: dict[tuple[str, str], list[Accepted]] = {}
    of_lines: dict[tuple[str, str, int], list[Accepted]] = {}
    for exception in stated:
        if not _is_valid(exception, rules, today):
            continue
        if exception.object:
            of_objects.setdefault((exception.rule, exception.object), []).append(exception)
        else:
            of_lines.setdefault((exception.rule, exception.place.file, exception.line), []).append(exception)
    remaining: list[Finding] = []
    used: set[Accepted] = set()
    objects: dict[str, dict[str, None]] = {}
    for finding in findings:
        place, named = finding.place, object_of(finding, project)
        objects.setdefault(finding.rule, {})[named] = None
        names = dict.fromkeys((named, *_short(finding.subject, named)))
        of_overlays = [document for name in names for document in of_objects.get((finding.rule, name), ())]
        matches = [exception for exception in of_overlays if _speaks_for(exception, finding, overlays_of)]
        matches += of_lines.get((finding.rule, place.file, place.line), ()) if place else ()
        used |= set(matches)
        if not matches:
            remaining.append(finding)
    return Judged(
        kept=remaining,
        silenced=len(findings) - len(remaining),
        stated=stated,
        used=used,
        objects=objects,
        rules=rules,
        complete=complete,
        today=today,
    )


def _short(subject: Subject | None, named: str) -> Iterator[str]:
    if subject and named.count("/") == 2 and not named.startswith("File/"):
        yield f"{subject.kind}/{subject.name}"


def _speaks_for(accepted: Accepted, finding: Finding, overlays_of: Mapping[str, Collection[str]]) -> bool:
    if finding.overlay:
        return finding.overlay == accepted.overlay
    place = finding.place
    reaching = overlays_of.get(place.file, ()) if place else ()
    return not reaching or accepted.overlay in reaching


def _is_valid(accepted: Accepted, rules: Collection[str], today: str) -> bool:
    return (
        accepted.rule in rules
        and bool(accepted.reason)
        and not _is_expired(accepted, today)
        and not _lacks_until(accepted)
    )


def _is_expired(accepted: Accepted, today: str) -> bool:
    return bool(accepted.until) and accepted.until < today


def _lacks_until(accepted: Accepted) -> bool:
    return accepted.rule == PLAINTEXT and not accepted.until


def _fault(accepted: Accepted, message: str, hint: str) -> Finding:
    subject = Subject("SecretOverlay", "", accepted.overlay) if accepted.overlay else None
    return Finding(
        message=message,
        place=accepted.place,
        hint=hint,
        subject=subject,
        overlay=accepted.overlay,
    )


@rule("exception-unused", "warning")
def unused(judged: Judged) -> Iterator[Finding]:
    """An exception matches no finding.

    It would silence the next one, which nobody has thought about. Remove it, or correct its rule, object or line. With
    some overlays chosen, or values not read, what only the others would show is not reported. Those of the rule
    readable-by-others never are: `doctor` heeds them, for bindings that only the cluster has.
    """
    for exception in judged.stated:
        if (
            exception in judged.used
            or exception.rule not in judged.complete
            # It may be for a binding that only the cluster has; `doctor` heeds it.
            or exception.rule == _OF_CLUSTER
            or not _is_valid(exception, judged.rules, judged.today)
        ):
            continue
        if exception.object:
            message = f"no finding of {exception.rule} is of {shown(exception.object)}"
            yield _fault(
                exception,
                message,
                nearest(exception.object, judged.objects.get(exception.rule, {})) or "remove the exception",
            )
        else:
            hint = "remove the comment, or move it to the end of the finding's line, or alone above it"
            yield _fault(exception, f"no finding of {exception.rule} stands in line {exception.line}", hint)


@rule("exception-unknown-rule", "error")
def unknown_rule(judged: Judged) -> Iterator[Finding]:
    """An exception names no rule, or one whose findings can't be silenced: those about exceptions.

    It silences nothing. Write the rule as docs/rules.md and each finding name it; `check --fix` does so where one
    name alone is near.
    """
    for exception in judged.stated:
        if exception.rule in judged.rules:
            continue
        if not exception.rule:
            yield _fault(exception, "an exception names no rule", "write it as: # ksecret: ignore[RULE] REASON")
        elif exception.rule in _NAMES:
            yield _fault(
                exception, f"a finding of {exception.rule} can't be silenced", "correct the exception that it is about"
            )
        else:
            fault = _fault(
                exception,
                f'no rule is named "{shown(exception.rule)}"',
                nearest(exception.rule, judged.rules) or _RULES,
            )
            yield fault.but(mend=typo(exception.place, exception.rule, judged.rules) if exception.overlay else None)


@rule("exception-expired", "error")
def expired(judged: Judged) -> Iterator[Finding]:
    """The last day of an exception is over.

    What it silenced is reported again. Mend that, or accept it for longer.
    """
    for exception in judged.stated:
        if exception.rule in judged.rules and _is_expired(exception, judged.today):
            yield _fault(
                exception, f"the exception for {exception.rule} ended with {exception.until}", "mend what it was for"
            )


@rule("exception-without-until", "error")
def without_until(judged: Judged) -> Iterator[Finding]:
    """An exception for a plaintext Secret has no last day.

    It silences nothing: a value in the repository is a leak that must end. Say until when in the overlay's
    spec.exceptions; a comment has no place for it.
    """
    for exception in judged.stated:
        if _lacks_until(exception):
            hint = (
                f"add until: to it in {exception.overlay}"
                if exception.overlay
                else "state it in the overlay's spec.exceptions"
            )
            yield _fault(exception, f"an exception for {PLAINTEXT} needs a last day", hint)


@rule("exception-without-reason", "error")
def without_reason(judged: Judged) -> Iterator[Finding]:
    """A comment silences a rule without a reason.

    It silences nothing: nobody could tell later whether it still holds. Write the reason behind the bracket.
    """
    for exception in judged.stated:
        if exception.rule in judged.rules and not exception.reason:
            yield _fault(
                exception,
                f"an exception for {exception.rule} has no reason",
                f"# ksecret: ignore[{exception.rule}] REASON",
            )


RULES = (unused, unknown_rule, expired, without_until, without_reason)
_NAMES = frozenset(rule.name for rule in RULES)
