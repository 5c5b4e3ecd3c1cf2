"""Values in memory: do they keep their rules, and is each environment's own? Nothing of a value is shown."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import Mistake, Place
from ..frozen import Record
from ..model.resolution import Environment, Remote, SourceRead
from ..values.forms import How, forms
from ..values.gate import Address, Objection, Values, objections
from . import Finding, rule


class Held(Record):
    """What the source of an environment holds: the names that are there, the values, and what can't be used.

    `disabled` are names of which every version is, `lacking` keys and inputs whose property is absent in its value.
    """

    environment: Environment
    names: Collection[str]
    disabled: Collection[str] = ()
    lacking: Collection[Address] = ()
    values: Values
    unusable: Sequence[Mistake]
    written: Sequence["Written"] = ()


class Written(NamedTuple):
    """A place in a file that Git tracks at which a value stands."""

    address: str
    how: How
    place: Place


@rule("value-missing", "error")
def missing(held: Sequence[Held]) -> Iterator[Finding]:
    """A declared key has no value in the source.

    It can be neither fetched nor sealed. Set the value there, or enable it, or correct `remoteName` or the overlay's
    `source.names`.
    """
    for holding in held:
        for secret in holding.environment.secrets.values():
            for key in secret.keys:
                for entry, remote in secret.remotes(key).items():
                    if remote.name not in holding.names or (secret.name, entry) in holding.lacking:
                        text = f"the source of {holding.environment.name} has no {remote.shown()}"
                        if remote.name in holding.disabled:
                            text = f"{remote.name} is disabled in the source of {holding.environment.name}"
                        message = f"{secret.name}/{key}: {text}"
                        yield Finding(
                            message=message,
                            place=remote.key.origin.at(),
                            overlay=holding.environment.name,
                        )


@rule("value-unusable", "error")
def unusable(held: Sequence[Held]) -> Iterator[Finding]:
    """A value is not what its declaration or its Secret's type takes it for, or only stands for a value.

    It is not the JSON, base64 or certificate that is declared, or it is empty, a placeholder, ciphertext, or another
    tool's reference. `seal` refuses it, and what External Secrets Operator makes of it no program can use. Correct the
    value, or the declaration; `rules: {literal: true}` allows a value that looks like a placeholder.
    """
    for source in held:
        overlay = source.environment.name
        for mistake in source.unusable:
            yield Finding(message=mistake.message, place=mistake.place, hint=mistake.hint, overlay=overlay)
        for objection in objections(source.environment, source.values):
            if not objection.breaks_rule:
                yield _refused(source.environment, objection)


@rule("value-breaks-rule", "error")
def breaking_rules(held: Sequence[Held]) -> Iterator[Finding]:
    """A value breaks a rule of its declaration.

    The program that reads it may not start, or be open to anyone who guesses. Set a value that keeps the rule.
    """
    for source in held:
        for objection in objections(source.environment, source.values):
            if objection.breaks_rule:
                yield _refused(source.environment, objection)


def _refused(environment: Environment, objection: Objection) -> Finding:
    message, place, hint = objection.mistake.message, objection.mistake.place, objection.mistake.hint
    return Finding(message=f"{message} in {environment.name}", place=place, hint=hint, overlay=environment.name)


@rule("same-value", "warning")
def same_in_two(held: Sequence[Held]) -> Iterator[Finding]:
    """Two environments have one value.

    Whoever reads that of test has that of production. Set a value of its own for each environment.
    """
    holders: dict[bytes, dict[tuple[str, str], _Holder]] = {}
    for holding in held:
        for (secret, key), value in holding.values.items():
            content, remote = value.reveal().rstrip(b"\r\n"), holding.environment.secrets[secret].values[key]
            if content and isinstance(remote, Remote):
                holder = _holder(holding.environment, secret, key, remote)
                holders.setdefault(content, {}).setdefault((holding.environment.name, holder.address), holder)
    for sharing in holders.values():
        (environment, _), first = next(iter(sharing.items()))
        for (other, _), holder in sharing.items():
            if other == environment:
                continue
            message = f"{holder.address} has the same value in {other} as {first.address} in {environment}"
            hint = f"set a value of its own in the source of {other}"
            if holder.name == first.name:
                message, hint = f"{message}: they read one name", f"give {other} a name of its own: source.names"
            yield Finding(
                message=message,
                place=holder.place,
                hint=hint,
                overlay=other,
            )


class _Holder(NamedTuple):
    """A key, or that which it shares by `from`; `name` is what it reads, with the source."""

    address: str
    place: Place
    name: tuple[object, str, str | None]


def _holder(environment: Environment, secret: str, key: str, remote: Remote) -> _Holder:
    read = SourceRead(environment=environment, secret=secret, key=key, remote=remote)
    name = (environment.source_identity, environment.same_name(remote.name), remote.property)
    return _Holder("/".join(read.root), read.declared_at, name)


@rule("value-in-repository", "error")
def in_repository(held: Sequence[Held]) -> Iterator[Finding]:
    """A real value stands in a file that Git tracks: as it is, in base64, or URL-encoded.

    Whoever can read the repository has it, from every commit on. Take it out, and rotate it. What is compared is the
    value itself, so this is no guess; values under 8 bytes and single words under 16 letters are not looked for.
    """
    for holding in held:
        for address, how, place in holding.written:
            message = f"the value of {address} of {holding.environment.name} stands here {how}"
            yield Finding(
                message=message,
                place=place,
                hint="take it out, and give the key a new value",
                overlay=holding.environment.name,
            )


def texts_of(held: Sequence[Held]) -> Mapping[bytes, tuple[str, str, How]]:
    """Return what to look for in files, each with its environment and address; a value that is shared counts once."""
    matches: dict[bytes, tuple[str, str, How]] = {}
    for holding in held:
        for (secret, key), value in holding.values.items():
            if holding.environment.secrets[secret].remotes(key):  # else it is made of what is not secret
                for text, how in forms(value):
                    matches.setdefault(text, (holding.environment.name, f"{secret}/{key}", how))
    return matches


RULES = (missing, unusable, breaking_rules, same_in_two, in_repository)
