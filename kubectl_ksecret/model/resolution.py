"""An overlay and its declarations brought together: what each key is, in this environment."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from ..errors import InputError, Mistake, Place, nearest, shown, typo
from ..files.project import Project
from ..frozen import Record
from .template import Parts, references
from .types.backends import BackendSpec, ExternalSecret, SealedSecret
from .types.declaration import DeclarationSpec, Encoding, Key, SecretDeclaration
from .types.names import KEY_VAULT_NAME
from .types.overlay import KeyOverride, SecretOverlay, SourceSpec
from .types.sources import AzureKeyVault, Command, Dotenv, EnvironmentVariables, Source
from .validation.declaration import Declarations, lacking, mistakes_in, needed, parsed, reserved, root_of

_VARIABLES = (Dotenv, EnvironmentVariables)  # the sources whose names are those of variables
_PLACEHOLDERS = ("remoteName", "secret", "key")
_VAULT_NAMES = "a name in Key Vault has up to 127 letters, digits and -"
_SCOPES = ("sealedsecrets.bitnami.com/namespace-wide", "sealedsecrets.bitnami.com/cluster-wide")


class Remote(Record):
    """A key that has a value in the source; `key` is the declared one, or that at the end of its `from`."""

    key: Key
    remote_name: str  # before the pattern: what keys of several environments have in common
    name: str  # in this environment's source
    property: str | None
    encoding: Encoding
    explicit: bool  # remoteName is written out, in the declaration or in an override
    overridden: bool  # by the overlay, here or at the end of its `from`


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

    def remotes(self, key: str) -> Mapping[str, Remote]:
        """What a key takes from the source, by key or input: itself, or all that its template reaches."""
        found: dict[str, Remote] = {}
        todo = [key]
        while todo:
            name = todo.pop()
            value = self.values[name]
            if isinstance(value, Remote):
                found[name] = value
            else:
                todo += [each.name for each in references(value.parts) if not each.parameter]
        return dict(sorted(found.items()))


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
    def backend(self) -> BackendSpec:
        """The form of the Secrets."""
        return self.overlay.spec.backend

    def path(self, named: str) -> str:
        """A path that the overlay names."""
        return os.path.join(self.folder, named)


def bring_together(project: Project, file: str, overlay: SecretOverlay, declarations: Declarations) -> Environment:
    """The environment of an overlay; not to be used if it has `mistakes`."""
    secrets = {}
    for name, declaration in sorted(declarations.items()):
        override = overlay.spec.overrides.get(name)
        if not (override and override.omit):
            secrets[name] = _secret(overlay, declarations, declaration)
    return Environment(project=project, file=file, overlay=overlay, declarations=declarations, secrets=secrets)


def mistakes(environment: Environment, complete: bool = True) -> Iterator[Mistake]:
    """All mistakes that show only when an overlay and its declarations are seen together.

    If the declarations could not be read to be `complete`, nothing is said of one that is not there.
    """
    overlay, declarations = environment.overlay, environment.declarations
    yield from _spec_mistakes(overlay)
    for name in overlay.spec.overrides:
        if name in declarations:
            yield from _override_mistakes(overlay, declarations[name])
        elif complete:
            place = overlay.spec.origin.key("overrides", name)
            mend = typo(place, name, declarations.keys() - overlay.spec.overrides.keys())
            yield Mistake(f"no declaration is named {name}", place, nearest(name, declarations), mend)
    for secret in environment.secrets.values():
        yield from _secret_mistakes(overlay, secret)
    if overlay.spec.source and isinstance(overlay.spec.source.kind, AzureKeyVault):
        yield from _vault_mistakes(overlay, overlay.spec.source, environment.secrets.values())


def with_source(environment: Environment, kind: Source) -> Environment:
    """The same environment with another source, its names by the same pattern. Raises InputError if it can't be."""
    overlay, said = environment.overlay, environment.source
    source = said.but(kind=kind) if said else SourceSpec(origin=overlay.spec.origin, kind=kind)
    changed = overlay.but(spec=overlay.spec.but(source=source))
    found = bring_together(environment.project, environment.file, changed, environment.declarations)
    if wrong := tuple(mistakes(found)):
        raise InputError(*wrong)
    return found


def _secret(overlay: SecretOverlay, declarations: Declarations, declaration: SecretDeclaration) -> Secret:
    spec = declaration.spec
    override = overlay.spec.overrides.get(declaration.name)
    omitted = {key for key, said in override.keys.items() if said.omit} if override else set()
    keys = sorted(spec.keys.keys() - omitted)
    inputs = sorted({name for key in keys for name in needed(spec, key) if name in spec.inputs}) if spec.inputs else []
    values = {name: _value(overlay, declarations, declaration.name, name) for name in (*keys, *inputs)}
    return Secret(
        declaration=declaration,
        keys={name: values[name] for name in keys},
        inputs={name: values[name] for name in inputs},
    )


def _value(overlay: SecretOverlay, declarations: Declarations, secret: str, name: str) -> Value:
    own = declarations[secret].spec.entries[name]
    if own.template is not None:
        return Made(key=own, parts=parsed(own))
    root_secret, root_name = root_of(declarations, secret, name) if own.from_ else (secret, name)
    key = declarations[root_secret].spec.entries[root_name] if own.from_ else own
    said = _overrides_of(overlay, (secret, name), (root_secret, root_name))
    remote_name = next((o.remote_name for o in said if o.remote_name), None)
    plain = key.remote_name or root_name
    return Remote(
        key=key,
        remote_name=remote_name or plain,
        name=_name_in_source(overlay.spec.source, root_secret, root_name, plain, remote_name),
        property=next((o.property for o in said if o.property), key.property),
        encoding=key.encoding,
        explicit=bool(remote_name or key.remote_name),
        overridden=bool(said),
    )


def _overrides_of(overlay: SecretOverlay, *keys: tuple[str, str]) -> list[KeyOverride]:
    """What the overlay says of these keys, in their order."""
    overrides = overlay.spec.overrides
    return [o.keys[key] for secret, key in keys if (o := overrides.get(secret)) and key in o.keys] if overrides else []


def _name_in_source(source: SourceSpec | None, secret: str, key: str, plain: str, override: str | None) -> str:
    """The override as it stands, else the name by the overlay's pattern; a variable where the source has variables."""
    if source is None:
        return override or plain
    patterned = source.names.replace("{secret}", secret).replace("{key}", key).replace("{remoteName}", plain)
    if not isinstance(source.kind, _VARIABLES):
        return override or patterned
    return override if override and re.fullmatch("[A-Za-z0-9_]+", override) else variable(override or patterned)


def variable(name: str) -> str:
    """jwt-secret-key → JWT_SECRET_KEY."""
    return re.sub("[^A-Z0-9]", "_", name.upper())


def _spec_mistakes(overlay: SecretOverlay) -> Iterator[Mistake]:
    spec, backend, source = overlay.spec, overlay.spec.backend, overlay.spec.source
    known = spec.origin.sure_of("source") and (source is None or source.origin.sure_of("kind"))
    if isinstance(backend, ExternalSecret) and known and not (source and isinstance(source.kind, AzureKeyVault)):
        found = f", not {source.kind.field}" if source else ""
        place = spec.origin.key("source") if source else spec.origin.key("backend")
        yield Mistake(
            f"externalSecret needs a source that External Secrets Operator reads{found}",
            place,
            "set source.azureKeyVault",
        )
    if backend is not None and backend.metadata:
        yield from reserved(backend.metadata.origin, "labels", backend.metadata.labels)
        yield from reserved(backend.metadata.origin, "annotations", backend.metadata.annotations)
    if isinstance(backend, SealedSecret) and backend.metadata:
        for name in _SCOPES:
            if name in backend.metadata.annotations:
                place = backend.metadata.origin.key("annotations", name)
                yield Mistake(f"{name} is this tool's own", place, "set sealedSecret.scope instead")
    if source is not None:
        yield from _source_mistakes(source)


def _source_mistakes(source: SourceSpec) -> Iterator[Mistake]:
    place = source.origin.at("names")
    known = f"the placeholders are {', '.join(f'{{{name}}}' for name in _PLACEHOLDERS)}"
    for found in re.findall(r"\{([^{}]*)\}", source.names):
        if found not in _PLACEHOLDERS:
            hint = nearest(found, _PLACEHOLDERS) or known
            yield Mistake(f"unknown placeholder {{{shown(found)}}}", place, hint)
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", source.names)):
        yield Mistake("a { or } in names belongs to no placeholder", place, known)
    vault = source.kind if isinstance(source.kind, AzureKeyVault) else None
    if vault and not 1 <= vault.parallelism <= 64:
        yield Mistake("parallelism must lie between 1 and 64", vault.origin.at("parallelism"))
    if isinstance(command := source.kind, Command) and command.origin.sure_of("arguments"):
        if not any("{name}" in argument for argument in command.arguments):
            hint = "{name} stands for the name in the source"
            yield Mistake("no argument holds {name}", command.origin.at("arguments"), hint)
        elif command.arguments[0].startswith("{name}"):
            yield Mistake("the program can't be {name}", command.origin.element("arguments", 0))


def _vault_mistakes(overlay: SecretOverlay, source: SourceSpec, secrets: Iterable[Secret]) -> Iterator[Mistake]:
    """Names that no vault takes; some would even lead to another place of it.

    External Secrets Operator reads keys and certificates too, under a name with the kind before it.
    """
    kinds = "((secret|key|cert)/)?" if isinstance(overlay.spec.backend, ExternalSecret) else ""
    taken = re.compile(kinds + KEY_VAULT_NAME.pattern)
    pattern = re.sub(r"\{[^{}]*\}", "x", source.names)
    if not taken.fullmatch(pattern):
        if "{" not in pattern and "}" not in pattern:  # told already
            what = "this pattern gives names that Key Vault does not take"
            yield Mistake(what, source.origin.at("names"), _VAULT_NAMES)
        return
    for secret in secrets:
        for key, value in secret.values.items():
            if isinstance(value, Remote) and not taken.fullmatch(value.name):
                override = overlay.spec.overrides.get(secret.name)
                said = override.keys.get(key) if override else None
                place = (said if said and said.remote_name else value.key).origin.at("remoteName")
                what = f"Key Vault takes no name like that of {secret.name}/{key}"  # it may be a value, pasted here
                yield Mistake(what, place, f"set remoteName; {_VAULT_NAMES}")


def _override_mistakes(overlay: SecretOverlay, declaration: SecretDeclaration) -> Iterator[Mistake]:
    override, spec = overlay.spec.overrides[declaration.name], declaration.spec
    if override.omit and override.keys:
        place = override.origin.key("keys")
        yield Mistake(f"{declaration.name} is omitted, so its keys can't be overridden", place)
    for name, said in override.keys.items():
        place = override.origin.key("keys", name)
        if name in spec.entries:
            yield from _key_override_mistakes(place, spec, name, said)
        elif spec.origin.sure_of("keys", "inputs"):
            mend = typo(place, name, spec.entries.keys() - override.keys.keys())
            yield Mistake(f"{declaration.name} has no key {name}", place, nearest(name, spec.entries), mend)


def _key_override_mistakes(place: Place, spec: DeclarationSpec, name: str, said: KeyOverride) -> Iterator[Mistake]:
    if said.omit and (said.remote_name or said.property):
        yield Mistake(f"{name} is omitted, so nothing else can be said of it", said.origin.key("omit"))
    elif said.omit and name in spec.inputs:
        yield Mistake(f"{name} is an input", place, "omit the key whose template uses it")
    elif spec.entries[name].template is not None and not said.omit and said.origin.sure_of("omit"):
        yield Mistake(f"{name} is made by a template", place, "override what its template names")


def _secret_mistakes(overlay: SecretOverlay, secret: Secret) -> Iterator[Mistake]:
    spec = secret.declaration.spec
    if not spec.keys:
        return
    place = overlay.spec.origin.key("overrides", secret.name)
    if not secret.keys:
        yield Mistake(f"every key of {secret.name} is omitted", place, "omit the Secret itself")
        return
    for key in lacking(spec.type, secret.keys):
        if key not in lacking(spec.type, spec.keys):
            yield Mistake(f"a Secret of type {spec.type} needs the key {key}", place, "omit the Secret itself")
    made = [(name, value) for name, value in secret.values.items() if isinstance(value, Made)]
    wrong = [mistake for name, value in made for mistake in _made_mistakes(overlay, secret, name, value)]
    yield from wrong
    nothing = isinstance(overlay.spec.backend, ExternalSecret) and len(made) == len(secret.values)
    if nothing and not wrong and not any(mistakes_in(secret.declaration)):
        yield Mistake(
            f"{secret.name} takes nothing from the source",
            spec.origin.key("keys"),
            "External Secrets Operator refuses an ExternalSecret without data",
        )


def _made_mistakes(overlay: SecretOverlay, secret: Secret, name: str, value: Made) -> Iterator[Mistake]:
    """What a template names and this environment does not have."""
    spec, override = secret.declaration.spec, overlay.spec.overrides.get(secret.name)
    known = overlay.spec.parameters
    for reference in references(value.parts):
        if reference.parameter:
            if reference.name not in known and overlay.spec.origin.sure_of("parameters"):
                yield Mistake(
                    f"{overlay.origin.file} sets no parameter {reference.name}",
                    value.key.origin.at("template"),
                    nearest(reference.name, known) or "add it to spec.parameters there",
                )
        elif override and reference.name in spec.keys and (said := override.keys.get(reference.name)) and said.omit:
            place = override.origin.key("keys", reference.name)
            yield Mistake(f"the template of {name} needs {reference.name}", place, "omit the key with the template too")
