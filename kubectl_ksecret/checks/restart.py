"""Does a workload notice that a Secret has changed?"""

import re
from collections.abc import Iterator

from ..kustomize.generators import without_hash
from ..model.kubernetes import Object
from ..objects.documents import Document, mapping
from ..objects.reads import pod_metadata
from . import Finding, rule
from .scope import Repository
from .supply import Supplied, Supply, rollouts, supply_of

_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Rollout")  # the others start anew by themselves, or can't
_ALWAYS = (
    "reloader.stakater.com/auto",
    "reloader.stakater.com/search",
    "secret.reloader.stakater.com/auto",
    "wave.pusher.com/update-on-config-change",
)
_NAMED = "secret.reloader.stakater.com/reload"


@rule("no-restart", "note")
def no_restart(repository: Repository) -> Iterator[Finding]:
    """A workload reads a Secret through its environment, and nothing restarts it when the Secret changes.

    It works on with the old value until somebody restarts it, perhaps long after the old one was withdrawn. Run
    Reloader (github.com/stakater/Reloader) and annotate the workload with `reloader.stakater.com/auto: "true"`, or
    mount the Secret as a volume and read it anew.
    """
    for root in repository.builds:
        supply = supply_of(root)
        running = rollouts(supply)
        for document, names in _read_through_environment(supply):
            of_pods = mapping(pod_metadata(document.object).get("annotations"))
            outside = [each.annotations for each in running.at(*supply.key(document))]
            restarted = (document.annotations, of_pods, *outside)
            if left := [name for name in names if not any(_restarts(each, name) for each in restarted)]:
                subject = document.subject
                yield Finding(
                    message=f"nothing restarts {subject.kind} {subject.name} when {' or '.join(left)} changes",
                    place=document.place("metadata", "annotations"),
                    hint='with Reloader, annotate it: reloader.stakater.com/auto: "true"',
                    subject=subject,
                    field="metadata.annotations",
                    overlay=supply.overlay_of(supply.namespace(document)),
                )


def _read_through_environment(supply: Supply) -> list[tuple[Document, list[str]]]:
    """The workloads that outlive a change, with the Secrets that they would not notice."""
    found: dict[int, tuple[Document, list[str]]] = {}
    for reader, namespace, read in supply.readings():
        if reader.object["kind"] not in _KINDS or read.how not in ("env", "envFrom"):
            continue
        provided = supply.secrets.at(namespace, read.secret)
        if not provided or any(_is_hashed(each) for each in provided):
            continue
        _, names = found.setdefault(id(reader), (reader, []))
        if read.secret not in names:
            names.append(read.secret)
    return list(found.values())


def _is_hashed(provided: Supplied) -> bool:
    """Whether kustomize renames the Secret with each change, and the reference with it."""
    subject = provided.document.subject if provided.document else None
    return subject is not None and subject.kind == "Secret" and without_hash(subject.name) != subject.name


def _restarts(annotations: Object, secret: str) -> bool:
    """Whether annotations have the workload restarted when a Secret changes."""
    if any(annotations.get(name) == "true" for name in _ALWAYS):
        return True
    named = annotations.get(_NAMED)
    if not isinstance(named, str):
        return False
    # Reloader takes patterns too; one that is more than a name is believed.
    return any(each == secret or not re.fullmatch("[a-z0-9.-]*", each) for each in map(str.strip, named.split(",")))


RULES = (no_restart,)
