"""What an overlay deploys, under the names that it has in the cluster: a kustomization may rename all of it."""

import os
from collections.abc import Mapping, Sequence

from ..backends import backend_of
from ..errors import InputError, Mistake
from ..frozen import Record
from ..kustomize.deployment import build_one
from ..manifests.committed import FOLDER, file_of
from ..manifests.upkeep import STORE_FILE
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


class Deployment(Record):
    """The Secrets that a build has, by their declared names, the store that is rendered, and all objects of it."""

    secrets: Mapping[str, DeployedSecret]
    store: Document | None = None
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
    store_file = environment.project.name(environment.path(os.path.join(FOLDER, STORE_FILE)))
    return Deployment(
        secrets=secrets,
        store=next((document for document in objects if document.file == store_file), None),
        objects=objects,
        namespace=_namespace(environment, secrets),
    )


def not_built(environment: Environment) -> str:
    """Return what is said of a Secret that is declared and that the build does not have."""
    verb = "seal" if backend_of(environment).seals else "render --write"
    return f"the build has no such Secret; kubectl ksecret {verb} {environment.name} makes its manifest"


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
