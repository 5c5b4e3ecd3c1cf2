"""Roots of the same declarations side by side: do they have the same of what is written by hand?

Declared Secrets are equal by construction.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations

from ..errors import nearest
from ..frozen import Record
from ..kustomize import layers
from ..kustomize.generators import without_hash
from ..model.kubernetes import SERVICE_ACCOUNT, STORES, Object
from ..objects.documents import Document, Path, dotted, mapping
from . import Finding, rule
from .provided import Provided, provided, type_path
from .scope import Build, Repository

# What a cluster keeps for itself, and how it gets its images, differs from cluster to cluster.
_BOOKKEEPING = {
    SERVICE_ACCOUNT,
    "bootstrap.kubernetes.io/token",
    "helm.sh/release.v1",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/dockercfg",
}


class Side(Record):
    """A root as it is compared: what is written by hand, by name, and all names that it knows."""

    name: str
    by_hand: Mapping[str, Provided]
    known: frozenset[str]


@cache
def _sides(repository: Repository) -> Sequence[Sequence[Side]]:
    """The roots that are compared with each other; all rules here look at the same."""
    groups: dict[frozenset[str], list[Build]] = {}
    for root in repository.builds:
        paths = (os.path.realpath(each.path(p)) for each in root.environments for p in each.overlay.spec.declarations)
        groups.setdefault(frozenset(paths), []).append(root)
    return [[_side(root) for root in roots] for roots in groups.values() if len(roots) > 1]


def _side(root: Build) -> Side:
    declared = {name for each in root.environments for name in each.declarations}
    renamings = [(layers.renaming(root.way_to(each)), each.secrets) for each in root.environments]
    rendered = {renaming.of(name) for renaming, names in renamings for name in names}
    credentials = {name for document in root.objects for name in _credentials(document)}
    by_hand = {}
    for each in provided(root):
        name = _plain(root, each)
        if not {each.name, each.written, name} & {*declared, *rendered}:
            aside = each.type in _BOOKKEEPING or {each.name, name} & credentials
            if not aside:
                by_hand[name] = each
    names = " and ".join(each.name for each in root.environments)
    return Side(name=names, by_hand=by_hand, known=frozenset(declared))


def _plain(root: Build, each: Provided) -> str:
    """The name without what the kustomizations add to it, where that can be told."""
    if each.document.node is not None or not root.layers:
        return each.written
    name = without_hash(each.name)
    renaming = layers.renaming(list(root.layers.values())[:1])
    return name.removeprefix(renaming.prefix).removesuffix(renaming.suffix)


def _credentials(document: Document) -> Iterator[str]:
    """The Secrets with which a store signs in."""
    if document.subject.kind in STORES:
        yield from _named(document.object.get("spec"), "")


def _named(value: object, field: str) -> Iterator[str]:
    if isinstance(value, dict):
        name = value.get("name")
        if isinstance(name, str) and "secret" in field.lower():
            yield name
        for key, below in value.items():
            yield from _named(below, f"{field}.{key}")
    elif isinstance(value, list):
        for below in value:
            yield from _named(below, field)


def _missing(sides: Sequence[Side]) -> Iterator[tuple[Side, Side, str]]:
    """A Secret, which side has it, and which has not; those of two names are left out."""
    paired = {(other.name, name) for _, other, name, _ in _pairs(sides)}
    paired |= {(side.name, name) for side, _, _, name in _pairs(sides)}
    for lacking in sides:
        told = set()
        for side in sides:
            for name in side.by_hand:
                absent = name not in lacking.by_hand and name not in lacking.known and name not in told
                if side is not lacking and absent and (lacking.name, name) not in paired:
                    told.add(name)
                    yield side, lacking, name


def _pairs(sides: Sequence[Side]) -> Iterator[tuple[Side, Side, str, str]]:
    """Two names, each of which one of two sides alone has, that look like one Secret."""
    for side, other in combinations(sides, 2):
        here = [name for name in side.by_hand if name not in other.by_hand and name not in other.known]
        there = [name for name in other.by_hand if name not in side.by_hand and name not in side.known]
        for name in here:
            alike = _alike(name, side.by_hand[name], {each: other.by_hand[each] for each in there})
            if alike:
                there.remove(alike)
                yield side, other, name, alike


def _alike(name: str, secret: Provided, others: Mapping[str, Provided]) -> str | None:
    keys = set(secret.keys or ())
    for other, found in others.items():
        if len(keys) > 1 and keys == set(found.keys or ()):
            return other
    for other, found in others.items():
        shared = secret.keys is None or found.keys is None or keys & set(found.keys)
        if shared and nearest(name, [other]):
            return other
    return None


@rule("parity-missing", "error")
def missing(repository: Repository) -> Iterator[Finding]:
    """A Secret or key that nobody declares is in one environment and not in another of the same declarations.

    What works in one fails in the other, on the day when it is deployed. Declare it, so that both have it.
    """
    for sides in _sides(repository):
        for side, lacking, name in _missing(sides):
            secret = side.by_hand[name]
            what = f"{lacking.name} has no Secret {name}, {side.name} has one"
            hint = f"declare {name}, so that both have it"
            place, overlay = secret.document.place("metadata", "name"), lacking.name
            yield Finding(
                message=what,
                place=place,
                hint=hint,
                subject=secret.subject,
                field="metadata.name",
                overlay=overlay,
            )
        for first, second, name in _in_both(sides):
            for has, lacks in ((first, second), (second, first)):
                yield from _missing_keys(has, lacks, name)


def _missing_keys(has: Side, lacks: Side, name: str) -> Iterator[Finding]:
    there, here = has.by_hand[name], lacks.by_hand[name]
    if there.keys is None or here.keys is None:
        return
    for key in there.keys:
        if key not in here.keys:
            what = f"{name} of {lacks.name} has no key {key}, that of {has.name} has it"
            hint = nearest(key, set(here.keys) - set(there.keys)) or f"declare {name}, so that both have it"
            place = here.document.place(*_field(here.document.object))
            field = dotted(_field(here.document.object))
            yield Finding(
                message=what,
                place=place,
                hint=hint,
                subject=here.subject,
                field=field,
                overlay=lacks.name,
            )


def _field(document: Object) -> Path:
    """Where an object says its keys."""
    spec = mapping(document.get("spec"))
    if document.get("kind") == "SealedSecret":
        return "spec", "encryptedData"
    if document.get("kind") == "ExternalSecret":
        made = mapping(mapping(spec.get("target")).get("template")).get("data")
        return ("spec", "target", "template", "data") if made else ("spec", "data")
    return ("stringData",) if "stringData" in document and "data" not in document else ("data",)


def _in_both(sides: Sequence[Side]) -> Iterator[tuple[Side, Side, str]]:
    """A Secret that two sides have: the first that has it, and each other one."""
    for name in dict.fromkeys(name for side in sides for name in side.by_hand):
        having = [side for side in sides if name in side.by_hand]
        for other in having[1:]:
            yield having[0], other, name


@rule("parity-type", "error")
def other_type(repository: Repository) -> Iterator[Finding]:
    """A Secret that nobody declares has another type in another environment of the same declarations.

    Kubernetes demands other keys of it, and what reads it may refuse it. Give both one type, or declare the Secret.
    """
    for sides in _sides(repository):
        for first, other, name in _in_both(sides):
            here, there = other.by_hand[name], first.by_hand[name]
            if here.type != there.type:
                what = f"{name} has the type {here.type} in {other.name}, {there.type} in {first.name}"
                path = type_path(here.document.subject.kind)
                place, subject = here.document.place(*path), here.subject
                yield Finding(
                    message=what,
                    place=place,
                    hint="give both one type",
                    subject=subject,
                    field=dotted(path),
                    overlay=other.name,
                )


@rule("parity-name", "warning")
def two_names(repository: Repository) -> Iterator[Finding]:
    """Two environments of the same declarations seem to have one Secret under two names.

    The same workload can't read both. Give it one name, or declare it, so that both have it.
    """
    for sides in _sides(repository):
        for side, other, name, alike in _pairs(sides):
            secret = other.by_hand[alike]
            what = f"{alike} of {other.name} and {name} of {side.name} look like one Secret under two names"
            place, subject = secret.document.place("metadata", "name"), secret.subject
            yield Finding(
                message=what,
                place=place,
                hint="give both one name",
                subject=subject,
                field="metadata.name",
                overlay=other.name,
            )


RULES = (missing, other_type, two_names)
