"""The certificate of a Sealed Secrets controller, from the controller itself."""

from collections.abc import Iterator, Sequence

from ..errors import Mistake, Refusal
from ..frozen import Record
from .api import Api, Refused
from .resources import SERVICES


class Controller(Record):
    """The Service of a Sealed Secrets controller. The project's manifest and its Helm chart name it differently."""

    namespace: str = "kube-system"
    names: Sequence[str] = ("sealed-secrets-controller", "sealed-secrets")


def from_controller(api: Api, controller: Controller, *, otherwise: str) -> bytes:
    """Return what the controller gives through the API server. Raises Refusal if there is none, or it does not answer.

    `otherwise` is what a command takes instead, as its hint says it. The Roles of the Helm chart allow the proxy of the
    Service alone, so the Service itself need not be readable.
    """
    refusal: Refused | None = None
    asked: list[str] = []
    for name in controller.names:
        for port in _ports(api, controller.namespace, name):
            asked.append(f"http:{name}:{port}")
            proxy = SERVICES.among(controller.namespace, asked[-1], "proxy/v1/cert.pem")
            try:
                return api.text(proxy).encode()
            except Refused as refused:
                refusal = refused if refusal is None or refusal.status == 404 else refusal
    if refusal is not None and refusal.status != 404:
        # To all Services of a namespace is more than anybody should be given.
        raise refusal.but_named(asked) if refusal.right else refusal
    names = " or ".join(controller.names)
    raise Refusal(
        Mistake(
            f"the cluster at {api.server} has no Service {names} in {controller.namespace}",
            hint=f"name it with --controller-name and --controller-namespace, or {otherwise}",
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
