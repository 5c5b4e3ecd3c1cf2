"""Where the values of an environment's keys come from, and what is known of them before they are read."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from ..checks.values import broken_rules
from ..errors import InputError, Mistake, Place, shown
from ..frozen import Record
from ..manifests import record
from ..model.loading import in_order
from ..model.resolution import Environment, Remote, Secret, SourceRead
from ..model.template import references
from ..sensitive import Sensitive
from ..sources import GivenSecrets, OpenedBy, OpenSource, SourceValue, Version
from ..values.extraction import extract
from ..values.rules import pattern_mistakes
from ..values.templates import evaluate

Keys = Mapping[str, Collection[str]]
Address = tuple[str, str]  # Secret and key


class Known(Record):
    """What the record would hold of a value if it were sealed now, as far as it can be known without the value.

    `gone` are names that the source, which knows versions, does not have, or has disabled.
    """

    version: str | None = None
    inputs: Mapping[str, str] = {}
    template: str | None = None
    gone: Collection[str] = ()

    @property
    def versioned(self) -> bool:
        """Whether a change of the value would show."""
        return bool(self.version or self.inputs)


class Provided(Record):
    """A value, what is known of it, and the versions that it was read in, by name in the source."""

    value: Sensitive
    known: Known
    versions: Mapping[str, Version] = {}


class Provision(Protocol):
    """Values by Secret and key; `left_out` are the addresses of values that nothing declares."""

    left_out: Collection[str]

    def provides(self, secret: Secret, key: str) -> bool:
        """Whether it is worth asking for a value."""

    def known(self, keys: Keys) -> Mapping[str, Mapping[str, Known]]:
        """What can be known of values without reading them."""

    def read(self, keys: Keys) -> Mapping[str, Mapping[str, Provided]]:
        """The values. Raises InputError or Refusal with all that is missing, or wrong with what was found."""


def changed(entry: record.Provenance | None, known: Known) -> bool:
    """Whether a sealed value is no longer the source's, as far as the source can tell."""
    if entry is None:
        return known.versioned and not known.gone
    # A value that was given as it is has no template; one from a source without versions has no version.
    if entry.template and known.template and entry.template != known.template:
        return True
    if known.gone:  # of the rest alone anything can be said
        return any(entry.inputs.get(name) != version for name, version in known.inputs.items())
    return known.versioned and (entry.version, entry.inputs) != (known.version, known.inputs)


def refuse_bad_patterns(environments: Iterable[Environment]) -> None:
    """Raises InputError for what is no regular expression; a build does not load what reads them."""
    if wrong := in_order(pattern_mistakes(environments)):
        raise InputError(*wrong)


class FromSource:
    """Values out of the environment's source, extracted and resolved; the source is opened when it is needed."""

    left_out: Collection[str] = ()

    def __init__(self, environment: Environment, opened_by: OpenedBy) -> None:
        self._environment, self._opened_by = environment, opened_by
        self._source: OpenSource | None = None

    def _open(self) -> OpenSource:
        if self._source is None:
            self._source = self._opened_by(self._environment)
        return self._source

    def provides(self, secret: Secret, key: str) -> bool:
        """Always: what the source lacks is told when it is read."""
        return True

    def known(self, keys: Keys) -> Mapping[str, Mapping[str, Known]]:
        """Versions, where the source has them: only then is it opened."""
        return self.known_from(keys, self.versions(keys) if self._environment.has_versions else None)

    def versions(self, keys: Keys) -> Mapping[str, Version | None]:
        """The names that these keys take and the source has, with their versions where it knows any."""
        names = [remote.name for _, remote in self._reached(keys)]
        return self._open().versions(list(dict.fromkeys(names))) if names else {}

    def known_from(
        self, keys: Keys, versions: Mapping[str, Version | None] | None
    ) -> Mapping[str, Mapping[str, Known]]:
        """What versions tell of keys; None without a source that knows any."""
        return {
            name: {key: self._known(self._environment.secrets[name], key, versions) for key in wanted}
            for name, wanted in keys.items()
        }

    def _known(self, secret: Secret, key: str, versions: Mapping[str, Version | None] | None) -> Known:
        """What `versions`, None without a source that knows any, tell of a key."""
        value = secret.values[key]
        reached = secret.remotes(key)
        current = {
            name: version.id
            for name, remote in reached.items()
            if (version := (versions or {}).get(remote.name)) and version.enabled
        }
        gone = () if versions is None else tuple(r.name for name, r in reached.items() if name not in current)
        if isinstance(value, Remote):
            return Known(version=current.get(key), gone=gone)
        digest = record.template_digest(value.parts, self._environment.overlay.spec.parameters)
        return Known(inputs=current, template=digest, gone=gone)

    def read(self, keys: Keys) -> Mapping[str, Mapping[str, Provided]]:
        """One reading of the source for all keys."""
        reading = self.reading(keys)
        mistakes = reading.mistakes or list(broken_rules(self._environment, reading.values))
        if mistakes:
            raise InputError(*mistakes)
        return {
            name: {key: self._provided(self._environment.secrets[name], key, reading) for key in wanted}
            for name, wanted in keys.items()
        }

    def reading(self, keys: Keys) -> "Reading":
        """The values and what is wrong with others. Raises Refusal with every name that is missing."""
        remotes = dict(self._reached(keys))
        found = self._open().read(list(dict.fromkeys(remote.name for remote in remotes.values()))) if remotes else {}
        mistakes: list[Mistake] = []
        values: dict[Address, Sensitive] = {}
        for (secret, key), remote in remotes.items():
            try:
                values[secret, key] = extract(remote, found[remote.name].value)
            except ValueError as error:
                read = SourceRead(environment=self._environment, secret=secret, key=key, remote=remote)
                place = read.overridden_at("property") or remote.key.origin.at()
                mistakes.append(Mistake(f"{secret}/{key}: {remote.name} {error}", place))
        for name, wanted in keys.items():
            secret_ = self._environment.secrets[name]
            for key in wanted:
                if any((name, part) not in values for part in secret_.remotes(key)):
                    continue  # told already
                try:
                    values[name, key] = self._resolve(secret_, key, values)
                except InputError as error:
                    mistakes += error.mistakes
        return Reading(values=values, found=found, mistakes=mistakes)

    def _provided(self, secret: Secret, key: str, reading: "Reading") -> Provided:
        names = [remote.name for remote in secret.remotes(key).values()]
        versions = {name: version for name in names if (version := reading.found[name].version)}
        known = self._known(secret, key, versions if self._environment.has_versions else None)
        return Provided(value=reading.values[secret.name, key], known=known, versions=versions)

    def _reached(self, keys: Keys) -> Iterator[tuple[Address, Remote]]:
        for name, wanted in keys.items():
            for key in wanted:
                for each, remote in self._environment.secrets[name].remotes(key).items():
                    yield (name, each), remote

    def _resolve(self, secret: Secret, key: str, extracted: Mapping[Address, Sensitive]) -> Sensitive:
        value = secret.values[key]
        if isinstance(value, Remote):
            return extracted[secret.name, key]
        named = {
            each.name: self._resolve(secret, each.name, extracted)
            for each in references(value.parts)
            if not each.parameter
        }
        try:
            return evaluate(value.parts, named, self._environment.overlay.spec.parameters)
        except ValueError as error:
            mistake = Mistake(f"{secret.name}/{key}: {error}", value.key.origin.at("template"))
            raise InputError(mistake) from None


class Reading(Record):
    """What one reading of a source gave: values by address, versions and all by name, and what is wrong."""

    values: Mapping[Address, Sensitive]
    found: Mapping[str, SourceValue]
    mistakes: Sequence[Mistake]


class FromSecrets:
    """Values out of Secret manifests or standard input, as the Secret shall hold them; they have no versions."""

    def __init__(self, environment: Environment, given: GivenSecrets) -> None:
        """Raises InputError for a declared Secret of another namespace than the environment's."""
        if mistakes := list(_of_other_namespaces(environment, given)):
            raise InputError(*mistakes)
        self._environment, self._given = environment, given.values
        declared = {f"{name}/{key}" for name, secret in environment.secrets.items() for key in secret.keys}
        self.left_out: Collection[str] = sorted(
            {f"{name}/{key}" for name, values in given.values.items() for key in values} - declared
        )

    def provides(self, secret: Secret, key: str) -> bool:
        """Whether the manifests hold it."""
        return key in self._given.get(secret.name, {})

    def known(self, keys: Keys) -> Mapping[str, Mapping[str, Known]]:
        """Nothing."""
        return {name: dict.fromkeys(wanted, Known()) for name, wanted in keys.items()}

    def read(self, keys: Keys) -> Mapping[str, Mapping[str, Provided]]:
        """The values that were given."""
        values = {(name, key): self._given[name][key] for name, wanted in keys.items() for key in wanted}
        if mistakes := list(broken_rules(self._environment, values)):
            raise InputError(*mistakes)
        return {
            name: {key: Provided(value=values[name, key], known=Known()) for key in wanted}
            for name, wanted in keys.items()
        }


def _of_other_namespaces(environment: Environment, given: GivenSecrets) -> Iterator[Mistake]:
    """Another namespace is another environment's: its values are given by an oversight, or moved on purpose."""
    for name, namespace in given.namespaces.items():
        if name in environment.secrets and namespace != environment.namespace:
            yield Mistake(
                f"the Secret {name} is of the namespace {shown(namespace)}, not of {environment.namespace}",
                Place(given.file),
                "to seal it all the same, give it without metadata.namespace: … | sed '/^ *namespace: /d' | …",
            )
