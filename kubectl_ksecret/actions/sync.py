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
from ..cluster.plain import PlainOrder, apply_secret, finish_secret
from ..cluster.sealedsecret import SealedSecretDelivery
from ..cluster.secrets import read_secret
from ..cluster.workloads import RollOut, Workload, readers, restart
from ..frozen import Record
from ..model.resolution import Environment
from .addresses import secrets_of
from .deployment import DeployedSecret, Deployment, deployment
from .plain import PlainContent, PlainPorts, PlainRequest, contents, is_plain

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


def sync(environment: Environment, api: Api, request: SyncRequest, ports: PlainPorts, report: Report) -> Sync:
    """Deliver the Secrets of an overlay, or the addressed ones; each result is reported as soon as it is known.

    Raises InputError for another cluster than the overlay's, or if values are needed that are not trusted; Refusal if
    the cluster or the source can't be asked.
    """
    deployed = deployment(environment)
    refuse_another_namespace(api, deployed.namespace)
    refuse_another_cluster(environment, api, deployed.namespace)
    end = time.monotonic() + request.timeout if request.timeout else 0.0
    names = secrets_of(environment, request.addresses)
    orders: _Orders | _PlainOrders
    if is_plain(environment):
        orders = _PlainOrders(environment, api, deployed, request, ports, report)
    else:
        orders = _Orders(environment, api, DELIVERIES[backend_of(environment).kind], deployed, request, report)
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
    delivery, deployed = DELIVERIES.get(backend_of(environment).kind), deployment(environment)
    results = []
    for name in secrets_of(environment, request.addresses):
        if delivery is None and (name in deployed.secrets or not backend_of(environment).seals):
            live_name = deployed.secrets[name].name if name in deployed.secrets else name
            results.append(Result(name=f"secret/{live_name}", verb="applied", outcome=_DONE))
        elif delivery is not None and name in deployed.secrets:
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
                outcome = _refusal(refused)
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


class _PlainOrders:
    """Secrets that are applied as they are, by their declared names."""

    def __init__(
        self,
        environment: Environment,
        api: Api,
        deployed: Deployment,
        request: SyncRequest,
        ports: PlainPorts,
        report: Report,
    ) -> None:
        self._environment, self._api, self._deployed = environment, api, deployed
        self._request, self._ports, self._report = request, ports, report
        self._orders: dict[str, PlainOrder] = {}
        self.refused = False

    def deliver(self, names: Collection[str], _timeout: float) -> dict[str, Result]:
        """Read all values, then apply one Secret after the other; nothing has to be waited for."""
        plain = PlainRequest(
            environment=self._environment,
            deployment=self._deployed,
            names=names,
            api=self._api,
            dry_run=self._request.dry_run,
        )
        secrets = contents(plain, self._ports)
        results: dict[str, Result] = {}
        for name in names:
            results[name] = self._deliver(name, secrets[name]) if name in secrets else self._not_deployed(name)
            self._report(results[name])
        return results

    def _deliver(self, name: str, content: PlainContent) -> Result:
        metadata = content.manifest["metadata"]
        if content.absent:
            self.refused = True
            cause = "\n".join(str(mistake) for mistake in content.absent)
            outcome = Outcome(state="failed", cause=f"values are missing\n{cause}")
            return Result(name=f"secret/{metadata['name']}", verb="applied", outcome=outcome)
        order = PlainOrder(
            manifest=content.manifest,
            values=content.values,
            entries=content.entries,
            before=read_secret(self._api, metadata["namespace"], metadata["name"]),
            adopt=self._request.adopt,
            dry_run=self._request.dry_run,
        )
        self._orders[name] = order
        try:
            outcome = apply_secret(self._api, order)
        except Refused as refused:
            self.refused = True
            outcome = _refusal(refused)
        return Result(name=f"secret/{order.name}", verb="applied", outcome=outcome)

    def _not_deployed(self, name: str) -> Result:
        return _not_deployed(self._environment, name)

    def changed(self, results: Mapping[str, Result], *, always: bool) -> list[str]:
        """Return the names of the Secrets whose readers have to restart."""
        outcomes = {name: results[name].outcome for name in self._orders}
        arrived = {name: outcome for name, outcome in outcomes.items() if outcome.state == "arrived"}
        return [self._orders[name].name for name, outcome in arrived.items() if always or outcome.changed]

    def finish(self, results: Mapping[str, Result]) -> None:
        """Note on each Secret that arrived that what reads it has restarted."""
        for name, order in self._orders.items():
            if results[name].outcome.state == "arrived":
                finish_secret(self._api, order)


def _refusal(refused: Refused) -> Outcome:
    """Return the outcome of a write that was refused, with the next step where that is known."""
    [mistake] = refused.mistakes
    return Outcome(state="failed", cause="\nhint: ".join(filter(None, (mistake.message, mistake.hint))))


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
