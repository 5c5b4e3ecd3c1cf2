"""Values where nobody looks for them: in annotations of the Secrets. And how one key is read by who may read it."""

from collections.abc import Iterator

from ...cluster.api import FIELD_MANAGER
from ...cluster.ownership import gitops_owner
from ...cluster.resources import SECRETS
from ...cluster.secrets import SecretMetadata
from ...model.kubernetes import LAST_APPLIED
from .examination import Examination, Question, Step

_COPIES = "no annotation holds a value"
_ONE_KEY = "one key, for who may read it"


def _copies(examination: Examination) -> Iterator[Step]:
    live = [live for secret in examination.secrets.values() if (live := examination.live(secret)) is not None]
    names = {secret.name: name for name, secret in examination.secrets.items()}
    for secret in live:
        if secret.last_applied:
            yield Step(
                question=_COPIES,
                subject=f"secret/{secret.name}",
                verdict="failed",
                cause=f"kubectl apply left its values in {LAST_APPLIED} too",
                remedy=_removal(examination, names[secret.name], secret),
            )
    clean = [secret for secret in live if not secret.last_applied]
    if clean:
        hashed = sum(secret.hashed for secret in clean)
        digest = "External Secrets Operator keeps a digest of all its values, by which a short one can be guessed"
        secrets = "1 Secret" if len(clean) == 1 else f"{len(clean)} Secrets"
        yield Step(
            question=_COPIES,
            subject=f"namespace/{examination.namespace}",
            verdict="passed",
            cause=f"{secrets} looked at" + (f"; on {hashed} of them {digest}" if hashed else ""),
        )


def _removal(examination: Examination, name: str, live: SecretMetadata) -> str:
    """Return the command that takes the values out.

    `sync` takes over what kubectl applied, and drops the annotation with it. Where somebody else makes the Secret, the
    annotation alone goes.
    """
    backend = examination.environment.backend
    if not (backend.fetched or live.owners or gitops_owner(live.object)):
        managers = {entry.get("manager") for entry in live.object["metadata"].get("managedFields") or ()}
        adopt = "" if FIELD_MANAGER in managers else " --adopt"
        return f"kubectl ksecret sync {examination.environment.name} {name}{adopt}"
    return f"kubectl annotate secret {live.name} --namespace={live.namespace} {LAST_APPLIED}-"


def _one_key(examination: Examination) -> Iterator[Step]:
    for address in examination.request.addresses:
        name, _, key = address.partition("/")
        secret = examination.secrets.get(name)
        live = examination.live(secret) if key and secret else None
        if live is not None and key in live.keys:
            template = f'{{{{index .data "{key}" | base64decode}}}}'
            yield Step(
                question=_ONE_KEY,
                subject=f"{SECRETS.plural.removesuffix('s')}/{live.name}",
                verdict="passed",
                cause=f"{key} is there; doctor shows no value, and this command does",
                listed=True,
                remedy=f"kubectl get secret {live.name} --namespace={live.namespace} --output=go-template='{template}'",
            )


QUESTIONS = (Question(_COPIES, _copies), Question(_ONE_KEY, _one_key))
