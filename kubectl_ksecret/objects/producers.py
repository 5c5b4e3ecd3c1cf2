"""Who provides which Secret: objects that are one, and those that a controller makes one of."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..model.kubernetes import OPERATOR, SERVICE_ACCOUNT, Object
from .documents import Document, mapping, sequence


class Provision(NamedTuple):
    """A Secret that an object provides, in its own namespace or in any; without `keys` it may have any key."""

    secret: str
    keys: frozenset[str] | None
    everywhere: bool = False


# What copies or fills a Secret that is there without its keys.
_FILLED = (
    "reflector.v1.k8s.emberstack.com/reflects",
    "replicator.v1.mittwald.de/replicate-from",
)
_ISSUED = (
    "cert-manager.io/issuer",
    "cert-manager.io/cluster-issuer",
    "kubernetes.io/tls-acme",
)


def provisions(document: Document) -> Iterator[Provision]:
    """The Secrets that an object provides; none of what is not in the form of its kind."""
    found = _KINDS.get((document.group, str(document.object.get("kind"))))
    for each in found(document) if found else ():
        if each.secret:
            yield each


def _secret(document: Document) -> Iterator[Provision]:
    said = document.object
    keys = _names(said.get("data")) | _names(said.get("stringData"))
    if said.get("type") == SERVICE_ACCOUNT:
        keys |= {"token", "ca.crt", "namespace"}
    filled = any(annotation in document.annotations for annotation in _FILLED)
    yield Provision(document.subject.name, None if filled else keys)


def _sealed_secret(document: Document) -> Iterator[Provision]:
    spec = _spec(document)
    keys = _names(spec.get("encryptedData")) | _names(mapping(spec.get("template")).get("data"))
    yield Provision(document.subject.name, keys)


def _external_secret(document: Document) -> Iterator[Provision]:
    yield from _fetched(_spec(document), document.subject.name)


def _cluster_external_secret(document: Document) -> Iterator[Provision]:
    spec = _spec(document)
    name = _text(spec.get("externalSecretName")) or document.subject.name
    for each in _fetched(mapping(spec.get("externalSecretSpec")), name):
        yield each._replace(everywhere=True)


def _fetched(spec: Object, name: str) -> Iterator[Provision]:
    """What External Secrets Operator makes of an ExternalSecret's specification."""
    target = mapping(spec.get("target"))
    if target.get("creationPolicy") != "None":
        yield Provision(_text(target.get("name")) or name, _fetched_keys(spec, mapping(target.get("template"))))


def _fetched_keys(spec: Object, template: Object) -> frozenset[str] | None:
    made = _names(template.get("data"))
    if template.get("templateFrom"):
        return None
    if made and template.get("mergePolicy") != "Merge":
        return made
    if spec.get("dataFrom"):
        return None
    return made | {key for each in sequence(spec.get("data")) if (key := _text(mapping(each).get("secretKey")))}


def _own_name(document: Document) -> Iterator[Provision]:
    yield Provision(document.subject.name, None)


def _named_in(*path: str) -> Callable[[Document], Iterator[Provision]]:
    """Of a kind that names its Secret in a field of its specification."""

    def find(document: Document) -> Iterator[Provision]:
        found: object = _spec(document)
        for step in path:
            found = mapping(found).get(step)
        yield Provision(_text(found), None)

    return find


def _provider_class(document: Document) -> Iterator[Provision]:
    for each in sequence(_spec(document).get("secretObjects")):
        yield Provision(_text(mapping(each).get("secretName")), None)


def _ingress(document: Document) -> Iterator[Provision]:
    """cert-manager makes what an Ingress names, if its annotations ask for it."""
    if any(annotation in document.annotations for annotation in _ISSUED):
        for each in sequence(_spec(document).get("tls")):
            yield Provision(_text(mapping(each).get("secretName")), None)


def _gateway(document: Document) -> Iterator[Provision]:
    if any(annotation in document.annotations for annotation in _ISSUED):
        for listener in sequence(_spec(document).get("listeners")):
            for each in sequence(mapping(mapping(listener).get("tls")).get("certificateRefs")):
                yield Provision(_text(mapping(each).get("name")), None)


def _spec(document: Document) -> Object:
    return mapping(document.object.get("spec"))


def _names(found: object) -> frozenset[str]:
    return frozenset(map(str, mapping(found)))


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


_VAULT = "secrets.hashicorp.com"
_KINDS: dict[tuple[str, str], Callable[[Document], Iterator[Provision]]] = {  # by group and kind
    ("", "Secret"): _secret,
    ("bitnami.com", "SealedSecret"): _sealed_secret,
    (OPERATOR, "ExternalSecret"): _external_secret,
    (OPERATOR, "ClusterExternalSecret"): _cluster_external_secret,
    ("alibabacloud.com", "ExternalSecret"): _own_name,
    ("onepassword.com", "OnePasswordItem"): _own_name,
    ("cert-manager.io", "Certificate"): _named_in("secretName"),
    ("secrets-store.csi.x-k8s.io", "SecretProviderClass"): _provider_class,
    (_VAULT, "VaultStaticSecret"): _named_in("destination", "name"),
    (_VAULT, "VaultDynamicSecret"): _named_in("destination", "name"),
    (_VAULT, "VaultPKISecret"): _named_in("destination", "name"),
    ("networking.k8s.io", "Ingress"): _ingress,
    ("gateway.networking.k8s.io", "Gateway"): _gateway,
}
