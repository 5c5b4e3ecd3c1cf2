"""Can anybody read a Secret through the API who is none of its readers?"""

from collections.abc import Iterator, Sequence

from ..model.resolution import Environment
from ..objects.access import Permissions, Way
from ..objects.documents import dotted
from . import Finding, rule
from .scope import Build
from .supply import Supply, supply_of


@rule("readable-by-others", "error")
def readable_by_others(build: Build) -> Iterator[Finding]:
    """A Role lets a ServiceAccount read a Secret through the API that has other `readers`.

    Whatever runs as that ServiceAccount, or gets its token, has the values. Take the right out of the Role, restrict it
    with `resourceNames`, or name the ServiceAccount among the `readers`. A pod that takes keys through env or a volume
    needs no right at all. It is a warning where the way goes round about: who may create pods mounts any Secret of the
    namespace, and who may create tokens, impersonate, bind or escalate takes the rights of others. Nothing is reported
    of a Secret without `readers`, of the operators that make Secrets, and of roles that are not in the build, but for
    `cluster-admin`, `admin` and `edit`.
    """
    supply = supply_of(build)
    for environment in build.environments:
        if any(secret.declaration.spec.readers is not None for secret in environment.secrets.values()):
            yield from _of_overlay(supply, environment)


def _of_overlay(supply: Supply, environment: Environment) -> Iterator[Finding]:
    standing = supply.standing(environment)
    permissions = Permissions(supply.build.objects, standing.namespace)
    ways: dict[tuple[int, int], tuple[Way, list[str]]] = {}
    for name, secret in environment.secrets.items():
        readers = secret.declaration.spec.readers
        if readers is not None:
            accounts = _deployed(supply, environment, readers)
            for way in permissions.ways(standing.name(name), accounts):
                if not way.operator:
                    _, secrets = ways.setdefault((id(way.binding), way.position), (way, []))
                    secrets.append(name)
    for way, secrets in ways.values():
        yield _finding(environment, way, secrets)


def _deployed(supply: Supply, environment: Environment, readers: tuple[str, ...]) -> set[str]:
    """Return the readers under the names that they have in the build: a prefix renames a ServiceAccount, too."""
    renaming = supply.build.renaming_of(environment)
    accounts = {document.subject.name for document in supply.build.objects if document.subject.kind == "ServiceAccount"}
    return {
        renaming.of(reader) if renaming.of(reader) in accounts and reader not in accounts else reader
        for reader in readers
    }


def _finding(environment: Environment, way: Way, secrets: list[str]) -> Finding:
    field = ("subjects", way.position, "name")
    return Finding(
        message=sentence(way, secrets),
        place=way.binding.place(*field),
        hint=advice(way, environment.namespace, secrets),
        subject=way.binding.subject,
        field=dotted(field),
        overlay=environment.name,
        milder=None if way.direct else "warning",
    )


def sentence(way: Way, secrets: Sequence[str]) -> str:
    """Return who can read Secrets that have other readers, and by which binding."""
    verb, binding = "can read" if way.direct else "has a way to", way.binding.subject
    rights = ", ".join(way.rights)
    return (
        f"{way.holder} {verb} {_few(secrets)}: {binding.kind} {binding.name} gives it {way.role}, which allows {rights}"
    )


def advice(way: Way, namespace: str, secrets: Sequence[str]) -> str:
    """Return what to do about a way to Secrets of a namespace."""
    if way.holder.name and way.holder.namespace == namespace:
        may = f"if it may, add {way.holder.name} to spec.readers of {_few(secrets)}"
        return f"{may}; else take the right out of the role"
    return "take the right out of the role, or bind only those that need it"


def _few(secrets: Sequence[str]) -> str:
    """Return names for a sentence: all of a few, else how many more there are."""
    shown = secrets if len(secrets) <= 3 else [*secrets[:2], f"{len(secrets) - 2} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


RULES = (readable_by_others,)
