"""What `rotate` will do and what it did, for a person."""

from collections.abc import Iterable, Iterator

from ...actions.rotate import Plan, Rotated
from ...backends import backend_of
from ...model.resolution import SourceRead


def plan(plan: Plan) -> str:
    """Return everything that will be touched."""
    lines = [f"A new value for {plan.address}: {plan.remote.shown()} in {plan.environment.source_shown}"]
    for overlay, reads in plan.sealed.items():
        lines += [f"{overlay}: seal anew", *(f"  {address}" for address in _addresses(reads))]
    for overlay, reads in plan.fetched.items():
        operator = reads[0].environment.backend.operator
        lines += [f"{overlay}: {operator} fetches it", *(f"  {address}" for address in _addresses(reads))]
    for overlay, reads in plan.synced.items():
        lines += [f"{overlay}: sync delivers it", *(f"  {address}" for address in _addresses(reads))]
    return "".join(f"{line}\n" for line in lines)


def _addresses(reads: Iterable[SourceRead]) -> list[str]:
    return list(dict.fromkeys(read.address for read in reads))


def done(rotated: Rotated) -> str:
    """Return what was done, and the next steps."""
    name = rotated.plan.remote.shown()
    lines = [f"{name}: a new value" if rotated.written else f"{name}: the new value of an interrupted run stands"]
    for sealed in rotated.sealed:
        lines += [f"{sealed.environment}: sealed", *(f"  {address}" for address in sealed.sealed)]
        lines += [f"{sealed.environment}: wrote", *(f"  {file}" for file in sealed.changed)]
    for file, addresses in rotated.pinned.items():
        lines += [f"{file}: pinned to the new version", *(f"  {address}" for address in addresses)]
    return "".join(f"{line}\n" for line in [*lines, *_next_steps(rotated)])


def _next_steps(rotated: Rotated) -> Iterator[str]:
    if any(sealed.changed for sealed in rotated.sealed):
        yield "next: commit what was written, and let it be deployed"
    for overlay in dict.fromkeys(read.environment.name for read in rotated.plan.pinned):
        if overlay in rotated.plan.fetched:
            yield f"next: kubectl ksecret render {overlay} --write, and commit it; until then the old value is pinned"
    pinned = {(read.environment.name, read.address) for read in rotated.plan.pinned}
    for overlay, reads in rotated.plan.fetched.items():
        environment = reads[0].environment
        secrets = list(dict.fromkeys(read.secret for read in reads))
        waits = all((overlay, read.address) in pinned for read in reads)
        yield f"next: {'then ' if waits else ''}{backend_of(environment).next_step(environment, secrets)}"
    for overlay, reads in rotated.plan.synced.items():
        names = " ".join(dict.fromkeys(read.secret for read in reads))
        yield f"next: kubectl ksecret sync {overlay} {names}"
    delivering = {read.environment.name: backend_of(read.environment) for read in rotated.plan.reads}
    for overlay in rotated.plan.synced:
        del delivering[overlay]  # sync restarts what reads it
    if not all(backend.restarts_readers for backend in delivering.values()):
        yield "next: restart what reads it through its environment"
