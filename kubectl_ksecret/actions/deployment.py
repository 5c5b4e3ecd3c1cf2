"""What an overlay deploys, under the names that it has in the cluster: a kustomization may rename all of it."""

import os
from collections.abc import Mapping, Sequence

from ..backends import backend_of
from ..cluster.api import Api
from ..cluster.guard import belongs, refuse_another_cluster, refuse_another_namespace
from ..cluster.stores import STORE_KINDS, StoreKind, store_kind
from ..errors import InputError, Mistake, Refusal
from ..frozen import Record
from ..kustomize.deployment import build_one
from ..manifests.committed import FOLDER, file_of
from ..model.resolution import Environment, Secret
from ..objects.documents import Document, Tree
from .survey import root_of


class DeployedSecret(Record):
    """A Secret of an overlay as it is deployed.

    `document` is the built object that stands for it, such as its SealedSecret; `name` and `namespace` are those of the
    Secret itself in the cluster.
    """

    secret: Secret
    document: Document
    name: str
    namespace: str


class DeployedStore(Record):
    """What an operator reads a vault through, as it is deployed."""

    kind: StoreKind
    document: Document

    @property
    def name(self) -> str:
        """Its name, as kubectl prints it."""
        return self.kind.full_name(self.document.subject.name)


class Deployment(Record):
    """The Secrets that a build has, by their declared names, the stores that are rendered, and all objects of it."""

    secrets: Mapping[str, DeployedSecret]
    stores: Sequence[DeployedStore] = ()
    objects: Sequence[Document]
    namespace: str


def deployment(environment: Environment) -> Deployment:
    """Build an overlay's kustomization. Raises InputError and Refusal as building does.

    Where nothing is committed there is nothing to build: `sync` makes the Secrets under their declared names.
    """
    if not environment.backend.commits:
        return Deployment(secrets={}, objects=[], namespace=environment.namespace)
    named_at = environment.overlay.spec.origin.at("kustomization")
    instead = f"kubectl ksecret check {environment.name} --built -"
    objects = build_one(environment.project, root_of(environment), Tree(environment.project), named_at, instead).objects
    backend = backend_of(environment)
    candidates = [
        document for document in objects if (document.group, document.subject.kind) == (backend.group, backend.kind)
    ]
    secrets: dict[str, DeployedSecret] = {}
    for name, secret in environment.secrets.items():
        file = environment.project.name(environment.path(os.path.join(FOLDER, file_of(name))))
        for document in candidates:
            if document.file == file:
                secrets[name] = _deployed(environment, secret, document)
    return Deployment(
        secrets=secrets,
        stores=_stores(environment, objects),
        objects=objects,
        namespace=_namespace(environment, secrets),
    )


def not_built(environment: Environment) -> str:
    """Return what is said of a Secret that is declared and that the build does not have."""
    verb = "seal" if backend_of(environment).seals else "render --write"
    return f"the build has no such Secret; kubectl ksecret {verb} {environment.name} makes its manifest"


def deployment_to(api: Api, environment: Environment) -> Deployment:
    """Build an overlay's kustomization for the cluster at hand.

    Raises InputError if the overlay belongs to another cluster, or -n names another namespace; Refusal as Api does.
    """
    deployed = deployment(environment)
    refuse_another_namespace(api, deployed.namespace)
    refuse_another_cluster(environment, api, deployed.namespace)
    return deployed


def namespace_at(api: Api, environment: Environment) -> str:
    """Return the namespace by which an overlay is known to belong to the cluster at hand, or not.

    What is pinned is the namespace that is deployed to. The overlay is built only where that is not the declared one.
    """
    if environment.overlay.spec.cluster is None or belongs(environment, api, environment.namespace):
        return environment.namespace
    try:
        return deployment(environment).namespace
    except (InputError, Refusal):
        return environment.namespace


def _stores(environment: Environment, objects: Sequence[Document]) -> list[DeployedStore]:
    """Return the stores of the overlay's own manifests, in the order in which they are applied."""
    folder = environment.project.name(environment.path(FOLDER))
    stores = [
        DeployedStore(kind=kind, document=document)
        for document in objects
        if os.path.dirname(document.file) == folder and (kind := store_kind(document.group, document.subject.kind))
    ]
    return sorted(stores, key=lambda store: STORE_KINDS.index(store.kind))


def _deployed(environment: Environment, secret: Secret, document: Document) -> DeployedSecret:
    target = document.at("spec", "target", "name")  # of an ExternalSecret alone
    return DeployedSecret(
        secret=secret,
        document=document,
        name=target if isinstance(target, str) else document.subject.name,
        namespace=document.subject.namespace or environment.namespace,
    )


def _namespace(environment: Environment, secrets: Mapping[str, DeployedSecret]) -> str:
    """Return the namespace that a kustomization gives to all Secrets; before anything is written, the declared one."""
    namespaces = sorted({secret.namespace for secret in secrets.values()})
    if len(namespaces) > 1:
        where = environment.overlay.spec.origin.at("namespace")
        raise InputError(Mistake(f"{environment.name} deploys to several namespaces: {', '.join(namespaces)}", where))
    return namespaces[0] if namespaces else environment.namespace
