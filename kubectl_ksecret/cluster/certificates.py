"""Where the certificate of a Sealed Secrets controller comes from: the controller itself, or a URL."""

import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from http.client import HTTPException

from ..errors import InputError, Mistake, Refusal, shown
from ..frozen import Record
from .api import Api, Refused
from .resources import SERVICES

_LIMIT = 1 << 16
_SECONDS = 30


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


def from_url(url: str) -> bytes:
    """Return what an https:// URL gives. Raises InputError for another URL, Refusal if it gives nothing."""
    if not url.startswith("https://"):
        raise InputError(Mistake("a certificate is taken from https:// alone", hint="else anybody on the way swaps it"))
    try:
        with urllib.request.build_opener(_NoRedirect).open(url, timeout=_SECONDS) as answer:
            content: bytes = answer.read(_LIMIT)
            return content
    except urllib.error.HTTPError as error:
        redirects = 300 <= error.code < 400
        cause = f"{error.code}, a redirection, which is not followed" if redirects else f"{error.code}"
        hint = "name the URL that it leads to" if redirects else ""
    except urllib.error.URLError as error:
        untrusted = str(getattr(error.reason, "verify_message", ""))
        cause = untrusted or str(getattr(error.reason, "strerror", "")) or "no answer"
        hint = "SSL_CERT_FILE names the authorities that are trusted" if untrusted else ""
    except (OSError, HTTPException, ValueError):
        cause, hint = "no answer", ""
    raise Refusal(Mistake(f"{shown(url)} gives no certificate: {cause}", hint=hint))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it could lead to a plain http:// URL."""

    def redirect_request(self, *_arguments: object, **_keywords: object) -> None:
        """Return that there is nothing to follow."""
