"""What `rotate` will do and what it did, for a person."""

from collections.abc import Iterable, Iterator

from ...actions.rotate import Plan, Reader, Rotated
from ...model.resolution import Environment
from ...model.types.backends import ExternalSecret
from ...model.types.sources import AzureKeyVault, Dotenv


def plan(found: Plan) -> str:
    """Everything that will be touched."""
    environment = found.environment
    lines = [f"A new value for {found.address}: {found.remote.name} in {_source(environment)}"]
    for name, readers in found.by_overlay(sealed=True).items():
        lines += [f"{name}: seal anew", *(f"  {address}" for address in _addresses(readers))]
    for name, readers in found.by_overlay(sealed=False).items():
        lines += [f"{name}: External Secrets Operator fetches it", *(f"  {each}" for each in _addresses(readers))]
    return "".join(f"{line}\n" for line in lines)


def _source(environment: Environment) -> str:
    kind = environment.source.kind if environment.source else None
    if isinstance(kind, AzureKeyVault):
        return kind.vault_url
    return environment.project.name(environment.path(kind.file)) if isinstance(kind, Dotenv) else "the source"


def _addresses(readers: Iterable[Reader]) -> list[str]:
    return list(dict.fromkeys(reader.address for reader in readers))


def done(found: Rotated) -> str:
    """What was done, and the next steps."""
    name = found.plan.remote.name
    first = f"{name}: a new value" if found.written else f"{name}: the new value of an interrupted run stands"
    lines = [first]
    for sealed in found.sealed:
        lines += [f"{sealed.environment}: sealed", *(f"  {address}" for address in sealed.sealed)]
        lines += [f"{sealed.environment}: wrote", *(f"  {file}" for file in sealed.changed)]
    return "".join(f"{line}\n" for line in [*lines, *_next(found)])


def _next(found: Rotated) -> Iterator[str]:
    if any(sealed.changed for sealed in found.sealed):
        yield "next: commit what was written, and let it be deployed"
    for readers in found.plan.by_overlay(sealed=False).values():
        environment, backend = readers[0].environment, readers[0].environment.backend
        assert isinstance(backend, ExternalSecret)
        names = " ".join(dict.fromkeys(reader.secret for reader in readers))
        yield f"next: {environment.name} has it within {backend.refresh_interval}; at once with"
        yield (
            f"  kubectl annotate externalsecrets.external-secrets.io -n {environment.namespace} {names} "
            "force-sync=$(date +%s) --overwrite"
        )
    yield "next: restart what reads it through its environment"
