"""Does Argo CD apply what is read before what reads it?"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import Place
from ..model.kubernetes import STORES, Object
from ..objects.documents import Document, mapping
from ..objects.reads import POD_SPECS, store_references
from . import Finding, rule
from .scope import Repository
from .supply import Places, Supply, rollouts, supply_of

_WAVE = "argocd.argoproj.io/sync-wave"
_HOOK = "argocd.argoproj.io/hook"
_STAGES = {"PreSync": 0, "Sync": 1, "PostSync": 2}


class _Moment(NamedTuple):
    """When Argo CD applies an object: hooks before and after all waves."""

    stage: int
    wave: int


class _Need(NamedTuple):
    """Two objects, of which the first can't do without the second."""

    needing: Document
    needed: Document


@rule("wave-order", "error")
def wave_order(repository: Repository) -> Iterator[Finding]:
    """Argo CD applies a workload before the Secret that it reads, or a store out of its order.

    Argo CD waits for each wave to be healthy, so the sync hangs: the workload waits for a Secret that comes only after
    it. A ServiceAccount comes first, then its store, the ExternalSecret, the workload; hooks come before or after all
    waves. Raise the wave of what reads, or make the Secret a hook too.
    """
    for root in repository.builds:
        supply = supply_of(root)
        for need in dict.fromkeys((*_of_secrets(supply), *_of_stores(supply))):
            first, then = _moment(need.needing), _moment(need.needed)
            if first and then and first < then:
                yield _fault(supply, need, first, then)


def _of_secrets(supply: Supply) -> Iterator[_Need]:
    running = rollouts(supply)
    for reader, namespace, read in supply.readings():
        if read.optional or reader.object["kind"] not in (*POD_SPECS, *STORES):
            continue
        documents = [each.document for each in supply.secrets.at(namespace, read.secret) if each.document]
        moments = {moment: document for document in reversed(documents) if (moment := _moment(document))}
        if moments:
            for needing in (reader, *running.at(*supply.key(reader))):
                yield _Need(needing, moments[min(moments)])


def _of_stores(supply: Supply) -> Iterator[_Need]:
    """An ExternalSecret needs its stores, and a store its ServiceAccount."""
    named: Places[Document] = Places()
    for document in supply.root.objects:
        if document.object["kind"] in (*STORES, "ServiceAccount"):
            named.add(*supply.key(document), document)
    for document in supply.root.objects:
        spec, namespace = mapping(document.object.get("spec")), supply.namespace(document)
        if document.object["kind"] == "ExternalSecret":
            for _, kind, name in store_references(document.object):
                where = "" if kind == "ClusterSecretStore" else namespace
                yield from (_Need(document, each) for each in named.at(where, f"{kind}/{name}"))
        elif document.object["kind"] in STORES:
            for account in _accounts(spec.get("provider")):
                where = str(account.get("namespace") or namespace)
                yield from (_Need(document, each) for each in named.at(where, f"ServiceAccount/{account.get('name')}"))


def _accounts(found: object) -> Iterator[Object]:
    """The ServiceAccounts that a store of any provider signs in as."""
    for field, below in mapping(found).items():
        if field in ("serviceAccountRef", "serviceAccount") and isinstance(below, dict):
            yield below
        else:
            yield from _accounts(below)


def _moment(document: Document) -> _Moment | None:
    """When an object is applied; None for what never is, and for a wave that is no number."""
    hook, wave = document.annotations.get(_HOOK), document.annotations.get(_WAVE, "0")
    stages = [_STAGES["Sync"]]
    if isinstance(hook, str) and hook.strip():
        stages = [_STAGES[name] for each in hook.split(",") if (name := each.strip()) in _STAGES]
    if not stages or not re.fullmatch("[+-]?[0-9]{1,9}", str(wave)):
        return None
    return _Moment(min(stages), int(wave))


def _fault(supply: Supply, need: _Need, first: _Moment, then: _Moment) -> Finding:
    needing, needed = need.needing.subject, need.needed.subject
    hint = f"wave {first.wave} comes before wave {then.wave}: raise the wave of {needing.kind} {needing.name}"
    deciding = _WAVE
    if first.stage != then.stage:
        deciding = _HOOK
        hint = f"a PreSync hook comes before all waves: make the {needed.kind} one too, in an earlier wave"
        if then.stage == _STAGES["PostSync"]:
            hint = f"a PostSync hook comes after all waves: make the {needed.kind} none"
    # What has no annotation is not where the user went wrong.
    said = need.needing if deciding in need.needing.annotations else need.needed
    return Finding(
        message=f"{needing.kind} {needing.name} comes before the {needed.kind} {needed.name} that it needs",
        place=_place(said, deciding),
        hint=hint,
        subject=said.subject,
        field=f"metadata.annotations.{deciding}",
        overlay=supply.overlay_of(supply.namespace(need.needing)),
    )


def _place(document: Document, annotation: str) -> Place:
    return document.key("metadata", "annotations", annotation)


RULES = (wave_order,)
