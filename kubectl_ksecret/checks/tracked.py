"""What the repository itself gives away: files that Git tracks and should not, and private keys in others."""

import os
from collections.abc import Iterator

from ..errors import Place
from ..kustomize.generators import entries, kustomizations, sources_of
from . import Finding, rule
from .objects import encrypted_by_sops, root_path
from .scope import Repository


@rule("tracked-secret-file", "error")
def tracked_secret_file(repository: Repository) -> Iterator[Finding]:
    """Git tracks a dotenv file with values, a key file, or the file that an overlay takes its values from.

    What was committed stays in the history of every clone. Take the file out of Git, ignore it, and change what was in
    it. Examples (.env.example, .sample, .template, .dist), what SOPS has encrypted, the sources of a ConfigMap, and
    folders named testdata or node_modules are left out.
    """
    project = repository.project
    encrypted = encrypted_by_sops(repository)
    named = set()
    for environment in repository.environments:
        for named_path, place in environment.source.kind.paths() if environment.source else ():
            path = os.path.relpath(os.path.realpath(environment.path(named_path)), project.root)
            if path in (repository.tracked or ()) and path not in encrypted:
                named.add(path)
                shown = project.name(os.path.join(project.root, path))
                message = f"{environment.name} takes its values from {shown}, which Git tracks"
                yield Finding(message=message, place=place, hint=_untrack(shown), overlay=environment.name)
    public = set(_sources_of_config_maps(repository))
    for content in repository.contents:
        if content.kind in ("dotenv file", "key file") and content.path not in (named | public):
            shown = project.name(os.path.join(project.root, content.path))
            yield Finding(
                message=f"Git tracks a {content.kind}",
                place=Place(shown),
                hint=_untrack(shown),
            )


def _untrack(shown: str) -> str:
    return f"git rm --cached {shown}, add it to .gitignore, and change the values that were committed"


def _sources_of_config_maps(repository: Repository) -> Iterator[str]:
    for document in kustomizations(repository.tree):
        for path, entry in entries(document, "configMapGenerator"):
            yield from (root_path(repository, source) for _, source in sources_of(document, path, entry))


@rule("private-key", "error")
def private_key(repository: Repository) -> Iterator[Finding]:
    """A private key stands in a file that Git tracks.

    Whoever has a clone of the repository can be who the key says. Make a new key pair, revoke the old one, and take the
    key out of the file; the history still holds it. Folders named testdata or node_modules are left out.
    """
    project = repository.project
    for content in repository.contents:
        place = Place(project.name(os.path.join(project.root, content.path)), content.line, content.column)
        if content.kind == "private key" and not _of_a_secret(repository, place):
            yield Finding(
                message="a private key in a file that Git tracks",
                place=place,
                hint="make a new key; the history keeps this one",
            )


def _of_a_secret(repository: Repository, place: Place) -> bool:
    """Whether it is a value of a Secret, which is looked at as one."""
    nodes = [document.node for document in repository.tree.get(place.file, ()) if document.subject.kind == "Secret"]
    return any(node and node.start_mark.line < place.line <= node.end_mark.line + 1 for node in nodes)


RULES = (tracked_secret_file, private_key)
