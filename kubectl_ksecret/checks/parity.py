"""Environments side by side: do they have the same Secrets and keys, under the same names?

Declared Secrets are equal by construction, but for what an overlay omits.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations

from ..errors import Place, nearest
from ..frozen import Record
from ..kustomize import layers
from ..model.kubernetes import SERVICE_ACCOUNT, STORES
from ..model.resolution import Environment
from ..objects.documents import Document, dotted
from ..objects.producers import ProducedSecret, produced_by
from ..objects.reads import runs_pods
from ..objects.secretfields import field_of_keys, secret_fields
from . import Finding, rule
from .scope import Build, Repository, overlay_subject
from .supply import secrets_of

# What a cluster keeps for itself, and how it gets its images, differs from cluster to cluster.
_BOOKKEEPING = {
    SERVICE_ACCOUNT,
    "bootstrap.kubernetes.io/token",
    "helm.sh/release.v1",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/dockercfg",
}


_Keys = frozenset[str] | None  # of a Secret; None where it may have any


class Side(Record):
    """A build as it is compared: what is written by hand, by name, and all names that it knows."""

    build: Build
    by_hand: Mapping[str, ProducedSecret]
    known: frozenset[str]

    @property
    def name(self) -> str:
        """How messages name it: by its overlays, or else by its folder."""
        return self.build.name

    @property
    def overlay(self) -> str:
        """The overlays that a finding is of; none of a kustomization without any."""
        return self.build.name if self.build.environments else ""


@cache
def _sides(repository: Repository) -> Sequence[Sequence[Side]]:
    """Return the builds that are compared with each other; all rules here look at the same."""
    groups: dict[frozenset[str], list[Build]] = {}
    for build in repository.builds:
        overlays = (environment for environment in build.environments)
        paths = {
            os.path.realpath(overlay.path(path)) for overlay in overlays for path in overlay.overlay.spec.declarations
        }
        # Without declarations, environments of one application are those that run the same workloads.
        alike = next((key for key, builds in groups.items() if not paths and _run_the_same(build, builds[0])), None)
        groups.setdefault(alike or frozenset(paths or {build.folder}), []).append(build)
    return [[_side(build) for build in builds] for builds in groups.values() if len(builds) > 1]


def _run_the_same(build: Build, other: Build) -> bool:
    here, others = _workloads(build), _workloads(other)
    return not other.environments and 2 * len(here & others) > len(here | others)


def _workloads(build: Build) -> set[tuple[str, str]]:
    workloads = (document for document in build.objects if runs_pods(document))
    return {
        (document.subject.kind, document.written("metadata", "name") or document.subject.name) for document in workloads
    }


def _side(build: Build) -> Side:
    declared = {name for environment in build.environments for name in environment.declarations}
    renamings = [(build.renaming_of(environment), environment.secrets) for environment in build.environments]
    rendered = {renaming.of(name) for renaming, names in renamings for name in names}
    credentials = {name for document in build.objects for name in _credentials(document)}
    by_hand = {}
    for secret in secrets_of(build):
        name = _plain_name(build, secret)
        if not {secret.name, secret.written_name, name} & {*declared, *rendered}:
            aside = secret.type in _BOOKKEEPING or {secret.name, name} & credentials
            if not aside:
                by_hand[name] = secret
    # What a controller makes of an object that does not say the keys is there, and can't be compared.
    made = {_plain_name(build, secret) for document in build.objects for secret in produced_by(document)}
    return Side(build=build, by_hand=by_hand, known=frozenset(declared | made))


def _plain_name(build: Build, secret: ProducedSecret) -> str:
    """Return the name without what the kustomizations add to it, where that is known."""
    if not build.layers or (secret.producer and secret.producer.node is not None):
        return secret.written_name
    renaming = layers.renaming(build.layers, list(build.layers.values())[:1])
    return secret.unhashed_name.removeprefix(renaming.prefix).removesuffix(renaming.suffix)


def _credentials(document: Document) -> Iterator[str]:
    """Find the Secrets with which a store signs in."""
    if document.subject.kind in STORES:
        yield from _named_secrets(document.object.get("spec"), "")


def _named_secrets(value: object, field: str) -> Iterator[str]:
    if isinstance(value, dict):
        name = value.get("name")
        if isinstance(name, str) and "secret" in field.lower():
            yield name
        for key, below in value.items():
            yield from _named_secrets(below, f"{field}.{key}")
    elif isinstance(value, list):
        for below in value:
            yield from _named_secrets(below, field)


def _missing(sides: Sequence[Side]) -> Iterator[tuple[Side, Side, str]]:
    """Yield a side that has a Secret, one that lacks it, and its name; Secrets under two names are left out."""
    paired = {(other.name, name) for _, other, name, _ in _pairs(sides)}
    paired |= {(side.name, name) for side, _, _, name in _pairs(sides)}
    for lacking in sides:
        reported = set()
        for side in sides:
            for name in side.by_hand:
                absent = name not in lacking.by_hand and name not in lacking.known and name not in reported
                if side is not lacking and absent and (lacking.name, name) not in paired:
                    reported.add(name)
                    yield side, lacking, name


def _pairs(sides: Sequence[Side]) -> Iterator[tuple[Side, Side, str, str]]:
    """Yield two names, each of which one of two sides alone has, that look like one Secret."""
    for side, other in combinations(sides, 2):
        here = [name for name in side.by_hand if name not in other.by_hand and name not in other.known]
        others = [name for name in other.by_hand if name not in side.by_hand and name not in side.known]
        for name in here:
            alike = _alike(name, side.by_hand[name], {candidate: other.by_hand[candidate] for candidate in others})
            if alike:
                others.remove(alike)
                yield side, other, name, alike


def _alike(name: str, secret: ProducedSecret, others: Mapping[str, ProducedSecret]) -> str | None:
    return _alike_by_keys(name, secret.keys, {other: produced.keys for other, produced in others.items()})


@rule("parity-missing", "error")
def missing(repository: Repository) -> Iterator[Finding]:
    """A Secret or key that nobody declares is in one environment and not in another of the same application.

    What works in one fails in the other, on the day when it is deployed. Declare it, so that both have it. Environments
    are of one application if they have the same declarations or, without any, run the same workloads; then this is a
    warning.
    """
    for sides in _sides(repository):
        for side, lacking, name in _missing(sides):
            secret = side.by_hand[name]
            yield Finding(
                message=f"{lacking.name} has no Secret {name}, {side.name} has one",
                place=_document(secret).place("metadata", "name"),
                hint=f"declare {name}, so that both have it",
                subject=secret.subject,
                field="metadata.name",
                overlay=lacking.overlay,
                milder=None if lacking.overlay else "warning",
            )
        for first, second, name in _in_both(sides):
            for has, lacks in ((first, second), (second, first)):
                yield from _missing_keys(has, lacks, name)


def _missing_keys(has: Side, lacks: Side, name: str) -> Iterator[Finding]:
    others, here = has.by_hand[name], lacks.by_hand[name]
    if others.keys is None or here.keys is None:
        return
    for key in sorted(others.keys - here.keys):
        document = _document(here)
        field = field_of_keys(document)
        yield Finding(
            message=f"{name} of {lacks.name} has no key {key}, that of {has.name} has it",
            place=document.place(*field),
            hint=nearest(key, sorted(here.keys - others.keys)) or f"declare {name}, so that both have it",
            subject=here.subject,
            field=dotted(field),
            overlay=lacks.overlay,
            milder=None if lacks.overlay else "warning",
        )


def _document(secret: ProducedSecret) -> Document:
    assert secret.producer is not None
    return secret.producer


def _in_both(sides: Sequence[Side]) -> Iterator[tuple[Side, Side, str]]:
    """Yield a Secret that two sides have: the first that has it, and each other one."""
    for name in dict.fromkeys(name for side in sides for name in side.by_hand):
        having = [side for side in sides if name in side.by_hand]
        for other in having[1:]:
            yield having[0], other, name


@rule("parity-type", "error")
def other_type(repository: Repository) -> Iterator[Finding]:
    """A Secret that nobody declares has another type in another environment of the same application.

    Kubernetes demands other keys of it, and what reads it may refuse it. Give both one type, or declare the Secret.
    """
    for sides in _sides(repository):
        for first, other, name in _in_both(sides):
            here, others = other.by_hand[name], first.by_hand[name]
            if here.type != others.type:
                path = secret_fields(_document(here)).type
                yield Finding(
                    message=f"{name} has the type {here.type} in {other.name}, {others.type} in {first.name}",
                    place=_document(here).place(*path),
                    hint="give both one type",
                    subject=here.subject,
                    field=dotted(path),
                    overlay=other.overlay,
                )


@rule("parity-name", "warning")
def two_names(repository: Repository) -> Iterator[Finding]:
    """Two environments of the same application seem to have one Secret, or one key of it, under two names.

    The same workload can't read both. Give it one name, or declare it, so that both have it. Declared ones are
    compared where each of the two environments omits what the other has, as `import` writes it.
    """
    for sides in _sides(repository):
        for side, other, name, alike in _pairs(sides):
            secret = other.by_hand[alike]
            yield Finding(
                message=f"{alike} of {other.name} and {name} of {side.name} look like one Secret under two names",
                place=_document(secret).place("metadata", "name"),
                hint="give both one name",
                subject=secret.subject,
                field="metadata.name",
                overlay=other.overlay,
            )
    chosen = {overlay.environment.name for overlay in repository.overlays}
    for here, environment in combinations(repository.environments, 2):
        if _have_one_base(here, environment) and not chosen.isdisjoint({here.name, environment.name}):
            yield from _omitted_for_each_other(here, environment)


def _have_one_base(first: Environment, other: Environment) -> bool:
    paths = [
        {os.path.realpath(environment.path(path)) for path in environment.overlay.spec.declarations}
        for environment in (first, other)
    ]
    return paths[0] == paths[1]


def _omitted_for_each_other(first: Environment, other: Environment) -> Iterator[Finding]:
    """Find what looks like one Secret or key, of which each environment omits the other's name."""
    here = {name: _keys_of(first, name) for name in first.secrets if name not in other.secrets}
    others = {name: _keys_of(other, name) for name in other.secrets if name not in first.secrets}
    for name, keys in here.items():
        alike = _alike_by_keys(name, keys, others)
        if alike:
            del others[alike]
            yield _under_two_names(first, other, what="Secret", name=name, alike=alike)
    for secret in first.secrets.keys() & other.secrets.keys():
        only_here = sorted(first.secrets[secret].keys.keys() - other.secrets[secret].keys.keys())
        only_there = sorted(other.secrets[secret].keys.keys() - first.secrets[secret].keys.keys())
        for key in only_here:
            alike = next((candidate for candidate in only_there if nearest(key, [candidate])), None)
            if alike:
                only_there.remove(alike)
                yield _under_two_names(first, other, what="key", name=f"{secret}/{key}", alike=f"{secret}/{alike}")


def _keys_of(environment: Environment, secret: str) -> _Keys:
    return frozenset(environment.secrets[secret].keys)


def _under_two_names(first: Environment, other: Environment, *, what: str, name: str, alike: str) -> Finding:
    return Finding(
        message=f"{alike} of {other.name} and {name} of {first.name} look like one {what} under two names",
        place=_place_of_omission(other, name),
        hint="give both one name, and remove what omits the other",
        subject=overlay_subject(other),
        field="spec.overrides",
        overlay=other.name,
    )


def _place_of_omission(environment: Environment, address: str) -> Place:
    """Return where an environment omits a Secret or key."""
    secret, _, key = address.partition("/")
    override = environment.overlay.spec.overrides.get(secret)
    if override is None:
        return environment.overlay.spec.origin.at("overrides")
    return override.keys[key].origin.at("omit") if key in override.keys else override.origin.at("omit")


def _alike_by_keys(name: str, keys: _Keys, others: Mapping[str, _Keys]) -> str | None:
    """Return the name of what looks like the same Secret: by all of its keys, or by its name and one key."""
    for other, its_keys in others.items():
        if keys and len(keys) > 1 and keys == its_keys:
            return other
    for other, its_keys in others.items():
        shares = keys is None or its_keys is None or keys & its_keys
        if shares and nearest(name, [other]):
            return other
    return None


RULES = (missing, other_type, two_names)
