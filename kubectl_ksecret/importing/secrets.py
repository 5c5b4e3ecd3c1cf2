"""SealedSecrets and plain Secrets: their keys, and of the first their ciphertext. No value leaves this module."""

from ..backends import sealedsecret
from ..objects.documents import Document
from .found import SCOPES, FoundKey, FoundSecret, below, keys_of, texts, written_name

# Made by Kubernetes, Helm or Argo CD themselves, and read by nobody's workload.
_NOT_DECLARED = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1")


def of_sealed(document: Document) -> FoundSecret:
    """The Secret that a SealedSecret makes."""
    template = below(document.object, "spec", "template")
    metadata = below(template, "metadata")
    type_ = template.get("type")
    held = sealedsecret.ciphertext_of(document.object)
    ciphertext = {key: text for key, text in held.items() if any(keys_of({key: None}))}
    annotations = texts(metadata.get("annotations"))
    return FoundSecret(
        name=written_name(document),
        document=document,
        type=type_ if isinstance(type_, str) and type_ else "Opaque",
        labels=texts(metadata.get("labels")),
        annotations={name: text for name, text in annotations.items() if name not in SCOPES},
        keys={key: FoundKey(place=document.key("spec", "encryptedData", key)) for key in ciphertext},
        ciphertext=ciphertext,
    )


def of_plain(document: Document) -> FoundSecret:
    """A Secret's keys; what stands beside them is not looked at."""
    places = {
        key: document.key(field, key) for field in ("data", "stringData") for key in keys_of(document.object.get(field))
    }
    type_ = document.object.get("type")
    return FoundSecret(
        name=written_name(document),
        document=document,
        type=type_ if isinstance(type_, str) and type_ else "Opaque",
        labels=texts(document.metadata.get("labels")),
        annotations=texts(document.metadata.get("annotations")),
        keys={key: FoundKey(place=place) for key, place in places.items()},
    )


def why_not(document: Document) -> str:
    """Why a Secret is not one to declare; empty if it is."""
    if "sops" in document.object:
        return "is encrypted with SOPS, which import does not read"
    type_ = document.object.get("type")
    return f"of type {type_} is made by others" if type_ in _NOT_DECLARED else ""
