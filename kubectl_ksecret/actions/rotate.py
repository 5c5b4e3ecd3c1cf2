"""Gives a key a new value in its source, and seals it in every overlay that reads it there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from ..errors import InputError, Mistake, Refusal, nearest
from ..frozen import Record
from ..model.loading import select
from ..model.resolution import Derived, Environment, Remote, SourceRead, without_versions
from ..sealing import Sealer
from ..sensitive import Sensitive
from ..sources import NumberedSource, OpenedBy, Progress, SourceValue, WritableSource, new_id
from ..values import gate
from ..values.extraction import extract, replaced
from ..values.generation import generate
from ..values.properties import Absent
from . import journal
from .provision import SourceValues, refuse_bad_patterns
from .rehearsal import WithNewValue, refused
from .seal_overlay import OverlayRequest, Sealed, seal_overlay
from .trust import Consent, admit, refuse, statement_of
from .versions import pin_of, write_pins

_ATTEMPTS = 3  # where others write properties of one value at the same time


class Plan(Record):
    """What a rotation touches: the key, its name in the source, and all that read it.

    The environments take the newest version of the name; `pinned` are the keys whose pins move, as they stand now.
    """

    environment: Environment
    address: str
    remote: Remote
    reads: Sequence[SourceRead]
    pinned: Sequence[SourceRead] = ()

    @property
    def sealed(self) -> Mapping[str, Sequence[SourceRead]]:
        """Return the keys that are sealed anew, by overlay."""
        return _by_overlay(read for read in self.reads if read.environment.backend.seals)

    @property
    def fetched(self) -> Mapping[str, Sequence[SourceRead]]:
        """Return the keys that an operator fetches, by overlay."""
        return _by_overlay(read for read in self.reads if read.environment.backend.fetched)

    @property
    def synced(self) -> Mapping[str, Sequence[SourceRead]]:
        """Return the keys that `sync` takes from the source, by overlay."""
        backends = ((read, read.environment.backend) for read in self.reads)
        return _by_overlay(read for read, backend in backends if not (backend.seals or backend.fetched))


class Rotated(Record):
    """What was done: a new version, unless one of an interrupted run stood already, and what was sealed anew.

    `used` if the value that was given is the one that stands. `pinned` are the addresses whose pin moved, by the file.
    """

    plan: Plan
    written: bool
    used: bool
    sealed: Sequence[Sealed]
    pinned: Mapping[str, Sequence[str]] = {}


class Ports(Record):
    """What a rotation reaches outside."""

    opened_by: OpenedBy
    sealer: Callable[[Environment], Sealer]
    progress: Progress


def plan(chosen: Sequence[Environment], address: str) -> Plan:
    """Plan the rotation of a key: what it touches in the whole project.

    Raises InputError if several overlays are chosen, or if the key can't be rotated.
    """
    environment, *others = chosen
    if others:
        raise InputError(Mistake("a rotation begins in one overlay", hint="name it, and not a folder of several"))
    remote = _remote(environment, address)
    project = select([environment.project.root, environment.file])
    pinned = [read for read in _reads(project, environment, remote.name) if read.remote.version]
    following = [without_versions(other, remote.name) if _is_beside(environment, other) else other for other in project]
    reads = _reads(following, environment, remote.name)
    return Plan(environment=environment, address=address, remote=remote, reads=reads, pinned=pinned)


def _is_beside(environment: Environment, other: Environment) -> bool:
    """Whether two environments read one source."""
    return environment.source_identity is not None and other.source_identity == environment.source_identity


def _remote(environment: Environment, address: str) -> Remote:
    """Return what an address takes from the source. Raises InputError if there is no such key, or it takes nothing."""
    name, _, key = address.partition("/")
    secret = environment.secrets.get(name)
    if secret is None:
        hint = nearest(name, environment.secrets)
        raise InputError(Mistake(f"overlay {environment.name} has no Secret {name}", hint=hint))
    value = secret.values.get(key)
    if value is None:
        hint = nearest(key, secret.values)
        raise InputError(Mistake(f"{name} has no key {key or '…'} in {environment.name}", hint=hint))
    if isinstance(value, Derived):
        hint = f"rotate one of: {', '.join(f'{name}/{input_}' for input_ in secret.remotes(key))}"
        raise InputError(Mistake(f"{address} is made by a template", value.key.origin.at("template"), hint))
    return value


def _reads(project: Sequence[Environment], environment: Environment, name: str) -> Sequence[SourceRead]:
    """Return all keys of a project that read a name of an environment's source."""
    same_name = environment.same_name(name)
    reads: list[SourceRead] = []
    for other in project:
        if _is_beside(environment, other):
            reads += (read for read in other.key_reads() if other.same_name(read.remote.name) == same_name)
    return reads


def _by_overlay(reads: Iterable[SourceRead]) -> Mapping[str, Sequence[SourceRead]]:
    overlays: dict[str, list[SourceRead]] = {}
    for read in reads:
        overlays.setdefault(read.environment.name, []).append(read)
    return overlays


def refuse_untrusted(plan: Plan, sealer: Callable[[Environment], Sealer], consent: Consent) -> None:
    """Raises InputError if an overlay that must be sealed is not trusted, before anything is written or read.

    Of the overlay that the user named he may be asked; of the others he is told.
    """
    mistakes = []
    for reads in plan.sealed.values():
        environment = reads[0].environment
        opened = sealer(environment)
        statement = statement_of(environment, opened.readers(), files=opened.files(), source_typed=False)
        named = environment.file == plan.environment.file
        mistakes.append(admit(statement, consent, named=named, keep=True))
    refuse(mistakes)


def new_value(plan: Plan) -> Sensitive:
    """Return a value as the key's declaration makes it. Raises InputError if it does not say how."""
    generation = plan.remote.key.generate
    if generation is None:
        hint = "declare generate: {length: 32}, or give the value with --from-stdin"
        raise InputError(Mistake(f"{plan.address} does not say how it is made", plan.remote.key.origin.at(), hint))
    try:
        return generate(generation, plan.remote.key.rules)
    except ValueError as error:
        raise InputError(Mistake(f"{plan.address}: {error}", generation.origin.at())) from None


class _Outdated(Exception):
    """What a rotation would write was made of a value that somebody has changed meanwhile."""


def rotate(plan: Plan, source: WritableSource, value: Sensitive, ports: Ports, now: datetime) -> Rotated:
    """Write a new version and seal it everywhere; what an interrupted run has done already is not done again.

    Raises InputError or Refusal; a rotation that has begun is finished by the next call.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _rotate(plan, source, value, ports, now)
        except _Outdated:
            continue
    message = f"{plan.remote.name} in {source.shown} was changed meanwhile, and nothing was written"
    raise Refusal(Mistake(message, hint="run the same command again"))


def _rotate(plan: Plan, source: WritableSource, value: Sensitive, ports: Ports, now: datetime) -> Rotated:
    """Rotate a key. Raises _Outdated, and forgets that it has begun, where another property has changed meanwhile."""
    environment, name = plan.environment, plan.remote.name
    refuse_bad_patterns([environment, *(read.environment for read in plan.reads)])
    before = source.read([name]).get(name) if plan.remote.property else None
    stored_value = _stored(plan, source, value, before)
    plan = plan.but(reads=[read for read in plan.reads if _has_value(read, stored_value)])
    sealers = {overlay: ports.sealer(reads[0].environment) for overlay, reads in plan.sealed.items()}
    # What can't be sealed afterwards must not be written: External Secrets Operator would spread it, and the same
    # command could not take another value for it.
    rehearsed = ports.but(
        opened_by=lambda other: WithNewValue(ports.opened_by(other), environment, name, stored_value),
        progress=lambda _done, _total: None,
    )
    _seal(plan, sealers, rehearsed, now, dry_run=True)
    _refuse_unusable(plan, rehearsed.opened_by)
    entry = {"overlay": environment.name, "address": plan.address, "name": name}
    identity = environment.source_identity or ()
    same_value = "#".join(filter(None, (environment.same_name(name), plan.remote.property)))
    id_of = partial(new_id, source, name)
    with journal.opened(environment.project, identity, same_value, plan=entry, new_id=id_of) as begun:
        # A new rotation has an id that nothing can carry yet.
        written = begun.resumed and _is_written(plan.remote, source, begun.id)
        if not written:
            if _is_outdated(plan, source, before):
                begun.finish()
                raise _Outdated
            source.write(name, stored_value, begun.id)
        results = _seal(plan, sealers, ports, now, dry_run=False)
        moved = _moved(plan, source)
        begun.finish()
    used = not written or _holds(plan.remote, source.read([name])[name].value, value)
    return Rotated(plan=plan, written=not written, used=used, sealed=results, pinned=moved)


def _moved(plan: Plan, source: WritableSource) -> Mapping[str, Sequence[str]]:
    """Move the pins of what was rotated to the newest version, and return the addresses by overlay's file."""
    if not plan.pinned:
        return {}
    version = source.versions([plan.remote.name]).get(plan.remote.name)
    if version is None:
        raise Refusal(Mistake(f"{plan.remote.name} has no version in {source.shown}"))
    by_overlay = _by_overlay(plan.pinned)
    for reads in by_overlay.values():
        write_pins(reads[0].environment, dict.fromkeys(map(pin_of, reads), version.id))
    return {
        reads[0].environment.project.name(reads[0].environment.file): sorted({read.address for read in reads})
        for reads in by_overlay.values()
    }


def _is_written(remote: Remote, source: WritableSource, id_: str) -> bool:
    """Whether a rotation that was interrupted has written its value already."""
    if not isinstance(source, NumberedSource) or not source.written(remote.name, id_):
        return source.written(remote.name, id_)
    # There is a newer version, which may be of another property alone.
    before, now = source.before(remote.name, id_), source.read([remote.name]).get(remote.name)
    return _found(remote, before) is None or _found(remote, before) != _found(remote, now)


def _found(remote: Remote, reading: SourceValue | None) -> bytes | None:
    try:
        return extract(remote, reading.value).reveal() if reading else None
    except ValueError:
        return None


def _refuse_unusable(plan: Plan, opened_by: OpenedBy) -> None:
    """Raises InputError if what the operator makes of the new value, by a template, would break a rule."""
    mistakes: list[Mistake] = []
    for reads in plan.fetched.values():
        environment = reads[0].environment
        keys: dict[str, list[str]] = {}
        for read in reads:
            keys.setdefault(read.secret, []).append(read.key)
        try:
            reading = SourceValues(environment, opened_by).reading(keys)
        except Refusal:
            continue  # the operator can't fetch the rest either, which status reports
        values = {(secret, key): value for (secret, key), value in reading.values.items() if key in keys[secret]}
        objections = gate.objections(environment, values)
        mistakes += [*reading.mistakes, *(objection.mistake for objection in objections)]
    if mistakes:
        raise InputError(*mistakes)


def _seal(plan: Plan, sealers: Mapping[str, Sealer], ports: Ports, now: datetime, *, dry_run: bool) -> Sequence[Sealed]:
    """Seal what the plan names, overlay by overlay, and nothing beside it."""
    results = []
    for overlay, reads in plan.sealed.items():
        environment = reads[0].environment
        addresses = [read.address for read in reads]
        request = OverlayRequest(addresses=addresses, alone=True, dry_run=dry_run)
        provision = SourceValues(environment, ports.opened_by)
        results.append(
            seal_overlay(
                environment=environment,
                provision=provision,
                sealer=sealers[overlay],
                request=request,
                now=now,
                progress=ports.progress,
            )
        )
    return results


def _holds(remote: Remote, content: Sensitive, value: Sensitive) -> bool:
    """Whether a key finds this value in what the source holds."""
    try:
        return extract(remote, content).reveal() == value.reveal()
    except ValueError:
        return False


def _has_value(read: SourceRead, stored_value: Sensitive) -> bool:
    """Whether a key finds its own property in the value that is written; another's may be absent still."""
    try:
        extract(read.remote, stored_value)
    except Absent:
        return False
    except ValueError:
        return True  # which is reported with its reason
    return True


def _is_outdated(plan: Plan, source: WritableSource, before: SourceValue | None) -> bool:
    """Whether somebody has changed the value of which one property is set; a change of another would be undone."""
    name = plan.remote.name
    if plan.remote.property is None:
        return False
    now = source.read([name]).get(name)
    return (now and now.value.reveal()) != (before and before.value.reveal())


def _stored(plan: Plan, source: WritableSource, value: Sensitive, before: SourceValue | None) -> Sensitive:
    """Return the value as the source holds it. Raises InputError if the source or a key that reads it can't take it."""
    objections = gate.objections_to(plan.address, plan.remote, value, which="the new value")
    if mistakes := [objection.mistake for objection in objections]:
        raise InputError(*mistakes)
    try:
        stored_value = replaced(plan.remote, value, before.value if before else None)
    except ValueError as error:
        raise InputError(Mistake(f"{plan.address}: {plan.remote.name} {error}", plan.remote.key.origin.at())) from None
    if wrong := source.refused(plan.remote.name, stored_value):
        raise InputError(Mistake(f"{plan.address}: {wrong}", plan.remote.key.origin.at()))
    changed = [read for read in plan.reads if read.remote.property in (None, plan.remote.property)]
    if mistakes := [mistake for read in changed for mistake in refused(read, stored_value)]:
        raise InputError(*mistakes)
    return stored_value
