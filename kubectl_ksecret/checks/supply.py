"""One root, looked at once: which Secrets are there, by namespace and name, and who reads them."""

from collections.abc import Iterator
from functools import cache
from typing import Generic, NamedTuple, TypeVar

from ..kustomize.layers import Renaming
from ..model.resolution import Environment
from ..model.types.backends import ExternalSecret, SealedSecret, Sops
from ..objects.documents import Document, mapping
from ..objects.producers import provisions
from ..objects.reads import POD_SPECS, Read, reads
from .scope import Build

T = TypeVar("T")
_FORMS = {ExternalSecret: "ExternalSecret", SealedSecret: "SealedSecret", Sops: "Secret"}


class Reading(NamedTuple):
    """A read, with who reads and in which namespace; it is empty if none is said."""

    reader: Document
    namespace: str
    read: Read


class Supplied(NamedTuple):
    """A Secret of the build; without `keys` it may have any. A declared one that is not built has no document."""

    namespace: str
    keys: frozenset[str] | None
    document: Document | None


class Standing(NamedTuple):
    """Where the Secrets of an overlay stand in the build: kustomize may move and rename them, all in one way."""

    namespace: str
    renaming: Renaming = Renaming()

    def name(self, declared: str) -> str:
        """The name of a declared Secret there."""
        return self.renaming.of(declared)


class Places(Generic[T]):
    """Things by namespace and name; what has no namespace may be in any."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, list[T]]] = {}

    def add(self, namespace: str, name: str, thing: T) -> None:
        """One more thing of that name."""
        self._found.setdefault(name, {}).setdefault(namespace, []).append(thing)

    def at(self, namespace: str, name: str) -> list[T]:
        """What may be meant by a name in a namespace."""
        named = self._found.get(name)
        if not named:
            return []
        if not namespace:
            return [thing for things in named.values() for thing in things]
        return [*named.get(namespace, ()), *named.get("", ())]

    def names(self, namespace: str) -> list[str]:
        """All names in a namespace."""
        return [name for name, found in self._found.items() if not namespace or namespace in found or "" in found]

    def namespaces(self, name: str) -> list[str]:
        """The namespaces that have a name."""
        return sorted(namespace for namespace in self._found.get(name, ()) if namespace)


class Supply:
    """The Secrets of a root and their readers."""

    def __init__(self, root: Build) -> None:
        self.root = root
        self.secrets: Places[Supplied] = Places()
        self._standing: dict[str, list[Standing]] = {}
        namespaces = {each.namespace for each in root.environments}
        # What says no namespace is deployed into that of the overlay, if there is one only.
        self._usual = namespaces.pop() if len(namespaces) == 1 else ""
        for document in root.objects:
            for provision in provisions(document):
                namespace = "" if provision.everywhere else self.namespace(document)
                self.secrets.add(namespace, provision.secret, Supplied(namespace, provision.keys, document))
        for environment in root.environments:
            self._declare(environment)

    def _declare(self, environment: Environment) -> None:
        """What is declared is provided: that it is missing from the build is another fault."""
        for name, secret in environment.secrets.items():
            for standing in self.standing(environment):
                declared = Supplied(standing.namespace, frozenset(secret.keys), None)
                self.secrets.add(standing.namespace, standing.name(name), declared)

    def namespace(self, document: Document) -> str:
        """That which an object is deployed into."""
        return document.subject.namespace or self._usual

    def key(self, document: Document) -> tuple[str, str]:
        """An object of any kind as `Places` know it."""
        return self.namespace(document), f"{document.subject.kind}/{document.subject.name}"

    def readings(self) -> Iterator[Reading]:
        """All places that name a Secret, in the order of the build."""
        further = dict.fromkeys(each for e in self.root.environments for each in e.overlay.spec.references)
        for document in self.root.objects:
            for read in reads(document.object, further):
                yield Reading(document, read.namespace or self.namespace(document), read)

    def standing(self, environment: Environment) -> list[Standing]:
        """Where the Secrets of an overlay stand in the build, as far as that shows."""
        if environment.name not in self._standing:
            self._standing[environment.name] = list(dict.fromkeys(self._find(environment)))
        return self._standing[environment.name]

    def _find(self, environment: Environment) -> list[Standing]:
        kind = _FORMS[type(environment.backend)]
        built = [document for document in self.root.objects if document.object["kind"] == kind]
        names = {document.subject.name for document in built}
        # The longest name is the least likely to be a part of another one by chance.
        for declared in sorted(environment.secrets, key=lambda name: (-len(name), name)):
            if declared in names:
                namespaces = {self.namespace(each) for each in built if each.subject.name == declared}
                return [Standing(each) for each in sorted({environment.namespace} & namespaces or namespaces)]
            renamed = [document for document in built if declared in document.subject.name]
            parts = ((each, each.subject.name.partition(declared)) for each in renamed)
            if found := [
                Standing(self.namespace(each), Renaming(prefix, suffix)) for each, (prefix, _, suffix) in parts
            ]:
                whole = [each for each in found if all(each.name(name) in names for name in environment.secrets)]
                return whole or [*found, Standing(environment.namespace)]
        return [Standing(environment.namespace)]

    def overlay_of(self, namespace: str) -> str:
        """The overlay whose namespace it is, if it is one only."""
        environments = self.root.environments
        found = [each.name for each in environments if each.namespace == namespace] or [e.name for e in environments]
        return found[0] if len(found) == 1 else ""

    @property
    def has_workloads(self) -> bool:
        """Whether anything in it could read a Secret."""
        return any(document.object["kind"] in POD_SPECS for document in self.root.objects)


@cache
def supply_of(root: Build) -> Supply:
    """The same for every rule that asks: to look through a build takes longer than what a rule does with it."""
    return Supply(root)


def rollouts(supply: Supply) -> Places[Document]:
    """The Argo Rollouts that run the pods of another workload, by that one's kind and name."""
    found: Places[Document] = Places()
    for document in supply.root.objects:
        if document.object["kind"] == "Rollout":
            reference = mapping(mapping(document.object.get("spec")).get("workloadRef"))
            found.add(supply.namespace(document), f"{reference.get('kind')}/{reference.get('name')}", document)
    return found
