"""Move an environment to another backend or another source, with its values."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from .. import yamlio
from ..backends import backend_of
from ..errors import InputError, Mistake, Refusal
from ..files.folder import locked
from ..files.project import decode
from ..frozen import Record
from ..model.loading import Loader
from ..model.reading.reader import Reading
from ..model.resolution import Environment, Remote, SourceRead
from ..model.types.backends import BACKENDS
from ..model.types.sources import SOURCES
from ..model.validation import sharing
from ..sealing import Sealer, open_sealer
from ..sensitive import Sensitive
from ..sources import GivenSecrets, OpenSource, Progress, WritableSource
from ..values.gate import Address
from ..yamlio import editing
from . import copying, render, switching, trust
from .copying import Copied
from .provision import GivenValues, SourceValues, ValueProvider
from .seal_overlay import OverlayRequest, Sealed, seal_overlay
from .typed import member

TYPED = "--to"


class MigrateRequest(Record):
    """What the user asked for. `targets` are members of spec.backend or spec.source as YAML."""

    targets: Sequence[str]
    names: str | None = None
    property: str | None = None
    overwrite: bool = False
    dry_run: bool = False


class MigratePorts(Record):
    """What a migration reaches outside. `given` are values that replace those of the old source."""

    consent: trust.Consent
    variables: Mapping[str, str]
    given: Callable[[], GivenSecrets] | None
    opened_by: Callable[[Environment], OpenSource]
    writable: Callable[[Environment], WritableSource]
    sealing: Progress


class Migration(Record):
    """What was copied, the keys that had no value, what was sealed, the files that changed, and what is left to do."""

    copied: Copied
    absent: Sequence[str]
    sealed: Sealed | None
    files: Sequence[str]
    instructions: Sequence[switching.Instruction]

    @property
    def is_partial(self) -> bool:
        """Whether a key has no value in its new place."""
        return bool(self.absent or (self.sealed and self.sealed.absent))


def migrate(environment: Environment, request: MigrateRequest, ports: MigratePorts, now: datetime) -> Migration:
    """Copy the values, then change the overlay and its manifests. The old store is left alone.

    Raises InputError, before anything is written, if the overlay can't be so, and Refusal if a source fails.
    """
    path = environment.project.inside(environment.file)
    shown_file = environment.project.name(environment.file)
    content = environment.project.read(path)
    text = _edited(decode(content, shown_file), shown_file, environment, request)
    target = _loaded(environment, text)
    old = switching.standing(environment)
    switching.refuse_other_names(target, old)
    values, given, absent = _values(environment, target, ports)
    copied = Copied(written=(), kept=())
    if values:
        source = ports.writable(target)
        copied = copying.copy(target, source, values, overwrite=request.overwrite, dry_run=request.dry_run)
    provision = _provision(target, given, ports)
    with _mistakes_of_typed(shown_file):
        sealer = open_sealer(target, now, ports.variables) if backend_of(target).seals else None
    if sealer is not None and provision is None:
        hint = "name a source, give the values with -f, or take those of the cluster with --from-cluster"
        raise InputError(Mistake(f"{target.name} has no source, so there are no values to seal", hint=hint))
    sealed, files = None, [shown_file]
    if not request.dry_run:
        with _replaced(path, content, editing.encoded(text, content)):
            sealed, written = _written(target, provision, sealer, _given_keys(target, given), ports=ports, now=now)
            files += written
        if sealer is not None:
            # What the user typed is trusted from now on, as after `init`.
            trust.remember(
                trust.statement_of(target, sealer.readers(), files=sealer.files(), source_typed=given is not None)
            )
    return Migration(
        copied=copied,
        absent=absent,
        sealed=sealed,
        files=files,
        instructions=switching.instructions(environment, target, old),
    )


def _edited(text: str, file: str, environment: Environment, request: MigrateRequest) -> str:
    """Return the overlay's text with the new backend and source."""
    spec = environment.overlay.spec
    stated = _spec(text, file).get("source")
    source: dict[str, Any] = dict(stated) if isinstance(stated, dict) else {}
    for typed in request.targets:
        field, value = member(TYPED, typed, "backend or source", (*BACKENDS, *SOURCES))
        if field in BACKENDS:
            text = editing.with_field(text, file, ("spec", "backend"), {field: value})
            text = _without_overrides(text, file, BACKENDS.keys() - {field})
        else:
            if spec.source is not None and spec.source.is_named:
                source.pop(spec.source.kind.field, None)
            source[field] = value
            text = _unpinned(text, file)
    for field, pattern in {"names": request.names, "property": request.property}.items():
        if pattern is not None:
            source[field] = pattern
    return editing.with_field(text, file, ("spec", "source"), source) if source else text


def _spec(text: str, file: str) -> Mapping[str, Any]:
    document = editing.only_document(text, file)
    spec = editing.value_at(document.value, ("spec",)) if document else None
    return spec if isinstance(spec, dict) else {}


def _overrides(text: str, file: str) -> Mapping[str, Any]:
    overrides = _spec(text, file).get("overrides")
    return overrides if isinstance(overrides, dict) else {}


def _without_overrides(text: str, file: str, backends: Collection[str]) -> str:
    """Return the overlay's text without what it says of one Secret's object in other backends than the new one."""
    rest = {
        secret: {field: value for field, value in override.items() if field not in backends}
        for secret, override in _overrides(text, file).items()
    }
    kept = {secret: override for secret, override in rest.items() if override}
    if kept == _overrides(text, file):
        return text
    spec = {field: value for field, value in _spec(text, file).items() if field != "overrides"}
    return editing.with_field(text, file, ("spec",), spec | ({"overrides": kept} if kept else {}))


def _unpinned(text: str, file: str) -> str:
    """Return the overlay's text without pinned versions, which are those of the source that it had."""
    for secret, override in _overrides(text, file).items():
        for key, stated in override.get("keys", {}).items():
            if "version" in stated:
                rest = {field: value for field, value in stated.items() if field != "version"}
                text = editing.with_field(text, file, ("spec", "overrides", secret, "keys", key), rest)
    return text


def _loaded(environment: Environment, text: str) -> Environment:
    """Return the environment of an edited overlay. Its mistakes are those of what was typed."""
    name = environment.project.name(environment.file)
    reading = Reading(name)
    with _mistakes_of_typed(name):
        target = Loader(environment.project).load_node(environment.file, yamlio.compose(text, name)[0], reading)
        if mistakes := list(sharing.mistakes([target], [target])):
            raise InputError(*mistakes)
    return target


@contextmanager
def _mistakes_of_typed(file: str) -> Iterator[None]:
    """Say of mistakes that they are of what was typed: a place in the overlay is one in a text that nobody has seen."""
    try:
        yield
    except InputError as error:
        raise InputError(
            *(
                mistake._replace(
                    message=f"{TYPED}: {mistake.message}",
                    place=None if mistake.place and mistake.place.file == file else mistake.place,
                )
                for mistake in error.mistakes
            )
        ) from None


def _values(
    environment: Environment, target: Environment, ports: MigratePorts
) -> tuple[Mapping[Address, Sensitive], GivenSecrets | None, Sequence[str]]:
    """Return the values that have to be copied, the given ones, and the addresses of those that are absent."""
    moved = [
        (read.secret, read.key) for read in target.source_reads() if not _is_read_already(environment, target, read)
    ]
    if moved and target.source is not None and not target.source.kind.writable:
        hint = "put the values there yourself, and change spec.source"
        raise InputError(Mistake(f"the source {target.source.kind.field} takes no values", hint=hint))
    if not moved or ports.given is not None:
        given = ports.given() if ports.given is not None else None
        values = {
            (name, key): value for name, keys in (given.values if given else {}).items() for key, value in keys.items()
        }
    else:
        given, values = None, dict(_read(environment, ports))
    present = {address: values[address] for address in moved if address in values}
    absent = ["/".join(address) for address in moved if address not in values]
    return present, given, absent


def _is_read_already(environment: Environment, target: Environment, read: SourceRead) -> bool:
    """Whether a key reads the very value that it read before."""
    secret = environment.secrets.get(read.secret)
    before = secret.values.get(read.key) if secret else None
    if not isinstance(before, Remote) or environment.source_identity != target.source_identity:
        return False
    same_name = target.same_name(before.name) == target.same_name(read.remote.name)
    return same_name and before.property == read.remote.property


def _read(environment: Environment, ports: MigratePorts) -> Mapping[Address, Sensitive]:
    """Read the values of the old source, if it is trusted."""
    if environment.source is None:
        hint = "give the values with -f, or take those of the cluster with --from-cluster"
        raise InputError(Mistake(f"{environment.name} has no source to copy from", hint=hint))
    statement = trust.statement_of(environment, [], files=(), source_typed=False)
    trust.refuse([trust.admit(statement, ports.consent, named=True, keep=False)])
    keys = {name: list(secret.keys) for name, secret in environment.secrets.items()}
    reading = SourceValues(environment, ports.opened_by).reading(keys)
    if reading.mistakes:
        raise InputError(*reading.mistakes)
    return reading.values


def _provision(target: Environment, given: GivenSecrets | None, ports: MigratePorts) -> ValueProvider | None:
    if given is not None:
        return GivenValues(target, given)
    return SourceValues(target, ports.opened_by) if target.source is not None else None


def _given_keys(target: Environment, given: GivenSecrets | None) -> Sequence[str]:
    """Return the addresses of the keys that were given: they are sealed, be they sealed already."""
    declared = {(name, key) for name, secret in target.secrets.items() for key in secret.keys}
    addresses = [(name, key) for name, keys in (given.values if given else {}).items() for key in keys]
    return [f"{name}/{key}" for name, key in addresses if (name, key) in declared]


def _written(
    target: Environment,
    provision: ValueProvider | None,
    sealer: Sealer | None,
    addresses: Sequence[str],
    *,
    ports: MigratePorts,
    now: datetime,
) -> tuple[Sealed | None, Sequence[str]]:
    """Seal or render, and return what was sealed and the files that changed."""
    if sealer is None or provision is None:
        return None, render.write(target)
    sealed = seal_overlay(
        environment=target,
        provision=provision,
        sealer=sealer,
        request=OverlayRequest(addresses=addresses),
        now=now,
        progress=ports.sealing,
    )
    return sealed, list(sealed.changed)


@contextmanager
def _replaced(path: str, before: bytes, after: bytes) -> Iterator[None]:
    """Replace a file for good, unless what follows fails: then it is what it was. Raises Refusal if it has changed."""
    _write(path, before, after)
    try:
        yield
    except BaseException:
        _write(path, after, before)
        raise


def _write(path: str, before: bytes, after: bytes) -> None:
    folder, name = os.path.split(path)
    with locked(folder) as held:
        with open(path, "rb") as file:
            if file.read() != before:
                raise Refusal(Mistake(f"{os.path.relpath(path)} was changed by another program"))
        if before != after:
            held.write(name, after)
