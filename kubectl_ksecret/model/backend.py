"""What a backend is, as far as that needs no key: the form in which an environment gets its Secrets.

A backend that seals has a second half in sealing/, which holds keys.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..errors import Place
from .kubernetes import Object
from .resolution import Environment, Secret

Path = tuple[str, ...]
Objects = Mapping[str, Object]


class Flaw(NamedTuple):
    """A field of a committed object, and the sentence that says what is wrong there; it shows no value."""

    path: Path
    message: str
    hint: str = ""


class Limit(NamedTuple):
    """What a declaration asks for and no object of a backend can have; it shows no value."""

    message: str
    place: Place
    hint: str


class NameReference(NamedTuple):
    """The fields that name objects of a kind: kustomize follows a rename of such an object into them.

    A field is the kind of the object that has it, empty for every kind, and its path as kustomize writes it.
    """

    kind: str
    group: str
    fields: Sequence[tuple[str, str]]


class CertificateFile(NamedTuple):
    """The certificate that an overlay names: its path, the field that names it, and where that stands."""

    path: str
    field: str
    named_at: Place


class Backend(Protocol):
    """One form of the Secrets. Committed objects are handed in by the name of their Secret.

    `kind` and `group` are those of the object that stands for a Secret. `seals` says whether values are sealed into
    committed objects; where they are not, an object follows from its declaration alone. `record_path` leads to the
    annotations of the Secret itself. `drops_keys` says whether a sealed key can be taken out without any value, and
    `builds_on_committed` whether rendering starts from what is committed, not from the declarations alone.
    `restarts_readers` if whoever brings a new value restarts the workloads that read it.
    """

    kind: str
    group: str
    seals: bool
    record_path: Path
    drops_keys: bool
    builds_on_committed: bool
    restarts_readers: bool

    def render(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the objects of an environment in their one order: the store, then the Secrets by name."""

    def mend(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return what the committed folder should hold, as far as that needs no value."""

    def shell(self, environment: Environment, secret: Secret) -> Object:
        """Return the object of a Secret as it is declared, without sealed values and without the record."""

    def held(self, document: Object) -> Mapping[str, str]:
        """Return what a committed object holds of each key, sealed."""

    def path_of(self, key: str) -> Path:
        """Return the path at which an object holds a key."""

    def misplacement(self, environment: Environment, secret: Secret, document: Object) -> Flaw | None:
        """Return why a committed object is none of this Secret in this environment, if it is not."""

    def unencrypted(self, document: Object) -> Iterator[Flaw]:
        """Find what should be encrypted and is not, or can't be opened by anybody."""

    def shadowing(self, document: Object) -> Iterator[Path]:
        """Find values beside the sealed ones that the API server takes instead of them."""

    def foreign_fields(self, document: Object) -> Iterator[Path]:
        """Find fields that no rendered object has, and that would pass into a build as they are."""

    def outdated_fields(self, environment: Environment, secret: Secret, document: Object) -> Iterator[Path]:
        """Find the fields that are no longer the declared ones; the record is none of them."""

    def rewritable(self, document: Object) -> bool:
        """Whether the metadata of an object can be written anew without any key."""

    def malformed(self, document: Object) -> Iterator[tuple[str, str]]:
        """Find the keys of any object of this kind whose ciphertext is none, with the end of a sentence why."""

    def certificate(self, environment: Environment) -> CertificateFile | None:
        """Return the certificate that seals the values, where there is one."""

    def reader_flaws(self, environment: Environment, secret: str, document: Object) -> Iterator[Flaw]:
        """Find who can open a committed object and should not, or should and can't.

        Raises InputError if what the project says of the readers can't be used.
        """

    def name_references(self) -> Sequence[NameReference]:
        """Return what kustomize must follow when it renames the objects of this backend."""

    def limits(self, environment: Environment, secret: Secret) -> Iterator[Limit]:
        """Find what a Secret is declared to be and can't be in this form; nothing where any Secret can be had."""

    def next_step(self, environment: Environment, secrets: Sequence[str]) -> str:
        """Return how these Secrets get a value that is new in the source; nothing where no operator fetches it."""
