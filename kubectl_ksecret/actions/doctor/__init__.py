"""Walk the chain from an overlay to the pods that read its Secrets, and say at which step it breaks.

A subject has a module here, with a tuple of its questions in the order in which they are asked.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from ...backends import backend_of
from ...cluster.api import Api, Refused, Unreachable
from ...model.resolution import Environment
from ...objects.documents import Document
from ...sources import Progress
from ..addresses import secrets_of
from ..deployment import DeployedSecret, Deployment, deployment_to
from . import (
    access,
    acksecretmanager,
    azurekeyvault,
    controller,
    copies,
    credentials,
    externalsecrets,
    namespace,
    plain,
    pods,
    sealedsecrets,
    secrets,
    signin,
    stores,
    vault,
    vaultsecretsoperator,
    workloads,
)
from .examination import DoctorRequest, Examination, Question, Step, unasked
from .operator import EXTERNAL_SECRETS_OPERATOR

_PAUSE_SECONDS = 2.0
# What comes before the Secret, by the field of the backend.
CHAINS: Mapping[str, Sequence[Question]] = {
    "externalSecret": (
        *EXTERNAL_SECRETS_OPERATOR.questions,
        *stores.QUESTIONS,
        *credentials.QUESTIONS,
        # What a provider's own stores need; another provider's questions are added here.
        *azurekeyvault.QUESTIONS,
        *vault.QUESTIONS,
        *signin.QUESTIONS,
        *externalsecrets.QUESTIONS,
    ),
    "secret": plain.QUESTIONS,
    "sops": plain.QUESTIONS,
    "sealedSecret": (*controller.QUESTIONS, *sealedsecrets.QUESTIONS),
    "vaultSecretsOperator": vaultsecretsoperator.QUESTIONS,
    "ackSecretManager": acksecretmanager.QUESTIONS,
}
FROM_THE_SECRET_ON: Sequence[Question] = (
    *secrets.QUESTIONS,
    *copies.QUESTIONS,
    *workloads.QUESTIONS,
    *pods.QUESTIONS,
    *access.QUESTIONS,
)


def examine(
    environment: Environment,
    api: Api,
    request: DoctorRequest,
    *,
    progress: Progress,
    report: Callable[[Sequence[Step]], None],
) -> list[Step]:
    """Ask every question and return the steps. While it waits, each round that is not the last one is reported.

    What can't be asked for lack of rights is not waited for. A server that is away for a while is asked again.

    Raises InputError for another cluster than the overlay's, Refusal if the cluster can't be asked.
    """
    deployed = deployment_to(api, environment)
    chosen = _chosen(environment, deployed, secrets_of(environment, request.addresses))
    end = time.monotonic() + request.timeout if request.timeout else float("inf")
    while True:
        over = not request.wait or time.monotonic() > end
        examination = Examination(
            environment=environment,
            api=api,
            request=request,
            deployment=deployed,
            secrets=chosen,
            progress=progress,
        )
        try:
            steps = list(_steps(environment, examination))
            if over or not any(step.verdict == "failed" for step in steps):
                return steps
            report(steps)
        except (Unreachable, Refused) as error:
            if over or (isinstance(error, Refused) and not error.is_temporary):
                raise
        time.sleep(_PAUSE_SECONDS)


def _steps(environment: Environment, examination: Examination) -> Iterator[Step]:
    for question in (*namespace.QUESTIONS, *CHAINS.get(environment.backend.field, ()), *FROM_THE_SECRET_ON):
        yield from _answers(question, examination)


def _chosen(environment: Environment, deployed: Deployment, names: Sequence[str]) -> dict[str, DeployedSecret]:
    """Return the Secrets to look at. What `sync` makes without a build has its declared name and namespace."""
    if environment.backend.seals or environment.backend.fetched:
        return {name: deployed.secrets[name] for name in names if name in deployed.secrets}
    backend = backend_of(environment)
    return {
        name: DeployedSecret(
            secret=environment.secrets[name],
            document=Document("", None, backend.shell(environment, environment.secrets[name])),
            name=name,
            namespace=deployed.namespace,
        )
        for name in names
    }


def _answers(question: Question, examination: Examination) -> Iterator[Step]:
    try:
        yield from question.ask(examination)
    except Refused as refused:
        subject = f"namespace/{examination.namespace}"
        if refused.status == 404:
            cause = "the cluster serves no such objects"
            yield Step(question=question.title, subject=subject, verdict="not applicable", cause=cause)
        elif refused.status == 403:
            yield unasked(question.title, subject, refused)
        else:
            raise
