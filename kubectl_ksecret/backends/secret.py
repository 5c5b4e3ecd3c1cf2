"""A plain Secret, for teams that keep no Secret in Git: only `sync` makes it, out of the source and in memory.

The build has no such Secret, so a prefix of a kustomization reaches neither it nor what reads it.
"""

from collections.abc import Iterator, Sequence

from ..model.backend import Limit, NameReference, Objects
from ..model.kubernetes import Object
from ..model.resolution import Environment, Secret
from .valueless import ValuelessBackend

KIND = "Secret"


class PlainSecretBackend(ValuelessBackend):
    """A Secret for each declaration, of which nothing is committed."""

    kind = KIND
    group = ""
    record_path = ("metadata", "annotations")

    def render(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return nothing: what could be shown holds values."""
        return []

    def shell(self, environment: Environment, secret: Secret) -> Object:
        """Return the Secret without its values and without the record."""
        declared = secret.declaration.spec
        metadata: Object = {"name": secret.name, "namespace": environment.namespace}
        for field, stated in {"labels": declared.labels, "annotations": declared.annotations}.items():
            if stated:
                metadata[field] = dict(stated)
        return {"apiVersion": "v1", "kind": KIND, "metadata": metadata, "type": declared.type}

    def limits(self, environment: Environment, secret: Secret) -> Iterator[Limit]:
        """Find nothing: sync makes any Secret."""
        return iter(())

    def next_step(self, environment: Environment, secrets: Sequence[str]) -> str:
        """Return nothing: no operator is at work."""
        return ""

    def name_references(self) -> Sequence[NameReference]:
        """Return nothing: kustomize renames only what it builds."""
        return ()
