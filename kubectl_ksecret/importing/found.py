"""What one environment has now, whatever it is written as; values are not among it."""

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from ..errors import Place, printable
from ..frozen import Record
from ..model.kubernetes import Object
from ..model.types.declaration import Encoding
from ..model.types.names import KEY_PATTERN
from ..objects.documents import Document, mapping

# What a server or a deployer writes, and nobody means.
_NOT_MEANT = ("kubectl.kubernetes.io/last-applied-configuration", "config.kubernetes.io/", "ksecret.dev/")

# A backend says the scope, not metadata.
SCOPES = ("sealedsecrets.bitnami.com/namespace-wide", "sealedsecrets.bitnami.com/cluster-wide")


class FoundKey(Record):
    """A key or an input: where its value lies in the vault, or how it is made; sealed and plain keys have neither."""

    place: Place
    remote: str | None = None
    property: str | None = None
    encoding: Encoding = "none"
    template: str | None = None


class FoundSecret(Record):
    """One Secret of an environment. `ciphertext` is what a SealedSecret holds of it."""

    name: str
    document: Document
    type: str = "Opaque"
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    keys: Mapping[str, FoundKey] = {}
    inputs: Mapping[str, FoundKey] = {}
    ciphertext: Mapping[str, str] = {}

    @property
    def kind(self) -> str:
        """What it is written as."""
        return self.document.subject.kind


def written_name(document: Document) -> str:
    """The name in its file: a prefix of the kustomization above is put before what is imported too."""
    return document.written("metadata", "name") or document.subject.name


def called(document: Document) -> str:
    """Kind and name, as messages show them."""
    return f"{document.subject.kind} {printable(written_name(document))}"


def texts(found: object) -> dict[str, str]:
    """The labels or annotations that somebody meant; what is no text can't be carried over."""
    return {
        name: value
        for name, value in mapping(found).items()
        if isinstance(name, str) and isinstance(value, str) and not name.startswith(_NOT_MEANT)
    }


def fits(type_: object, text: str) -> bool:
    """Whether a text has the form of a type of the model, such as Name."""
    return bool(get_args(type_)[1].fits(text))


def keys_of(found: object) -> Iterator[str]:
    """The names of a mapping that a Secret's key can have."""
    return (name for name in mapping(found) if isinstance(name, str) and re.fullmatch(KEY_PATTERN, name))


def below(found: object, *path: str) -> Object:
    """The mapping at a path; empty where it is none."""
    for step in path:
        found = mapping(found).get(step)
    return mapping(found)
