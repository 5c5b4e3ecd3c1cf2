"""Secret manifests as a source: what `kubectl get secret -o yaml` prints, or a file of them."""

import json
from collections.abc import Iterable
from typing import Any

from .. import yamlio
from ..errors import InputError, Mistake, Place, shown
from ..files.project import decode
from ..model.kubernetes import decoded, unfolded
from ..sensitive import Sensitive
from . import GivenSecrets


def parse(content: bytes, file: str) -> GivenSecrets:
    """Return the values of the Secrets; stringData goes before data, and other objects in the file are passed over.

    Raises InputError if there is no Secret, for data that is not base64, and for a Secret that is given twice.
    """
    secrets: dict[str, dict[str, Sensitive]] = {}
    namespaces: dict[str, str] = {}
    mistakes: list[Mistake] = []
    others = False
    for document in unfolded(_read(decode(content, file), file)):
        if not isinstance(document, dict) or document.get("kind") != "Secret":
            others = True
            continue
        name, namespace = _metadata_field(document, "name"), _metadata_field(document, "namespace")
        if not name:
            mistakes.append(Mistake("expected Secrets with a name, found one without metadata.name", Place(file)))
            continue
        if namespace:
            namespaces[name] = namespace
        if name in secrets:
            hint = "give those of one namespace"
            mistakes.append(Mistake(f"the Secret {shown(name)} stands here twice", Place(file), hint))
        if isinstance(document.get("sops"), dict):
            hint = "decrypt it first, as in: sops decrypt FILE | kubectl ksecret seal OVERLAY -f -"
            mistakes.append(Mistake(f"the Secret {shown(name)} is encrypted with SOPS", Place(file), hint))
            continue
        secrets[name] = _values(document, file, mistakes)
    if not secrets and not mistakes:
        problem = "another kind of object" if others else "nothing"
        mistakes.append(Mistake(f"expected Secrets, found {problem}", Place(file)))
    if mistakes:
        raise InputError(*mistakes)
    return GivenSecrets(values=secrets, namespaces=namespaces, file=file)


def _read(text: str, file: str) -> list[Any]:
    """Read JSON as JSON, since YAML folds or refuses some characters that may stand in its strings."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        documents, mistakes = yamlio.read_foreign(text, file)
        if mistakes:
            raise InputError(*mistakes) from None
        return [document.value for document in documents]


def _metadata_field(document: dict[str, Any], field: str) -> str:
    return str(dict(_mapping(document.get("metadata"))).get(field) or "")


def _values(document: dict[str, Any], file: str, mistakes: list[Mistake]) -> dict[str, Sensitive]:
    values = {}
    name = shown(_metadata_field(document, "name"))
    for key, text in _mapping(document.get("data")):
        try:
            values[str(key)] = Sensitive(decoded(_text(text)))
        except ValueError:
            mistakes.append(Mistake(f"data of {name}/{shown(str(key))} is not base64", Place(file)))
    for key, text in _mapping(document.get("stringData")):
        try:
            values[str(key)] = Sensitive(_text(text).encode())
        except ValueError:
            mistakes.append(Mistake(f"stringData of {name}/{shown(str(key))} is not a string", Place(file)))
    return values


def _text(stated: object) -> str:
    """Return text as the API server reads it: nothing is an empty value, a number is no text, whatever its digits."""
    if stated is not None and not isinstance(stated, str):
        raise ValueError("not text")
    return stated or ""


def _mapping(stated: object) -> Iterable[tuple[Any, Any]]:
    return stated.items() if isinstance(stated, dict) else ()
