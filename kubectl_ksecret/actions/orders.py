"""The deliveries of one sync: how each Secret of an overlay is brought to the cluster, and what became of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, Protocol

from ..cluster import delivery as deliveries
from ..cluster.acksecretmanager import AckSecretManagerDelivery
from ..cluster.api import Api, Refused
from ..cluster.arrival import Deadline, Expectation, Outcome, View, view, wait
from ..cluster.delivery import Delivery, Order
from ..cluster.externalsecret import ExternalSecretDelivery
from ..cluster.plain import PlainOrder, apply_secret, finish_secret
from ..cluster.sealedsecret import SealedSecretDelivery
from ..cluster.secrets import read_secret
from ..cluster.stores import StoreDelivery
from ..cluster.vaultstaticsecret import VaultStaticSecretDelivery
from ..frozen import Record
from ..model.resolution import Environment
from ..objects.selectors import Selector
from .deployment import DeployedSecret, Deployment, not_built
from .plain import PlainContent, PlainPorts, PlainRequest, contents, is_plain

Restart = Literal["auto", "always", "never"]
# By the field of the backend: two operators have a kind named ExternalSecret.
DELIVERIES: Mapping[str, Delivery] = {
    "externalSecret": ExternalSecretDelivery(),
    "sealedSecret": SealedSecretDelivery(),
    "vaultSecretsOperator": VaultStaticSecretDelivery(),
    "ackSecretManager": AckSecretManagerDelivery(),
}


class SyncRequest(Record):
    """What the user asked for. `timeout` is in seconds, 0 for no limit."""

    addresses: Sequence[str] = ()
    selector: Selector | None = None
    restart: Restart = "auto"
    timeout: float = 300
    adopt: bool = False
    dry_run: bool = False


class Result(Record):
    """What became of one object: its name as kubectl prints it, what was done to it, and the outcome."""

    name: str
    namespace: str
    verb: str
    outcome: Outcome


class Reporter(Record):
    """Who hears of each result as soon as it is known, and of the names of the objects that are waited for."""

    result: Callable[[Result], None]
    waiting: Callable[[Sequence[str]], None]


class Run(Record):
    """One sync of one overlay."""

    environment: Environment
    api: Api
    deployed: Deployment
    request: SyncRequest
    ports: PlainPorts
    reporter: Reporter
    deadline: Deadline

    def result(self, name: str, verb: str, outcome: Outcome) -> Result:
        """Return a result about an object of this overlay's namespace."""
        return Result(name=name, namespace=self.deployed.namespace, verb=verb, outcome=outcome)


class Orders(Protocol):
    """The deliveries of one run. `refused` says whether the cluster refused a write."""

    refused: bool

    def deliver(self, names: Collection[str]) -> list[Result]:
        """Deliver the declared Secrets of these names, report each result, and return all of them."""

    def arrived(self) -> Mapping[str, Outcome]:
        """Return the outcomes of what arrived, by the names that the Secrets have in the cluster."""

    def finish(self, unfinished: Collection[str]) -> None:
        """Note on what arrived that there is nothing left to do, but for Secrets with readers that did not restart."""


def orders_of(run: Run) -> Orders:
    """Return the deliveries of an overlay, as its backend wants them."""
    return PlainOrders(run) if is_plain(run.environment) else StandingOrders(run)


def not_deployed(environment: Environment, name: str, namespace: str) -> Result:
    """Return the result for a Secret that the build does not have."""
    outcome = Outcome(state="failed", cause=not_built(environment))
    return Result(name=f"secret/{name}", namespace=namespace, verb="delivered", outcome=outcome)


def full_name(delivery: Delivery, name: str) -> str:
    """Return the name of an object that stands for a Secret, as kubectl prints it."""
    return f"{delivery.kind.lower()}.{delivery.resources.group}/{name}"


def refusal(refused: Refused) -> Outcome:
    """Return the outcome of a write that was refused, with the next step where that is known."""
    [mistake] = refused.mistakes
    return Outcome(state="failed", cause="\nhint: ".join(filter(None, (mistake.message, mistake.hint))))


class StandingOrders(Orders):
    """Secrets for which another object stands, of which a controller makes them."""

    def __init__(self, run: Run) -> None:
        self._run, self._delivery = run, DELIVERIES[run.environment.backend.field]
        self._orders: dict[str, Order] = {}
        self._outcomes: dict[str, Outcome] = {}
        self.refused = False

    def deliver(self, names: Collection[str]) -> list[Result]:
        """Deliver the store, then the Secrets side by side."""
        stores = [self._deliver_store()] if self._run.deployed.store is not None else []
        seen = self._look()
        results: dict[str, Result] = {}
        expectations: dict[str, Expectation] = {}
        for name in names:
            deployed = self._run.deployed.secrets.get(name)
            if deployed is None:
                results[name] = not_deployed(self._run.environment, name, self._run.deployed.namespace)
                continue
            order = self._orders[name] = self._order(deployed, seen)
            outcome = self._attempt(lambda order=order: self._delivery.deliver(self._run.api, order, seen))  # type: ignore[misc]
            if isinstance(outcome, Outcome):
                results[name] = self._result(name, outcome)
            else:
                expectations[name] = outcome
        for result in results.values():
            self._run.reporter.result(result)

        def report(name: str, outcome: Outcome) -> None:
            results[name] = self._result(name, outcome)
            self._run.reporter.result(results[name])

        def waiting(left: Sequence[str]) -> None:
            self._run.reporter.waiting([full_name(self._delivery, self._orders[name].object_name) for name in left])

        wait(expectations, self._look, self._run.deadline.left, report, waiting)
        return [*stores, *(results[name] for name in names)]

    def arrived(self) -> Mapping[str, Outcome]:
        """Return the outcomes of what arrived, by the names that the Secrets have in the cluster."""
        return {
            self._orders[name].name: outcome for name, outcome in self._outcomes.items() if outcome.state == "arrived"
        }

    def finish(self, unfinished: Collection[str]) -> None:
        """Note on each object whose Secret arrived that there is nothing left to do."""
        for name, outcome in self._outcomes.items():
            order = self._orders[name]
            if outcome.state == "arrived" and order.name not in unfinished:
                deliveries.finish(self._run.api, self._delivery, order, outcome)

    def _deliver_store(self) -> Result:
        run, document = self._run, self._run.deployed.store
        assert document is not None
        store = StoreDelivery(run.api, document.object, namespace=run.deployed.namespace, overlay=run.environment.name)
        outcome = self._attempt(lambda: store.deliver(dry_run=run.request.dry_run))
        if not isinstance(outcome, Outcome):
            expectation = {store.name: outcome}
            outcomes = wait(expectation, store.look, run.deadline.left, lambda *_: None, run.reporter.waiting)
            outcome = outcomes[store.name]
        result = run.result(store.name, store.verb, outcome)
        run.reporter.result(result)
        return result

    def _attempt(self, deliver: Callable[[], Expectation | Outcome]) -> Expectation | Outcome:
        """Deliver one object. What a webhook or a conflict refuses stops no other."""
        try:
            return deliver()
        except Refused as refused:
            self.refused = True
            return refusal(refused)

    def _look(self) -> View:
        run, delivery = self._run, self._delivery
        return view(run.api, delivery.resources, delivery.kind, run.deployed.namespace)

    def _order(self, deployed: DeployedSecret, seen: View) -> Order:
        standing = seen.objects.get(deployed.document.subject.name)
        return Order(
            overlay=self._run.environment.name,
            manifest=deployed.document.object,
            namespace=deployed.namespace,
            name=deployed.name,
            keys=frozenset(deployed.secret.keys),
            before=read_secret(self._run.api, deployed.namespace, deployed.name),
            finished=deliveries.finished_version(standing),
            adopt=self._run.request.adopt,
            dry_run=self._run.request.dry_run,
        )

    def _result(self, name: str, outcome: Outcome) -> Result:
        self._outcomes[name] = outcome
        standing = full_name(self._delivery, self._orders[name].object_name)
        return self._run.result(standing, self._delivery.verb, outcome)


class PlainOrders(Orders):
    """Secrets that are applied as they are."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._orders: dict[str, PlainOrder] = {}
        self._outcomes: dict[str, Outcome] = {}
        self.refused = False

    def deliver(self, names: Collection[str]) -> list[Result]:
        """Read all values, then apply one Secret after the other; nothing has to be waited for."""
        run = self._run
        plain = PlainRequest(
            environment=run.environment,
            deployment=run.deployed,
            names=names,
            api=run.api,
            dry_run=run.request.dry_run,
        )
        secrets = contents(plain, run.ports)
        results = []
        for name in names:
            if name in secrets:
                results.append(self._deliver(name, secrets[name]))
            else:
                results.append(not_deployed(run.environment, name, run.deployed.namespace))
            run.reporter.result(results[-1])
        return results

    def arrived(self) -> Mapping[str, Outcome]:
        """Return the outcomes of what arrived, by the names of the Secrets."""
        return {
            self._orders[name].name: outcome for name, outcome in self._outcomes.items() if outcome.state == "arrived"
        }

    def finish(self, unfinished: Collection[str]) -> None:
        """Note on each Secret that arrived that what reads it has restarted."""
        for name, outcome in self._outcomes.items():
            order = self._orders[name]
            if outcome.state == "arrived" and order.name not in unfinished:
                finish_secret(self._run.api, order)

    def _deliver(self, name: str, content: PlainContent) -> Result:
        metadata = content.manifest["metadata"]
        shown_name = f"secret/{metadata['name']}"
        if content.absent:
            self.refused = True
            cause = "\n".join(str(mistake) for mistake in content.absent)
            outcome = Outcome(state="failed", cause=f"values are missing\n{cause}")
            return self._run.result(shown_name, "applied", outcome)
        order = self._orders[name] = PlainOrder(
            overlay=self._run.environment.name,
            manifest=content.manifest,
            values=content.values,
            entries=content.entries,
            before=read_secret(self._run.api, metadata["namespace"], metadata["name"]),
            adopt=self._run.request.adopt,
            dry_run=self._run.request.dry_run,
        )
        try:
            outcome = apply_secret(self._run.api, order)
        except Refused as refused:
            self.refused = True
            outcome = refusal(refused)
        self._outcomes[name] = outcome
        return self._run.result(shown_name, "applied", outcome)
