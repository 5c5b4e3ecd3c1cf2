"""Where the values of an environment's keys come from, and what is known of them before they are read."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from ..errors import InputError, Mistake, Place, shown
from ..frozen import Record
from ..manifests import record
from ..model.loading import in_order
from ..model.resolution import Environment, Remote, Secret, SourceRead
from ..model.template import references
from ..sensitive import Sensitive
from ..sources import GivenSecrets, OpenedBy, OpenSource, SourceValue, Version, VersionedSource
from ..values import gate
from ..values.extraction import extract
from ..values.gate import Address
from ..values.properties import Absent
from ..values.rules import pattern_mistakes
from ..values.templates import evaluate
from .absent import AbsentValue, absent_values

Keys = Mapping[str, Collection[str]]


class SourceState(record.Provenance):
    """What the record would hold of a value if it were sealed now, as far as that needs no value.

    `gone` are names that the source, which knows versions, does not have, or has disabled.
    """

    gone: Collection[str] = ()


class Plaintext(Record):
    """A value, its state in the source, and the versions that it was read in, by name in the source."""

    value: Sensitive
    state: SourceState
    versions: Mapping[str, Version] = {}
    warnings: Sequence[Mistake] = ()


Plaintexts = Mapping[str, Mapping[str, Plaintext]]  # by Secret and key


class ReadValues(Record):
    """The values that there are, and what is to be reported of the others; a key that waits for one is in neither."""

    plaintexts: Plaintexts
    absent: Sequence[AbsentValue] = ()


class ValueProvider(Protocol):
    """Where values come from; `left_out` are the addresses of values that nothing declares."""

    left_out: Collection[str]

    def provides(self, secret: Secret, key: str) -> bool:
        """Return whether it is worth asking for a value."""

    def states(self, keys: Keys) -> Mapping[str, Mapping[str, SourceState]]:
        """Return the state of values without reading them."""

    def read(self, keys: Keys) -> ReadValues:
        """Return the values. Raises InputError with all that the gate refuses, Refusal if they can't be read."""


def changed(entry: record.Provenance | None, state: SourceState) -> bool:
    """Return whether a sealed value is no longer the source's, as far as the source can tell."""
    if entry is None:
        return state.versioned and not state.gone
    # A value that was given as it is has no template; one from a source without versions has no version.
    if entry.template and state.template and entry.template != state.template:
        return True
    if state.gone:  # only the rest can be compared
        return any(entry.inputs.get(name) != version for name, version in state.inputs.items())
    return state.versioned and (entry.version, entry.inputs) != (state.version, state.inputs)


def refuse_bad_patterns(environments: Iterable[Environment]) -> None:
    """Raise InputError for what is no regular expression; a build does not load what reads them."""
    if wrong := in_order(pattern_mistakes(environments)):
        raise InputError(*wrong)


class SourceReading(Record):
    """What one reading of a source gave: values by address, what was read, what is wrong and what absent.

    `read` is by name and by the version that is pinned, if one is.
    """

    values: Mapping[Address, Sensitive]
    read: Mapping[tuple[str, str | None], SourceValue]
    mistakes: Sequence[Mistake]
    absent: Mapping[Address, Remote]


class SourceValues:
    """Values out of the environment's source, extracted and resolved; the source is opened when it is needed."""

    left_out: Collection[str] = ()

    def __init__(self, environment: Environment, opened_by: OpenedBy, *, typed: bool = False) -> None:
        """`typed` if the source is one that the user names instead of the overlay's."""
        self._environment, self._opened_by, self._typed = environment, opened_by, typed
        self._source: OpenSource | None = None

    def _open(self) -> OpenSource:
        if self._source is None:
            self._source = self._opened_by(self._environment)
        return self._source

    def provides(self, secret: Secret, key: str) -> bool:
        """Return true: what the source lacks is reported when it is read."""
        return True

    def states(self, keys: Keys) -> Mapping[str, Mapping[str, SourceState]]:
        """Return the versions, where the source has them: only then is it opened."""
        return self.states_from(keys, self.versions(keys) if self._environment.has_versions else None)

    def versions(self, keys: Keys) -> Mapping[str, Version | None]:
        """Return the names that these keys take and the source has, with their versions where it has any."""
        names = [remote.name for _, remote in self._reached(keys)]
        return self._open().versions(list(dict.fromkeys(names))) if names else {}

    def pinned(self, keys: Keys) -> Mapping[tuple[str, str], Version]:
        """Return what the source has of the versions to which these keys are pinned, by name and version."""
        wanted = [(remote.name, remote.version) for _, remote in self._reached(keys) if remote.version]
        source = self._open() if wanted else None
        return source.describe_versions(list(dict.fromkeys(wanted))) if isinstance(source, VersionedSource) else {}

    def states_from(
        self, keys: Keys, versions: Mapping[str, Version | None] | None
    ) -> Mapping[str, Mapping[str, SourceState]]:
        """Return what versions tell of keys; `versions` is None for a source that has none."""
        states: dict[str, dict[str, SourceState]] = {}
        for name, secret_keys in keys.items():
            secret = self._environment.secrets[name]
            states[name] = {key: self._state(secret, key, versions) for key in secret_keys}
        return states

    def _state(self, secret: Secret, key: str, versions: Mapping[str, Version | None] | None) -> SourceState:
        value = secret.values[key]
        remotes = secret.remotes(key)
        current: dict[str, str] = {}
        for entry, remote in remotes.items():
            version = (versions or {}).get(remote.name)
            if remote.version:
                current[entry] = remote.version
            elif version and version.enabled:
                current[entry] = version.id
        gone = () if versions is None else tuple(r.name for entry, r in remotes.items() if entry not in current)
        if isinstance(value, Remote):
            return SourceState(version=current.get(key), gone=gone)
        digest = record.template_digest(value.parts, self._environment.overlay.spec.parameters)
        return SourceState(inputs=current, template=digest, gone=gone)

    def read(self, keys: Keys) -> ReadValues:
        """Read the source once for all keys."""
        reading = self.reading(keys)
        if reading.mistakes:
            raise InputError(*reading.mistakes)
        gate.refuse(self._environment, reading.values)
        plaintexts: dict[str, dict[str, Plaintext]] = {}
        for name, secret_keys in keys.items():
            secret = self._environment.secrets[name]
            present = [key for key in secret_keys if (name, key) in reading.values]
            plaintexts[name] = {key: self._plaintext(secret, key, reading) for key in present}
        if not reading.absent:
            return ReadValues(plaintexts=plaintexts)
        names = {name for name, _ in reading.read}
        absent = absent_values(self._environment, self._open(), reading.absent, present=names, typed=self._typed)
        return ReadValues(plaintexts=plaintexts, absent=absent)

    def reading(self, keys: Keys) -> SourceReading:
        """Return the values, and what is wrong with others or absent. Raises Refusal if the source can't be read."""
        remotes = dict(self._reached(keys))
        content = self._content(remotes.values())
        mistakes: list[Mistake] = []
        values: dict[Address, Sensitive] = {}
        absent = {address: r for address, r in remotes.items() if (r.name, r.version) not in content}
        for (secret_name, key), remote in remotes.items():
            if (remote.name, remote.version) not in content:
                continue
            try:
                values[secret_name, key] = extract(remote, content[remote.name, remote.version].value)
            except Absent:
                absent[secret_name, key] = remote
            except ValueError as error:
                read = SourceRead(environment=self._environment, secret=secret_name, key=key, remote=remote)
                place = read.overridden_at("property") or remote.key.origin.at()
                mistakes.append(Mistake(f"{read.address}: {remote.name} {error}", place))
        for name, secret_keys in keys.items():
            secret = self._environment.secrets[name]
            for key in secret_keys:
                if any((name, part) not in values for part in secret.remotes(key)):
                    continue  # absent, or reported already
                try:
                    values[name, key] = self._resolve(secret, key, values)
                except InputError as error:
                    mistakes += error.mistakes
        return SourceReading(values=values, read=content, mistakes=mistakes, absent=absent)

    def _content(self, remotes: Collection[Remote]) -> Mapping[tuple[str, str | None], SourceValue]:
        """Return what the source holds: the newest value of a name, and the versions that are pinned."""
        content: dict[tuple[str, str | None], SourceValue] = {}
        if names := list(dict.fromkeys(remote.name for remote in remotes if remote.version is None)):
            content.update({(name, None): value for name, value in self._open().read(names).items()})
        if pinned := list(dict.fromkeys((remote.name, remote.version) for remote in remotes if remote.version)):
            source = self._open()
            if not isinstance(source, VersionedSource):
                raise InputError(Mistake(f"{source.shown} hands out no version but the newest"))
            for (name, version), value in source.read_versions(pinned).items():
                content[name, version] = value
        return content

    def _plaintext(self, secret: Secret, key: str, reading: SourceReading) -> Plaintext:
        versions: dict[str, Version] = {}
        for remote in secret.remotes(key).values():
            if version := reading.read[remote.name, remote.version].version:
                versions[remote.name] = version
        value = reading.values[secret.name, key]
        return Plaintext(
            value=value,
            state=self._state(secret, key, versions if self._environment.has_versions else None),
            versions=versions,
            warnings=list(gate.warnings(self._environment, {(secret.name, key): value})),
        )

    def _reached(self, keys: Keys) -> Iterator[tuple[Address, Remote]]:
        """Return all that keys take from the source, by Secret and key or input."""
        for name, secret_keys in keys.items():
            for key in secret_keys:
                for entry, remote in self._environment.secrets[name].remotes(key).items():
                    yield (name, entry), remote

    def _resolve(self, secret: Secret, key: str, extracted: Mapping[Address, Sensitive]) -> Sensitive:
        value = secret.values[key]
        if isinstance(value, Remote):
            return extracted[secret.name, key]
        parts: dict[str, Sensitive] = {}
        for reference in references(value.parts):
            if not reference.parameter:
                parts[reference.name] = self._resolve(secret, reference.name, extracted)
        try:
            return evaluate(value.parts, parts, self._environment.overlay.spec.parameters)
        except ValueError as error:
            mistake = Mistake(f"{secret.name}/{key}: {error}", value.key.origin.at("template"))
            raise InputError(mistake) from None


class GivenValues:
    """Values out of Secret manifests or standard input, as the Secret shall hold them; they have no versions."""

    def __init__(self, environment: Environment, given: GivenSecrets) -> None:
        """Raises InputError for a declared Secret of another namespace than the environment's."""
        if mistakes := list(_of_other_namespaces(environment, given)):
            raise InputError(*mistakes)
        self._environment, self._given = environment, given.values
        declared = {f"{name}/{key}" for name, secret in environment.secrets.items() for key in secret.keys}
        addresses = {f"{name}/{key}" for name, values in given.values.items() for key in values}
        self.left_out: Collection[str] = sorted(addresses - declared)

    def provides(self, secret: Secret, key: str) -> bool:
        """Return whether the manifests hold it."""
        return key in self._given.get(secret.name, {})

    def states(self, keys: Keys) -> Mapping[str, Mapping[str, SourceState]]:
        """Return states that tell nothing."""
        return {name: dict.fromkeys(secret_keys, SourceState()) for name, secret_keys in keys.items()}

    def read(self, keys: Keys) -> ReadValues:
        """Return the values that were given."""
        values = {(name, key): self._given[name][key] for name, secret_keys in keys.items() for key in secret_keys}
        gate.refuse(self._environment, values)
        plaintexts: dict[str, dict[str, Plaintext]] = {}
        for name, secret_keys in keys.items():
            plaintexts[name] = {key: self._plaintext(name, key, values[name, key]) for key in secret_keys}
        return ReadValues(plaintexts=plaintexts)

    def _plaintext(self, secret: str, key: str, value: Sensitive) -> Plaintext:
        warnings = list(gate.warnings(self._environment, {(secret, key): value}))
        return Plaintext(value=value, state=SourceState(), warnings=warnings)


def _of_other_namespaces(environment: Environment, given: GivenSecrets) -> Iterator[Mistake]:
    """Another namespace is another environment's: its values are given by an oversight, or moved on purpose."""
    for name, namespace in given.namespaces.items():
        if name in environment.secrets and namespace != environment.namespace:
            yield Mistake(
                f"the Secret {name} is of the namespace {shown(namespace)}, not of {environment.namespace}",
                Place(given.file),
                "to seal it all the same, give it without metadata.namespace: … | sed '/^ *namespace: /d' | …",
            )
