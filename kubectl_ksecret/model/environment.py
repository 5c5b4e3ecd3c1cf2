"""An overlay and its declarations brought together: what each key is, in this environment."""

import os
import re
from collections.abc import Iterator, Mapping

from ..errors import InputError, Mistake, Place, nearest
from ..files.project import Project
from ..frozen import Record
from .declaration import Encoding, Key, SecretDeclaration
from .declared import Declarations, lacking, needed, root_of
from .declared import mistakes as declared_mistakes
from .overlay import AzureKeyVault, Backend, Command, Dotenv, ExternalSecret, SecretOverlay, Source, SourceSpec
from .overlay import Environment as EnvironmentVariables
from .reader import member_name
from .template import Parts, parse, references

_PLACEHOLDERS = ("remoteName", "secret", "key")


class Remote(Record):
    """A key that has a value in the source; `key` is the declared one, or that at the end of its `from`."""

    key: Key
    remote_name: str  # before the pattern: what keys of several environments have in common
    name: str  # in this environment's source
    property: str | None
    encoding: Encoding
    explicit: bool  # remoteName is written out, in the declaration or in an override


class Made(Record):
    """A key that is made from others by a template."""

    key: Key
    parts: Parts


Value = Remote | Made


class Secret(Record):
    """One Secret as this environment has it: what is omitted is gone, `from` and overrides are followed."""

    declaration: SecretDeclaration
    keys: Mapping[str, Value]
    inputs: Mapping[str, Value]

    @property
    def name(self) -> str:
        """The same in every environment."""
        return self.declaration.name

    @property
    def values(self) -> Mapping[str, Value]:
        """Keys and inputs together."""
        return {**self.keys, **self.inputs}


class Environment(Record):
    """What every rendering, check and command works on; Secrets and keys are sorted by name."""

    project: Project
    file: str
    overlay: SecretOverlay
    declarations: Declarations
    secrets: Mapping[str, Secret]

    @property
    def name(self) -> str:
        """The overlay's name."""
        return self.overlay.metadata.name

    @property
    def folder(self) -> str:
        """The overlay's folder: what its paths start at."""
        return os.path.dirname(self.file)

    @property
    def namespace(self) -> str:
        """Of all that is rendered."""
        return self.overlay.spec.namespace

    @property
    def source(self) -> SourceSpec | None:
        """Where plaintext lives, if it is declared."""
        return self.overlay.spec.source

    @property
    def backend(self) -> Backend:
        """The form of the Secrets."""
        return self.overlay.spec.backend

    def path(self, named: str) -> str:
        """A path that the overlay names."""
        return os.path.join(self.folder, named)


def bring_together(project: Project, file: str, overlay: SecretOverlay, declarations: Declarations) -> Environment:
    """The environment of an overlay. Raises InputError with all mistakes that show only here."""
    mistakes = list(declared_mistakes(declarations))
    if mistakes:
        raise InputError(*mistakes)
    mistakes = [*_spec_mistakes(overlay), *_override_mistakes(overlay, declarations)]
    secrets = {}
    for name, declaration in sorted(declarations.items()):
        override = overlay.spec.overrides.get(name)
        if override and override.omit:
            continue
        secrets[name] = _secret(overlay, declarations, declaration)
        mistakes += _secret_mistakes(overlay, secrets[name])
    if mistakes:
        raise InputError(*mistakes)
    return Environment(project=project, file=file, overlay=overlay, declarations=declarations, secrets=secrets)


def with_source(environment: Environment, kind: Source) -> Environment:
    """The same environment with another source, its names by the same pattern."""
    overlay, said = environment.overlay, environment.source
    source = said.but(kind=kind) if said else SourceSpec(origin=overlay.spec.origin, kind=kind)
    spec = overlay.spec.but(source=source)
    return bring_together(environment.project, environment.file, overlay.but(spec=spec), environment.declarations)


def _secret(overlay: SecretOverlay, declarations: Declarations, declaration: SecretDeclaration) -> Secret:
    spec = declaration.spec
    override = overlay.spec.overrides.get(declaration.name)
    omitted = {key for key, said in override.keys.items() if said.omit} if override else set()
    keys = sorted(spec.keys.keys() - omitted)
    inputs = sorted({name for key in keys for name in needed(spec, key) if name in spec.inputs})
    values = {name: _value(overlay, declarations, declaration.name, name) for name in (*keys, *inputs)}
    return Secret(
        declaration=declaration,
        keys={name: values[name] for name in keys},
        inputs={name: values[name] for name in inputs},
    )


def _value(overlay: SecretOverlay, declarations: Declarations, secret: str, name: str) -> Value:
    own = declarations[secret].spec.entries[name]
    if own.template is not None:
        return Made(key=own, parts=parse(own.template))
    root_secret, root_name = root_of(declarations, secret, name) or (secret, name)
    key = declarations[root_secret].spec.entries[root_name]
    overrides = overlay.spec.overrides
    said = [o.keys[k] for s, k in ((secret, name), (root_secret, root_name)) if (o := overrides.get(s)) and k in o.keys]
    remote_name = next((o.remote_name for o in said if o.remote_name), None)
    plain = key.remote_name or root_name
    return Remote(
        key=key,
        remote_name=remote_name or plain,
        name=_name_in_source(overlay.spec.source, root_secret, root_name, plain, remote_name),
        property=next((o.property for o in said if o.property), key.property),
        encoding=key.encoding,
        explicit=bool(remote_name or key.remote_name),
    )


def _name_in_source(source: SourceSpec | None, secret: str, key: str, plain: str, override: str | None) -> str:
    """The override as it stands, else the name by the overlay's pattern; a variable where the source has variables."""
    if source is None:
        return override or plain
    patterned = source.names.replace("{secret}", secret).replace("{key}", key).replace("{remoteName}", plain)
    if not isinstance(source.kind, Dotenv | EnvironmentVariables):
        return override or patterned
    return override if override and re.fullmatch("[A-Za-z0-9_]+", override) else variable(override or patterned)


def variable(name: str) -> str:
    """jwt-secret-key → JWT_SECRET_KEY."""
    return re.sub("[^A-Z0-9]", "_", name.upper())


def _spec_mistakes(overlay: SecretOverlay) -> Iterator[Mistake]:
    spec = overlay.spec
    if isinstance(spec.backend, ExternalSecret) and not (spec.source and isinstance(spec.source.kind, AzureKeyVault)):
        found = f", not {member_name(type(spec.source.kind))}" if spec.source else ""
        place = spec.origin.at("source") if spec.source else spec.origin.at()
        yield Mistake(
            f"externalSecret needs a source that External Secrets Operator reads{found}",
            place,
            "set source.azureKeyVault",
        )
    if spec.source is None:
        return
    for found in re.findall(r"\{([^{}]*)\}", spec.source.names):
        if found not in _PLACEHOLDERS:
            place = spec.source.origin.at("names")
            yield Mistake(f'unknown placeholder "{{{found}}}"', place, nearest(found, _PLACEHOLDERS))
    if isinstance(command := spec.source.kind, Command):
        if not any("{name}" in argument for argument in command.arguments):
            yield Mistake("no argument holds {name}", command.origin.at("arguments"))
        elif command.arguments[0].startswith("{name}"):
            yield Mistake("the program can't be {name}", command.origin.at("arguments"))


def _override_mistakes(overlay: SecretOverlay, declarations: Declarations) -> Iterator[Mistake]:
    for secret, override in overlay.spec.overrides.items():
        place = overlay.spec.origin.key("overrides", secret)
        declaration = declarations.get(secret)
        if declaration is None:
            yield Mistake(f"no declaration is named {secret}", place, nearest(secret, declarations))
            continue
        if override.omit and override.keys:
            yield Mistake(f"{secret} is omitted, so its keys can't be overridden", override.origin.key("keys"))
        for name, said in override.keys.items():
            key_place = override.origin.key("keys", name)
            key = declaration.spec.entries.get(name)
            if key is None:
                yield Mistake(f"{secret} has no key {name}", key_place, nearest(name, declaration.spec.entries))
            elif said.omit and (said.remote_name or said.property):
                yield Mistake(f"{name} is omitted, so nothing else can be said of it", said.origin.key("omit"))
            elif said.omit and name in declaration.spec.inputs:
                yield Mistake(f"{name} is an input", key_place, "omit the key whose template uses it")
            elif key.template is not None and not said.omit:
                yield Mistake(f"{name} is made by a template", key_place, "override what its template names")


def _secret_mistakes(overlay: SecretOverlay, secret: Secret) -> Iterator[Mistake]:
    spec = secret.declaration.spec
    override = overlay.spec.overrides.get(secret.name)
    if not secret.keys:
        yield Mistake(f"every key of {secret.name} is omitted", _place(overlay, secret), "omit the Secret itself")
    for key in lacking(spec.type, secret.keys):
        yield Mistake(f"a Secret of type {spec.type} needs the key {key}", _place(overlay, secret))
    for name, value in secret.values.items():
        if not isinstance(value, Made):
            continue
        for reference in references(value.parts):
            place = value.key.origin.at("template")
            known = overlay.spec.parameters
            if reference.parameter and reference.name not in known:
                yield Mistake(
                    f"overlay {overlay.metadata.name} has no parameter {reference.name}",
                    place,
                    nearest(reference.name, known),
                )
            elif not reference.parameter and reference.name not in secret.values and override:
                at = override.origin.key("keys", reference.name)
                yield Mistake(f"the template of {name} needs {reference.name}", at, f"omit {name} too")
    if isinstance(overlay.spec.backend, ExternalSecret) and not any(
        isinstance(value, Remote) for value in secret.values.values()
    ):
        yield Mistake(
            f"{secret.name} takes nothing from the source",
            secret.declaration.spec.origin.key("keys"),
            "External Secrets Operator refuses an ExternalSecret without data",
        )


def _place(overlay: SecretOverlay, secret: Secret) -> Place:
    return overlay.spec.origin.key("overrides", secret.name)
