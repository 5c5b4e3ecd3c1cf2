"""Secrets that are applied as they are, by `sync` or by a GitOps controller: whether they are those of the files."""

from collections.abc import Iterator

from ...backends import backend_of
from ...cluster.ownership import edited_keys, gitops_step
from ...cluster.secrets import SecretMetadata
from ...manifests import record
from ..deployment import DeployedSecret
from .examination import Examination, Question, Step

_CURRENT = "each Secret is the one that is declared"


def _current(examination: Examination) -> Iterator[Step]:
    for name, secret in examination.secrets.items():
        live = examination.live(secret)
        if live is None:
            continue
        cause, remedy = _fault(examination, name, secret, live)
        yield Step(
            question=_CURRENT,
            subject=f"secret/{secret.name}",
            verdict="failed" if cause else "passed",
            cause=cause,
            remedy=remedy,
        )


def _fault(examination: Examination, name: str, secret: DeployedSecret, live: SecretMetadata) -> tuple[str, str]:
    """Return what is wrong with a Secret, and the next step; nothing if it is as declared."""
    environment = examination.environment
    sync = f"kubectl ksecret sync {environment.name} {name}"
    if live.owners:
        maker = f"{live.owners[0].kind.lower()} {live.owners[0].name}"
        return (
            f"it is made by {live.owners[0].kind} {live.owners[0].name}, which would undo every change",
            f"kubectl get {maker} --namespace={live.namespace} --output=yaml",
        )
    if live.type != secret.secret.declaration.spec.type:
        declared = secret.secret.declaration.spec.type
        cause = f"its type is {live.type}, and {declared} is declared"
        deletion = f"kubectl delete secret {live.name} --namespace={live.namespace}"
        return f"{cause}: it has to be made anew", f"{deletion}\n{sync}"
    if edited := sorted(edited_keys(live.object) & secret.secret.keys.keys() & live.record.keys()):
        return f"somebody wrote {', '.join(edited)} with kubectl after it was synced", gitops_step(live.object) or sync
    arrived = live.record
    if unrecorded := sorted(live.keys & secret.secret.keys.keys() - arrived.keys()):
        cause = f"no record says where {', '.join(unrecorded)} came from: it was made by another hand"
        return cause, gitops_step(live.object) or f"{sync} --adopt"
    backend = backend_of(environment)
    entries = record.of(secret.document.object, backend) if backend.seals else {}
    if changed := sorted(
        key for key, entry in entries.items() if key in arrived and entry.digest != arrived[key].digest
    ):
        cause = f"{', '.join(changed)}: the file has another value than the Secret: it is not applied yet"
        return cause, gitops_step(live.object) or sync
    return "", ""


QUESTIONS = (Question(_CURRENT, _current),)
