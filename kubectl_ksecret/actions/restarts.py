"""Restarting the workloads that read the Secrets that have changed, and waiting for the roll-outs."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from ..cluster.api import Refused
from ..cluster.arrival import Outcome, View, wait
from ..cluster.workloads import RollOut, Workload, kind_of, readers, restart
from ..frozen import Record
from ..model.resolution import Environment
from ..objects.documents import Document, mapping, sequence
from ..objects.reads import reads
from .orders import Result, Run, refusal


class Restarts(Record):
    """What became of the workloads. `unfinished` are the Secrets of which the cluster refused to restart a reader."""

    results: Sequence[Result] = ()
    unfinished: Collection[str] = ()


def restart_readers(run: Run, secrets: Collection[str]) -> Restarts:
    """Restart the workloads that read these Secrets, wait for the roll-outs, and report each result.

    A workload that the cluster refuses to restart stops no other.
    """
    if not secrets:
        return Restarts()
    results: list[Result] = []
    rolling: dict[str, Workload] = {}
    unfinished: set[str] = set()
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def add(name: str, outcome: Outcome) -> None:
        results.append(run.result(name, "restarted", outcome))
        run.reporter.result(results[-1])

    for workload in _readers(run, secrets):
        try:
            failure = restart(run.api, workload, now, dry_run=run.request.dry_run)
        except Refused as refused:
            failure = refusal(refused)
            unfinished.update(workload.secrets)
        if failure is None and not run.request.dry_run:
            rolling[workload.name] = workload
        else:
            add(workload.name, failure or Outcome(state="arrived"))
    expectations = {name: RollOut(run.api, workload) for name, workload in rolling.items()}
    nothing = View(objects={}, events={})
    wait(expectations, lambda: nothing, run.deadline.left, add, run.reporter.waiting)
    return Restarts(results=results, unfinished=unfinished)


def names_of_readers(run: Run, secrets: Collection[str]) -> list[str]:
    """Return the names of the workloads in the cluster that read any of these Secrets."""
    return [workload.name for workload in _readers(run, secrets)] if secrets else []


def built_readers(environment: Environment, objects: Sequence[Document], secrets: Collection[str]) -> list[str]:
    """Return the names of the workloads in a build that read any of these Secrets."""
    further = environment.overlay.spec.references
    names = []
    for document in objects:
        kind = kind_of(document)
        if kind is not None and {read.secret for read in reads(document, further)} & {*secrets}:
            names.append(f"{kind.name.lower()}.{kind.resources.group}/{document.subject.name}")
    return names


def _readers(run: Run, secrets: Collection[str]) -> list[Workload]:
    """Return the workloads to restart: all that read the Secrets but those that an operator restarts itself."""
    left = _restarted_by_operator(run) if run.request.restart == "auto" else set()
    workloads = readers(run.api, run.deployed.namespace, secrets, run.environment.overlay.spec.references)
    return [workload for workload in workloads if (workload.kind.name, workload.object["metadata"]["name"]) not in left]


def _restarted_by_operator(run: Run) -> set[tuple[str, str]]:
    """Return the workloads, by kind and name, that Vault Secrets Operator restarts with a changed Secret."""
    targets = [
        mapping(target)
        for secret in run.deployed.secrets.values()
        for target in sequence(secret.document.at("spec", "rolloutRestartTargets"))
    ]
    return {(str(target.get("kind")).removeprefix("argo."), str(target.get("name"))) for target in targets}
