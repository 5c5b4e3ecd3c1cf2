"""The two kustomizations of an overlay's folder, edited in place: what is not ours stays byte for byte."""

import os
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ..errors import InputError, Mistake
from ..yamlio import editing
from . import references

_HEADER = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
_GENERATOR = "ksecret.yaml"
_MANIFESTS = "manifests"
_REFERENCES = f"{_MANIFESTS}/{references.FILE}"
_COMMITTED_FORM = f"""{_HEADER}resources:
- {_MANIFESTS}
# To render on every build instead of from the committed manifests, with
# kustomize build --enable-alpha-plugins --enable-exec, replace the two lines above by:
# generators:
# - {_GENERATOR}
# configurations:
# - {_REFERENCES}
"""
GENERATOR_FORM = f"""{_HEADER}generators:
- {_GENERATOR}
configurations:
- {_REFERENCES}
"""


def resources(text: str | None, file: str) -> list[str]:
    """Return what a kustomization lists as resources, in the shortest form: ./manifests/ is manifests.

    A missing one lists nothing. Raises InputError if it is not YAML.
    """
    return _names(_listed(text or "", "resources", file))


def listing(text: str | None, ours: Sequence[str], stale: Collection[str], file: str) -> str:
    """Return the kustomization of the manifests, which lists our files in order among other people's."""
    text = text or ""
    if editing.only_document(text, file) is None:
        text = _below(text, f"{_HEADER}resources: []\n")
    listed = [name for name in _listed(text, "resources", file) if _normal(name) not in stale]
    text = editing.with_field(text, file, ("resources",), _including(listed, ours))
    return _ending_with(text, "configurations", references.FILE, file)


def including(text: str | None, file: str) -> str:
    """Return the kustomization beside ksecret.yaml, which has the manifests, or the generator and its references."""
    text = text or ""
    if editing.only_document(text, file) is None:
        return _below(text, _COMMITTED_FORM)
    # A generator that is patched on the way here is listed as a folder of any name.
    configured = _names(_listed(text, "configurations", file))
    if _GENERATOR in _names(_listed(text, "generators", file)) or _REFERENCES in configured:
        return _ending_with(text, "configurations", _REFERENCES, file)
    return add_resource(text, _MANIFESTS, file)


def add_resource(text: str, name: str, file: str) -> str:
    """Return a kustomization with one more resource, if it does not list it yet."""
    if editing.only_document(text, file) is None:
        return _below(text, f"{_HEADER}resources:\n- {name}\n")
    return _ending_with(text, "resources", name, file)


def deployed(namespace: str) -> str:
    """Return a new kustomization of an overlay's folder, with nothing but its Secrets."""
    return f"{_HEADER}namespace: {namespace}\nresources:\n- secrets\n"


def namespace_of(text: str, file: str) -> str | None:
    """Return the namespace that a kustomization gives all its objects. Raises InputError if it is not YAML."""
    document = editing.only_document(text, file)
    namespace = document.value.get("namespace") if document else None
    return None if namespace is None else str(namespace)


def _below(comments: str, content: str) -> str:
    return f"{comments.rstrip()}\n{content}" if comments.strip() else content


def _listed(text: str, field: str, file: str) -> list[Any]:
    """Return a list of a kustomization, empty where it has none. Raises InputError if something else stands there."""
    document = editing.only_document(text, file)
    listed = document.value.get(field) if document else None
    if document is not None and listed is not None and not isinstance(listed, list):
        raise InputError(Mistake(f"{field} is not a list", editing.place_of(document.node, (field,), file)))
    return listed or []


def _normal(name: Any) -> Any:
    return os.path.normpath(name) if isinstance(name, str) else name


def _names(listed: Iterable[Any]) -> list[str]:
    return [_normal(name) for name in listed if isinstance(name, str)]


def _including(listed: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Return a list with these names in it too, each behind the one before it."""
    including, normal = list(listed), [_normal(element) for element in listed]
    behind = 0
    for name in names:
        if name in normal:
            behind = normal.index(name) + 1
        else:
            including.insert(behind, name)
            normal.insert(behind, name)
            behind += 1
    return including


def _ending_with(text: str, field: str, name: str, file: str) -> str:
    """Return a kustomization with this name in a list, behind all others."""
    listed = _listed(text, field, file)
    if name in _names(listed):
        return text
    return editing.with_field(text, file, (field,), [*listed, name])
