"""One build, looked through once: which Secrets it has, by namespace and name, and who reads them."""

from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from typing import Generic, NamedTuple, TypeVar

from ..kustomize.layers import Renaming
from ..model.resolution import Environment
from ..objects.documents import Document, mapping
from ..objects.producers import ProducedSecret, produced_by
from ..objects.reads import SecretRead, reads, runs_pods
from ..objects.secretfields import describes_secret
from .scope import Build

T = TypeVar("T")


class Standing(NamedTuple):
    """Where the Secrets of an overlay stand in the build: kustomize may move and rename them, all in one way."""

    namespace: str
    renaming: Renaming = Renaming()

    def name(self, declared: str) -> str:
        """Return the name of a declared Secret there."""
        return self.renaming.of(declared)


class Places(Generic[T]):
    """Things by namespace and name; what has no namespace may be in any."""

    def __init__(self) -> None:
        self._things: dict[str, dict[str, list[T]]] = {}

    def add(self, namespace: str, name: str, thing: T) -> None:
        """Add one more thing of that name."""
        self._things.setdefault(name, {}).setdefault(namespace, []).append(thing)

    def at(self, namespace: str, name: str) -> list[T]:
        """Return what may be meant by a name in a namespace."""
        by_namespace = self._things.get(name)
        if not by_namespace:
            return []
        if not namespace:
            return [thing for things in by_namespace.values() for thing in things]
        return [*by_namespace.get(namespace, ()), *by_namespace.get("", ())]

    def names(self, namespace: str) -> list[str]:
        """Return all names in a namespace."""
        return [name for name, spaces in self._things.items() if not namespace or namespace in spaces or "" in spaces]

    def namespaces(self, name: str) -> list[str]:
        """Return the namespaces that have a name."""
        return sorted(namespace for namespace in self._things.get(name, ()) if namespace)


class Supply:
    """The Secrets of a build and their readers."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.secrets: Places[ProducedSecret] = Places()
        self._standing: dict[str, Standing] = {}
        # What says no namespace is deployed into that of the overlay, if there is one only.
        self._usual = build.usual_namespace
        for document in build.objects:
            for secret in produced_by(document):
                namespace = "" if secret.everywhere else secret.namespace or self._usual
                self.secrets.add(namespace, secret.name, secret._replace(namespace=namespace))
        for environment in build.environments:
            self._declare(environment)
        # A cluster-scoped object has no namespace, so its own is none of those that are deployed.
        self.namespaces = {self.namespace(document) for document in build.objects} - {""}

    def _declare(self, environment: Environment) -> None:
        """Add what is declared: that it is missing from the build is another finding."""
        standing = self.standing(environment)
        for name, secret in environment.secrets.items():
            declared = ProducedSecret(
                producer=None,
                name=standing.name(name),
                namespace=standing.namespace,
                keys=frozenset(secret.keys),
                declared_annotations=secret.declaration.spec.annotations,
            )
            self.secrets.add(declared.namespace, declared.name, declared)

    def namespace(self, document: Document) -> str:
        """Return the namespace that an object is deployed into."""
        return document.subject.namespace or self._usual

    def key(self, document: Document) -> tuple[str, str]:
        """Return an object of any kind as `Places` know it."""
        return self.namespace(document), f"{document.subject.kind}/{document.subject.name}"

    @cached_property
    def reads(self) -> Sequence[SecretRead]:
        """All places that name a Secret, in the order of the build."""
        return list(self._find_reads())

    def _find_reads(self) -> Iterator[SecretRead]:
        stated = (
            reference for environment in self.build.environments for reference in environment.overlay.spec.references
        )
        further = tuple(dict.fromkeys(stated))
        for document in self.build.objects:
            for read in reads(document, further):
                yield read if read.namespace else read._replace(namespace=self._usual)

    def knows(self, namespace: str) -> bool:
        """Whether anything of a namespace is deployed from here; of another one nobody can say what it lacks."""
        return not namespace or namespace in self.namespaces

    def standing(self, environment: Environment) -> Standing:
        """Return where the Secrets of an overlay stand in the build, as its kustomizations say.

        Those that are made without a build keep the names that are declared.
        """
        if environment.name not in self._standing:
            standing = Standing(environment.namespace)
            if environment.backend.seals or environment.backend.fetched:
                standing = Standing(self.build.namespace_of(environment), self.build.renaming_of(environment))
            self._standing[environment.name] = standing
        return self._standing[environment.name]

    def overlay_of(self, namespace: str) -> str:
        """Return the overlay whose namespace it is, if it is one only."""
        environments = self.build.environments
        names = [environment.name for environment in environments if environment.namespace == namespace] or [
            e.name for e in environments
        ]
        return names[0] if len(names) == 1 else ""

    @property
    def has_workloads(self) -> bool:
        """Whether anything in it could read a Secret."""
        return any(runs_pods(document) for document in self.build.objects)


def secrets_of(build: Build) -> Iterator[ProducedSecret]:
    """Yield the Secrets of a build whose objects hold their whole description; what adds to another's is left out."""
    for document in build.objects:
        if describes_secret(document):
            yield from (secret for secret in produced_by(document) if not (secret.merges or secret.everywhere))


@cache
def supply_of(build: Build) -> Supply:
    """Return the same for every rule that asks: looking through a build takes longer than what a rule does with it."""
    return Supply(build)


def rollouts(supply: Supply) -> Places[Document]:
    """Return the Argo Rollouts that run the pods of another workload, by that one's kind and name."""
    running: Places[Document] = Places()
    for document in supply.build.objects:
        if document.subject.kind == "Rollout":
            reference = mapping(mapping(document.object.get("spec")).get("workloadRef"))
            running.add(supply.namespace(document), f"{reference.get('kind')}/{reference.get('name')}", document)
    return running
