"""Judges environments: what is committed, and, where it is asked for, the values in their sources."""

from collections.abc import Sequence

from ..checks import Finding, Scene, check, sealed
from ..checks import values as rules
from ..errors import Mistake
from ..frozen import Record
from ..manifests import committed
from ..model.environment import Environment
from ..model.overlay import Command
from ..sources import OpenedBy
from .provision import FromSource, Keys, refuse_bad_patterns


class Checked(Record):
    """What was found, and whose values were not looked at, with the reason."""

    findings: Sequence[Finding]
    left_out: Sequence[Mistake]


def check_committed(environments: Sequence[Environment]) -> list[Finding]:
    """What is wrong with what is committed. Raises InputError for an unreadable manifest."""
    scenes = [Scene(environment=each, committed=committed.read_sealed(each)) for each in environments]
    return [finding for scene in scenes for finding in check(scene, sealed.RULES)]


def check_values(environments: Sequence[Environment], opened_by: OpenedBy) -> Checked:
    """What is wrong with the values, read into memory alone. Raises Refusal if a source can't be read."""
    refuse_bad_patterns(environments)
    left_out = {each.name: mistake for each in environments if (mistake := _unread(each))}
    held = [_held(each, opened_by) for each in environments if each.name not in left_out]
    findings = [
        Finding(rule=name, severity=severity, mistake=mistake)
        for name, (severity, rule) in rules.RULES.items()
        for mistake in rule(held)
    ]
    return Checked(findings=findings, left_out=list(left_out.values()))


def _unread(environment: Environment) -> Mistake | None:
    """Why the values of an environment are not read, if they are not."""
    place = environment.overlay.spec.origin.at("source")
    if environment.source is None:
        return Mistake(f"the values of {environment.name} are not checked: it has no source", place)
    if isinstance(environment.source.kind, Command):
        what = f"the values of {environment.name} are not checked: a command runs in seal and rotate alone"
        return Mistake(what, place)
    return None


def _held(environment: Environment, opened_by: OpenedBy) -> rules.Held:
    provision = FromSource(environment, opened_by)
    keys: Keys = {name: list(secret.values) for name, secret in environment.secrets.items()}
    there = provision.versions(keys)
    reading = provision.reading(
        {
            name: [key for key in wanted if all(r.name in there for r in secret.remotes(key).values())]
            for (name, wanted), secret in zip(keys.items(), environment.secrets.values(), strict=True)
        }
    )
    return rules.Held(environment=environment, names=there.keys(), values=reading.values, unusable=reading.mistakes)
