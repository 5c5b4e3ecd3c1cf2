"""Environments side by side: does each ask in the source for its own names?"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from ..model.kubernetes import OPERATOR
from ..model.resolution import Environment, SourceRead, by_pattern, variable
from ..objects.documents import Document, Path, dotted, mapping, sequence
from . import Finding, rule
from .objects import place_of
from .scope import Build, Repository


def _by_pattern_of(other: Environment, read: SourceRead) -> str:
    """Return the name that the pattern of an environment makes of a key."""
    secret, key = read.root
    plain = read.remote.key.remote_name or key
    return by_pattern(_pattern(other), secret, key, plain)


def _pattern(environment: Environment) -> str:
    return environment.source.names if environment.source else "{remoteName}"


class _Mark(NamedTuple):
    """What sets the names of an environment apart from others: how they begin and end, in the form of variables."""

    prefix: str
    suffix: str

    def is_on(self, name: str) -> bool:
        """Whether a name has one of them."""
        return bool((self.prefix and name.startswith(self.prefix)) or (self.suffix and name.endswith(self.suffix)))


@cache
def _mark(pattern: str) -> _Mark:
    # Only a mark that a separator sets off: latest is not of the environment test.
    prefix, suffix = pattern.partition("{")[0], pattern.rpartition("}")[2]
    return _Mark(
        variable(prefix) if re.search(r"[^\W_].*[\W_]$", prefix) else "",
        variable(suffix) if re.search(r"^[\W_].*[^\W_]", suffix) else "",
    )


@rule("foreign-name", "error")
def foreign_name(repository: Repository) -> Iterator[Finding]:
    """An overlay asks the source for a name that is another overlay's by its pattern.

    Production works with a value of test, or test with one of production. Correct `remoteName`, or remove it, so that
    the overlay's own pattern makes the name.
    """
    places = set()  # a key that others share by `from` is wrong once
    for read, owner in _foreign_reads(repository):
        environment, place = read.environment, read.stated_at("remoteName")
        if (environment.name, place) not in places:
            places.add((environment.name, place))
            message = f"{read.address} of {environment.name} asks for {read.remote.name}, a name of {owner.name}"
            hint = f"by the pattern of {environment.name} it is {_by_pattern_of(environment, read)}"
            yield Finding(message=message, place=place, hint=hint, overlay=environment.name)


@cache
def _foreign_reads(repository: Repository) -> Sequence[tuple[SourceRead, Environment]]:
    """Return the keys that read a name of another environment by its pattern, with that environment."""
    foreign = []
    others = [environment for environment in repository.environments if environment.source]
    for overlay in repository.overlays:
        environment = overlay.environment
        for read in environment.source_reads() if environment.source else ():
            if read.remote.explicit or read.remote.overridden:
                owner = next((other for other in others if _is_of(read, other)), None)
                if owner:
                    foreign.append((read, owner))
    return foreign


def _is_of(read: SourceRead, other: Environment) -> bool:
    """Whether a name is that of another environment and not the asking one's own."""
    own, foreign = _pattern(read.environment), _pattern(other)
    if other.name == read.environment.name or foreign == own:
        return False
    name, mark, own_mark = variable(read.remote.name), _mark(foreign), _mark(own)
    if name == variable(_by_pattern_of(read.environment, read)):
        return False
    # Without a mark a name is anybody's, but for one that the other reads in the very same source.
    distinct = mark != ("", "") or other.source_identity == read.environment.source_identity
    if distinct and name == variable(_by_pattern_of(other, read)):
        return True
    return mark.is_on(name) and not own_mark.is_on(name)


@rule("vault-collision", "error")
def vault_collision(repository: Repository) -> Iterator[Finding]:
    """Two keys ask one Key Vault for names that differ in nothing but case.

    Key Vault takes them for one secret: what is written for one is read by the other. Write one name where one is
    meant, and two that differ where two are.
    """
    chosen = {overlay.environment.name for overlay in repository.overlays}
    for spellings in _spellings(repository):
        environments = {read.environment.name for reads in spellings.values() for read in reads}
        if len(spellings) < 2 or not environments & chosen:
            continue
        usual = max(spellings, key=lambda name: len(spellings[name]))
        first = spellings[usual][0]
        for spelling, (read, *_) in spellings.items():
            if spelling != usual:
                message = (
                    f"{read.address} of {read.environment.name} asks for {spelling}, "
                    f"{first.address} of {first.environment.name} for {usual}: "
                    f"one value in {read.environment.source_shown}"
                )
                hint = f"write {usual}, or a name that differs in more than case"
                place = read.stated_at("remoteName")
                yield Finding(message=message, place=place, hint=hint, overlay=read.environment.name)


def _spellings(repository: Repository) -> Iterable[Mapping[str, Sequence[SourceRead]]]:
    """Return for each value of each source the names that it is asked for by, with the keys that ask."""
    values: dict[tuple[object, str], dict[str, list[SourceRead]]] = {}
    for environment in repository.environments:
        for read in environment.source_reads() if environment.source else ():
            name = read.remote.name
            spellings = values.setdefault((environment.source_identity, environment.same_name(name)), {})
            spellings.setdefault(name, []).append(read)
    return values.values()


@rule("foreign-remote-name", "warning")
def foreign_remote_name(repository: Repository) -> Iterator[Finding]:
    """An ExternalSecret asks for a name that begins or ends with the name of another environment.

    Production may work with a value of test. The name of an environment is that of its overlay, or of the folder that
    is deployed; it is only reported where other names there begin or end with the environment's own. Correct the name.
    """
    reported = {(read.environment.name, read.remote.name) for read, _ in _foreign_reads(repository)}
    own_names = _environment_names(repository.builds)
    for index, build in enumerate(repository.builds):
        own = own_names[index]
        others = [name for names in own_names[:index] + own_names[index + 1 :] for name in names if name not in own]
        remote_names = list(_remote_names(build))
        for position in (str.startswith, str.endswith):
            if not any(_bears(name, own, position) for _, _, name in remote_names):
                continue
            for document, path, name in remote_names:
                other = next((candidate for candidate in others if _bears(name, [candidate], position)), None)
                identity = any((environment.name, name) in reported for environment in build.environments)
                if other and not identity and not any(_bears(name, own, end) for end in (str.startswith, str.endswith)):
                    subject = document.subject
                    yield Finding(
                        message=f"{subject.kind} {subject.name} asks for {name}, which looks like a name of {other}",
                        place=place_of(build, document, path),
                        hint=f"the other names of {build.name} bear its own",
                        subject=subject,
                        field=dotted(path),
                        overlay=build.only_overlay,
                    )


def _environment_names(builds: Sequence[Build]) -> list[list[str]]:
    """Return what each environment is called: by its overlays, and by the part of its folder that is its own."""
    parts = [build.folder.split(os.sep) for build in builds]
    common = set.intersection(*map(set, parts)) if len(parts) > 1 else set()
    names = []
    for build, folders in zip(builds, parts, strict=True):
        folder = next((part for part in reversed(folders) if part and part not in common), "")
        names.append([name for name in (folder, *(environment.name for environment in build.environments)) if name])
    return names


def _remote_names(build: Build) -> Iterator[tuple[Document, Path, str]]:
    """Yield the names that the ExternalSecrets of a build ask for."""
    for document in build.objects:
        if (document.group, document.subject.kind) != (OPERATOR, "ExternalSecret"):
            continue
        for field, reference in (("data", "remoteRef"), ("dataFrom", "extract")):
            for index, entry in enumerate(sequence(document.at("spec", field))):
                name = mapping(mapping(entry).get(reference)).get("key")
                if isinstance(name, str):
                    yield document, ("spec", field, index, reference, "key"), name


def _bears(name: str, environments: Iterable[str], position: Callable[[str, str], bool]) -> bool:
    """Whether a name begins or ends with that of an environment, set off by a separator."""
    text = variable(name)
    marks = (
        f"{variable(environment)}_" if position is str.startswith else f"_{variable(environment)}"
        for environment in environments
    )
    return any(position(text, mark) for mark in marks)


RULES = (foreign_name, foreign_remote_name, vault_collision)
