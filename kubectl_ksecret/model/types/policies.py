"""Policies of External Secrets Operator, and the scopes of Sealed Secrets, as overlays state them."""

from collections.abc import Iterator
from typing import Literal

from ...errors import Mistake
from .origin import Origin

Scope = Literal["strict", "namespace-wide", "cluster-wide"]
RefreshPolicy = Literal["CreatedOnce", "Periodic", "OnChange"]
CreationPolicy = Literal["Owner", "Orphan", "Merge", "None", "CreateOrMerge"]
DeletionPolicy = Literal["Retain", "Delete", "Merge"]


def policies_refused(
    creation: CreationPolicy | None, deletion: DeletionPolicy | None, origin: Origin
) -> Iterator[Mistake]:
    """Find policies that the webhook of External Secrets Operator refuses together."""
    place = origin.at("deletionPolicy" if deletion else "creationPolicy")
    if deletion == "Delete" and creation in ("Merge", "None", "CreateOrMerge"):
        message = f"deletionPolicy Delete and creationPolicy {creation} exclude each other"
        yield Mistake(message, place, "the operator deletes no Secret that is not its own: Retain or Merge fit")
    if deletion == "Merge" and creation == "None":
        yield Mistake("deletionPolicy Merge and creationPolicy None exclude each other", place, "Retain fits")
