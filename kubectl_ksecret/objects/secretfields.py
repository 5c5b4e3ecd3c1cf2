"""Where an object that holds the whole description of a Secret says its type, its annotations and its keys."""

from typing import NamedTuple

from ..model.kubernetes import ALIBABA, OPERATOR, VAULT_OPERATOR
from .documents import Document, Path


class SecretFields(NamedTuple):
    """The paths of an object at which it describes its Secret.

    `annotations` is None where the object can say none. The keys stand below the first of `keys` that the object has,
    or else below the last.
    """

    type: Path
    annotations: Path | None
    keys: tuple[Path, ...]


_TEMPLATE = ("spec", "target", "template")
_DESTINATION = ("spec", "destination")
_SECRET = SecretFields(type=("type",), annotations=("metadata", "annotations"), keys=(("stringData",), ("data",)))
_FIELDS = {  # by group and kind
    ("", "Secret"): _SECRET,
    ("bitnami.com", "SealedSecret"): SecretFields(
        type=("spec", "template", "type"),
        annotations=("spec", "template", "metadata", "annotations"),
        keys=(("spec", "encryptedData"),),
    ),
    (OPERATOR, "ExternalSecret"): SecretFields(
        type=(*_TEMPLATE, "type"),
        annotations=(*_TEMPLATE, "metadata", "annotations"),
        keys=((*_TEMPLATE, "data"), ("spec", "data")),
    ),
    (ALIBABA, "ExternalSecret"): SecretFields(type=("spec", "type"), annotations=None, keys=(("spec", "data"),)),
    (VAULT_OPERATOR, "VaultStaticSecret"): SecretFields(
        type=(*_DESTINATION, "type"),
        annotations=(*_DESTINATION, "annotations"),
        keys=((*_DESTINATION, "transformation", "templates"),),
    ),
}


def describes_secret(document: Document) -> bool:
    """Whether an object holds the whole description of a Secret, its keys among it."""
    return (document.group, document.subject.kind) in _FIELDS


def secret_fields(document: Document) -> SecretFields:
    """Return the paths of an object that describes a Secret; of any other those of a Secret itself."""
    return _FIELDS.get((document.group, document.subject.kind), _SECRET)


def field_of_keys(document: Document) -> Path:
    """Return below which field an object lists the keys of its Secret."""
    *earlier, last = secret_fields(document).keys
    return next((path for path in earlier if document.at(*path)), last)
