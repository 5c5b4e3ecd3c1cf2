"""SealedSecret (bitnami.com/v1alpha1): all but the ciphertext is made here, the ciphertext is committed."""

from ..manifests import record
from ..model.kubernetes import Object
from ..model.resolution import Environment, Secret
from ..model.types.backends import Scope, SealedSecret
from ..yamlio import Below
from .metadata import metadata

API = "bitnami.com/v1alpha1"
KIND = "SealedSecret"
_SCOPE = "sealedsecrets.bitnami.com/"


def shell(environment: Environment, backend: SealedSecret, secret: Secret) -> Object:
    """The object without ciphertext and record: what is written around them, and what a check compares.

    The template has no name and no namespace: the controller takes the SealedSecret's own, which a prefix renames.
    """
    scope = {} if backend.scope == "strict" else {_SCOPE + backend.scope: "true"}
    spec = secret.declaration.spec
    said = {"labels": dict(spec.labels), "annotations": {**spec.annotations, **scope}}
    template = {"metadata": {name: value for name, value in said.items() if value}, "type": spec.type}
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": metadata(environment, secret.name, backend.metadata, annotations=scope),
        "spec": {"template": {name: value for name, value in template.items() if value}},
    }


def sealed(document: Object) -> dict[str, str]:
    """The ciphertext of a committed SealedSecret by key; empty where it has none that can be used."""
    spec = document.get("spec")
    found = spec.get("encryptedData") if isinstance(spec, dict) else None
    return {key: text for key, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def scope_of(document: Object) -> Scope:
    """The scope of a committed SealedSecret, as the controller reads it."""
    annotations = document["metadata"].get("annotations") or {}
    if annotations.get(_SCOPE + "cluster-wide") == "true":
        return "cluster-wide"
    return "namespace-wide" if annotations.get(_SCOPE + "namespace-wide") == "true" else "strict"


def bound_to(scope: Scope, namespace: str, name: str) -> tuple[Scope, str]:
    """What a ciphertext is bound to: the scope, and the label that goes into its encryption."""
    labels = {"strict": f"{namespace}/{name}", "namespace-wide": namespace, "cluster-wide": ""}
    return scope, labels[scope]


def is_bound_as_declared(environment: Environment, backend: SealedSecret, secret: Secret, document: Object) -> bool:
    """Whether the controller can open a committed ciphertext under the declared scope, namespace and name."""
    found = document["metadata"]
    held = bound_to(scope_of(document), str(found.get("namespace", "")), str(found.get("name", "")))
    return held == bound_to(backend.scope, environment.namespace, secret.name)


def with_sealed(document: Object, ciphertext: dict[str, str], entries: dict[str, record.Entry]) -> Object:
    """The shell with its ciphertext and record."""
    if entries:
        annotations = document["metadata"].get("annotations", {}) | {record.ANNOTATION: record.text(entries)}
        document = document | {"metadata": document["metadata"] | {"annotations": annotations}}
    texts = {key: Below(text) for key, text in ciphertext.items()}
    return document | {"spec": document["spec"] | {"encryptedData": texts}}


def mend(environment: Environment, backend: SealedSecret, secret: Secret, document: Object) -> Object:
    """A committed SealedSecret with the declared metadata and template, without what is no longer declared.

    What is sealed for another place stays as it is: only a new seal mends it.
    """
    if document.get("kind") != KIND or not is_bound_as_declared(environment, backend, secret, document):
        return document
    ciphertext = {key: text for key, text in sealed(document).items() if key in secret.keys}
    entries = {key: entry for key, entry in record.of(document).items() if key in ciphertext}
    return with_sealed(shell(environment, backend, secret), ciphertext, entries)
