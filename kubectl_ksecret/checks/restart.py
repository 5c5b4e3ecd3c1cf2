"""Does a workload notice that a Secret has changed?"""

import re
from collections.abc import Iterator, Sequence

from ..model.kubernetes import Object
from ..objects.documents import Document, mapping, sequence
from ..objects.producers import ProducedSecret, without_hash
from ..objects.reads import pod_metadata
from . import Finding, rule
from .scope import Build
from .supply import Supply, rollouts, supply_of

_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Rollout")  # the others start anew by themselves, or can't
_RELOADER = "reloader.stakater.com"
_ALWAYS = (f"{_RELOADER}/auto", f"secret.{_RELOADER}/auto", "wave.pusher.com/update-on-config-change")
_NAMED = f"secret.{_RELOADER}/reload"
# Reloader looks for what is marked by the second on the Secret, where the workload has the first.
_SEARCH, _MATCH = f"{_RELOADER}/search", f"{_RELOADER}/match"
_EXCLUDED = (f"secrets.exclude.{_RELOADER}/reload", f"secret.exclude.{_RELOADER}/reload")
_IGNORED = f"{_RELOADER}/ignore"  # on the Secret


@rule("no-restart", "note")
def no_restart(build: Build) -> Iterator[Finding]:
    """A workload reads a Secret through its environment, and nothing restarts it when the Secret changes.

    It works on with the old value until somebody restarts it, perhaps long after the old one was withdrawn. Run
    Reloader (github.com/stakater/Reloader) and annotate the workload with `reloader.stakater.com/auto: "true"`, or
    mount the Secret as a volume and read it anew. `search` restarts it for Secrets that are annotated with `match`
    alone, and what `exclude` lists restarts nothing.
    """
    supply = supply_of(build)
    running = rollouts(supply)
    for document, names in _read_through_environment(supply):
        of_pods = mapping(pod_metadata(document).get("annotations"))
        outside = [rollout.annotations for rollout in running.at(*supply.key(document))]
        annotations = (document.annotations, of_pods, *outside)
        left = [
            name
            for name in names
            if not _is_restarted(supply, document, annotations, name)
            and not _is_restarted_by_operator(supply, document, name)
        ]
        if left:
            subject = document.subject
            yield Finding(
                message=f"nothing restarts {subject.kind} {subject.name} when {' or '.join(left)} changes",
                place=document.place("metadata", "annotations"),
                hint=_hint(annotations),
                subject=subject,
                field="metadata.annotations",
                overlay=supply.overlay_of(supply.namespace(document)),
            )


def _hint(annotations: Sequence[Object]) -> str:
    if any(metadata.get(_SEARCH) == "true" for metadata in annotations):
        return f'with {_SEARCH} Reloader looks at Secrets alone that have the annotation {_MATCH}: "true"'
    if any(name in metadata for metadata in annotations for name in _EXCLUDED):
        return "the annotation that excludes it from Reloader keeps it so"
    return f'with Reloader, annotate it: {_RELOADER}/auto: "true"'


def _read_through_environment(supply: Supply) -> list[tuple[Document, list[str]]]:
    """Return the workloads that outlive a change, with the Secrets whose change they would not notice."""
    workloads: dict[int, tuple[Document, list[str]]] = {}
    for read in supply.reads:
        if read.reader.subject.kind not in _KINDS or read.how not in ("env", "envFrom"):
            continue
        secrets = supply.secrets.at(read.namespace, read.secret)
        if not secrets or any(_is_hashed(secret) for secret in secrets):
            continue
        _, names = workloads.setdefault(id(read.reader), (read.reader, []))
        if read.secret not in names:
            names.append(read.secret)
    return list(workloads.values())


def _is_hashed(secret: ProducedSecret) -> bool:
    """Whether kustomize renames the Secret with each change, and the reference with it."""
    subject = secret.producer.subject if secret.producer else None
    return subject is not None and subject.kind == "Secret" and without_hash(subject.name) != subject.name


def _is_restarted(supply: Supply, document: Document, annotations: Sequence[Object], secret: str) -> bool:
    """Whether annotations have the workload restarted when a Secret changes."""
    secrets = supply.secrets.at(supply.namespace(document), secret)
    of_secret = [produced.annotations for produced in secrets]
    if any(metadata.get(_IGNORED) == "true" for metadata in of_secret):
        return False
    if any(secret in _listed(metadata, name) for metadata in annotations for name in _EXCLUDED):
        return False
    for metadata in annotations:
        if any(metadata.get(name) == "true" for name in _ALWAYS):
            return True
        if metadata.get(_SEARCH) == "true" and any(marked.get(_MATCH) == "true" for marked in of_secret):
            return True
        # Reloader takes patterns too; one that is more than a name is believed.
        if any(name == secret or not re.fullmatch("[a-z0-9.-]*", name) for name in _listed(metadata, _NAMED)):
            return True
    return False


def _is_restarted_by_operator(supply: Supply, document: Document, secret: str) -> bool:
    """Whether the object that makes a Secret names the workload as one to restart: Vault Secrets Operator does that."""
    for produced in supply.secrets.at(supply.namespace(document), secret):
        targets = produced.producer.at("spec", "rolloutRestartTargets") if produced.producer else None
        if any(mapping(target).get("name") == document.subject.name for target in sequence(targets)):
            return True
    return False


def _listed(annotations: Object, name: str) -> list[str]:
    text = annotations.get(name)
    return [part.strip() for part in text.split(",")] if isinstance(text, str) else []


RULES = (no_restart,)
