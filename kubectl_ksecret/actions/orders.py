"""The deliveries of one sync: how each Secret of an overlay is brought to the cluster, and what became of it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Generic, Literal, Protocol, TypeVar

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
from .deployment import DeployedSecret, DeployedStore, Deployment, not_built
from .plain import PlainContent, PlainPorts, PlainRequest, contents, is_plain

AnyOrder = TypeVar("AnyOrder", bound="NamedOrder")
Attempted = TypeVar("Attempted")
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


class NamedOrder(Protocol):
    """A Secret to deliver, by the name that it has in the cluster."""

    @property
    def name(self) -> str:
        """The Secret's own name."""


class Orders(Generic[AnyOrder]):
    """The deliveries of one run. `refused` says whether the cluster refused a write."""

    def __init__(self, run: Run) -> None:
        self._run = run
        # By the declared names of the Secrets.
        self._orders: dict[str, AnyOrder] = {}
        self._outcomes: dict[str, Outcome] = {}
        self.refused = False

    def deliver(self, names: Collection[str]) -> list[Result]:
        """Deliver the declared Secrets of these names, report each result, and return all of them."""
        raise NotImplementedError

    def arrived(self) -> Mapping[str, Outcome]:
        """Return the outcomes of what arrived, by the names that the Secrets have in the cluster."""
        return {order.name: self._outcomes[name] for name, order in self._arrived()}

    def finish(self, unfinished: Collection[str]) -> None:
        """Note on what arrived that nothing is left to do, but for Secrets with readers that did not restart."""
        for name, order in self._arrived():
            if order.name not in unfinished:
                self._finish(order, self._outcomes[name])

    def _finish(self, order: AnyOrder, outcome: Outcome) -> None:
        raise NotImplementedError

    def _arrived(self) -> Iterator[tuple[str, AnyOrder]]:
        for name, outcome in self._outcomes.items():
            if outcome.state == "arrived":
                yield name, self._orders[name]

    def _attempt(self, deliver: Callable[[], Attempted]) -> Attempted | Outcome:
        """Deliver one object. What a webhook or a conflict refuses stops no other."""
        try:
            return deliver()
        except Refused as refused:
            self.refused = True
            return refusal(refused)


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


class StandingOrders(Orders[Order]):
    """Secrets for which another object stands, of which a controller makes them."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._delivery = DELIVERIES[run.environment.backend.field]

    def deliver(self, names: Collection[str]) -> list[Result]:
        """Deliver the stores one after the other, then the Secrets side by side."""
        stores = [self._deliver_store(store) for store in self._run.deployed.stores]
        seen = self._look()
        results: dict[str, Result] = {}
        expectations: dict[str, Expectation] = {}

        def report(name: str, result: Result) -> None:
            results[name] = result
            self._run.reporter.result(result)

        for name in names:
            deployed = self._run.deployed.secrets.get(name)
            if deployed is None:
                report(name, not_deployed(self._run.environment, name, self._run.deployed.namespace))
                continue
            order = self._orders[name] = self._order(deployed, seen)
            outcome = self._attempt(lambda order=order: self._deliver(order, seen))  # type: ignore[misc]
            if isinstance(outcome, Outcome):
                report(name, self._result(name, outcome))
            else:
                expectations[name] = outcome

        def waiting(left: Sequence[str]) -> None:
            self._run.reporter.waiting([full_name(self._delivery, self._orders[name].object_name) for name in left])

        wait(
            expectations,
            self._look,
            self._run.deadline.left,
            lambda name, outcome: report(name, self._result(name, outcome)),
            waiting,
        )
        return [*stores, *(results[name] for name in names)]

    def _deliver(self, order: Order, seen: View) -> Expectation | Outcome:
        neighbour = deliveries.refused_neighbour(order, seen.objects.get(order.object_name))
        return neighbour or self._delivery.deliver(self._run.api, order, seen)

    def _finish(self, order: Order, outcome: Outcome) -> None:
        deliveries.finish(self._run.api, self._delivery, order, outcome)

    def _deliver_store(self, deployed: DeployedStore) -> Result:
        run = self._run
        store = StoreDelivery(
            run.api,
            deployed.kind,
            deployed.document.object,
            namespace=run.deployed.namespace,
            overlay=run.environment.name,
        )
        outcome = self._attempt(lambda: store.deliver(dry_run=run.request.dry_run))
        if not isinstance(outcome, Outcome):
            expectation = {store.name: outcome}
            outcomes = wait(expectation, store.look, run.deadline.left, lambda *_: None, run.reporter.waiting)
            outcome = outcomes[store.name]
        result = run.result(store.name, store.verb, outcome)
        run.reporter.result(result)
        return result

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
        outcome = self._outcomes[name] = deliveries.unchangeable(outcome, self._orders[name].before)
        standing = full_name(self._delivery, self._orders[name].object_name)
        return self._run.result(standing, self._delivery.verb, outcome)


class PlainOrders(Orders[PlainOrder]):
    """Secrets that are applied as they are."""

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

    def _finish(self, order: PlainOrder, outcome: Outcome) -> None:
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
        outcome = self._attempt(lambda: apply_secret(self._run.api, order))
        self._outcomes[name] = outcome
        return self._run.result(shown_name, "applied", outcome)


def orders_of(run: Run) -> PlainOrders | StandingOrders:
    """Return the deliveries of an overlay, as its backend wants them."""
    return PlainOrders(run) if is_plain(run.environment) else StandingOrders(run)
