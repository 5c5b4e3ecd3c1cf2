"""What backends have in common that commit no value."""

from collections.abc import Iterator, Mapping

from ..model.backend import Backend, CertificateFile, Flaw, Objects, Path
from ..model.kubernetes import Object
from ..model.resolution import Environment, Secret


class ValuelessBackend(Backend):
    """A backend whose committed objects, if it has any, are rendered anew and compared as a whole."""

    seals = False
    drops_keys = True
    builds_on_committed = False
    restarts_readers = False

    def mend(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return what is rendered: nothing of it comes from the committed folder."""
        return self.render(environment, committed)

    def held(self, document: Object) -> Mapping[str, str]:
        """Return nothing: no value is committed."""
        return {}

    def path_of(self, key: str) -> Path:
        """Return the path of a key in a plain Secret."""
        return ("data", key)

    def misplacement(self, environment: Environment, secret: Secret, document: Object) -> Flaw | None:
        """Return nothing: an object is rendered for its place."""
        return None

    def unencrypted(self, document: Object) -> Iterator[Flaw]:
        """Find nothing, as no value is committed."""
        return iter(())

    def shadowing(self, document: Object) -> Iterator[Path]:
        """Find nothing, as no value is committed."""
        return iter(())

    def foreign_fields(self, document: Object) -> Iterator[Path]:
        """Find nothing: an object is compared as a whole."""
        return iter(())

    def outdated_fields(self, environment: Environment, secret: Secret, document: Object) -> Iterator[Path]:
        """Find nothing: an object is compared as a whole."""
        return iter(())

    def rewritable(self, document: Object) -> bool:
        """Always."""
        return True

    def malformed(self, document: Object) -> Iterator[tuple[str, str]]:
        """Find nothing, as no value is committed."""
        return iter(())

    def certificate(self, environment: Environment) -> CertificateFile | None:
        """Return nothing: no certificate is needed."""
        return None

    def reader_flaws(self, environment: Environment, secret: str, document: Object) -> Iterator[Flaw]:
        """Find nothing, as no value is committed."""
        return iter(())
