"""Does Argo CD apply what is read before what reads it?"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..model.kubernetes import ALIBABA, OPERATOR, STORES, VAULT_OPERATOR, Object
from ..objects.documents import Document, mapping
from ..objects.reads import runs_pods, store_references
from . import Finding, rule
from .scope import Build
from .supply import Places, Supply, rollouts, supply_of

_WAVE = "argocd.argoproj.io/sync-wave"
_HOOK = "argocd.argoproj.io/hook"
_STAGES = {"PreSync": 0, "Sync": 1, "PostSync": 2}
_HOOKS = (_HOOK, "helm.sh/hook")  # Argo CD takes those of Helm for its own
_OWNING = (
    (OPERATOR, "ExternalSecret"),
    ("bitnami.com", "SealedSecret"),
    (VAULT_OPERATOR, "VaultStaticSecret"),
    (ALIBABA, "ExternalSecret"),
)
_ANNOTATIONS = ("metadata", "annotations")


class _Moment(NamedTuple):
    """When Argo CD applies an object: hooks before and after all waves."""

    stage: int
    wave: int


class _Need(NamedTuple):
    """Two objects, of which the first can't do without the second."""

    needing: Document
    needed: Document


@rule("wave-order", "error")
def wave_order(build: Build) -> Iterator[Finding]:
    """Argo CD applies a workload before the Secret that it reads, or a store out of its order.

    Argo CD waits for each wave to be healthy, so the sync hangs: the workload waits for a Secret that comes only after
    it. A ServiceAccount comes first, then its store, the ExternalSecret, the workload; PreSync hooks come before all
    waves. Raise the wave of what reads, and make a Job that needs a Secret a Sync hook in a later wave.
    """
    supply = supply_of(build)
    for need in dict.fromkeys((*_of_secrets(supply), *_of_stores(supply))):
        first, then = _moment(need.needing), _moment(need.needed)
        if first and then and first < then:
            yield _finding(supply, need, first, then)


def _of_secrets(supply: Supply) -> Iterator[_Need]:
    running = rollouts(supply)
    for read in supply.reads:
        reader = read.reader
        if read.optional or not (reader.subject.kind in STORES or runs_pods(reader)):
            continue
        secrets = supply.secrets.at(read.namespace, read.secret)
        documents = [secret.producer for secret in secrets if secret.producer]
        moments = {moment: document for document in reversed(documents) if (moment := _moment(document))}
        if moments:
            for needing in (reader, *running.at(*supply.key(reader))):
                yield _Need(needing, moments[min(moments)])


def _of_stores(supply: Supply) -> Iterator[_Need]:
    """Find what an ExternalSecret needs of its stores, and a store of its ServiceAccount."""
    stores_and_accounts: Places[Document] = Places()
    for document in supply.build.objects:
        if document.subject.kind in (*STORES, "ServiceAccount"):
            stores_and_accounts.add(*supply.key(document), document)
    for document in supply.build.objects:
        spec, namespace = mapping(document.object.get("spec")), supply.namespace(document)
        if document.subject.kind == "ExternalSecret":
            for _, kind, name in store_references(document.object):
                where = "" if kind == "ClusterSecretStore" else namespace
                yield from (_Need(document, store) for store in stores_and_accounts.at(where, f"{kind}/{name}"))
        elif document.subject.kind in STORES:
            for account in _accounts(spec.get("provider")):
                where = str(account.get("namespace") or namespace)
                yield from (
                    _Need(document, needed)
                    for needed in stores_and_accounts.at(where, f"ServiceAccount/{account.get('name')}")
                )


def _accounts(provider: object) -> Iterator[Object]:
    """Find the ServiceAccounts that a store of any provider signs in as."""
    for field, below in mapping(provider).items():
        if field in ("serviceAccountRef", "serviceAccount") and isinstance(below, dict):
            yield below
        else:
            yield from _accounts(below)


def _moment(document: Document) -> _Moment | None:
    """Return when an object is applied; None for what never is, and for a wave that is no number."""
    hook, wave = document.annotations.get(_HOOK), document.annotations.get(_WAVE, "0")
    stages = [_STAGES["Sync"]]
    if isinstance(hook, str) and hook.strip():
        stages = [_STAGES[name] for part in hook.split(",") if (name := part.strip()) in _STAGES]
    if not stages or not re.fullmatch("[+-]?[0-9]{1,9}", str(wave)):
        return None
    return _Moment(min(stages), int(wave))


def _finding(supply: Supply, need: _Need, first: _Moment, then: _Moment) -> Finding:
    needing, needed = need.needing.subject, need.needed.subject
    hint = f"wave {first.wave} comes before wave {then.wave}: raise the wave of {needing.kind} {needing.name}"
    deciding = _WAVE
    if first.stage != then.stage:
        deciding = _HOOK
        hint = f"a PreSync hook comes before all waves: make it a Sync hook, in a later wave than the {needed.kind}"
        if then.stage == _STAGES["PostSync"]:
            hint = f"a PostSync hook comes after all waves: the {needed.kind} is to be none"
    # What has no annotation is not where the user went wrong.
    annotated = need.needing if deciding in need.needing.annotations else need.needed
    return Finding(
        message=f"{needing.kind} {needing.name} comes before the {needed.kind} {needed.name} that it needs",
        place=annotated.key(*_ANNOTATIONS, deciding),
        hint=hint,
        subject=annotated.subject,
        field=f"metadata.annotations.{deciding}",
        overlay=supply.overlay_of(supply.namespace(need.needing)),
    )


@rule("secret-is-hook", "warning")
def secret_is_hook(build: Build) -> Iterator[Finding]:
    """An ExternalSecret, SealedSecret or VaultStaticSecret is a hook of Argo CD.

    Argo CD deletes a hook and makes it anew at every sync, and its Secret, which it owns, goes with it: pods that start
    in between find none. Give it a sync wave of its own instead, and make the Job that needs it a Sync hook in a later
    wave. An ExternalSecret with the creationPolicy Orphan does not own its Secret, and a VaultStaticSecret does not own
    one that it did not create.
    """
    supply = supply_of(build)
    for document in build.objects:
        subject = document.subject
        if (document.group, subject.kind) not in _OWNING or _owns_nothing(document):
            continue
        for annotation in _HOOKS:
            hook = document.annotations.get(annotation)
            if isinstance(hook, str) and _is_recreated(document, hook):
                yield Finding(
                    message=f"{subject.kind} {subject.name} is a hook: each sync deletes it, and its Secret with it",
                    place=document.key(*_ANNOTATIONS, annotation),
                    hint=f"give it {_WAVE} instead, and make what needs it a Sync hook in a later wave",
                    subject=subject,
                    field=f"metadata.annotations.{annotation}",
                    overlay=supply.overlay_of(supply.namespace(document)),
                )
                break


def _owns_nothing(document: Document) -> bool:
    if document.group == VAULT_OPERATOR:
        return document.at("spec", "destination", "create") is not True
    return document.group == OPERATOR and document.at("spec", "target", "creationPolicy") in ("Orphan", "Merge", "None")


def _is_recreated(document: Document, hook: str) -> bool:
    """Whether a hook is deleted before it is made anew; SyncFail and Skip are no part of a usual sync."""
    names = {name.strip() for name in hook.split(",")}
    return not names.isdisjoint({*_STAGES, "pre-install", "pre-upgrade", "post-install", "post-upgrade"})


RULES = (wave_order, secret_is_hook)
