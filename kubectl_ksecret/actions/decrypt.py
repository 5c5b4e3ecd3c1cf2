"""The plain Secrets of an overlay: opened with the user's age identities, or made out of the source."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping

from ..backends import backend_of
from ..backends.sops import SopsBackend
from ..errors import InputError, Mistake, Refusal
from ..manifests import committed
from ..manifests.committed import Manifest
from ..model.resolution import Environment
from ..model.types.backends import PlainSecret
from ..sensitive import Sensitive
from ..sources import OpenedBy
from . import render
from .provision import SourceValues


class Decrypted(render.Rendered):
    """The Secrets, each as JSON, instead of the objects; `warnings` name readers that are not the declared ones."""

    secrets: list[Sensitive]
    warnings: list[Mistake] = []


def decrypt(environment: Environment, variables: Mapping[str, str], opened_by: OpenedBy) -> Decrypted:
    """Return the plain Secrets of an environment; with findings there are none.

    `variables` say where the identities are. Raises InputError for another backend and for a value that is not base64,
    Refusal if none opens a file or the source refuses.
    """
    if isinstance(environment.backend, PlainSecret):
        return Decrypted(objects=(), findings=(), secrets=_of_source(environment, opened_by))
    if not isinstance(backend_of(environment), SopsBackend):
        place = environment.overlay.spec.origin.key("backend")
        raise InputError(Mistake(f"overlay {environment.name} has nothing that SOPS encrypted", place))
    rendered = render.render(environment)
    if rendered.findings:
        return Decrypted(objects=(), findings=rendered.findings, secrets=[])
    from ..sealing import age  # --help must not load cryptography
    from ..sealing.sops import document as sops

    manifests = committed.read(environment)
    identities = age.identities(variables)
    secrets: list[Sensitive] = []
    mistakes: list[Mistake] = []
    warnings: list[Mistake] = []
    for name, manifest in manifests.items():
        warnings += _reader_warnings(environment, name, manifest)
        try:
            document = sops.open_document(manifest.text, manifest.file, identities)
        except Refusal as error:
            mistakes += error.mistakes
            continue
        document.values()  # what the API server would not take is no Secret, and may be no text
        secrets.append(document.plaintext)
    if mistakes:
        raise Refusal(*mistakes)
    return Decrypted(objects=(), findings=(), secrets=secrets, warnings=list(dict.fromkeys(warnings)))


def _of_source(environment: Environment, opened_by: OpenedBy) -> list[Sensitive]:
    """Make the Secrets out of the source. A command that the repository names runs in `sync` alone, which asks."""
    source = environment.source
    if source is not None and source.kind.runs_program:
        hint = f"kubectl ksecret sync {environment.name} asks before it runs"
        raise InputError(Mistake("render runs no command that an overlay names", source.kind.origin.at(), hint))
    backend = backend_of(environment)
    keys = {name: list(secret.keys) for name, secret in environment.secrets.items()}
    secrets: list[Sensitive] = []
    values = SourceValues(environment, opened_by).read(keys)
    if values.absent:
        raise Refusal(*(one.mistake for one in values.absent))
    for name, plaintexts in values.plaintexts.items():
        data = {key: b64encode(plaintext.value.reveal()).decode() for key, plaintext in plaintexts.items()}
        shell = backend.shell(environment, environment.secrets[name])
        secrets.append(Sensitive(json.dumps({**shell, "data": data}).encode()))
    return secrets


def decrypt_all(environments: Iterable[Environment], variables: Mapping[str, str], opened_by: OpenedBy) -> Decrypted:
    """Return the plain Secrets of environments. Raises as `decrypt` does."""
    opened = [decrypt(environment, variables, opened_by) for environment in environments]
    return Decrypted(
        objects=(),
        findings=[finding for one in opened for finding in one.findings],
        secrets=[secret for one in opened for secret in one.secrets],
        warnings=[warning for one in opened for warning in one.warnings],
    )


def _reader_warnings(environment: Environment, name: str, manifest: Manifest) -> Iterator[Mistake]:
    """Find who can read a file and should not: `check` reports it, and whoever reads the file should know it too."""
    try:
        for flaw in backend_of(environment).reader_flaws(environment, name, manifest.object):
            yield Mistake(flaw.message, manifest.place(*flaw.path), flaw.hint)
    except InputError as error:
        yield from error.mistakes
