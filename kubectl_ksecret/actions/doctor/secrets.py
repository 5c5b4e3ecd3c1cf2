"""The Secrets themselves: whether they are there, who made them, and whether they hold the declared keys."""

from collections.abc import Iterator

from ...backends import backend_of
from ..deployment import DeployedSecret
from .examination import Examination, Question, Step

_EXISTS = "the Secret exists with its keys"


def _exist(examination: Examination) -> Iterator[Step]:
    for secret in examination.secrets.values():
        yield _exists(examination, secret)


def _exists(examination: Examination, secret: DeployedSecret) -> Step:
    live = examination.live(secret)
    overlay = examination.environment.name
    missing = sorted(secret.secret.keys.keys() - (live.keys if live else frozenset()))
    if live is not None and not missing:
        owner = f", made by {live.owners[0].kind} {live.owners[0].name}" if live.owners else ""
        return _step(secret, cause=f"{len(live.keys)} keys{owner}")
    seals = backend_of(examination.environment).seals
    unsealed = [
        key for key in missing if seals and key not in backend_of(examination.environment).held(_object(secret))
    ]
    remedy = f"kubectl ksecret {'seal' if unsealed else 'sync'} {overlay} {secret.secret.name}"
    cause = f"it lacks {', '.join(missing)}" if live else "there is no such Secret"
    return _step(secret, cause=cause, remedy=remedy)


def _object(secret: DeployedSecret) -> dict[str, object]:
    return secret.document.object


def _step(secret: DeployedSecret, *, cause: str, remedy: str = "") -> Step:
    return Step(
        question=_EXISTS,
        subject=f"secret/{secret.name}",
        verdict="failed" if remedy else "passed",
        cause=cause,
        remedy=remedy,
    )


QUESTIONS = (Question(_EXISTS, _exist),)
