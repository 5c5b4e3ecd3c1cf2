"""Does everything that is read exist, and is everything read that is declared?"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ..errors import nearest, typo
from ..model.kubernetes import Subject
from ..model.resolution import Environment
from ..model.types.declaration import DeclarationSpec
from ..objects.documents import Document, dotted
from ..objects.producers import is_known_producer, is_made_for_service_account, produced_by, without_hash
from ..objects.reads import SecretRead, is_unknown, mentions
from . import Finding, Severity, rule
from .objects import place_of
from .scope import Build
from .supply import Places, Supply, supply_of

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
# What installs charts, which make Secrets that begin with the name of the release.
_RELEASES = ("HelmRelease", "HelmChart", "Application")


class _Omitted(NamedTuple):
    """What an overlay leaves out on purpose, by key; the whole Secret under the empty one."""

    overlay: str
    reasons: dict[str, str]

    def hint(self, key: str) -> str:
        """Return why it is not there."""
        reason = self.reasons.get(key) or self.reasons.get("")
        return f"{self.overlay} omits it: {' '.join(reason.split())}" if reason else ""


@rule("missing-secret", "error")
def missing_secret(build: Build) -> Iterator[Finding]:
    """A workload, or another object, reads a Secret that nothing provides in its namespace.

    The pod stays in CreateContainerConfigError, or its volume is never mounted. Correct the name, declare the Secret,
    or mark the reference `optional: true`, which makes this a note. It is a note too where an object of an operator
    that is not known here names the Secret, and may make it; in a kustomization without an overlay it is a warning. The
    overlay's `references` names further places in which objects name a Secret.
    """
    supply = supply_of(build)
    omitted, makers = _omitted(supply), _possible_makers(supply)
    reads_of_secret: dict[tuple[int, str, str], list[SecretRead]] = {}
    for read in supply.reads:
        if not (read.elsewhere or supply.secrets.at(read.namespace, read.secret)):
            reads_of_secret.setdefault((id(read.reader), read.namespace, read.secret), []).append(read)
    for (_, namespace, secret), reads in reads_of_secret.items():
        if not supply.knows(namespace) or is_made_for_service_account(secret):
            continue
        # One finding for a workload and a Secret, at the place that keeps it from starting.
        read = next((read for read in reads if not read.optional), reads[0])
        maker = makers.get(secret) or _release(supply, read)
        hint = f"{maker}, which may make it" if maker else _hint_of_secret(supply, omitted, namespace, secret)
        yield _finding(
            build,
            read,
            message=f"reads the Secret {secret}, which nothing provides",
            hint=hint,
            names=() if maker else supply.secrets.names(namespace),
            is_sure=read.certain and not maker,
            of_key=False,
        )


def _possible_makers(supply: Supply) -> dict[str, str]:
    """Return the names that objects of unknown operators name, each with the object, for a message."""
    makers: dict[str, str] = {}
    for document in supply.build.objects:
        if is_unknown(document) and not is_known_producer(document):
            names = (document.subject.name, *(text for text, _ in mentions(document)))
            for name in names:
                makers.setdefault(name, f"{document.subject.kind} {document.subject.name} names it")
    return makers


def _release(supply: Supply, read: SecretRead) -> str:
    """Return what may install a chart that makes a Secret: its release's name begins the Secret's."""
    for document in supply.build.objects:
        kind, _, name = document.subject
        if kind in _RELEASES and document.group and f"{read.secret}-".startswith(f"{name}-"):
            return f"{kind} {name} may install a chart of that name"
    return ""


def _hint_of_secret(supply: Supply, omitted: Places[_Omitted], namespace: str, secret: str) -> str:
    for omission in omitted.at(namespace, secret):
        if hint := omission.hint(""):
            return hint
    if elsewhere := supply.secrets.namespaces(secret):
        return f"it is in {', '.join(elsewhere)}; a Secret is read in its own namespace only"
    names = {without_hash(name) for name in supply.secrets.names(namespace)}
    if secret in names:
        return "kustomize adds a hash to its name and not to this reference: disableNameSuffixHash in its options"
    for environment in supply.build.environments:
        standing = supply.standing(environment)
        if secret in environment.secrets and standing.name(secret) != secret:
            return f"kustomize renames it to {standing.name(secret)}, but not here: name the place in spec.references"
    return nearest(secret, names) or "declare it, or correct the name"


@rule("missing-key", "error")
def missing_key(build: Build) -> Iterator[Finding]:
    """A workload, or another object, reads a key that its Secret does not have.

    The pod stays in CreateContainerConfigError, or its volume is never mounted. Correct the key, declare it, or mark
    the reference `optional: true`, which makes this a note. A key that an overlay omits is missing there all the same.
    """
    supply = supply_of(build)
    omitted = _omitted(supply)
    for read in supply.reads:
        secrets = supply.secrets.at(read.namespace, read.secret)
        if read.key is None or read.elsewhere or not secrets or any(secret.has_key(read.key) for secret in secrets):
            continue
        hints = [hint for omission in omitted.at(read.namespace, read.secret) if (hint := omission.hint(read.key))]
        keys = sorted({key for secret in secrets for key in secret.keys or ()})
        hint = hints[0] if hints else nearest(read.key, keys) or f"declare it in {read.secret}, or correct it"
        yield _finding(
            build,
            read,
            message=f"reads {read.secret}/{read.key}, a key that nothing provides",
            hint=hint,
            names=() if hints else keys,
            is_sure=read.certain,
            of_key=True,
        )


def _finding(
    build: Build, read: SecretRead, *, message: str, hint: str, names: Collection[str], is_sure: bool, of_key: bool
) -> Finding:
    """Return a finding at the place that reads; what is near one of the `names` alone can be mended."""
    subject, path = read.reader.subject, read.key_path if of_key and read.key_path else read.path
    place = place_of(build, read.reader, path)
    written = read.key if of_key else read.secret
    return Finding(
        message=f"{subject.kind} {subject.name} {message}",
        place=place,
        hint=hint,
        mend=typo(place, written or "", names) if place.file in build.tree else None,
        subject=subject,
        field=dotted(path),
        overlay=supply_of(build).overlay_of(read.namespace),
        milder=_milder(build, read, is_sure=is_sure, of_key=of_key),
    )


def _milder(build: Build, read: SecretRead, *, is_sure: bool, of_key: bool) -> Severity | None:
    if read.optional or not is_sure:
        return "note"
    # Without an overlay nobody has said what is provided by other means.
    return None if of_key or build.environments else "warning"


def _omitted(supply: Supply) -> Places[_Omitted]:
    """Return what the overlays of a build leave out, by the names that it would have."""
    omitted: Places[_Omitted] = Places()
    for environment in supply.build.environments:
        for name, override in environment.overlay.spec.overrides.items():
            reasons = {key: stated.omit for key, stated in override.keys.items() if stated.omit}
            if override.omit:
                reasons[""] = override.omit
            if reasons:
                standing = supply.standing(environment)
                omitted.add(standing.namespace, standing.name(name), _Omitted(environment.name, reasons))
    return omitted


@rule("name-not-followed", "warning")
def name_not_followed(build: Build) -> Iterator[Finding]:
    """A text equals the name of a declared Secret that kustomize renames, in a place that it does not follow.

    If the text names the Secret, whoever reads it looks for one that is not there. Name the place in the overlay's
    `references`, run `kubectl ksecret render --write`, and the rename reaches it.
    """
    supply = supply_of(build)
    renamed = dict(_renamed(supply))
    if not renamed:
        return
    for document in build.objects:
        for text, path in mentions(document):
            if text in renamed:
                name, overlay = renamed[text]
                subject = document.subject
                yield Finding(
                    message=f"{subject.kind} {subject.name} has the text {text}, and the Secret {text} is {name} here",
                    place=place_of(build, document, path),
                    hint=f"if it is meant, name the place in spec.references of {overlay}",
                    subject=subject,
                    field=dotted(path),
                    overlay=overlay,
                )


def _renamed(supply: Supply) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the declared names that kustomize changes, each with the name in the build and the overlay."""
    for environment in supply.build.environments:
        standing = supply.standing(environment)
        for name in environment.secrets:
            if standing.name(name) != name and not supply.secrets.at(standing.namespace, name):
                yield name, (standing.name(name), environment.name)


@rule("unused-key", "warning")
def unused_key(build: Build) -> Iterator[Finding]:
    """A declared key is read by nothing that is deployed with it.

    Whoever steals the Secret gets it for nothing, and it has to be rotated. Remove it, or omit it in the overlay. A key
    that only a template needs is an input. The overlay's `references` names further places in which objects name a
    Secret.
    """
    supply = supply_of(build)
    if not supply.has_workloads:
        return
    read = _keys_read(supply)
    mentioned = {name for document in build.objects for name in _mentioned(document)}
    for environment in build.environments:
        if environment.name in build.chosen:
            yield from _unused(build, environment, read, mentioned)


def _mentioned(document: Document) -> Iterator[str]:
    """Yield what may be the name of a Secret that an object reads in a place that is not known, and does not make."""
    own = {secret.name for secret in produced_by(document)}
    for text, _ in mentions(document):
        yield from (name for name in _names_in(text) if name not in own)


def _names_in(text: str) -> Sequence[str]:
    """Return what a text may name: it may be NAMESPACE/NAME."""
    return text, text.rpartition("/")[2]


def _keys_read(supply: Supply) -> Places[str | None]:
    """Return the keys that are read, None for all of them."""
    keys: Places[str | None] = Places()
    for namespace, secret, key in dict.fromkeys((read.namespace, read.secret, read.key) for read in supply.reads):
        keys.add(namespace, secret, key)
    return keys


def _unused(
    build: Build, environment: Environment, read: Places[str | None], mentioned: Collection[str]
) -> Iterator[Finding]:
    standing = supply_of(build).standing(environment)
    for secret in environment.secrets.values():
        spec, name = secret.declaration.spec, standing.name(secret.name)
        keys = set(read.at(standing.namespace, name))
        if _read_by_others(spec) or name in mentioned or None in keys:
            continue
        for key in secret.keys:
            if key not in keys:
                yield Finding(
                    message=f"nothing in {build.project.name(build.folder)} reads {secret.name}/{key}",
                    place=spec.origin.key("keys", key),
                    hint=f"remove it, or omit it in {environment.name}; spec.references names further places",
                    subject=Subject("SecretDeclaration", "", secret.name),
                    field=f"spec.keys.{key}",
                    overlay=environment.name,
                )


def _read_by_others(spec: DeclarationSpec) -> bool:
    """Whether the Secret itself says that somebody else reads it: every type but Opaque is made for a reader."""
    return spec.type != "Opaque" or any(name in (*spec.labels, *spec.annotations) for name in _FOUND_BY)


RULES = (missing_secret, missing_key, name_not_followed, unused_key)
