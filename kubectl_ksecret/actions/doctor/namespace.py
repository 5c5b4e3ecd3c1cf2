"""The namespace that the Secrets are deployed to: nothing can be applied before it is there."""

from collections.abc import Iterator

from ...cluster.api import Refused
from ...cluster.resources import NAMESPACES
from .examination import Examination, Question, Step

_THERE = "the namespace is there"


def _missing(examination: Examination) -> Iterator[Step]:
    """Yield a step where there is no such namespace. Whoever may not read it has rights in it, so that it is there."""
    name = examination.namespace
    try:
        live = examination.find(NAMESPACES.cluster_wide(name))
    except Refused:
        return
    if live is not None:
        return
    for secret in examination.secrets:
        examination.broken[secret] = _THERE
    remedy = f"kubectl create namespace {name}"
    if examination.built("Namespace", name):
        remedy = examination.apply_command
    yield Step(
        question=_THERE,
        subject=f"namespace/{name}",
        verdict="failed",
        cause="there is no such namespace in this cluster",
        remedy=remedy,
    )


QUESTIONS = (Question(_THERE, _missing),)
