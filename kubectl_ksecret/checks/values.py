"""Values in memory: do they keep their rules, and is each environment's own? Nothing of a value is shown."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import Mistake, Place
from ..frozen import Record
from ..model.declared import root_of
from ..model.environment import Environment, Remote
from ..sensitive import Sensitive
from ..values.forms import How, forms
from ..values.rules import broken
from . import Fault, rule

Values = Mapping[tuple[str, str], Sensitive]  # by Secret and key


def broken_rules(environment: Environment, values: Values) -> Iterator[Mistake]:
    """What the values of one environment break; what is sealed breaks nothing."""
    for (name, key), value in values.items():
        said = environment.secrets[name].values[key].key
        for each in broken(said.rules, value):
            place = said.rules.origin.at(each.partition(":")[0]) if said.rules else None
            yield Mistake(f"the value of {name}/{key} breaks {each}", place)


class Held(Record):
    """What the source of an environment holds: the names that are there, the values, and what can't be used."""

    environment: Environment
    names: Collection[str]
    values: Values
    unusable: Sequence[Mistake]
    written: Sequence["Written"] = ()


class Written(NamedTuple):
    """A place in a file that Git tracks at which a value stands."""

    address: str
    how: How
    place: Place


@rule("value-missing", "error")
def missing(held: Sequence[Held]) -> Iterator[Fault]:
    """A declared key has no value in the source.

    It can be neither fetched nor sealed. Set the value there, or correct `remoteName` or the overlay's `source.names`.
    """
    for each in held:
        for secret in each.environment.secrets.values():
            for key in secret.keys:
                for remote in secret.remotes(key).values():
                    if remote.name not in each.names:
                        what = f"{secret.name}/{key}: the source of {each.environment.name} has no {remote.name}"
                        yield Fault(what, remote.key.origin.at(), overlay=each.environment.name)


@rule("value-unusable", "error")
def unusable(held: Sequence[Held]) -> Iterator[Fault]:
    """A value is not what its declaration takes it for: JSON with a property, base64, a certificate.

    Neither `seal` nor External Secrets Operator can make a Secret of it. Correct the value, or the declaration.
    """
    for each in held:
        for message, place, hint, _ in each.unusable:
            yield Fault(message, place, hint, overlay=each.environment.name)


@rule("value-breaks-rule", "error")
def breaking_rules(held: Sequence[Held]) -> Iterator[Fault]:
    """A value breaks a rule of its declaration.

    The program that reads it may not start, or be open to anyone who guesses. Set a value that keeps the rule.
    """
    for each in held:
        for message, place, hint, _ in broken_rules(each.environment, each.values):
            yield Fault(f"{message} in {each.environment.name}", place, hint, overlay=each.environment.name)


@rule("same-value", "warning")
def same_in_two(held: Sequence[Held]) -> Iterator[Fault]:
    """Two environments have one value.

    Whoever reads that of test has that of production. Set a value of its own for each environment.
    """
    holders: dict[bytes, dict[tuple[str, str], Place]] = {}
    for each in held:
        for (secret, key), value in each.values.items():
            if value.reveal() and isinstance(each.environment.secrets[secret].values[key], Remote):
                address, place = _declared(each.environment, secret, key)
                holders.setdefault(value.reveal(), {}).setdefault((each.environment.name, address), place)
    for places in holders.values():
        first, address = next(iter(places))
        for (environment, other), place in places.items():
            if environment != first:
                what = f"{other} has the same value in {environment} as {address} in {first}"
                yield Fault(what, place, f"set a value of its own in the source of {environment}", overlay=environment)


def _declared(environment: Environment, secret: str, key: str) -> tuple[str, Place]:
    """The address and place of a key, or of that which it shares by `from`."""
    secret, key = root_of(environment.declarations, secret, key)
    spec = environment.declarations[secret].spec
    return f"{secret}/{key}", spec.origin.key("keys" if key in spec.keys else "inputs", key)


@rule("value-in-repository", "error")
def in_repository(held: Sequence[Held]) -> Iterator[Fault]:
    """A real value stands in a file that Git tracks: as it is, in base64, or URL-encoded.

    Whoever can read the repository has it, from every commit on. Take it out, and rotate it. What is compared is the
    value itself, so this is no guess; values under 8 bytes and single words under 16 letters are not looked for.
    """
    for each in held:
        for address, how, place in each.written:
            what = f"the value of {address} of {each.environment.name} stands here {how}"
            yield Fault(what, place, "take it out, and give the key a new value", overlay=each.environment.name)


def texts_of(held: Sequence[Held]) -> Mapping[bytes, tuple[str, str, How]]:
    """What to look for in files, with the environment and address that it is of; a value that is shared counts once."""
    found: dict[bytes, tuple[str, str, How]] = {}
    for each in held:
        for (secret, key), value in each.values.items():
            if each.environment.secrets[secret].remotes(key):  # else it is made of what is not secret
                for text, how in forms(value):
                    found.setdefault(text, (each.environment.name, f"{secret}/{key}", how))
    return found


RULES = (missing, unusable, breaking_rules, same_in_two, in_repository)
