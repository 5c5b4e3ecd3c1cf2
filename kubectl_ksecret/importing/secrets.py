"""A Secret of one environment as it was read, whatever it is written as. No value leaves this module."""

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from ..backends import sealedsecret
from ..backends.sops import document as sops
from ..errors import Place, printable
from ..frozen import Record
from ..model.kubernetes import Object
from ..model.types.declaration import Encoding
from ..model.types.names import KEY_PATTERN
from ..objects.documents import Document, mapping
from . import ownership


class ImportedKey(Record):
    """A key or an input: where its value lies in the vault, or how it is made; sealed and plain keys have neither."""

    place: Place
    remote_name: str | None = None
    property: str | None = None
    version: str | None = None
    encoding: Encoding = "none"
    template: str | None = None


class ImportedSecret(Record):
    """One Secret of an environment.

    `ciphertext` is what a SealedSecret or a file of SOPS holds of it and an overlay can go on holding; `recipients` are
    those of the file.
    """

    name: str
    document: Document
    type: str = "Opaque"
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    keys: Mapping[str, ImportedKey] = {}
    inputs: Mapping[str, ImportedKey] = {}
    ciphertext: Mapping[str, str] = {}
    recipients: tuple[str, ...] = ()

    @property
    def is_sops(self) -> bool:
        """Whether SOPS has encrypted its values."""
        return is_sops(self.document)

    @property
    def kind(self) -> str:
        """The kind of the object that it is written as."""
        return self.document.subject.kind

    @property
    def entries(self) -> Mapping[str, ImportedKey]:
        """Keys and inputs together."""
        return {**self.keys, **self.inputs}


def written_name(document: Document) -> str:
    """Return the name in the file: a prefix of the kustomization above is put before what is imported too."""
    return document.written("metadata", "name") or document.subject.name


def title(document: Document) -> str:
    """Return kind and name, as messages show them."""
    return f"{document.subject.kind} {printable(written_name(document))}"


def fits(type_: object, text: str) -> bool:
    """Whether a text has the form of a type of the model, such as Name."""
    return bool(get_args(type_)[1].fits(text))


def key_names(value: object) -> Iterator[str]:
    """Yield the names in a mapping that a Secret's key can have."""
    return (name for name in mapping(value) if isinstance(name, str) and re.fullmatch(KEY_PATTERN, name))


def below(value: object, *path: str) -> Object:
    """Return the mapping at a path; an empty one where nothing of the kind stands."""
    for step in path:
        value = mapping(value).get(step)
    return mapping(value)


def type_of(text: object) -> str:
    """Return the type of a Secret, which is Opaque where none is written."""
    return text if isinstance(text, str) and text else "Opaque"


def of_sealed(document: Document) -> ImportedSecret:
    """Read the Secret that a SealedSecret makes."""
    template = below(document.object, "spec", "template")
    metadata = below(template, "metadata")
    sealed = sealedsecret.ciphertext_of(document.object)
    ciphertext = {key: sealed[key] for key in key_names(sealed)}
    return ImportedSecret(
        name=written_name(document),
        document=document,
        type=type_of(template.get("type")),
        labels=ownership.of_secret(metadata.get("labels")),
        annotations=ownership.of_secret(metadata.get("annotations")),
        keys={key: ImportedKey(place=document.key("spec", "encryptedData", key)) for key in ciphertext},
        ciphertext=ciphertext,
    )


def is_sops(document: Document) -> bool:
    """Whether SOPS has encrypted an object."""
    return bool(sops.block(document.object))


def of_sops(document: Document) -> ImportedSecret:
    """Read a Secret that SOPS encrypted; its values stay sealed where other metadata does not break its MAC."""
    can_stay = sops.mac_survives_rewriting(document.object)
    return of_plain(document).but(
        ciphertext=dict(document.object["data"]) if can_stay else {},
        recipients=tuple(sorted(sops.recipients(document.object))),
    )


def of_plain(document: Document) -> ImportedSecret:
    """Read a Secret's keys; the values beside them are not looked at."""
    places = {
        key: document.key(field, key)
        for field in ("data", "stringData")
        for key in key_names(document.object.get(field))
    }
    return ImportedSecret(
        name=written_name(document),
        document=document,
        type=type_of(document.object.get("type")),
        labels=ownership.of_secret(document.metadata.get("labels")),
        annotations=ownership.of_secret(document.annotations),
        keys={key: ImportedKey(place=place) for key, place in places.items()},
    )
