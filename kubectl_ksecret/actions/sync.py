"""Make what an overlay deploys arrive in its Secrets, and restart the workloads that read what has changed."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from ..backends import backend_of
from ..cluster import delivery as deliveries
from ..cluster.api import Api, Refused
from ..cluster.arrival import Expectation, Outcome, View, view, wait
from ..cluster.delivery import Delivery, Order
from ..cluster.externalsecret import ExternalSecretDelivery
from ..cluster.guard import refuse_another_cluster, refuse_another_namespace
from ..cluster.sealedsecret import SealedSecretDelivery
from ..cluster.secrets import read_secret
from ..cluster.workloads import RollOut, Workload, readers, restart
from ..errors import InputError, Mistake
from ..frozen import Record
from ..model.resolution import Environment
from .addresses import secrets_of
from .deployment import DeployedSecret, Deployment, deployment

Restart = Literal["auto", "always", "never"]
# By the kind of the objects that stand for Secrets.
DELIVERIES: Mapping[str, Delivery] = {
    delivery.kind: delivery for delivery in (ExternalSecretDelivery(), SealedSecretDelivery())
}


class SyncRequest(Record):
    """What the user asked for. `timeout` is in seconds, 0 for no limit."""

    addresses: Sequence[str] = ()
    restart: Restart = "auto"
    timeout: float = 300
    adopt: bool = False
    dry_run: bool = False


class Result(Record):
    """What became of one object: its name as kubectl prints it, what was done to it, and the outcome."""

    name: str
    verb: str
    outcome: Outcome


Report = Callable[[Result], None]


class Sync(Record):
    """All results. `restarted` are those of workloads; `refused` says whether the cluster refused any write."""

    delivered: Sequence[Result]
    restarted: Sequence[Result]
    refused: bool

    @property
    def complete(self) -> bool:
        """Whether everything arrived."""
        return all(result.outcome.state == "arrived" for result in (*self.delivered, *self.restarted))


def sync(environment: Environment, api: Api, request: SyncRequest, report: Report) -> Sync:
    """Deliver the Secrets of an overlay, or the addressed ones; each result is reported as soon as it is known.

    Raises InputError for another cluster or an overlay that delivers nothing, Refusal if the cluster can't be asked.
    """
    delivery = _delivery(environment)
    deployed = deployment(environment)
    refuse_another_namespace(api, deployed.namespace)
    refuse_another_cluster(environment, api, deployed.namespace)
    end = time.monotonic() + request.timeout if request.timeout else 0.0
    names = secrets_of(environment, request.addresses)
    orders = _Orders(environment, api, delivery, deployed, request, report)
    delivered = orders.deliver(names, _remaining(end))
    restarted: list[Result] = []
    if request.restart != "never":
        changed = orders.changed(delivered, always=request.restart == "always")
        restarted = _restart(environment, api, deployed.namespace, changed, request, end, report)
    if not request.dry_run:
        orders.finish(delivered)
    return Sync(delivered=list(delivered.values()), restarted=restarted, refused=orders.refused)


def plan(environment: Environment, request: SyncRequest) -> list[Result]:
    """Return what would be delivered, without a word to the cluster."""
    delivery, deployed = _delivery(environment), deployment(environment)
    results = []
    for name in secrets_of(environment, request.addresses):
        if name in deployed.secrets:
            standing = deployed.secrets[name].document.subject.name
            results.append(Result(name=_full_name(delivery, standing), verb=delivery.verb, outcome=_DONE))
        else:
            results.append(_not_deployed(environment, name))
    return results


_DONE = Outcome(state="arrived")


def _full_name(delivery: Delivery, name: str) -> str:
    return f"{delivery.kind.lower()}.{delivery.resources.group}/{name}"


def _not_deployed(environment: Environment, name: str) -> Result:
    verb = "seal" if backend_of(environment).seals else "render --write"
    cause = f"the build has no such Secret; kubectl ksecret {verb} {environment.name} makes its manifest"
    return Result(name=f"secret/{name}", verb="delivered", outcome=Outcome(state="failed", cause=cause))


def _delivery(environment: Environment) -> Delivery:
    kind = backend_of(environment).kind
    if kind not in DELIVERIES:
        where = environment.overlay.spec.origin.key("backend")
        apply = "kubectl apply --server-side --field-manager=ksecret -f -"
        hint = f"kubectl ksecret render {environment.name} --decrypt | {apply}"
        raise InputError(Mistake(f"sync does not deliver the backend of overlay {environment.name}", where, hint))
    return DELIVERIES[kind]


class _Orders:
    """The deliveries of one run, by the declared names of the Secrets."""

    def __init__(
        self,
        environment: Environment,
        api: Api,
        delivery: Delivery,
        deployed: Deployment,
        request: SyncRequest,
        report: Report,
    ) -> None:
        self._environment, self._api, self._delivery = environment, api, delivery
        self._deployed, self._request, self._report = deployed, request, report
        self._orders: dict[str, Order] = {}
        self.refused = False

    def deliver(self, names: Collection[str], timeout: float) -> dict[str, Result]:
        """Deliver Secrets side by side and return the results."""
        seen = self._look()
        results: dict[str, Result] = {}
        expectations: dict[str, Expectation] = {}
        for name in names:
            deployed = self._deployed.secrets.get(name)
            if deployed is None:
                results[name] = _not_deployed(self._environment, name)
                continue
            self._orders[name] = self._order(deployed, seen)
            try:
                outcome = self._delivery.deliver(self._api, self._orders[name], seen)
            except Refused as refused:  # by a webhook, or in a conflict; what is wrong with one stops no other
                self.refused = True
                [mistake] = refused.mistakes
                outcome = Outcome(state="failed", cause="\nhint: ".join(filter(None, (mistake.message, mistake.hint))))
            if isinstance(outcome, Outcome):
                results[name] = self._result(name, outcome)
            else:
                expectations[name] = outcome
        for result in results.values():
            self._report(result)

        def arrived(name: str, outcome: Outcome) -> None:
            results[name] = self._result(name, outcome)
            self._report(results[name])

        wait(expectations, self._look, timeout, arrived)
        return {name: results[name] for name in names}

    def changed(self, results: Mapping[str, Result], *, always: bool) -> list[str]:
        """Return the names in the cluster of the Secrets whose readers have to restart."""
        return [
            order.name
            for name, order in self._orders.items()
            if results[name].outcome.state == "arrived" and (always or results[name].outcome.changed)
        ]

    def finish(self, results: Mapping[str, Result]) -> None:
        """Note on each object whose Secret arrived that there is nothing left to do."""
        for name, order in self._orders.items():
            if results[name].outcome.state == "arrived":
                deliveries.finish(self._api, self._delivery, order)

    def _look(self) -> View:
        return view(self._api, self._delivery.resources, self._delivery.kind, self._deployed.namespace)

    def _order(self, deployed: DeployedSecret, seen: View) -> Order:
        standing = seen.objects.get(deployed.document.subject.name)
        return Order(
            manifest=deployed.document.object,
            namespace=deployed.namespace,
            name=deployed.name,
            keys=frozenset(deployed.secret.keys),
            before=read_secret(self._api, deployed.namespace, deployed.name),
            finished=deliveries.finished_version(standing),
            adopt=self._request.adopt,
            dry_run=self._request.dry_run,
        )

    def _result(self, name: str, outcome: Outcome) -> Result:
        standing = self._orders[name].object_name
        return Result(name=_full_name(self._delivery, standing), verb=self._delivery.verb, outcome=outcome)


def _restart(
    environment: Environment,
    api: Api,
    namespace: str,
    secrets: Collection[str],
    request: SyncRequest,
    end: float,
    report: Report,
) -> list[Result]:
    """Restart the workloads that read these Secrets, and wait for the roll-outs."""
    if not secrets:
        return []
    results: list[Result] = []
    rolling: dict[str, Workload] = {}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def add(name: str, verb: str, outcome: Outcome) -> None:
        results.append(Result(name=name, verb=verb, outcome=outcome))
        report(results[-1])

    for workload in readers(api, namespace, secrets, environment.overlay.spec.references):
        failure = restart(api, workload, now, dry_run=request.dry_run)
        if failure is None and not request.dry_run:
            rolling[workload.name] = workload
        else:
            add(workload.name, "restarted", failure or _DONE)
    expectations = {name: RollOut(api, workload) for name, workload in rolling.items()}
    nothing = View(objects={}, events={})
    wait(expectations, lambda: nothing, _remaining(end), lambda name, outcome: add(name, "restarted", outcome))
    return results


def _remaining(end: float) -> float:
    """Return how long may still be waited; a moment at least, since 0 would be for ever."""
    return max(end - time.monotonic(), 0.1) if end else 0
