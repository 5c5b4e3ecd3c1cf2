"""The gate that every value passes on its way in, whatever its source and the command that reads it.

A value is looked at as the Secret will hold it: after `property`, `encoding` and template. What is wrong is named by
Secret, key and rule; no value is shown.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..errors import InputError, Mistake
from ..model.resolution import Environment, Value
from ..sensitive import Sensitive
from . import typed
from .lines import is_line_with_end
from .placeholders import StandIn, stand_in
from .rules import broken

Address = tuple[str, str]  # Secret and key
Values = Mapping[Address, Sensitive]

MAX_BYTES = 1 << 20  # of all values of a Secret: MaxSecretSize of the API server
_KINDS = {
    "ciphertext": "is {}",
    "reference": "is a reference ({})",
    "variable": "is a variable that nobody replaced ({})",
    "placeholder": "is a placeholder ({})",
}


class Objection(NamedTuple):
    """Why a value is refused; `breaks_rule` if it is a rule of its declaration that it breaks."""

    mistake: Mistake
    breaks_rule: bool = False


def refuse(environment: Environment, values: Values) -> None:
    """Raise InputError with every value that must not be sealed."""
    if mistakes := [objection.mistake for objection in objections(environment, values)]:
        raise InputError(*mistakes)


def objections(environment: Environment, values: Values) -> Iterator[Objection]:
    """Find what is wrong with values of an environment, each by itself and those of a Secret together."""
    for (name, key), value in values.items():
        yield from objections_to(f"{name}/{key}", environment.secrets[name].values[key], value)
    for name, secret_values in _by_secret(environment, values).items():
        secret = environment.secrets[name]
        present = {key: value for key, value in secret_values.items() if value.reveal()}
        for key, reason in typed.flaws(secret.declaration.spec.type, present):
            if stand_in(present[key].reveal()) is None:  # else it is reported as what it is
                yield Objection(Mistake(f"the value of {name}/{key} {reason}", secret.keys[key].key.origin.at()))
        size = sum(len(value.reveal()) for value in secret_values.values())
        if size > MAX_BYTES:
            place = secret.declaration.metadata.origin.at("name")
            message = f"the values of {name} have {size} bytes together, and a Secret holds {MAX_BYTES} at most"
            yield Objection(Mistake(message, place))


def objections_to(address: str, key: Value, value: Sensitive, which: str = "the value") -> Iterator[Objection]:
    """Find what is wrong with the value of one key; `which` is what messages call it."""
    rules, place, subject = key.key.rules, key.key.origin.at(), f"{which} of {address}"
    content = value.reveal()
    if not content and not (rules and rules.min_length == 0):
        hint = "declare rules: {minLength: 0} if nothing is meant"
        yield Objection(Mistake(f"{subject} is empty", place, hint))
        return
    form = None if key.literal else stand_in(content)
    if form:
        yield Objection(Mistake(f"{subject} {_KINDS[form.kind].format(form.name)}", place, _way_out(form)))
        return
    for rule in broken(rules, value):
        rule_place = rules.origin.at(rule.partition(":")[0]) if rules else None
        yield Objection(Mistake(f"{subject} breaks {rule}", rule_place), breaks_rule=True)


def warnings(environment: Environment, values: Values) -> Iterator[Mistake]:
    """Find what may be an oversight, and is sealed as it is."""
    for (secret, key), value in values.items():
        declared = environment.secrets[secret].values[key].key
        written_out = (declared.template or "").endswith("\n")  # a template that says its line end means it
        if is_line_with_end(value.reveal()) and not written_out:
            yield Mistake(
                f"the value of {secret}/{key} is one line with a line end, which is sealed with it",
                declared.origin.at(),
                "where it is not meant, take it out of the source: printf %s writes none",
            )


def _way_out(form: StandIn) -> str:
    literal = "where it is meant as it is, declare rules: {literal: true}"
    if "SOPS" in form.name:
        return f"decrypt it first, as in: sops decrypt FILE | kubectl ksecret seal OVERLAY -f -; {literal}"
    return f"{'decrypt it first' if form.kind == 'ciphertext' else 'give the value itself'}; {literal}"


def _by_secret(environment: Environment, values: Values) -> Mapping[str, Mapping[str, Sensitive]]:
    """Return the values of the Secrets' own keys; a Secret does not hold its inputs."""
    secrets: dict[str, dict[str, Sensitive]] = {}
    for (secret, key), value in values.items():
        if key in environment.secrets[secret].keys:
            secrets.setdefault(secret, {})[key] = value
    return secrets
