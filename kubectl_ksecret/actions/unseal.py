"""Opens committed SealedSecrets with the controller's private key: for recovery, when the cluster is lost."""

import base64
import json
import os
from collections.abc import Iterator, Sequence

from .. import yamlio
from ..backends import sealedsecret as rendering
from ..errors import InputError, Mistake, Place, Refusal, shown
from ..files.project import decode
from ..manifests import references
from ..model.kubernetes import Object, decoded, unfolded
from ..objects.documents import KUSTOMIZATION_FILES
from ..sealing import certificate, sealedsecret
from ..sensitive import Sensitive

_BESIDE = {*KUSTOMIZATION_FILES, references.FILE}


def unseal(files: Sequence[tuple[str, bytes]], keys: Sequence[tuple[str, bytes]]) -> list[Sensitive]:
    """Return the Secrets in files of SealedSecrets, each as JSON; files and keys are names with their content.

    What lies beside them in a folder of manifests is left out, so that all of its files can be given. Raises InputError
    for what is no SealedSecret or no key, Refusal with every value that none of the keys opens.
    """
    private_keys = [key for name, content in keys for key in certificate.private_keys(content, name)]
    opened, mistakes = [], []
    for name, content in [file for file in files if os.path.basename(file[0]) not in _BESIDE] or files:
        for document in _sealed_secrets(content, name):
            values = {}
            for key, text in rendering.ciphertext_of(document).items():
                try:
                    values[key] = sealedsecret.unseal(_ciphertext(text), private_keys, _label(document))
                except ValueError as error:
                    mistakes.append(Mistake(f"{_address(document, key)}: {error}", Place(name)))
            opened.append(_secret(document, values))
    if mistakes:
        raise Refusal(*mistakes)
    return opened


def _sealed_secrets(content: bytes, file: str) -> Iterator[Object]:
    """Find the SealedSecrets of a file. Raises InputError if there is none, or another document among them."""
    documents = list(unfolded(yamlio.load(decode(content, file), file)))
    if not documents:
        raise InputError(Mistake("expected SealedSecrets, found nothing", Place(file)))
    for document in documents:
        if not isinstance(document, dict) or document.get("kind") != rendering.KIND:
            raise InputError(Mistake("expected SealedSecrets, found another document", Place(file)))
        if not _is_whole(document):
            raise InputError(Mistake("a SealedSecret here is not in the form of bitnami.com/v1alpha1", Place(file)))
        if (document["spec"].get("template") or {}).get("data"):
            hint = "kubeseal --recovery-unseal fills it in"
            raise InputError(Mistake("a template with data of its own is not supported", Place(file), hint))
        yield document


def _is_whole(document: Object) -> bool:
    """Whether name, annotations, ciphertext and template stand where they belong."""
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict) or "name" not in metadata:
        return False
    template = spec.get("template") or {}
    of_secret = template.get("metadata") or {} if isinstance(template, dict) else None
    return (
        isinstance(metadata.get("annotations") or {}, dict)
        and isinstance(of_secret, dict)
        # One that was dropped here would be missed in the recovered Secret.
        and rendering.ciphertext_of(document) == (spec.get("encryptedData") or {})
    )


def _address(document: Object, key: object) -> str:
    return f"{shown(str(document['metadata']['name']))}/{shown(str(key))}"


def _label(document: Object) -> str:
    metadata = document["metadata"]
    scope = rendering.scope_of(document)
    return rendering.bound_to(scope, str(metadata.get("namespace", "default")), str(metadata["name"]))[1]


def _ciphertext(text: str) -> bytes:
    try:
        return decoded(text)
    except ValueError:
        raise ValueError("the ciphertext is not base64") from None


def _secret(document: Object, values: dict[str, Sensitive]) -> Sensitive:
    template = document["spec"].get("template") or {}
    of_secret = template.get("metadata") or {}
    metadata = {
        "name": document["metadata"]["name"],
        "namespace": document["metadata"].get("namespace"),
        "labels": of_secret.get("labels"),
        "annotations": of_secret.get("annotations"),
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {name: value for name, value in metadata.items() if value},
        "type": template.get("type", "Opaque"),
        **({"immutable": True} if template.get("immutable") is True else {}),
        "data": {str(key): base64.b64encode(value.reveal()).decode() for key, value in values.items()},
    }
    return Sensitive(json.dumps(secret, default=str).encode())
