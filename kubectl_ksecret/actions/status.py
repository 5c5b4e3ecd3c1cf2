"""What is stale, missing, due or about to end, without a look at any value."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ..backends import held
from ..errors import InputError
from ..frozen import Record
from ..manifests import committed, record
from ..model.kubernetes import Object
from ..model.resolution import Environment, Remote
from ..model.types.backends import ExternalSecret, SealedSecret
from ..model.types.names import seconds
from ..model.types.sources import Dotenv
from ..sources import OpenedBy, Problem, Version, has_versions, problems
from .provision import FromSource, Known, changed


class Request(Record):
    """`offline` asks no source; `warn` is how long before an end it is told."""

    offline: bool
    warn: timedelta


class Row(Record):
    """A declared key in an environment; `read` are the names that it takes from the source, with their versions.

    `asked` is false where the source was not asked, or can't be without reading values.
    """

    environment: str
    secret: str
    key: str
    read: Mapping[str, Version | None]
    asked: bool
    sealed: record.Entry | None
    problems: Sequence[Problem]


class Certificate(Record):
    """What an environment is sealed for, until when."""

    environment: str
    fingerprint: str
    ends: datetime | None
    problems: Sequence[Problem]


class Status(Record):
    """All keys of all environments that were asked for."""

    rows: Sequence[Row]
    certificates: Sequence[Certificate]

    @property
    def troubled(self) -> bool:
        """Whether there is anything to do."""
        return any(row.problems for row in self.rows) or any(each.problems for each in self.certificates)


def status(environment: Environment, opened_by: OpenedBy, request: Request, now: datetime) -> Status:
    """The status of one environment. Raises InputError or Refusal if its source or manifests can't be read."""
    return Status(
        rows=list(_rows(environment, opened_by, request, now)),
        certificates=list(_certificates(environment, request, now)),
    )


def _rows(environment: Environment, opened_by: OpenedBy, request: Request, now: datetime) -> Iterator[Row]:
    asked = not request.offline and _tells(environment)
    provision = FromSource(environment, opened_by)
    keys = {name: list(secret.keys) for name, secret in environment.secrets.items()}
    versions = provision.versions(keys) if asked else {}
    known = provision.known_from(keys, versions if asked and has_versions(environment) else None)
    manifests = committed.read_sealed(environment)
    for name, secret in environment.secrets.items():
        document: Object = manifests[name].object if name in manifests else {"metadata": {}}
        there, entries = held(environment.backend, document), record.of(document)
        for key in secret.keys:
            entry = entries.get(key) if key in there else None
            found: list[Problem] = []
            for remote in secret.remotes(key).values():
                found += _of_source(remote, versions, request, now) if asked else ()
                found += _due(remote, versions.get(remote.name), entry, now)
            if not isinstance(environment.backend, ExternalSecret):
                found += _of_sealed(key in there, entry, known[name][key])
            yield Row(
                environment=environment.name,
                secret=name,
                key=key,
                read={remote.name: versions.get(remote.name) for remote in secret.remotes(key).values()},
                asked=asked,
                sealed=entry,
                problems=list(dict.fromkeys(found)),
            )


def _of_sealed(there: bool, entry: record.Entry | None, known: Known) -> Iterator[Problem]:
    if not there:
        yield Problem("not-sealed", "not sealed")
    elif changed(entry, known):
        yield Problem("stale", "stale: the source or the template has changed since it was sealed")


def _tells(environment: Environment) -> bool:
    """Whether the source tells which names it has: a command would print a value, variables are the sealer's own."""
    return has_versions(environment) or (environment.source is not None and isinstance(environment.source.kind, Dotenv))


def _of_source(
    remote: Remote, versions: Mapping[str, Version | None], request: Request, now: datetime
) -> Iterator[Problem]:
    if remote.name not in versions:
        yield Problem("missing", f"{remote.name} is missing in the source")
        return
    version = versions[remote.name]
    if version is None:
        return
    for problem in problems(version, now):
        yield Problem(problem.reason, f"{remote.name} {problem.message}")
    if version.expires and now < version.expires <= now + request.warn:
        yield Problem("expiring", f"{remote.name} expires on {version.expires:%Y-%m-%d}")


def _due(remote: Remote, version: Version | None, entry: record.Entry | None, now: datetime) -> Iterator[Problem]:
    """A value is at least as old as its version, or, where that is not known, as the moment when it was sealed."""
    if remote.key.rotation is None:
        return
    since = (version.created if version else None) or (_time(entry.time) if entry else None)
    due = since and since + timedelta(seconds=seconds(remote.key.rotation.max_age))
    if due and due <= now:
        yield Problem("due", f"{remote.name} is due for rotation since {due:%Y-%m-%d}")


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _certificates(environment: Environment, request: Request, now: datetime) -> Iterator[Certificate]:
    backend = environment.backend
    if not isinstance(backend, SealedSecret):
        return
    from ..sealing import certificate

    try:
        found = certificate.read(environment.project.read(environment.path(backend.certificate)))
    except (InputError, ValueError) as error:
        said = error.mistakes[0].message if isinstance(error, InputError) else str(error)
        problem = Problem("certificate", said)
        yield Certificate(environment=environment.name, fingerprint="", ends=None, problems=[problem])
        return
    wrong = []
    if found.not_after <= now:
        wrong.append(Problem("certificate", f"the certificate ended on {found.not_after:%Y-%m-%d}"))
    elif found.not_after <= now + request.warn:
        wrong.append(Problem("certificate", f"the certificate ends on {found.not_after:%Y-%m-%d}"))
    if found.not_before > now:
        wrong.append(Problem("certificate", f"the certificate begins on {found.not_before:%Y-%m-%d}"))
    known = record.fingerprints(each.object for each in committed.read_sealed(environment).values())
    if known and found.fingerprint not in known:
        wrong.append(Problem("certificate", "the certificate is another one than that of the sealed values"))
    yield Certificate(environment=environment.name, fingerprint=found.fingerprint, ends=found.not_after, problems=wrong)
