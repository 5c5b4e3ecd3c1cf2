"""Make what an overlay deploys arrive in its Secrets, and restart the workloads that read what has changed."""

from collections.abc import Sequence

from ..cluster.api import Api
from ..cluster.arrival import Deadline, Outcome
from ..cluster.stores import StoreDelivery
from ..frozen import Record
from ..model.resolution import Environment
from .addresses import selected
from .deployment import deployment, deployment_to
from .orders import DELIVERIES, Reporter, Result, Run, SyncRequest, full_name, not_deployed, orders_of
from .plain import PlainPorts
from .restarts import Restarts, built_readers, names_of_readers, restart_readers

_DONE = Outcome(state="arrived")
_UNDECIDED = Outcome(state="arrived", undecided=True)


class Sync(Record):
    """All results of an overlay. `refused` says whether the cluster refused any write.

    `may_restart` are the workloads of which a dry run can't tell whether they restart, since it does not know whether
    the values are others than before.
    """

    environment: str
    delivered: Sequence[Result]
    restarted: Sequence[Result] = ()
    may_restart: Sequence[str] = ()
    refused: bool = False

    @property
    def results(self) -> list[Result]:
        """All results, in the order in which things are done."""
        return [*self.delivered, *self.restarted]

    @property
    def exit_code(self) -> int:
        """0 if everything arrived, 3 if the cluster refused a write, else 1."""
        complete = all(result.outcome.state == "arrived" for result in self.results)
        return 3 if self.refused else 0 if complete else 1


def sync(environment: Environment, api: Api, request: SyncRequest, ports: PlainPorts, reporter: Reporter) -> Sync:
    """Deliver the Secrets of an overlay, or the selected ones; each result is reported as soon as it is known.

    Raises InputError for another cluster than the overlay's, or if values are needed that are not trusted; Refusal if
    the cluster or the source can't be asked.
    """
    deployed = deployment_to(api, environment)
    names = selected(environment, request.addresses, request.selector)
    if not names:
        return Sync(environment=environment.name, delivered=())
    run = Run(
        environment=environment,
        api=api,
        deployed=deployed,
        request=request,
        ports=ports,
        reporter=reporter,
        deadline=Deadline(request.timeout),
    )
    orders = orders_of(run)
    delivered = orders.deliver(names)
    arrived = orders.arrived()
    restarts = Restarts()
    may_restart: Sequence[str] = ()
    if request.restart != "never":
        always = request.restart == "always"
        restarts = restart_readers(run, [name for name in arrived if always or arrived[name].changed])
        undecided = [name for name in arrived if arrived[name].undecided and not always]
        may_restart = names_of_readers(run, undecided)
    if not request.dry_run:
        orders.finish(restarts.unfinished)
    return Sync(
        environment=environment.name,
        delivered=delivered,
        restarted=restarts.results,
        may_restart=may_restart,
        refused=orders.refused or bool(restarts.unfinished),
    )


def plan(environment: Environment, request: SyncRequest) -> Sync:
    """Return what would be delivered, without a word to the cluster. Whether values are others only that can tell."""
    delivery, deployed = DELIVERIES.get(environment.backend.field), deployment(environment)
    results: list[Result] = []
    names: list[str] = []

    def add(name: str, verb: str, outcome: Outcome = _UNDECIDED) -> None:
        results.append(Result(name=name, namespace=deployed.namespace, verb=verb, outcome=outcome))

    chosen = selected(environment, request.addresses, request.selector)
    for store in deployed.stores if chosen else ():
        add(store.name, StoreDelivery.verb, _DONE)
    for name in chosen:
        built = deployed.secrets.get(name)
        if built is not None and delivery is not None:
            add(full_name(delivery, built.document.subject.name), delivery.verb)
        elif built is not None or not environment.backend.commits:
            add(f"secret/{built.name if built else name}", "applied")
        else:
            results.append(not_deployed(environment, name, deployed.namespace))
            continue
        names.append(built.name if built else name)
    readers = built_readers(environment, deployed.objects, names) if request.restart != "never" else []
    always = request.restart == "always"
    restarted = [
        Result(name=name, namespace=deployed.namespace, verb="restarted", outcome=_DONE)
        for name in (readers if always else ())
    ]
    return Sync(
        environment=environment.name, delivered=results, restarted=restarted, may_restart=() if always else readers
    )
