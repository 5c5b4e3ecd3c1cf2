"""Opens committed SealedSecrets with the controller's private key: for recovery, when the cluster is lost."""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence

from .. import yamlio
from ..errors import InputError, Mistake, Place, Refusal
from ..files.project import decode
from ..model.kubernetes import Object
from ..rendering import sealedsecret as rendering
from ..sealing import certificate, sealedsecret
from ..sensitive import Sensitive


def unseal(files: Sequence[tuple[str, bytes]], keys: Sequence[tuple[str, bytes]]) -> list[Sensitive]:
    """The Secrets in files of SealedSecrets, each as JSON; files and keys are names with their content.

    Raises InputError for what is no SealedSecret or no key, Refusal with every value that none of the keys opens.
    """
    private_keys = [key for name, content in keys for key in certificate.private_keys(content, name)]
    opened, mistakes = [], []
    for name, content in files:
        for document in _sealed_secrets(content, name):
            values = {}
            for key, text in rendering.sealed(document).items():
                try:
                    values[key] = sealedsecret.unseal(_ciphertext(text), private_keys, _label(document))
                except ValueError as error:
                    mistakes.append(Mistake(f"{document['metadata']['name']}/{key}: {error}", Place(name)))
            opened.append(_secret(document, values))
    if mistakes:
        raise Refusal(*mistakes)
    return opened


def _sealed_secrets(content: bytes, file: str) -> Iterator[Object]:
    found = False
    for document in yamlio.load(decode(content, file), file):
        items = document.get("items") if isinstance(document, dict) else None
        for each in items if isinstance(items, list) else [document]:
            metadata = each.get("metadata") if isinstance(each, dict) else None
            if not isinstance(metadata, dict) or each.get("kind") != rendering.KIND or "name" not in metadata:
                raise InputError(Mistake("expected SealedSecrets, found another document", Place(file)))
            found = True
            yield each
    if not found:
        raise InputError(Mistake("expected SealedSecrets, found nothing", Place(file)))


def _label(document: Object) -> str:
    metadata = document["metadata"]
    scope = rendering.scope_of(document)
    return rendering.bound_to(scope, str(metadata.get("namespace", "default")), str(metadata["name"]))[1]


def _ciphertext(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError("the ciphertext is not base64") from None


def _secret(document: Object, values: dict[str, Sensitive]) -> Sensitive:
    template = document["spec"].get("template") or {}
    said = template.get("metadata") or {}
    metadata = {
        "name": document["metadata"]["name"],
        "namespace": document["metadata"].get("namespace"),
        "labels": said.get("labels"),
        "annotations": said.get("annotations"),
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {name: value for name, value in metadata.items() if value},
        "type": template.get("type", "Opaque"),
        "data": {key: base64.b64encode(value.reveal()).decode() for key, value in values.items()},
    }
    return Sensitive(json.dumps(secret).encode())
