"""An overlay and its declarations brought together: what each key is, in this environment."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import Place
from ..files.project import Project
from ..frozen import Record
from .links import Declarations, needed, parsed, root_of
from .template import Parts, references
from .types.backends import BackendSpec
from .types.declaration import Encoding, Key, SecretDeclaration
from .types.overlay import KeyOverride, SecretOverlay, SourceSpec
from .types.overrides import BackendOverride


class Remote(Record):
    """A key that has a value in the source; `key` is the declared one, or that at the end of its `from`."""

    key: Key
    remote_name: str  # before the pattern: what keys of several environments have in common
    name: str  # in this environment's source
    property: str | None  # the member of the value that is taken
    version: str | None  # the one that is meant, where it is not the newest
    encoding: Encoding
    explicit: bool  # remoteName is written out, in the declaration or in an override
    overridden: bool  # by the overlay, here or at the end of its `from`
    literal: bool  # a value that looks like a placeholder is meant

    def shown(self) -> str:
        """Return the name and the property that are read."""
        return f"{self.name}#{self.property}" if self.property else self.name


class Derived(Record):
    """A key whose value a template makes from others."""

    key: Key
    parts: Parts
    literal: bool  # a value that looks like a placeholder is meant


Value = Remote | Derived


class Secret(Record):
    """One Secret as this environment has it: what is omitted is gone, `from` and overrides are followed."""

    declaration: SecretDeclaration
    keys: Mapping[str, Value]
    inputs: Mapping[str, Value]

    @property
    def name(self) -> str:
        """Return the Secret's name, the same in every environment."""
        return self.declaration.name

    @property
    def values(self) -> Mapping[str, Value]:
        """Keys and inputs together."""
        return {**self.keys, **self.inputs}

    def remotes(self, key: str) -> Mapping[str, Remote]:
        """Return what a key takes from the source, by key or input: itself, or all that its template reaches."""
        remotes: dict[str, Remote] = {}
        todo = [key]
        while todo:
            name = todo.pop()
            value = self.values[name]
            if isinstance(value, Remote):
                remotes[name] = value
            else:
                todo += [reference.name for reference in references(value.parts) if not reference.parameter]
        return dict(sorted(remotes.items()))


class Environment(Record):
    """What every rendering, check and command works on; Secrets and keys are sorted by name."""

    project: Project
    file: str
    overlay: SecretOverlay
    declarations: Declarations
    secrets: Mapping[str, Secret]

    @property
    def name(self) -> str:
        """Return the overlay's name."""
        return self.overlay.metadata.name

    @property
    def folder(self) -> str:
        """Return the overlay's folder: what its paths start at."""
        return os.path.dirname(self.file)

    @property
    def namespace(self) -> str:
        """Of all that is rendered."""
        return self.overlay.spec.namespace

    @property
    def source(self) -> SourceSpec | None:
        """Return where plaintext lives, if it is declared; names alone say nothing of that."""
        source = self.overlay.spec.source
        return source if source and source.is_named else None

    @property
    def source_identity(self) -> tuple[str, ...] | None:
        """Return what is the same for two environments that read one source; None without a source."""
        if self.source is None:
            return None
        return (self.source.kind.field, *self.source.kind.identity(self.folder))

    @property
    def source_shown(self) -> str:
        """Return what a user knows the source by."""
        return self.source.kind.shown(self) if self.source else "the source"

    @property
    def has_versions(self) -> bool:
        """Return whether the source shows that a value has changed without showing the value itself."""
        return self.source is not None and self.source.kind.versioned

    @property
    def backend(self) -> BackendSpec:
        """Return the form of the Secrets."""
        return self.overlay.spec.backend

    def backend_override(self, secret: str) -> BackendOverride | None:
        """Return what the overlay's backend has for one Secret alone."""
        override = self.overlay.spec.overrides.get(secret)
        return override.backend if override else None

    def object_name(self, secret: str) -> str:
        """Return the name of the object that stands for a Secret."""
        override = self.backend_override(secret)
        return (override.object_name if override else None) or secret

    def path(self, named: str) -> str:
        """Return a path that the overlay names."""
        return os.path.join(self.folder, named)

    def shown_path(self, named: str) -> str:
        """Return a path that the overlay names, from the project's root."""
        return self.project.name(self.path(named))

    def same_name(self, name: str) -> str:
        """Return the form that is the same for all names which mean one value in the source."""
        return self.source.kind.same_name(name) if self.source else name

    def override_of(self, secret: str, key: str) -> KeyOverride | None:
        """Return what the overlay states of a key itself."""
        override = self.overlay.spec.overrides.get(secret)
        return override.keys.get(key) if override else None

    def source_reads(self) -> Iterator["SourceRead"]:
        """Return every key and input that has a value in the source."""
        for secret in self.secrets.values():
            for key, value in secret.values.items():
                if isinstance(value, Remote):
                    yield SourceRead(environment=self, secret=secret.name, key=key, remote=value)

    def key_reads(self) -> Iterator["SourceRead"]:
        """Return every key of a Secret with each name that it takes from the source, through templates too."""
        for secret in self.secrets.values():
            for key in secret.keys:
                for remote in secret.remotes(key).values():
                    yield SourceRead(environment=self, secret=secret.name, key=key, remote=remote)


class SourceRead(NamedTuple):
    """A key that reads a name of its environment's source. A build makes one for each key, so it is a cheap tuple."""

    environment: Environment
    secret: str
    key: str
    remote: Remote

    @property
    def address(self) -> str:
        """Return SECRET/KEY."""
        return f"{self.secret}/{self.key}"

    @property
    def root(self) -> tuple[str, str]:
        """Return the Secret and the key that it shares by `from`; its own without one."""
        return root_of(self.environment.declarations, self.secret, self.key)

    @property
    def declared_at(self) -> Place:
        """Return where the key at its root is declared."""
        secret, key = self.root
        spec = self.environment.declarations[secret].spec
        return spec.origin.key("keys" if key in spec.keys else "inputs", key)

    @property
    def pinning(self) -> str:
        """Return the command that pins it to the current version; an input is pinned with its Secret."""
        address = self.address if self.key in self.environment.secrets[self.secret].keys else self.secret
        return f"kubectl ksecret pin-versions {self.environment.name} {address}"

    def stated_at(self, field: str) -> Place:
        """Return where a field of it, such as remoteName, is stated: in the overlay, else in the declaration."""
        return self.overridden_at(field) or self.remote.key.origin.at(field)

    def overridden_at(self, field: str) -> Place | None:
        """Return where the overlay states a field of it, if it does."""
        attribute = {"remoteName": "remote_name"}.get(field, field)
        for secret, key in ((self.secret, self.key), self.root):
            override = self.environment.override_of(secret, key)
            if override and getattr(override, attribute):
                return override.origin.at(field)
        return None


def bring_together(project: Project, file: str, overlay: SecretOverlay, declarations: Declarations) -> Environment:
    """Return the environment of an overlay; not to be used if validation finds mistakes in it."""
    secrets = {}
    for name, declaration in sorted(declarations.items()):
        override = overlay.spec.overrides.get(name)
        if not (override and override.omit):
            secrets[name] = _secret(overlay, declarations, declaration)
    return Environment(project=project, file=file, overlay=overlay, declarations=declarations, secrets=secrets)


def without_versions(environment: Environment, name: str) -> Environment:
    """Return an environment in which every key that reads this name takes the newest version of it."""
    pinned: dict[str, set[str]] = {}
    for read in environment.source_reads():
        if read.remote.version and environment.same_name(read.remote.name) == environment.same_name(name):
            for secret, key in ((read.secret, read.key), read.root):
                pinned.setdefault(secret, set()).add(key)
    overrides = dict(environment.overlay.spec.overrides)
    for secret, keys in pinned.items():
        if secret in overrides:
            stated = overrides[secret].keys
            following = {key: one.but(version=None) if key in keys else one for key, one in stated.items()}
            overrides[secret] = overrides[secret].but(keys=following)
    if not pinned:
        return environment
    overlay = environment.overlay.but(spec=environment.overlay.spec.but(overrides=overrides))
    return bring_together(environment.project, environment.file, overlay, environment.declarations)


def _secret(overlay: SecretOverlay, declarations: Declarations, declaration: SecretDeclaration) -> Secret:
    spec = declaration.spec
    override = overlay.spec.overrides.get(declaration.name)
    omitted = {key for key, stated in override.keys.items() if stated.omit} if override else set()
    keys = sorted(spec.keys.keys() - omitted)
    reached = {name for key in keys for name in needed(spec, key)} if spec.inputs else set()
    inputs = sorted(reached & spec.inputs.keys())
    values = {name: _value(overlay, declarations, declaration.name, name) for name in (*keys, *inputs)}
    return Secret(
        declaration=declaration,
        keys={name: values[name] for name in keys},
        inputs={name: values[name] for name in inputs},
    )


def _value(overlay: SecretOverlay, declarations: Declarations, secret: str, name: str) -> Value:
    own = declarations[secret].spec.entries[name]
    if own.template is not None:
        overrides = _overrides_of(overlay, (secret, name))
        return Derived(key=own, parts=parsed(own), literal=_is_literal(own, overrides))
    root_secret, root_name = root_of(declarations, secret, name) if own.from_ else (secret, name)
    key = declarations[root_secret].spec.entries[root_name] if own.from_ else own
    overrides = _overrides_of(overlay, (secret, name), (root_secret, root_name))
    remote_name = next((override.remote_name for override in overrides if override.remote_name), None)
    plain = key.remote_name or root_name
    return Remote(
        key=key,
        remote_name=remote_name or plain,
        name=_name_in_source(overlay.spec.source, root_secret, root_name, plain, remote_name),
        property=_property(overlay.spec.source, root_secret, root_name, key, overrides),
        version=next((override.version for override in overrides if override.version), None),
        encoding=key.encoding,
        explicit=bool(remote_name or key.remote_name),
        overridden=any(override.remote_name or override.property for override in overrides),
        literal=_is_literal(key, overrides),
    )


def _is_literal(key: Key, overrides: Sequence[KeyOverride]) -> bool:
    return bool(key.rules and key.rules.literal) or any(override.literal for override in overrides)


def _overrides_of(overlay: SecretOverlay, *keys: tuple[str, str]) -> list[KeyOverride]:
    """Return what the overlay states of these keys, in their order."""
    overrides: list[KeyOverride] = []
    for secret, key in keys:
        override = overlay.spec.overrides.get(secret)
        if override and key in override.keys:
            overrides.append(override.keys[key])
    return overrides


def _name_in_source(source: SourceSpec | None, secret: str, key: str, plain: str, override: str | None) -> str:
    """The override as it stands, else the name by the overlay's pattern; a variable where the source has variables."""
    if source is None:
        return override or plain
    patterned = by_pattern(source.names, secret, key, plain)
    if source.kind is None or not source.kind.names_are_variables:
        return override or patterned
    return override if override and re.fullmatch("[A-Za-z0-9_]+", override) else variable(override or patterned)


def _property(
    source: SourceSpec | None, secret: str, name: str, key: Key, overrides: Sequence[KeyOverride]
) -> str | None:
    """Return an override, else the key's own property, else that of the overlay's pattern."""
    stated = next((override.property for override in overrides if override.property), key.property)
    if stated or source is None or source.property is None:
        return stated
    return by_pattern(source.property, secret, name, key.remote_name or name)


def by_pattern(pattern: str, secret: str, key: str, remote_name: str) -> str:
    """Return what a pattern of an overlay's source makes of a declared key."""
    return pattern.replace("{secret}", secret).replace("{key}", key).replace("{remoteName}", remote_name)


def variable(name: str) -> str:
    """jwt-secret-key → JWT_SECRET_KEY."""
    return re.sub("[^A-Z0-9]", "_", name.upper())
