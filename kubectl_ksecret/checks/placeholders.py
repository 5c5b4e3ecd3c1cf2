"""What stands where somebody meant to write the real thing later."""

from collections.abc import Iterator
from typing import Any

from ..backends.stores.azurekv import CLIENT_ID, TENANT_ID
from ..model.kubernetes import OPERATOR, STORES
from ..objects.documents import Document, Path, dotted, plain
from ..values.placeholders import placeholder_in
from . import Finding, rule
from .objects import built, loose, once, place_of
from .scope import Repository

# What people write for people, commands, regular expressions and bodies of requests, in which all of this means itself.
_FREE = {"reason", "omit", "arguments", "namespaceRegexes", "body", "kubectl.kubernetes.io/last-applied-configuration"}
_FIELDS = {
    "SecretStore": ("metadata", "spec"),
    "ClusterSecretStore": ("metadata", "spec"),
    "ServiceAccount": ("metadata", "secrets", "imagePullSecrets"),
}


@rule("placeholder", "error")
def placeholder(repository: Repository) -> Iterator[Finding]:
    """A placeholder stands in a store, a ServiceAccount or an overlay.

    The operator can't sign in, or asks for a name that nobody has. Put the real value there. Placeholders are YOUR_…,
    ${…}, <…>, changeme, REDACTED, xxxx, TODO, and UUIDs of one digit.
    """
    yield from once(_in_objects(repository))
    for overlay in repository.overlays:
        stated = overlay.environment.overlay
        document = Document(stated.origin.file, stated.origin.node, plain(stated.origin.node))
        for path, kind in _below(document.object, ()):
            message = f"{dotted(path)} of {overlay.environment.name} is still a placeholder ({kind})"
            yield Finding(
                message=message,
                place=document.place(*path),
                hint=_hint(path),
                field=dotted(path),
                overlay=overlay.environment.name,
            )


def _in_objects(repository: Repository) -> Iterator[Finding]:
    # A store that is rendered has what its overlay says, which is looked at itself.
    rendered = {repository.project.name(environment.path("manifests")) + "/" for environment in repository.environments}
    for document in (*built(repository), *loose(repository, _FIELDS)):
        subject = document.subject
        if subject.kind not in _FIELDS or document.group != (OPERATOR if subject.kind in STORES else ""):
            continue
        if document.file.startswith(tuple(rendered)):
            continue
        for field in _FIELDS[subject.kind]:
            for path, kind in _below(document.object.get(field), (field,)):
                place = place_of(repository.build_holding(document), document, path)
                message = f"{dotted(path)} of {subject.kind} {subject.name} is still a placeholder ({kind})"
                yield Finding(
                    message=message,
                    place=place,
                    hint=_hint(path),
                    subject=subject,
                    field=dotted(path),
                )


def _below(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the fields that hold a placeholder, each with its kind."""
    if isinstance(value, str):
        if kind := placeholder_in(value):
            yield path, kind
    elif isinstance(value, dict):
        for name, element in value.items():
            if name not in _FREE and not str(name).endswith("description"):
                yield from _below(element, (*path, name))
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from _below(element, (*path, index))


def _hint(path: Path) -> str:
    hint = "put the real value there"
    if path[-1] == CLIENT_ID:
        hint += "; the client id of an identity: az identity show --query clientId"
    elif path[-1] in ("tenantId", TENANT_ID):
        hint += "; the tenant's id: az account show --query tenantId"
    return hint


RULES = (placeholder,)
