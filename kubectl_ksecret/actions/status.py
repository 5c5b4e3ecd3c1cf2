"""What is stale, missing, due or about to end, without a look at any value."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ..backends import backend_of, read_committed
from ..errors import InputError
from ..frozen import Record
from ..manifests import record
from ..manifests.record import Provenance
from ..model.kubernetes import Object
from ..model.resolution import Environment, Remote
from ..model.types.names import seconds
from ..sealing.named import read_validity
from ..sealing.validity import judge
from ..sources import OpenedBy, Problem, Version
from ..sources import problems as problems_of
from .provision import SourceState, SourceValues, changed

# Returns the records that the cluster has of an overlay's Secrets, by their names.
LiveRecords = Callable[[Environment], Mapping[str, record.Entries]]


class StatusRequest(Record):
    """What the user asked for: `offline` asks nobody; `warn` is how long before an end that is reported."""

    offline: bool
    warn: timedelta


class ReadName(Record):
    """What a key takes from the source: the version that it gets, which may be pinned, and the current one.

    None of either that the source does not have, or of which it was not asked.
    """

    remote: Remote
    version: Version | None
    current: Version | None

    @property
    def is_behind(self) -> bool:
        """Whether it is pinned to a version that is not the current one."""
        return bool(self.remote.version and self.current and self.current.id != self.remote.version)


class StatusRow(Record):
    """A declared key in an environment; `read` is what it takes from the source.

    `asked` is false where the source was not asked, or can't be without reading values. `unrecorded` is a sealed key
    of which no record speaks, or one that does not say of which ciphertext.
    """

    environment: str
    secret: str
    key: str
    read: Sequence[ReadName]
    asked: bool
    sealed: Provenance | None
    unrecorded: bool
    problems: Sequence[Problem]


class CertificateStatus(Record):
    """What an environment is sealed for, until when."""

    environment: str
    fingerprint: str
    ends: datetime | None
    problems: Sequence[Problem]


class Status(Record):
    """All keys of all environments that were asked for.

    Where nothing is committed the cluster knows what was sealed; `unasked` are the reasons why it could not be asked.
    """

    rows: Sequence[StatusRow]
    certificates: Sequence[CertificateStatus]
    unasked: Sequence[InputError] = ()

    @property
    def needs_attention(self) -> bool:
        """Whether there is anything to do."""
        return any(row.problems for row in self.rows) or any(one.problems for one in self.certificates)

    @property
    def exit_code(self) -> int:
        """1 if there is anything to do; 2 or 3 if a cluster could not be asked."""
        return max((int(self.needs_attention), *(error.exit_code for error in self.unasked)))


def status_of_all(
    environments: Iterable[Environment], opened_by: OpenedBy, live: LiveRecords, request: StatusRequest, now: datetime
) -> Status:
    """Return the status of environments. Raises InputError or Refusal if a source or manifest can't be read."""
    statuses = [_status(environment, opened_by, live, request, now) for environment in environments]
    return Status(
        rows=[row for one in statuses for row in one.rows],
        certificates=[certificate for one in statuses for certificate in one.certificates],
        unasked=[error for one in statuses for error in one.unasked],
    )


def _status(
    environment: Environment, opened_by: OpenedBy, live: LiveRecords, request: StatusRequest, now: datetime
) -> Status:
    records, unasked = None, []
    if not (environment.backend.commits or request.offline):
        try:
            records = live(environment)
        except InputError as error:
            unasked.append(error)
    return Status(
        rows=list(_rows(environment, opened_by, records, request, now)),
        certificates=list(_certificates(environment, request, now)),
        unasked=unasked,
    )


def _rows(
    environment: Environment,
    opened_by: OpenedBy,
    records: Mapping[str, record.Entries] | None,
    request: StatusRequest,
    now: datetime,
) -> Iterator[StatusRow]:
    asked = not request.offline and _lists_names(environment)
    provision = SourceValues(environment, opened_by)
    keys = {name: list(secret.keys) for name, secret in environment.secrets.items()}
    versions = provision.versions(keys) if asked else {}
    pinned = provision.pinned(keys) if asked else {}
    states = provision.states_from(keys, versions if asked and environment.has_versions else None)
    backend, manifests = backend_of(environment), read_committed(environment)
    for name, secret in environment.secrets.items():
        document: Object = manifests[name].object if name in manifests else {"metadata": {}}
        held, entries = backend.held(document), record.of(document, backend)
        if records is not None:
            entries = records.get(name, {})
        for key in secret.keys:
            entry = entries.get(key)
            problems: list[Problem] = []
            reads = [_read(remote, versions, pinned) for remote in secret.remotes(key).values()]
            for read in reads:
                problems += _of_source(read, versions, request, now) if asked else ()
                problems += _due(read, entry, now)
            if backend.seals:
                problems += _of_sealed(held.get(key), entry, states[name][key])
            elif records is not None:
                problems += _of_live(entry, states[name][key], is_there=name in records)
            yield StatusRow(
                environment=environment.name,
                secret=name,
                key=key,
                read=list({read.remote.shown(): read for read in reads}.values()),
                asked=asked,
                sealed=entry,
                unrecorded=key in held and not (entry and entry.digest),
                problems=list(dict.fromkeys(problems)),
            )


def _read(
    remote: Remote, versions: Mapping[str, Version | None], pinned: Mapping[tuple[str, str], Version]
) -> ReadName:
    current = versions.get(remote.name)
    version = pinned.get((remote.name, remote.version)) if remote.version else current
    return ReadName(remote=remote, version=version, current=current)


def _of_sealed(ciphertext: str | None, entry: Provenance | None, state: SourceState) -> Iterator[Problem]:
    if ciphertext is None:
        yield Problem("not-sealed", "not sealed")
    elif record.is_by_another_hand(entry, ciphertext):
        yield Problem("another-hand", "sealed by another hand")
    elif changed(entry, state):
        yield Problem("stale", "stale: the source or the template has changed since it was sealed")


def _of_live(entry: Provenance | None, state: SourceState, *, is_there: bool) -> Iterator[Problem]:
    """Find what is wrong with a key that only the cluster has."""
    if not is_there:
        yield Problem("not-synced", "not in the cluster")
    elif entry is None:
        yield Problem("not-synced", "not synced: the Secret in the cluster has no record of it")
    elif changed(entry, state):
        yield Problem("stale", "stale: the source or the template has changed since it was synced")


def _lists_names(environment: Environment) -> bool:
    """Whether the source can list its names: a command would print a value, variables are the sealer's."""
    return environment.source is not None and environment.source.kind.lists_names


def _of_source(
    read: ReadName, versions: Mapping[str, Version | None], request: StatusRequest, now: datetime
) -> Iterator[Problem]:
    remote, version = read.remote, read.version
    name = f"version {remote.version} of {remote.name}, which is pinned," if remote.version else remote.name
    if remote.name not in versions and version is None:
        yield Problem("missing", f"{remote.name} is missing in the source")
    elif version is None:
        if remote.version and read.current:
            yield Problem("gone", f"{name} is no longer in the source")
    else:
        for problem in problems_of(version, now):
            yield Problem(problem.reason, f"{name} {problem.message}")
        if version.expires and now < version.expires <= now + request.warn:
            yield Problem("expiring", f"{name} expires on {version.expires:%Y-%m-%d}")


def _due(read: ReadName, entry: Provenance | None, now: datetime) -> Iterator[Problem]:
    """A value is at least as old as its version, or, where that is not known, as the moment when it was sealed."""
    if read.remote.key.rotation is None:
        return
    since = (read.version.created if read.version else None) or (_time(entry.time) if entry else None)
    due = since and since + timedelta(seconds=seconds(read.remote.key.rotation.max_age))
    if due and due <= now:
        yield Problem("due", f"{read.remote.name} is due for rotation since {due:%Y-%m-%d}")


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _certificates(environment: Environment, request: StatusRequest, now: datetime) -> Iterator[CertificateStatus]:
    try:
        certificate = read_validity(environment)
    except ValueError as error:
        problem = Problem("certificate", str(error))
        yield CertificateStatus(environment=environment.name, fingerprint="", ends=None, problems=[problem])
        return
    if certificate is None:
        return
    documents = [manifest.object for manifest in read_committed(environment).values()]
    recorded = record.fingerprints(documents, backend_of(environment))
    facts = judge(certificate, now=now, warn=request.warn, recorded=recorded)
    yield CertificateStatus(
        environment=environment.name,
        fingerprint=certificate.fingerprint,
        ends=certificate.not_after,
        problems=[Problem("certificate", fact.message) for fact in facts],
    )
