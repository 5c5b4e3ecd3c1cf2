"""The two kustomizations of an overlay's folder, edited in place: comments and other people's lines stay."""

from collections.abc import Collection
from typing import Any

from .. import yamlio
from ..errors import InputError, Mistake, Place
from . import references

FILE = "kustomization.yaml"

_HEADER = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
_OUTER = f"""{_HEADER}resources:
- manifests
# To render on every build instead of from the committed manifests, with
# kustomize build --enable-alpha-plugins --enable-exec, replace the two lines above by:
# generators:
# - ksecret.yaml
# configurations:
# - manifests/{references.FILE}
"""
GENERATOR_FORM = f"""{_HEADER}generators:
- ksecret.yaml
configurations:
- manifests/{references.FILE}
"""
_GENERATOR = "ksecret.yaml"
_MANIFESTS = ("manifests", "./manifests", "manifests/")


def resources(text: str | None, file: str) -> list[str]:
    """What a kustomization lists as resources; nothing of a missing one. Raises InputError if it is not YAML."""
    return [each for each in _list(text or "", "resources", file) if isinstance(each, str)]


def listing(text: str | None, ours: list[str], stale: Collection[str], file: str) -> str:
    """The kustomization of the manifests: lists our files in order, then other people's; `text` as it is now."""
    if not (text or "").strip():
        text = f"{_HEADER}resources: []\nconfigurations:\n- {references.FILE}\n"
    text = text or ""
    listed = resources(text, file)
    wanted = ours + [name for name in listed if name not in ours and name not in stale]
    if listed == wanted and references.FILE in _list(text, "configurations", file):
        return text
    editing = yamlio.edit(text, file)
    _replace(editing.mapping, "resources", wanted)
    _include(editing.mapping, "configurations", references.FILE, file)
    return editing.text()


def including(text: str | None, file: str) -> str:
    """The kustomization beside ksecret.yaml: has the manifests, or the generator and its references."""
    if not (text or "").strip():
        return _OUTER
    text = text or ""
    generates = _GENERATOR in _list(text, "generators", file)
    field, name = ("configurations", f"manifests/{references.FILE}") if generates else ("resources", "manifests")
    listed = _list(text, field, file)
    if name in listed or (not generates and any(each in _MANIFESTS for each in listed)):
        return text
    editing = yamlio.edit(text, file)
    _include(editing.mapping, field, name, file)
    return editing.text()


def add_resource(text: str, name: str, file: str) -> str:
    """A kustomization with one more resource, if it does not list it yet."""
    if name in resources(text, file):
        return text
    editing = yamlio.edit(text, file)
    _include(editing.mapping, "resources", name, file)
    return editing.text()


def deployed(namespace: str) -> str:
    """A new kustomization of an environment: its namespace, and its Secrets."""
    return f"{_HEADER}namespace: {namespace}\nresources:\n- secrets\n"


def namespace_of(text: str, file: str) -> str | None:
    """The namespace that a kustomization sets."""
    documents = yamlio.load(text, file)
    found = documents[0].get("namespace") if documents and isinstance(documents[0], dict) else None
    return found if isinstance(found, str) else None


def _list(text: str, field: str, file: str) -> list[Any]:
    documents = yamlio.load(text, file)
    found = documents[0].get(field) if documents and isinstance(documents[0], dict) else None
    return found if isinstance(found, list) else []


def _include(mapping: dict[str, Any], field: str, name: str, file: str) -> None:
    if not mapping.get(field):
        mapping[field] = [name]
    elif not isinstance(mapping[field], list):
        raise InputError(Mistake(f"{field} is not a list", Place(file)))
    elif name not in mapping[field]:
        mapping[field].append(name)


def _replace(mapping: dict[str, Any], field: str, wanted: list[str]) -> None:
    """Make a list hold these names in this order; what stays keeps its comments."""
    listed = mapping.get(field)
    if not listed:
        mapping[field] = wanted
        return
    for name in [each for each in listed if each not in wanted]:
        listed.remove(name)
    for index, name in enumerate(wanted):
        if name not in listed:
            listed.insert(index, name)
