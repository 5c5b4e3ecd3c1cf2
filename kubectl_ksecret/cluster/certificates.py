"""The certificate of a Sealed Secrets controller, from the controller itself."""

from collections.abc import Iterator, Sequence

from ..errors import Mistake, Refusal
from ..frozen import Record
from .api import Api, Refused
from .resources import SERVICES, Target


class Controller(Record):
    """The Service of a Sealed Secrets controller. The project's manifest and its Helm chart name it differently."""

    namespace: str = "kube-system"
    names: Sequence[str] = ("sealed-secrets-controller", "sealed-secrets")


class NoController(Refusal):
    """The cluster has no Service of any of the names."""


class Reached(Record):
    """A controller that answered through the API server: the Service with its port, and the certificate it gave."""

    namespace: str
    service: str
    port: str
    certificate: bytes

    @property
    def proxied(self) -> str:
        """The name under which the API server hands requests on, as Roles have it too."""
        return f"http:{self.service}:{self.port}"

    def at(self, path: str) -> Target:
        """Return the target of a request to a path of the controller."""
        return SERVICES.among(self.namespace, self.proxied, f"proxy/{path}")


def from_controller(api: Api, controller: Controller, *, otherwise: str) -> bytes:
    """Return what the controller gives through the API server. Raises as `reach` does.

    `otherwise` is what a command takes instead, as its hint says it.
    """
    return reach(api, controller, otherwise=f", or {otherwise}").certificate


def reach(api: Api, controller: Controller, *, otherwise: str = "") -> Reached:
    """Ask the controller for its certificate. Raises NoController if there is none, Refused if it does not answer.

    The Roles of the Helm chart allow the proxy of the Service alone, so the Service itself need not be readable.
    """
    refusal: Refused | None = None
    asked: list[str] = []
    for name in controller.names:
        for port in _ports(api, controller.namespace, name):
            reached = Reached(namespace=controller.namespace, service=name, port=port, certificate=b"")
            asked.append(reached.proxied)
            try:
                return reached.but(certificate=api.text(reached.at("v1/cert.pem")).encode())
            except Refused as refused:
                refusal = refused if refusal is None or refusal.status == 404 else refusal
    if refusal is not None and refusal.status != 404:
        # To all Services of a namespace is more than anybody should be given.
        raise refusal.but_named(asked) if refusal.right else refusal
    names = " or ".join(controller.names)
    raise NoController(
        Mistake(
            f"the cluster at {api.server} has no Service {names} in {controller.namespace}",
            hint=f"name it with --controller-name and --controller-namespace{otherwise}",
        )
    )


def _ports(api: Api, namespace: str, name: str) -> Iterator[str]:
    try:
        service = api.find(SERVICES.among(namespace, name))
    except Refused as refused:
        if refused.status != 403:
            raise
        yield from ("", "http")
        return
    if service is not None:
        yield next((port.get("name", "") for port in service["spec"].get("ports") or ()), "")
