"""Does everything that is read exist, and is everything read that is declared?"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..errors import nearest
from ..kustomize.generators import without_hash
from ..model.kubernetes import Subject
from ..model.resolution import Environment
from ..model.types.declaration import DeclarationSpec
from ..objects.documents import dotted
from ..objects.reads import mentions
from . import Finding, rule
from .objects import place_of
from .scope import Repository
from .supply import Places, Reading, Supplied, Supply, supply_of

# Labels and annotations by which a Secret is found that no workload names.
_FOUND_BY = (
    "argocd.argoproj.io/secret-type",
    "sealedsecrets.bitnami.com/sealed-secrets-key",
    "grafana_datasource",
    "grafana_dashboard",
    "reflector.v1.k8s.emberstack.com/reflection-allowed",
    "replicator.v1.mittwald.de/replicate-to",
    "replicator.v1.mittwald.de/replicate-to-matching",
    "replicator.v1.mittwald.de/replication-allowed",
)


class _Omitted(NamedTuple):
    """What an overlay leaves out on purpose, by key; the whole Secret under the empty one."""

    overlay: str
    reasons: dict[str, str]

    def hint(self, key: str) -> str:
        """Why it is not there."""
        reason = self.reasons.get(key) or self.reasons.get("")
        return f"{self.overlay} omits it: {' '.join(reason.split())}" if reason else ""


@rule("missing-secret", "error")
def missing_secret(repository: Repository) -> Iterator[Finding]:
    """A workload, or another object, reads a Secret that nothing provides in its namespace.

    The pod stays in CreateContainerConfigError, or its volume is never mounted. Correct the name, declare the Secret,
    or mark the reference `optional: true`, which makes this a note. A place of an operator's own kind is told by the
    overlay's `references`.
    """
    for root in repository.builds:
        supply = supply_of(root)
        omitted, hints = _omitted(supply), dict[tuple[str, str], str]()
        told = set()
        for reading in supply.readings():
            where = (reading.namespace, reading.read.secret)
            place = (id(reading.reader), reading.read.path)
            if place in told or supply.secrets.at(*where):
                continue
            told.add(place)
            if where not in hints:
                hints[where] = _hint_of_secret(supply, omitted, *where)
            what = f"reads the Secret {reading.read.secret}, which nothing provides"
            yield _fault(repository, supply, reading, what, hints[where], of_key=False)


def _hint_of_secret(supply: Supply, omitted: Places[_Omitted], namespace: str, secret: str) -> str:
    for each in omitted.at(namespace, secret):
        if said := each.hint(""):
            return said
    if elsewhere := supply.secrets.namespaces(secret):
        return f"it is in {', '.join(elsewhere)}; a Secret is read in its own namespace only"
    names = {without_hash(name) for name in supply.secrets.names(namespace)}
    if secret in names:
        return "kustomize adds a hash to its name and not to this reference: disableNameSuffixHash in its options"
    return nearest(secret, names) or "declare it, or correct the name"


@rule("missing-key", "error")
def missing_key(repository: Repository) -> Iterator[Finding]:
    """A workload, or another object, reads a key that its Secret does not have.

    The pod stays in CreateContainerConfigError, or its volume is never mounted. Correct the key, declare it, or mark
    the reference `optional: true`, which makes this a note. A key that an overlay omits is missing there all the same.
    """
    for root in repository.builds:
        supply = supply_of(root)
        omitted = _omitted(supply)
        for reading in supply.readings():
            key, where = reading.read.key, (reading.namespace, reading.read.secret)
            provided = supply.secrets.at(*where)
            if key is None or not provided or _has(provided, key):
                continue
            said = [hint for each in omitted.at(*where) if (hint := each.hint(key))]
            known = sorted({name for each in provided for name in each.keys or ()})
            hint = said[0] if said else nearest(key, known) or f"declare it in {reading.read.secret}, or correct it"
            what = f"reads {reading.read.secret}/{key}, a key that nothing provides"
            yield _fault(repository, supply, reading, what, hint, of_key=True)


def _has(provided: Collection[Supplied], key: str) -> bool:
    return any(each.keys is None or key in each.keys for each in provided)


def _fault(repository: Repository, supply: Supply, reading: Reading, what: str, hint: str, *, of_key: bool) -> Finding:
    read, subject = reading.read, reading.reader.subject
    path = read.key_path if of_key and read.key_path else read.path
    return Finding(
        message=f"{subject.kind} {subject.name} {what}",
        place=place_of(repository, reading.reader, path),
        hint=hint,
        subject=subject,
        field=dotted(path),
        overlay=supply.overlay_of(reading.namespace),
        milder="note" if read.optional else None,
    )


def _omitted(supply: Supply) -> Places[_Omitted]:
    """What the overlays of a root leave out, by the names that it would have."""
    found: Places[_Omitted] = Places()
    for environment in supply.root.environments:
        for name, override in environment.overlay.spec.overrides.items():
            reasons = {key: said.omit for key, said in override.keys.items() if said.omit}
            if override.omit:
                reasons[""] = override.omit
            for standing in supply.standing(environment) if reasons else ():
                found.add(standing.namespace, standing.name(name), _Omitted(environment.name, reasons))
    return found


@rule("unused-key", "warning")
def unused_key(repository: Repository) -> Iterator[Finding]:
    """A declared key is read by nothing that is deployed with it.

    Whoever steals the Secret gets it for nothing, and it has to be rotated. Remove it, or omit it in the overlay. A key
    that only a template needs is an input. A place of an operator's own kind is told by the overlay's `references`.
    """
    chosen = {overlay.environment.name for overlay in repository.overlays}
    for root in repository.builds:
        supply = supply_of(root)
        if not supply.has_workloads:
            continue
        read = _read(supply)
        mentioned = {text for document in root.objects for text in mentions(document.object)}
        for environment in root.environments:
            if environment.name in chosen:
                yield from _unused(repository.project.name(root.folder), environment, supply, read, mentioned)


def _read(supply: Supply) -> Places[str | None]:
    """The keys that are read, None for all of them."""
    found: Places[str | None] = Places()
    for each in dict.fromkeys((each.namespace, each.read.secret, each.read.key) for each in supply.readings()):
        found.add(*each)
    return found


def _unused(
    root: str, environment: Environment, supply: Supply, read: Places[str | None], mentioned: Collection[str]
) -> Iterator[Finding]:
    for secret in environment.secrets.values():
        spec = secret.declaration.spec
        standing = supply.standing(environment)
        names = {each.name(secret.name) for each in standing}
        if _read_by_others(spec) or not names.isdisjoint(mentioned):
            continue
        keys = {key for each in standing for key in read.at(each.namespace, each.name(secret.name))}
        if None in keys:
            continue
        for key in secret.keys:
            if key not in keys:
                yield Finding(
                    message=f"nothing in {root} reads {secret.name}/{key}",
                    place=spec.origin.key("keys", key),
                    hint=f"remove it, or omit it in {environment.name}; spec.references names further places",
                    subject=Subject("SecretDeclaration", "", secret.name),
                    field=f"spec.keys.{key}",
                    overlay=environment.name,
                )


def _read_by_others(spec: DeclarationSpec) -> bool:
    """Whether the Secret itself says that somebody else reads it: every type but Opaque is made for a reader."""
    return spec.type != "Opaque" or any(name in (*spec.labels, *spec.annotations) for name in _FOUND_BY)


RULES = (missing_secret, missing_key, unused_key)
