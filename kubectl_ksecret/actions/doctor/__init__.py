"""Walk the chain from an overlay to the pods that read its Secrets, and say at which step it breaks.

A subject has a module here, with a tuple of its questions in the order in which they are asked.
"""

from collections.abc import Iterator, Mapping, Sequence

from ...backends import backend_of
from ...cluster.api import Api, Refused
from ...cluster.guard import refuse_another_cluster, refuse_another_namespace
from ...model.resolution import Environment
from ...objects.documents import Document
from ...sources import Progress
from ..addresses import secrets_of
from ..deployment import DeployedSecret, Deployment, deployment
from . import secrets
from .examination import DoctorRequest, Examination, Question, Step, Verdict

# What comes before the Secret, by the kind of the object that stands for it.
CHAINS: Mapping[str, Sequence[Question]] = {
    "ExternalSecret": (),
    "SealedSecret": (),
}
FROM_THE_SECRET_ON: Sequence[Question] = (*secrets.QUESTIONS,)


def examine(environment: Environment, api: Api, request: DoctorRequest, progress: Progress) -> Iterator[Step]:
    """Ask every question about the Secrets of an overlay, or the addressed ones.

    Raises InputError for another cluster than the overlay's, Refusal if the cluster can't be asked.
    """
    deployed = deployment(environment)
    refuse_another_namespace(api, deployed.namespace)
    refuse_another_cluster(environment, api, deployed.namespace)
    chosen = _chosen(environment, deployed, secrets_of(environment, request.addresses))
    examination = Examination(
        environment=environment,
        api=api,
        request=request,
        deployment=deployed,
        secrets=chosen,
        progress=progress,
    )
    for question in (*CHAINS.get(backend_of(environment).kind, ()), *FROM_THE_SECRET_ON):
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
        mistake = refused.mistakes[0]
        if refused.status == 404:
            yield _unanswered(question, examination, "not applicable", "the cluster serves no such objects")
        elif refused.status == 403:
            yield _unanswered(question, examination, "unknown", mistake.message, mistake.hint)
        else:
            raise


def _unanswered(question: Question, examination: Examination, verdict: Verdict, cause: str, remedy: str = "") -> Step:
    return Step(
        question=question.title,
        subject=f"namespace/{examination.namespace}",
        verdict=verdict,
        cause=cause,
        remedy=remedy,
    )
