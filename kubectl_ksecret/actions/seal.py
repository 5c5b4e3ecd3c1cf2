"""Seals overlays: chooses them, makes sure for whom they are sealed, and then reads values."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

from ..backends import backend_of
from ..errors import InputError, Mistake
from ..frozen import Record
from ..model.loading import select
from ..model.resolution import Environment
from ..model.types.sources import Dotenv, EnvironmentVariables
from ..model.validation import sharing
from ..model.validation.environment import with_source
from ..sealing import Sealer, open_sealer
from ..sources import GivenSecrets, OpenSource, Progress, WritableSource, open_source
from .missing import generate_missing
from .provision import GivenValues, SourceValues, ValueProvider, refuse_bad_patterns
from .seal_overlay import OverlayRequest, Sealed, seal_overlay
from .trust import Consent, admit, statement_of


class TypedSource(Record):
    """The source named on the command line: a dotenv file, which may lie anywhere, or this process's variables."""

    dotenv: str | None

    def provision(self, environment: Environment, progress: Progress) -> ValueProvider:
        """Return the environment's values out of it. Raises InputError for two keys that come to one name there."""
        origin, path = environment.overlay.origin, self.dotenv
        kind = EnvironmentVariables(origin=origin) if path is None else Dotenv(origin=origin, file=path)
        changed = with_source(environment, kind)
        if mistakes := list(sharing.mistakes([changed], [changed])):
            raise InputError(*mistakes)
        if path is None:
            return SourceValues(changed, lambda source: open_source(source, progress), typed=True)
        from ..sources.dotenv import open_file

        return SourceValues(changed, lambda _: open_file(path), typed=True)


class SealRequest(Record):
    """What the user asked for; without `overlay`, all overlays of the project that seal."""

    overlay: str | None = None
    addresses: Collection[str] = ()
    reseal: bool = False
    source: TypedSource | None = None
    generate_missing: bool = False
    dry_run: bool = False


class SealPorts(Record):
    """What sealing reaches outside. `given` are values that the user hands in; nothing is read before it is called."""

    consent: Consent
    variables: Mapping[str, str]
    given: Callable[[], GivenSecrets] | None
    opened_by: Callable[[Environment], OpenSource]
    writable: Callable[[Environment], WritableSource]
    reading: Progress
    sealing: Progress


class SealOutcome(Record):
    """What became of one overlay: what was made in its source, what was sealed, and what stands against it."""

    environment: str
    made: Sequence[str] = ()
    sealed: Sealed | None = None
    mistakes: Sequence[Mistake] = ()
    exit_code: int = 0


def seal(request: SealRequest, ports: SealPorts, now: datetime) -> Iterator[SealOutcome]:
    """Seal overlay after overlay; what stands against one of them stops no other.

    All are asked whether they are trusted before the first value is made or read. Raises InputError if there is nothing
    to seal.
    """
    environments, named = _choose(request)
    refused: list[SealOutcome] = []
    admitted: list[tuple[Environment, Sealer]] = []
    for environment in environments:
        try:
            sealer = open_sealer(environment, now, ports.variables)
        except InputError as error:
            refused.append(_failure(environment, error))
            continue
        mistake = _untrusted(environment, sealer, request, ports, named=named)
        if mistake is None:
            admitted.append((environment, sealer))
        else:
            refused.append(SealOutcome(environment=environment.name, mistakes=[mistake], exit_code=2))
    values = ports.given() if ports.given and admitted else None
    for environment, sealer in admitted:
        yield _outcome(environment, sealer, values, request, ports, now=now)
    yield from refused


def _failure(environment: Environment, error: InputError) -> SealOutcome:
    return SealOutcome(environment=environment.name, mistakes=error.mistakes, exit_code=error.exit_code)


def _choose(request: SealRequest) -> tuple[list[Environment], bool]:
    """Return the overlays to seal, of several those that seal anything, and whether the user named the one.

    A folder of several overlays names none of them: a pull request may have added one. Raises InputError if there is
    nothing to seal.
    """
    try:
        chosen = select([request.overlay] if request.overlay else [])
    except InputError as error:
        raise InputError(*(_with_overlay(mistake, request.overlay) for mistake in error.mistakes)) from None
    sealing = [environment for environment in chosen if backend_of(environment).seals]
    if request.addresses and len(sealing or chosen) > 1:
        names = ", ".join(environment.name for environment in sealing or chosen)
        raise InputError(Mistake("addresses go with one overlay", hint=f"name one of: {names}"))
    if not sealing and len(chosen) > 1:
        raise InputError(Mistake("no overlay has anything to seal"))
    refuse_bad_patterns(sealing)
    return sealing or list(chosen), request.overlay is not None and len(chosen) == 1


def _with_overlay(mistake: Mistake, argument: str | None) -> Mistake:
    """Return a mistake, with the right order of arguments where an address stands in the place of the overlay."""
    if not argument or mistake.message != f"no overlay is named {argument}" or os.sep not in argument:
        return mistake
    return mistake._replace(hint=f"the overlay comes first: kubectl ksecret seal OVERLAY {argument}")


def _untrusted(
    environment: Environment, sealer: Sealer, request: SealRequest, ports: SealPorts, *, named: bool
) -> Mistake | None:
    """Return why nothing is sealed for what an overlay says now; an answer of the user's may be asked for."""
    statement = statement_of(
        environment,
        sealer.readers(),
        files=sealer.files(),
        source_typed=request.source is not None or ports.given is not None,
    )
    return admit(statement, ports.consent, named=named, keep=not request.dry_run)


def _provision(
    environment: Environment, values: GivenSecrets | None, request: SealRequest, ports: SealPorts
) -> ValueProvider:
    if values is not None:
        return GivenValues(environment, values)
    if request.source is not None:
        return request.source.provision(environment, ports.reading)
    return SourceValues(environment, ports.opened_by)


def _outcome(
    environment: Environment,
    sealer: Sealer,
    values: GivenSecrets | None,
    request: SealRequest,
    ports: SealPorts,
    *,
    now: datetime,
) -> SealOutcome:
    """Seal one overlay; what was made in its source is reported though the rest fails."""
    outcome = SealOutcome(environment=environment.name)
    try:
        if request.generate_missing:
            made = generate_missing(environment, ports.writable(environment), request.dry_run)
            outcome = outcome.but(made=made)
            if made and request.dry_run:
                return outcome  # there is nothing yet that could be read
        sealed = seal_overlay(
            environment=environment,
            provision=_provision(environment, values, request, ports),
            sealer=sealer,
            request=OverlayRequest(addresses=request.addresses, reseal=request.reseal, dry_run=request.dry_run),
            now=now,
            progress=ports.sealing,
        )
    except InputError as error:
        return outcome.but(mistakes=error.mistakes, exit_code=error.exit_code)
    return outcome.but(sealed=sealed, mistakes=sealed.absent, exit_code=3 if sealed.absent else 0)
