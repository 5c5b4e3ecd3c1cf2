"""Where the values of an environment's keys come from, and what is known of them before they are read."""

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from ..errors import InputError, Mistake
from ..frozen import Record
from ..manifests import record
from ..model.environment import Environment, Made, Remote, Secret, Value
from ..model.template import references
from ..sensitive import Sensitive
from ..sources import OpenedBy, OpenSource
from ..values.extraction import extract
from ..values.rules import broken
from ..values.templates import evaluate

Keys = Mapping[str, Collection[str]]
Values = Mapping[str, Mapping[str, Sensitive]]


class Known(Record):
    """What the record would hold of a value if it were sealed now, as far as it can be known without the value."""

    version: str | None = None
    inputs: Mapping[str, str] = {}
    template: str | None = None

    @property
    def versioned(self) -> bool:
        """Whether a change of the value would show."""
        return bool(self.version or self.inputs)


class Provision(Protocol):
    """Values by Secret and key; `left_out` are the addresses of values that nothing declares."""

    left_out: Collection[str]

    def provides(self, secret: Secret, key: str) -> bool:
        """Whether it is worth asking for a value."""

    def known(self, secret: Secret, key: str) -> Known:
        """What can be known of a value without reading it."""

    def read(self, keys: Keys) -> Values:
        """The values. Raises InputError or Refusal with all that is missing, or wrong with what was found."""


class FromSource:
    """Values out of the environment's source, extracted and resolved; the source is opened when it is needed."""

    left_out: Collection[str] = ()

    def __init__(self, environment: Environment, opened_by: OpenedBy) -> None:
        self._environment, self._opened_by = environment, opened_by
        self._source: OpenSource | None = None
        self._versions: Mapping[str, str | None] | None = None

    def _open(self) -> OpenSource:
        if self._source is None:
            self._source = self._opened_by(self._environment)
        return self._source

    def provides(self, secret: Secret, key: str) -> bool:
        """Always: what the source lacks is told when it is read."""
        return True

    def known(self, secret: Secret, key: str) -> Known:
        """Versions, where the source has them."""
        value = secret.values[key]
        if isinstance(value, Remote):
            return Known(version=self._version(value.name))
        inputs = {name: self._version(remote.name) for name, remote in _remotes(secret, value)}
        return Known(
            inputs={name: version for name, version in inputs.items() if version},
            template=record.template_digest(value.parts, self._environment.overlay.spec.parameters),
        )

    def _version(self, name: str) -> str | None:
        if self._environment.source is None:
            return None
        if self._versions is None:
            names = [
                value.name
                for secret in self._environment.secrets.values()
                for value in secret.values.values()
                if isinstance(value, Remote)
            ]
            self._versions = self._open().versions(list(dict.fromkeys(names)))
        return self._versions.get(name)

    def read(self, keys: Keys) -> Values:
        """One reading of the source for all keys."""
        remotes = dict(self._reached(keys))
        found = self._open().read(list(dict.fromkeys(remote.name for remote in remotes.values()))) if remotes else {}
        mistakes: list[Mistake] = []
        extracted: dict[tuple[str, str], Sensitive] = {}
        for (secret, key), remote in remotes.items():
            try:
                extracted[secret, key] = extract(remote, found[remote.name])
            except ValueError as error:
                mistakes.append(Mistake(f"{secret}/{key}: {remote.name} {error}", remote.key.origin.at()))
        if mistakes:
            raise InputError(*mistakes)
        resolved = {
            (name, key): self._resolve(self._environment.secrets[name], key, extracted)
            for name, wanted in keys.items()
            for key in wanted
        }
        _check(self._environment, extracted | resolved)
        return {name: {key: resolved[name, key] for key in wanted} for name, wanted in keys.items()}

    def _reached(self, keys: Keys) -> Iterator[tuple[tuple[str, str], Remote]]:
        for name, wanted in keys.items():
            secret = self._environment.secrets[name]
            for key in wanted:
                value = secret.values[key]
                reached = [(key, value)] if isinstance(value, Remote) else _remotes(secret, value)
                for each, remote in reached:
                    yield (name, each), remote

    def _resolve(self, secret: Secret, key: str, extracted: Mapping[tuple[str, str], Sensitive]) -> Sensitive:
        value = secret.values[key]
        if isinstance(value, Remote):
            return extracted[secret.name, key]
        named = {
            each.name: self._resolve(secret, each.name, extracted)
            for each in references(value.parts)
            if not each.parameter
        }
        return evaluate(value.parts, named, self._environment.overlay.spec.parameters)


class FromSecrets:
    """Values out of Secret manifests or standard input, as the Secret shall hold them; they have no versions."""

    def __init__(self, environment: Environment, given: Values) -> None:
        self._environment, self._given = environment, given
        declared = {f"{name}/{key}" for name, secret in environment.secrets.items() for key in secret.keys}
        self.left_out: Collection[str] = sorted(
            {f"{name}/{key}" for name, values in given.items() for key in values} - declared
        )

    def provides(self, secret: Secret, key: str) -> bool:
        """Whether the manifests hold it."""
        return key in self._given.get(secret.name, {})

    def known(self, secret: Secret, key: str) -> Known:
        """Nothing."""
        return Known()

    def read(self, keys: Keys) -> Values:
        """The values that were given."""
        values = {name: {key: self._given[name][key] for key in wanted} for name, wanted in keys.items()}
        _check(self._environment, {(name, key): v for name, found in values.items() for key, v in found.items()})
        return values


def _remotes(secret: Secret, value: Value) -> list[tuple[str, Remote]]:
    """The keys and inputs with a value of their own that a template reaches."""
    found: dict[str, Remote] = {}
    todo = [value]
    while todo:
        current = todo.pop()
        for each in references(current.parts) if isinstance(current, Made) else ():
            if each.parameter:
                continue
            below = secret.values[each.name]
            if isinstance(below, Remote):
                found[each.name] = below
            else:
                todo.append(below)
    return sorted(found.items())


def _check(environment: Environment, values: Mapping[tuple[str, str], Sensitive]) -> None:
    mistakes = []
    for (name, key), value in values.items():
        said = environment.secrets[name].values[key].key
        for rule in broken(said.rules, value):
            place = said.rules.origin.at(rule.partition(":")[0]) if said.rules else None
            mistakes.append(Mistake(f"the value of {name}/{key} breaks {rule}", place))
    if mistakes:
        raise InputError(*mistakes)
