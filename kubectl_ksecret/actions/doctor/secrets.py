"""The Secrets themselves: whether they are there, who made them, and whether they hold the declared keys."""

from collections.abc import Iterator

from ...backends import backend_of
from ..addresses import secrets_of
from ..deployment import DeployedSecret
from .examination import Examination, Question, Step, Verdict

_BUILT = "the build has what stands for each Secret"
_EXISTS = "the Secret exists with its keys"


def _built(examination: Examination) -> Iterator[Step]:
    environment = examination.environment
    for name in secrets_of(environment, examination.request.addresses):
        if name not in examination.secrets:
            verb = "seal" if environment.backend.seals else "render --write"
            yield Step(
                question=_BUILT,
                subject=f"secret/{name}",
                verdict="failed",
                cause="it is declared, and the build has nothing for it",
                remedy=f"kubectl ksecret {verb} {environment.name}",
            )


def _exist(examination: Examination) -> Iterator[Step]:
    for name, secret in examination.secrets.items():
        yield _exists(examination, name, secret)


def _exists(examination: Examination, name: str, secret: DeployedSecret) -> Step:
    live = examination.live(secret)
    overlay = examination.environment.name
    missing = sorted(secret.secret.keys.keys() - (live.keys if live else frozenset()))
    if live is not None and not missing:
        owner = f", made by {live.owners[0].kind} {live.owners[0].name}" if live.owners else ""
        return _step(secret, "passed", cause=f"{len(live.keys)} keys{owner}")
    cause = f"it lacks {', '.join(missing)}" if live else "there is no such Secret"
    if name in examination.broken:
        return _step(secret, "failed", cause=f"{cause}; see above: {examination.broken[name]}")
    backend = backend_of(examination.environment)
    unsealed = backend.seals and not set(missing) <= backend.held(secret.document.object).keys()
    remedy = f"kubectl ksecret {'seal' if unsealed else 'sync'} {overlay} {name}"
    return _step(secret, "failed", cause=cause, remedy=remedy)


def _step(secret: DeployedSecret, verdict: Verdict, *, cause: str, remedy: str = "") -> Step:
    return Step(question=_EXISTS, subject=f"secret/{secret.name}", verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (Question(_BUILT, _built), Question(_EXISTS, _exist))
