"""The objects of a namespace that make Secrets, read from a cluster without a value."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ..backends import sealedsecret
from ..cluster import listing
from ..cluster.api import Api, Refused
from ..cluster.listing import ListedSecret
from ..cluster.resources import CLUSTER_SECRET_STORES, EXTERNAL_SECRETS, SEALED_SECRETS, SECRET_STORES
from ..errors import InputError, Mistake, Place, nearest, printable, shown
from ..files.project import Project
from ..frozen import Record
from ..model.kubernetes import Object
from ..objects.documents import Document, Tree
from . import extracting, ownership
from .collecting import CollectedObjects
from .externalsecrets import store_of
from .normalising import TARGET_DEFAULTS
from .secrets import below
from .selecting import secret_name

_HELM = "meta.helm.sh/release-name"
# cert-manager makes itself no owner unless it is told to.
_CERTIFICATE = "cert-manager.io/certificate-name"


class LiveRequest(Record):
    """What is chosen of a namespace: Secrets by name, or by a label selector, or all; and the backend they are for.

    Without a backend each Secret is read as the object that makes it.
    """

    names: Collection[str] = ()
    selector: str = ""
    backend: str = ""


def collect(api: Api, namespace: str, request: LiveRequest) -> CollectedObjects:
    """Return the objects. Raises InputError for a name that can't be imported, Refusal if the cluster can't be asked.

    A Secret that an operator makes is imported as the object that it is made of; what others make is left out.
    """
    external = _external(api, namespace, request) if request.backend in ("", "externalSecret") else []
    sealed = _sealed(api, namespace, request) if request.backend in ("", "sealedSecret") else []
    makers = [*external, *sealed]
    made = {secret_name(maker) for maker in makers}
    plain: list[Document] = []
    left_out: list[Mistake] = []
    names = [name for name in request.names if name not in made]
    if request.backend != "externalSecret" and (names or not request.names):
        listed = [
            secret for secret in listing.secrets(api, namespace, names, request.selector) if secret.name not in made
        ]
        own, left_out = _own(listed, namespace, named=bool(names))
        plain = [_document(listing.with_keys(api, secret)) for secret in own]
    elif names:
        raise InputError(*(_no_maker(namespace, name, made) for name in names))
    project = Project(".")
    return CollectedObjects(
        documents=[*makers, *_stores(api, namespace, external), *plain],
        tree=Tree(project),
        layers={},
        project=project,
        is_live=True,
        unread=[*left_out, *extracting.named(api, external)],
    )


def _document(live: Object) -> Document:
    return Document(place_of(live["metadata"].get("namespace", "")).file, None, live)


def place_of(namespace: str) -> Place:
    """Return the place that messages about live objects name."""
    return Place(f"namespace {namespace}")


def _external(api: Api, namespace: str, request: LiveRequest) -> list[Document]:
    live = listing.objects(api, EXTERNAL_SECRETS, "ExternalSecret", namespace, request.selector)
    for external in live:
        target = below(external, "spec", "target")
        for field, default in TARGET_DEFAULTS.items():
            if target.get(field) == default:  # the server fills it in, and nobody need have meant it
                del target[field]
    return _chosen(map(_document, live), request.names)


def _sealed(api: Api, namespace: str, request: LiveRequest) -> list[Document]:
    live = listing.objects(api, SEALED_SECRETS, sealedsecret.KIND, namespace, request.selector)
    return _chosen(map(_document, live), request.names)


def _chosen(documents: Iterable[Document], names: Collection[str]) -> list[Document]:
    return [document for document in documents if not names or secret_name(document) in names]


def _stores(api: Api, namespace: str, external: Sequence[Document]) -> Iterator[Document]:
    """Yield the stores that are read; without the right to read one of the whole cluster it is as if it were absent."""
    references = {store_of(document) for document in external}
    if any(reference.kind == "SecretStore" for reference in references):
        yield from map(_document, listing.objects(api, SECRET_STORES, "SecretStore", namespace))
    for reference in sorted(references):
        if reference.kind == "ClusterSecretStore" and reference.name:
            try:
                yield from map(_document, listing.one(api, CLUSTER_SECRET_STORES, reference.kind, reference.name))
            except Refused as refused:
                if refused.status != 403:
                    raise


def _own(listed: Iterable[ListedSecret], namespace: str, *, named: bool) -> tuple[list[ListedSecret], list[Mistake]]:
    """Return the Secrets that are the team's own, and what is said of the others.

    Raises InputError for others that were chosen by name. Those of a Helm chart are then the team's own, too.
    """
    own: list[ListedSecret] = []
    others: dict[str, list[str]] = {}
    for secret in listed:
        maker = _maker(_document(secret.object), named=named)
        if maker:
            others.setdefault(maker, []).append(secret.name)
        else:
            own.append(secret)
    left_out = list(_left_out(others, namespace))
    if named and left_out:
        raise InputError(*left_out)
    return own, left_out


def _maker(document: Document, *, named: bool) -> str:
    if maker := ownership.maker(document):
        return maker
    if certificate := document.annotations.get(_CERTIFICATE):
        return f"the Certificate {certificate}"
    release = document.annotations.get(_HELM)
    return f"the Helm release {release}" if release and not named else ""


def _left_out(others: Mapping[str, Sequence[str]], namespace: str) -> Iterator[Mistake]:
    for maker, names in others.items():
        subject, verb = ("Secret", "is") if len(names) == 1 else ("Secrets", "are")
        hint = "choose it by its name to import it all the same" if maker.startswith("the Helm release") else ""
        message = f"{subject} {', '.join(map(shown, names))} {verb} left out: made by {printable(maker)}"
        yield Mistake(message, place_of(namespace), hint)


def _no_maker(namespace: str, name: str, made: Collection[str]) -> Mistake:
    message = f"no ExternalSecret makes the Secret {shown(name)}"
    return Mistake(message, place_of(namespace), nearest(name, made))
