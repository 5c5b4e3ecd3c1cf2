"""Gives a key a new value: in its source, and then in every overlay of the project that reads it there."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

from ..backends import backend_of
from ..checks.values import broken_rules
from ..errors import InputError, Mistake, Refusal, nearest
from ..frozen import Record
from ..model.resolution import Environment, Made, Remote
from ..model.validation.sharing import one_name, source_of
from ..sealing import Sealer
from ..sensitive import Sensitive
from ..sources import OpenedBy, Progress, WritableSource
from ..values.extraction import stored
from ..values.generation import generate
from . import journal
from .provision import FromSource, refuse_bad_patterns
from .rehearsal import WithNewValue, refused
from .seal import Sealed, SealRequest, seal


class Reader(Record):
    """A key that is sealed from, or by External Secrets Operator fetched from, the name that is rotated."""

    environment: Environment
    secret: str
    key: str
    remote: Remote

    @property
    def address(self) -> str:
        """SECRET/KEY."""
        return f"{self.secret}/{self.key}"


class Plan(Record):
    """What a rotation touches: the key, its name in the source, and all that read it.

    `accepted` are the new certificates and recipients that the user knows of.
    """

    environment: Environment
    address: str
    remote: Remote
    readers: Sequence[Reader]
    accepted: Collection[str] = ()

    def by_overlay(self, *, sealed: bool) -> Mapping[str, Sequence[Reader]]:
        """The readers of each overlay: those that are sealed, or those that the operator refreshes."""
        found: dict[str, list[Reader]] = {}
        for reader in self.readers:
            if backend_of(reader.environment).seals is sealed:
                found.setdefault(reader.environment.name, []).append(reader)
        return found


class Rotated(Record):
    """What was done: a new version, unless one of an interrupted run stood already, and what was sealed anew.

    `used` if the value that was given is the one that stands.
    """

    plan: Plan
    written: bool
    used: bool
    sealed: Sequence[Sealed]


class Ports(Record):
    """What a rotation reaches outside."""

    opened_by: OpenedBy
    sealer: Callable[[Environment], Sealer]
    progress: Progress


def plan(project: Sequence[Environment], environment: Environment, address: str) -> Plan:
    """What the rotation of a key would touch. Raises InputError if the key can't be rotated."""
    name, _, key = address.partition("/")
    secret = environment.secrets.get(name)
    if secret is None:
        hint = nearest(name, environment.secrets)
        raise InputError(Mistake(f"overlay {environment.name} has no Secret {name}", hint=hint))
    value = secret.values.get(key)
    if value is None:
        hint = nearest(key, secret.values)
        raise InputError(Mistake(f"{name} has no key {key or '…'} in {environment.name}", hint=hint))
    if isinstance(value, Made):
        hint = f"rotate one of: {', '.join(f'{name}/{each}' for each in secret.remotes(key))}"
        raise InputError(Mistake(f"{address} is made by a template", value.key.origin.at("template"), hint))
    source = source_of(environment)
    readers = list(_readers(project, source, value.name)) if source else []
    for reader in readers:
        if reader.remote.property:
            raise InputError(
                Mistake(
                    f"{reader.address} of {reader.environment.name} is a property of the value {value.name}",
                    reader.remote.key.origin.at(),
                    "a part of a JSON value can't be rotated; set the whole value in the source, then run seal",
                )
            )
    return Plan(environment=environment, address=address, remote=value, readers=readers)


def _readers(project: Sequence[Environment], source: tuple[str, ...], name: str) -> Iterator[Reader]:
    for environment in project:
        if source_of(environment) != source:
            continue
        for secret in environment.secrets.values():
            for key in secret.keys:
                for remote in secret.remotes(key).values():
                    if one_name(source, remote.name) == one_name(source, name):
                        yield Reader(environment=environment, secret=secret.name, key=key, remote=remote)


def new_value(plan: Plan) -> Sensitive:
    """A value as the key's declaration makes it. Raises InputError if it does not say how."""
    said = plan.remote.key.generate
    if said is None:
        hint = "declare generate: {length: 32}, or give the value with --from-stdin"
        raise InputError(Mistake(f"{plan.address} does not say how it is made", plan.remote.key.origin.at(), hint))
    try:
        return generate(said, plan.remote.key.rules)
    except ValueError as error:
        raise InputError(Mistake(f"{plan.address}: {error}", said.origin.at())) from None


def rotate(plan: Plan, source: WritableSource, value: Sensitive, ports: Ports, now: datetime) -> Rotated:
    """Write a new version and seal it everywhere; what an interrupted run has done already is not done again.

    Raises InputError or Refusal; a rotation that has begun is finished by the next call.
    """
    refuse_bad_patterns([plan.environment, *(reader.environment for reader in plan.readers)])
    kept = _stored(plan, source, value)
    identity, remote_name = source_of(plan.environment) or (), plan.remote.name
    sealers = {name: ports.sealer(readers[0].environment) for name, readers in plan.by_overlay(sealed=True).items()}
    # What can't be sealed afterwards must not be written: External Secrets Operator would spread it, and the same
    # command could not take another value for it.
    rehearsed = ports.but(
        opened_by=lambda each: WithNewValue(ports.opened_by(each), identity, remote_name, kept),
        progress=lambda _done, _total: None,
    )
    _sealed(plan, sealers, rehearsed, now, dry_run=True)
    _refuse_unusable(plan, rehearsed.opened_by)
    said = {"overlay": plan.environment.name, "address": plan.address, "name": remote_name}
    with journal.opened(plan.environment.project, identity, remote_name, said) as begun:
        # A new rotation has an id that nothing can carry yet.
        written = begun.resumed and source.written(remote_name, begun.id)
        if not written:
            source.write(remote_name, kept, begun.id)
        results = _sealed(plan, sealers, ports, now, dry_run=False)
        begun.finish()
    used = not written or source.read([remote_name])[remote_name].value.reveal() == kept.reveal()
    return Rotated(plan=plan, written=not written, used=used, sealed=results)


def _refuse_unusable(plan: Plan, opened_by: OpenedBy) -> None:
    """Raises InputError if what the operator makes of the new value, by a template, would break a rule."""
    mistakes: list[Mistake] = []
    for readers in plan.by_overlay(sealed=False).values():
        environment = readers[0].environment
        made = {(each.secret, each.key) for each in readers}
        try:
            keys = {name: [key for secret, key in made if secret == name] for name, _ in made}
            reading = FromSource(environment, opened_by).reading(keys)
        except Refusal:
            continue  # the operator can't fetch the rest either, which status tells
        values = {address: value for address, value in reading.values.items() if address in made}
        mistakes += [*reading.mistakes, *broken_rules(environment, values)]
    if mistakes:
        raise InputError(*mistakes)


def _sealed(
    plan: Plan, sealers: Mapping[str, Sealer], ports: Ports, now: datetime, *, dry_run: bool
) -> Sequence[Sealed]:
    """The plan, overlay by overlay, and nothing beside it."""
    results = []
    for name, readers in plan.by_overlay(sealed=True).items():
        environment = readers[0].environment
        addresses = [reader.address for reader in readers]
        request = SealRequest(addresses=addresses, alone=True, accepted=plan.accepted, dry_run=dry_run)
        provision = FromSource(environment, ports.opened_by)
        results.append(seal(environment, provision, sealers[name], request, now, ports.progress))
    return results


def _stored(plan: Plan, source: WritableSource, value: Sensitive) -> Sensitive:
    """The value as the source holds it. Raises InputError if the source or one of the readers can't take it."""
    rules = plan.remote.key.rules
    if not value.reveal() and not (rules and rules.min_length == 0):
        hint = "declare rules: {minLength: 0} if nothing is meant"
        raise InputError(Mistake(f"the new value of {plan.address} is empty", plan.remote.key.origin.at(), hint))
    kept = stored(plan.remote, value)
    if wrong := source.refused(plan.remote.name, kept):
        raise InputError(Mistake(f"{plan.address}: {wrong}", plan.remote.key.origin.at()))
    if mistakes := [each for reader in plan.readers for each in refused(reader.address, reader.remote, kept)]:
        raise InputError(*mistakes)
    return kept
