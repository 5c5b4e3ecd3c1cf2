"""Plain Secrets in memory, for backends whose Secrets no controller makes: `sync` hands them to the API server."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from ..backends import backend_of
from ..cluster.api import Api
from ..cluster.guard import namespace_uid
from ..errors import InputError, Mistake
from ..frozen import Record
from ..manifests import committed, record
from ..model.kubernetes import Object
from ..model.resolution import Environment
from ..model.types.backends import BackendSpec, PlainSecret, Sops
from ..sealing import open_sealer
from ..sensitive import Sensitive
from ..sources import OpenedBy
from . import trust
from .deployment import Deployment
from .provision import Plaintext, SourceValues, refuse_bad_patterns

# What stands in the record as the certificate or recipients do: the value was not sealed, but taken from the source.
_FROM_SOURCE = "source"
_SHELL: Sequence[str] = ("apiVersion", "kind", "metadata", "type")


class PlainContent(Record):
    """A Secret to apply: everything but its values, the values, and what is known of them.

    `absent` are values that the source lacks. Without them the Secret is not applied: it would lose those keys.
    """

    manifest: Object
    values: Mapping[str, Sensitive]
    entries: record.Entries
    absent: Sequence[Mistake] = ()


class PlainPorts(Record):
    """What it takes to have the values. `variables` say where the user's age identities are."""

    opened_by: OpenedBy
    consent: trust.Consent
    variables: Mapping[str, str]
    now: datetime


class PlainRequest(Record):
    """Which Secrets of an overlay are delivered, and where to. With `dry_run` nothing is trusted from then on."""

    environment: Environment
    deployment: Deployment
    names: Collection[str]
    api: Api
    dry_run: bool


def contents(request: PlainRequest, ports: PlainPorts) -> Mapping[str, PlainContent]:
    """Return the Secrets that are there to be delivered, by their declared names.

    Raises InputError for what is not trusted, and InputError or Refusal if values can't be had.
    """
    return _CONTENTS[type(request.environment.backend)](request, ports)


def is_plain(environment: Environment) -> bool:
    """Whether an overlay's Secrets are delivered as they are."""
    return type(environment.backend) in _CONTENTS


def _of_sops(request: PlainRequest, ports: PlainPorts) -> Mapping[str, PlainContent]:
    """Open the committed files with the user's identities; names and metadata are those of the build."""
    environment = request.environment
    sealer = open_sealer(environment, ports.now, ports.variables)
    readers, files = sealer.readers(), sealer.files()
    _admit(request, ports, trust.statement_of(environment, readers, files=files, source_typed=True))
    from ..sealing import age  # --help must not load cryptography
    from ..sealing.sops import document as sops

    identities = age.identities(ports.variables)
    backend, manifests = backend_of(environment), committed.read(environment)
    secrets: dict[str, PlainContent] = {}
    for name in request.names:
        if name in request.deployment.secrets and name in manifests:
            manifest, built = manifests[name], request.deployment.secrets[name].document.object
            values = sops.open_document(manifest.text, manifest.file, identities).values()
            shell: Object = {field: built[field] for field in _SHELL if field in built}
            secrets[name] = PlainContent(manifest=shell, values=values, entries=record.of(manifest.object, backend))
    return secrets


def _of_source(request: PlainRequest, ports: PlainPorts) -> Mapping[str, PlainContent]:
    """Read the source, if what it is and which cluster gets the values is trusted."""
    environment = request.environment
    refuse_bad_patterns([environment])
    cluster = f"cluster:{namespace_uid(request.api, environment.namespace)}"
    _admit(request, ports, trust.statement_of(environment, [cluster], files=(), source_typed=False))
    keys = {name: list(environment.secrets[name].keys) for name in request.names}
    values = SourceValues(environment, ports.opened_by).read(keys)
    backend = backend_of(environment)
    secrets: dict[str, PlainContent] = {}
    for name in request.names:
        plaintexts = values.plaintexts[name]
        absent = [one.mistake for one in values.absent if one.address.partition("/")[0] == name]
        secrets[name] = PlainContent(
            manifest=backend.shell(environment, environment.secrets[name]),
            values={key: plaintext.value for key, plaintext in plaintexts.items()},
            entries={key: _provenance(plaintext, ports.now) for key, plaintext in plaintexts.items()},
            absent=absent,
        )
    return secrets


def _admit(request: PlainRequest, ports: PlainPorts, statement: trust.Statement) -> None:
    mistake: Mistake | None = trust.admit(statement, ports.consent, named=True, keep=not request.dry_run)
    if mistake is not None:
        raise InputError(mistake)


def _provenance(plaintext: Plaintext, now: datetime) -> record.Provenance:
    state = plaintext.state
    return record.Provenance(
        time=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        by=_FROM_SOURCE,
        version=state.version,
        inputs=state.inputs,
        template=state.template,
    )


_CONTENTS: Mapping[type[BackendSpec], Callable[[PlainRequest, PlainPorts], Mapping[str, PlainContent]]] = {
    Sops: _of_sops,
    PlainSecret: _of_source,
}
