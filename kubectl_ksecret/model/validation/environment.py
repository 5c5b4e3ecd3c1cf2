"""What must hold in an overlay, and in an overlay and its declarations together."""

import re
from collections.abc import Iterator

from ...errors import InputError, Mistake, Place, nearest, shown, typo
from ..propertypath import unread
from ..resolution import Derived, Environment, Secret, bring_together
from ..template import references
from ..types.declaration import DeclarationSpec, SecretDeclaration
from ..types.overlay import KeyOverride, SecretOverlay, SecretOverride, SourceSpec
from ..types.source import Source, SourceUse, UsedName
from ..types.sources import SOURCES
from .declaration import lacking, mistakes_in, reserved

_PLACEHOLDERS = ("remoteName", "secret", "key")


def mistakes(environment: Environment, complete: bool = True) -> Iterator[Mistake]:
    """Find all mistakes that show only when an overlay and its declarations are seen together.

    If the declarations could not be read to be `complete`, one that is absent is no mistake.
    """
    overlay, declarations = environment.overlay, environment.declarations
    yield from spec_mistakes(overlay)
    for name in overlay.spec.overrides:
        if name in declarations:
            yield from _override_mistakes(overlay, declarations[name])
        elif complete:
            place = overlay.spec.origin.key("overrides", name)
            mend = typo(place, name, declarations.keys() - overlay.spec.overrides.keys())
            yield Mistake(f"no declaration is named {name}", place, nearest(name, declarations), mend)
    for secret in environment.secrets.values():
        yield from _secret_mistakes(overlay, secret)
    yield from _object_names(environment)
    yield from _property_mistakes(environment)
    yield from _version_mistakes(environment)
    if complete:
        yield from _access_mistakes(environment)
    if environment.source:
        yield from environment.source.kind.mistakes(_use(environment, environment.source))


def _access_mistakes(environment: Environment) -> Iterator[Mistake]:
    """Find an overlay that asks for Roles of which there would be none."""
    access = environment.overlay.spec.access
    specs = [secret.declaration.spec for secret in environment.secrets.values()]
    if access is None or not access.create or not all(spec.origin.sure_of("readers") for spec in specs):
        return
    if not any(spec.readers for spec in specs):
        hint = "name the ServiceAccounts in spec.readers of a declaration, or leave access out"
        yield Mistake("no declaration has readers, so there is no Role to make", access.origin.key("create"), hint)


def with_source(environment: Environment, kind: Source) -> Environment:
    """Return the environment with another source and the same pattern of names.

    Raises InputError if it can't have this source.
    """
    overlay, source = environment.overlay, environment.overlay.spec.source
    source = source.but(kind=kind) if source else SourceSpec(origin=overlay.spec.origin, kind=kind)
    changed = overlay.but(spec=overlay.spec.but(source=source))
    resolved = bring_together(environment.project, environment.file, changed, environment.declarations)
    if wrong := tuple(mistakes(resolved)):
        raise InputError(*wrong)
    return resolved


def _use(environment: Environment, source: SourceSpec) -> SourceUse:
    """Return how an overlay uses its source."""
    return SourceUse(
        pattern=re.sub(r"\{[^{}]*\}", "x", source.names),
        pattern_place=source.origin.at("names"),
        fetched=environment.backend is not None and environment.backend.fetched,
        names=_used_names(environment),
    )


def _used_names(environment: Environment) -> Iterator[UsedName]:
    for read in environment.source_reads():
        override = environment.override_of(read.secret, read.key)
        stated = override if override and override.remote_name else read.remote.key
        yield UsedName(address=read.address, name=read.remote.name, origin=stated.origin)


def spec_mistakes(overlay: SecretOverlay) -> Iterator[Mistake]:
    """Find what is wrong with the source and the backend of an overlay, whatever its declarations are."""
    spec, backend, source = overlay.spec, overlay.spec.backend, overlay.spec.source
    readable = spec.origin.sure_of("source") and (source is None or source.origin.sure_of("kind"))
    unnamed = (source is None or not source.is_named) and backend is not None and backend.source_is_known_elsewhere
    if source is not None and not source.is_named and not unnamed:
        if readable and backend is not None:
            yield Mistake(f"one of {', '.join(SOURCES)} is missing", source.origin.at())
        readable = False
    fetched = backend is not None and backend.fetched and readable and not unnamed
    if backend is not None and fetched and not (source and source.kind.field in backend.fetched_from):
        instead = f", not {source.kind.field}" if source else ""
        place = spec.origin.key("source") if source else spec.origin.key("backend")
        yield Mistake(
            f"{backend.field} needs a source that {backend.operator} reads{instead}",
            place,
            f"set source.{' or '.join(backend.fetched_from)}",
        )
    elif backend is not None and source is not None and source.is_named and readable:
        yield from backend.misfits(source.kind)
    if backend is not None and not (backend.fetched or backend.seals or source) and readable:
        where = spec.origin.key("backend")
        yield Mistake(f"{backend.field} needs a source, since nothing is committed", where, "set source")
    if backend is not None and backend.metadata:
        yield from reserved(backend.metadata.origin, "labels", backend.metadata.labels)
        yield from reserved(backend.metadata.origin, "annotations", backend.metadata.annotations)
    if backend is not None:
        yield from backend.mistakes()
    if source is not None:
        yield from _pattern_mistakes(source, "names", source.names)
        yield from _pattern_mistakes(source, "property", source.property or "")


def _pattern_mistakes(source: SourceSpec, field: str, pattern: str) -> Iterator[Mistake]:
    place = source.origin.at(field)
    placeholders = f"the placeholders are {', '.join(f'{{{name}}}' for name in _PLACEHOLDERS)}"
    for placeholder in re.findall(r"\{([^{}]*)\}", pattern):
        if placeholder not in _PLACEHOLDERS:
            hint = nearest(placeholder, _PLACEHOLDERS) or placeholders
            yield Mistake(f"unknown placeholder {{{shown(placeholder)}}}", place, hint)
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", pattern)):
        yield Mistake(f"a {{ or }} in {field} belongs to no placeholder", place, placeholders)


def _property_mistakes(environment: Environment) -> Iterator[Mistake]:
    """Find properties that only External Secrets Operator could read, where this tool has to."""
    if environment.backend is None or environment.backend.fetched:
        return
    for read in environment.source_reads():
        if read.remote.property and (wrong := unread(read.remote.property)):
            message = f"the property of {read.address} has {wrong}, which only External Secrets Operator reads"
            by_pattern = (
                environment.source and not read.remote.key.property and environment.source.origin.at("property")
            )
            place = read.overridden_at("property") or by_pattern or read.stated_at("property")
            yield Mistake(message, place, f"for a name that has it, write \\{wrong[0]}")


def _version_mistakes(environment: Environment) -> Iterator[Mistake]:
    """Find pinned versions where the newest value alone can be had, and what is no version."""
    source, backend = environment.source, environment.backend
    fetched, reason = backend is not None and backend.fetched, ""
    if fetched and not backend.fetches_versions:
        reason = f"{backend.field} fetches the newest one alone"
    elif source is not None and not (source.kind.versioned if fetched else source.kind.reads_versions):
        reason = f"{source.kind.field} has no versions to read"
    for read in environment.source_reads():
        if (version := read.remote.version) is None:
            continue
        place = read.overridden_at("version") or read.remote.key.origin.at()
        if reason:
            yield Mistake(f"{read.address} has a version, and {reason}", place, "leave version out")
        elif source is not None and (form := source.kind.refused_version(version)):
            hint = f"leave it out, and let this write the current one: {read.pinning}"
            yield Mistake(f"the version of {read.address} can't be right: {form}", place, hint)


def _override_mistakes(overlay: SecretOverlay, declaration: SecretDeclaration) -> Iterator[Mistake]:
    override, spec = overlay.spec.overrides[declaration.name], declaration.spec
    yield from _backend_override_mistakes(overlay, declaration, override)
    if override.omit and override.keys:
        place = override.origin.key("keys")
        yield Mistake(f"{declaration.name} is omitted, so its keys can't be overridden", place)
    for name, key_override in override.keys.items():
        place = override.origin.key("keys", name)
        if name in spec.entries:
            yield from _key_override_mistakes(place, spec, name, key_override)
        elif spec.origin.sure_of("keys", "inputs"):
            mend = typo(place, name, spec.entries.keys() - override.keys.keys())
            yield Mistake(f"{declaration.name} has no key {name}", place, nearest(name, spec.entries), mend)


def _backend_override_mistakes(
    overlay: SecretOverlay, declaration: SecretDeclaration, override: SecretOverride
) -> Iterator[Mistake]:
    """Find what is set of another backend than the overlay's, and what can't be set over it."""
    backend, own = overlay.spec.backend, override.backend
    if own is None or backend is None:
        return
    place = override.origin.key(own.field)
    if own.field != backend.field:
        message = f"{own.field} is not the backend of {overlay.metadata.name}, which is {backend.field}"
        yield Mistake(message, place, "leave it out")
        return
    if override.omit:
        yield Mistake(f"{declaration.name} is omitted, so it has no {own.field}", place)
    if own.metadata:
        yield from reserved(own.metadata.origin, "labels", own.metadata.labels)
        yield from reserved(own.metadata.origin, "annotations", own.metadata.annotations)
    if own.reads_elsewhere and overlay.spec.source and overlay.spec.source.is_named:
        message = f"{declaration.name} has a store of its own, so the source of {overlay.metadata.name} is not its"
        yield Mistake(message, own.origin.at("store"), "give it an overlay of its own, or name no kind of source")
    yield from own.mistakes(backend)


def _object_names(environment: Environment) -> Iterator[Mistake]:
    """Find objects under one name: a rename by kustomize would lead the readers of one Secret to the other."""
    spec = environment.overlay.spec
    names: dict[str, str] = {name: name for name in environment.secrets}
    for secret, override in spec.overrides.items():
        name = override.backend.object_name if override.backend else None
        if override.backend is None or name is None or secret not in environment.secrets:
            continue
        other = names.setdefault(name, secret)
        if other != secret:
            place = override.backend.origin.at("name")
            yield Mistake(f"the object of {secret} can't be named {name}: {other} has that name", place)


def _key_override_mistakes(place: Place, spec: DeclarationSpec, name: str, override: KeyOverride) -> Iterator[Mistake]:
    derived = spec.entries[name].template is not None
    replacing = override.remote_name or override.property or override.version
    if override.omit and (replacing or override.literal):
        yield Mistake(f"{name} is omitted, so nothing else can be said of it", override.origin.key("omit"))
    elif override.omit and name in spec.inputs:
        yield Mistake(f"{name} is an input", place, "omit the key whose template uses it")
    elif not derived or not override.origin.sure_of("omit", "literal"):
        return
    elif replacing or not (override.omit or override.literal):
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
    derived = {name: value for name, value in secret.values.items() if isinstance(value, Derived)}
    wrong: list[Mistake] = []
    for name, value in derived.items():
        wrong += _template_mistakes(overlay, secret, name, value)
    yield from wrong
    operator = overlay.spec.backend.operator if overlay.spec.backend is not None else ""
    if operator and len(derived) == len(secret.values) and not wrong and not any(mistakes_in(secret.declaration)):
        yield Mistake(
            f"{secret.name} takes nothing from the source",
            spec.origin.key("keys"),
            f"{operator} makes no Secret of templates alone",
        )


def _template_mistakes(overlay: SecretOverlay, secret: Secret, name: str, value: Derived) -> Iterator[Mistake]:
    """Find what a template names and this environment does not have."""
    spec, override = secret.declaration.spec, overlay.spec.overrides.get(secret.name)
    parameters = overlay.spec.parameters
    for reference in references(value.parts):
        if reference.parameter:
            if reference.name not in parameters and overlay.spec.origin.sure_of("parameters"):
                yield Mistake(
                    f"{overlay.origin.file} sets no parameter {reference.name}",
                    value.key.origin.at("template"),
                    nearest(reference.name, parameters) or "add it to spec.parameters there",
                )
            continue
        key_override = override.keys.get(reference.name) if override else None
        if override and key_override and key_override.omit and reference.name in spec.keys:
            place = override.origin.key("keys", reference.name)
            yield Mistake(f"the template of {name} needs {reference.name}", place, "omit the key with the template too")
