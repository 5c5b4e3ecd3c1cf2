"""Opens the committed Secrets of a sops overlay with the user's age identities."""

from collections.abc import Iterator, Mapping

from ..backends import backend_of
from ..backends.sops import SopsBackend
from ..errors import InputError, Mistake, Refusal
from ..manifests import committed
from ..manifests.committed import Manifest
from ..model.resolution import Environment
from ..sealing import age
from ..sealing.sops import document as sops
from ..sensitive import Sensitive
from . import render


class Decrypted(render.Rendered):
    """The Secrets, each as JSON, instead of the objects; `warnings` name readers that are not the declared ones."""

    secrets: list[Sensitive]
    warnings: list[Mistake] = []


def decrypt(environment: Environment, variables: Mapping[str, str]) -> Decrypted:
    """The plain Secrets of an environment; with findings there are none.

    `variables` say where the identities are. Raises InputError for another backend and for a value that is not base64,
    Refusal if none opens a file.
    """
    if backend_of(environment).kind != SopsBackend.kind:
        place = environment.overlay.spec.origin.key("backend")
        raise InputError(Mistake(f"overlay {environment.name} has nothing that SOPS encrypted", place))
    rendered = render.render(environment)
    if rendered.findings:
        return Decrypted(objects=(), findings=rendered.findings, secrets=[])
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


def _reader_warnings(environment: Environment, name: str, manifest: Manifest) -> Iterator[Mistake]:
    """Find who can read a file and should not: `check` reports it, and whoever reads the file should know it too."""
    try:
        for flaw in backend_of(environment).reader_flaws(environment, name, manifest.object):
            yield Mistake(flaw.message, manifest.place(*flaw.path), flaw.hint)
    except InputError as error:
        yield from error.mistakes
