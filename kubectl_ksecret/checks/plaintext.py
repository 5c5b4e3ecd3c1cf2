"""Values that stand in the tree for all to read."""

import base64
import re
from collections.abc import Iterator

from ..backends import backend_of
from ..backends.sops import SopsBackend
from ..backends.sops import document as sops
from ..kustomize.generators import entries, kustomizations, name_of, sources_of
from ..model.kubernetes import SERVICE_ACCOUNT, Object, Subject
from ..model.types.names import KEY_PATTERN
from ..objects.documents import Document, dotted, mapping, sequence
from ..values.placeholders import replaced
from . import Finding, rule
from .objects import built, encrypted_by_sops, root_path, written
from .scope import Repository

_FIELDS = ("data", "stringData")
_HINT = "change the value, declare the key, and seal it: kubectl ksecret seal"
_VAULT_PLUGIN = "avp.kubernetes.io/path"
_INSERTED = re.compile(r"<path:[^<>\n]+>")  # argocd-vault-plugin, also within a line


@rule("plaintext-secret", "error")
def plaintext_secret(repository: Repository) -> Iterator[Finding]:
    """A Secret, or a secretGenerator, holds values in plain text; base64 is plain text too.

    Whoever can read the repository can read them, and whoever once could still has them. Change each value, declare its
    key, and seal it. What SOPS has encrypted, and what a deployer replaces (<path:…>, ${…}), is no value.
    """
    of_overlays = _sealed_by_overlays(repository)
    secrets = [document for document in written(repository) if _is_secret(document)]
    for document in secrets:
        if document.file not in of_overlays:
            for field, key in _plain(document.object):
                yield _fault(document, document.subject, field, key)
    yield from _patched_in(repository, secrets)
    for document in kustomizations(repository.tree):
        yield from _generated(repository, document)


def _sealed_by_overlays(repository: Repository) -> set[str]:
    """Return the files that must be encrypted with SOPS, and are looked at for it."""
    return {
        manifest.file
        for overlay in repository.overlays
        if backend_of(overlay.environment).kind == SopsBackend.kind
        for manifest in overlay.manifests.values()
    }


def _is_secret(document: Document) -> bool:
    return document.subject.kind == "Secret" and not document.group


def _fault(document: Document, subject: Subject, field: str, key: str) -> Finding:
    message = f"Secret {subject.name} holds {field}.{key} in plain text"
    return Finding(
        message=message,
        place=document.key(field, key),
        hint=_HINT,
        subject=subject,
        field=f"{field}.{key}",
    )


def _plain(secret: Object) -> Iterator[tuple[str, str]]:
    """Yield the fields with a value that anybody can read."""
    if secret.get("type") == SERVICE_ACCOUNT:
        return
    by_name = isinstance(mapping(mapping(secret.get("metadata")).get("annotations")).get(_VAULT_PLUGIN), str)
    for field in _FIELDS:
        for key, value in mapping(secret.get(field)).items():
            text = _text(value)
            encrypted = bool(sops.block(secret)) and sops.parts(text) is not None
            if not encrypted and not _is_no_value(_decoded(text) if field == "data" else text, by_name):
                yield field, str(key)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _decoded(text: str) -> str:
    """Return what base64 stands for; what is none is a value as it stands."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode(errors="replace")
    except ValueError:
        return text


def _is_no_value(text: str, by_name: bool) -> bool:
    """Whether it is empty, or stands for what a deployer puts in; `by_name` it takes <key> for such a place too."""
    stripped = text.strip()
    if not stripped or replaced(stripped) or (by_name and re.fullmatch(r"<[^<>\n]+>", stripped)):
        return True
    return "\n" not in stripped and _INSERTED.search(stripped) is not None


def _patched_in(repository: Repository, secrets: list[Document]) -> Iterator[Finding]:
    """Find what a build adds to a Secret of the tree, from a patch that is no file of its own."""
    origins = {id(document.node): document for document in secrets}
    reported = {(document.subject.name, key) for document in secrets for _, key in _plain(document.object)}
    for document in built(repository):
        origin = origins.get(id(document.node))
        if origin is None or not _is_secret(document):
            continue
        for field, key in _plain(document.object):
            if (origin.subject.name, key) not in reported:
                reported.add((origin.subject.name, key))
                yield _fault(document, document.subject, field, key)


def _generated(repository: Repository, document: Document) -> Iterator[Finding]:
    for path, entry in entries(document, "secretGenerator"):
        subject = Subject("Secret", str(entry.get("namespace") or ""), name_of(entry))
        for index, literal in enumerate(sequence(entry.get("literals"))):
            key, _, value = literal.partition("=") if isinstance(literal, str) else ("", "", "")
            if not _is_no_value(value.strip("\"'"), by_name=False):
                where = (*path, "literals", index)
                # What stands before the first = of something else may be a piece of a value.
                named = f" of {key}" if re.fullmatch(KEY_PATTERN, key) else ""
                message = f"secretGenerator {subject.name} holds the value{named} in plain text"
                yield Finding(
                    message=message,
                    place=document.place(*where),
                    hint=_HINT,
                    subject=subject,
                    field=dotted(where),
                )
        for where, source in sources_of(document, path, entry):
            from_root = root_path(repository, source)
            if from_root in (repository.tracked or ()) and from_root not in encrypted_by_sops(repository):
                message = f"secretGenerator {subject.name} reads {source}, which Git tracks"
                hint = f"git rm --cached {source}, change the values, declare the keys, and seal them"
                yield Finding(
                    message=message,
                    place=document.place(*where),
                    hint=hint,
                    subject=subject,
                    field=dotted(where),
                )


RULES = (plaintext_secret,)
