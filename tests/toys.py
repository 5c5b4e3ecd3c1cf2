"""A source and a backend of our own, as anybody may add them: the package is not touched.

`python -m tests.toys ARGUMENTS` is the real command with both of them: the source `jsonFile`, a JSON file with a value
and a version for each name, and the backend `box`, which seals by writing a value backwards in base64.
"""

import json
import os
from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from kubectl_ksecret import backends, sealing, sources
from kubectl_ksecret.backends.references import SECRET_READERS
from kubectl_ksecret.backends.shape import differing, field
from kubectl_ksecret.cli import main
from kubectl_ksecret.errors import Mistake, Place
from kubectl_ksecret.manifests import record
from kubectl_ksecret.manifests.committed import Manifest
from kubectl_ksecret.manifests.metadata import metadata
from kubectl_ksecret.manifests.record import Entries
from kubectl_ksecret.model.backend import Backend, CertificateFile, Flaw, Limit, NameReference, Objects
from kubectl_ksecret.model.backend import Path as Fields
from kubectl_ksecret.model.kubernetes import Object
from kubectl_ksecret.model.resolution import Environment, Secret
from kubectl_ksecret.model.types import backends as backend_types
from kubectl_ksecret.model.types import sources as source_types
from kubectl_ksecret.model.types.names import Line, Path
from kubectl_ksecret.model.types.source import PathBase, Source, SourceUse
from kubectl_ksecret.sensitive import Sensitive
from kubectl_ksecret.sources import Progress, SourceValue, Version


class JsonFile(Source):
    """A JSON file, which holds a value and a version for each name.

    file: Path of the file, from the overlay's folder.
    """

    file: Path

    versioned = True
    writable = True
    lists_names = True
    runs_program = False
    names_are_variables = False

    def identity(self, folder: str) -> tuple[str, ...]:
        """Return where the file lies."""
        return (os.path.realpath(os.path.join(folder, self.file)),)

    def same_name(self, name: str) -> str:
        """Return the name itself."""
        return name

    def shown(self, base: PathBase) -> str:
        """Return the file's path."""
        return base.shown_path(self.file)

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return the file."""
        return [(self.file, self.origin.at("file"))]

    def mistakes(self, use: SourceUse) -> Iterator[Mistake]:
        """Find names that begin with an underscore: this source keeps those for itself."""
        for address, name, origin in use.names:
            if name.startswith("_"):
                yield Mistake(f"the name of {address} begins with an underscore", origin.at("remoteName"))


class OpenJsonFile:
    """The file, open for reading and writing."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.shown = os.path.basename(path)
        with open(path, encoding="utf-8") as file:
            self._versions: dict[str, list[dict[str, str]]] = json.load(file)

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """The newest version of each name."""
        return {name: Version(id=str(len(self._versions[name]))) for name in names if name in self._versions}

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """Return the newest values of the names that the file has."""
        return {
            name: SourceValue(value=Sensitive(self._versions[name][-1]["value"].encode()), version=version)
            for name, version in self.versions(names).items()
        }

    def names(self) -> Collection[str]:
        """Return all names."""
        return self._versions.keys()

    def refused(self, name: str, value: Sensitive) -> str:
        """Everything fits."""
        return ""

    def write(self, name: str, value: Sensitive, id_: str) -> None:
        """Add a version."""
        self._versions.setdefault(name, []).append({"value": value.reveal().decode(), "id": id_})
        with open(self._path, "w", encoding="utf-8") as file:
            json.dump(self._versions, file)

    def written(self, name: str, id_: str) -> bool:
        """Whether a version bears the id."""
        return any(version["id"] == id_ for version in self._versions.get(name, []))


def open_json_file(environment: Environment, source: JsonFile, _progress: Progress) -> OpenJsonFile:
    """Open the file that an overlay names; it must lie in the project."""
    return OpenJsonFile(environment.project.inside(environment.path(source.file), source.origin.at("file")))


class Box(backend_types.BackendSpec):
    """A Box for each declaration.

    metadata: Metadata of the manifests.
    label: What stands on the lid; a box with another label must be accepted.
    """

    label: Line

    seals = True
    operator = ""

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return nothing."""
        return ()

    def mistakes(self) -> Iterator[Mistake]:
        """Find nothing: any label will do."""
        return iter(())


class BoxBackend(Backend):
    """Everything about a Box that needs no key."""

    kind = "Box"
    group = "toys.example.org"
    seals = True
    record_path = ("metadata", "annotations")
    drops_keys = True
    builds_on_committed = True
    restarts_readers = False

    def render(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the committed boxes."""
        return [committed[name] for name in environment.secrets if name in committed]

    def mend(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the committed boxes under the declared metadata."""
        boxes = []
        for document in self.render(environment, committed):
            shell = self.shell(environment, environment.secrets[document["metadata"]["name"]])
            entries = record.of(document, self)
            boxes.append(with_content(shell, self.held(document), entries))
        return boxes

    def shell(self, environment: Environment, secret: Secret) -> Object:
        """Return an empty box."""
        spec = environment.backend
        assert isinstance(spec, Box)
        return {
            "apiVersion": "toys.example.org/v1",
            "kind": "Box",
            "metadata": metadata(environment, secret.name, spec.metadata),
            "spec": {"label": spec.label},
        }

    def held(self, document: Object) -> Mapping[str, str]:
        """Return what lies in a box."""
        content = field(document, ("spec", "content"))
        return content if isinstance(content, dict) else {}

    def path_of(self, key: str) -> Fields:
        """Return where a key lies."""
        return ("spec", "content", key)

    def misplacement(self, environment: Environment, secret: Secret, document: Object) -> Flaw | None:
        """Return whether it is another's box."""
        if document["metadata"].get("namespace") == environment.namespace:
            return None
        return Flaw(("metadata", "namespace"), f"{secret.name} is a box of another namespace")

    def unencrypted(self, document: Object) -> Iterator[Flaw]:
        """Find nothing."""
        return iter(())

    def shadowing(self, document: Object) -> Iterator[Fields]:
        """Find nothing."""
        return iter(())

    def foreign_fields(self, document: Object) -> Iterator[Fields]:
        """Find nothing."""
        return iter(())

    def outdated_fields(self, environment: Environment, secret: Secret, document: Object) -> Iterator[Fields]:
        """Find metadata and labels that are no longer the declared ones."""
        return differing(document, self.shell(environment, secret), [("metadata", "labels"), ("spec", "label")])

    def rewritable(self, document: Object) -> bool:
        """Always."""
        return True

    def malformed(self, document: Object) -> Iterator[tuple[str, str]]:
        """Find nothing."""
        return iter(())

    def certificate(self, environment: Environment) -> CertificateFile | None:
        """A box has none."""
        return None

    def reader_flaws(self, environment: Environment, secret: str, document: Object) -> Iterator[Flaw]:
        """Find nothing."""
        return iter(())

    def limits(self, environment: Environment, secret: Secret) -> Iterator[Limit]:
        """Find nothing: anything goes into a box."""
        return iter(())

    def next_step(self, environment: Environment, secrets: Sequence[str]) -> str:
        """Return nothing: a new value is put into a new box."""
        return ""

    def name_references(self) -> Sequence[NameReference]:
        """Return all places that name a Secret."""
        return (NameReference("Box", "toys.example.org", SECRET_READERS),)


def with_content(shell: Object, content: Mapping[str, str], entries: Entries) -> Object:
    """Return a box with its content and the record of it."""
    recorded = {key: entry for key, entry in entries.items() if key in content}
    stated = shell["metadata"].get("annotations", {}) | {record.ANNOTATION: record.text(recorded)}
    return {
        **shell,
        "metadata": {**shell["metadata"], "annotations": stated},
        "spec": {**shell["spec"], "content": dict(content)},
    }


class BoxSealer:
    """Writes values backwards."""

    def __init__(self, environment: Environment) -> None:
        self._environment, self._backend = environment, BoxBackend()

    def fingerprint(self, secret: Secret) -> str:
        """Return the label."""
        spec = self._environment.backend
        assert isinstance(spec, Box)
        return f"box:{spec.label}"

    def readers(self) -> Sequence[str]:
        """Return the label: whoever knows it can open the box."""
        spec = self._environment.backend
        assert isinstance(spec, Box)
        return (f"box:{spec.label}",)

    def files(self) -> Sequence[str]:
        """Return nothing: the overlay alone says it."""
        return ()

    def warnings(self, secret: Secret, manifest: Manifest | None) -> Iterator[Mistake]:
        """Find nothing."""
        return iter(())

    def held(self, secret: Secret, manifest: Manifest | None) -> Mapping[str, str]:
        """Return what can stay."""
        return self._backend.held(manifest.object) if manifest else {}

    def needed(self, secret: Secret, manifest: Manifest | None, chosen: Collection[str]) -> Collection[str]:
        """Return the chosen ones."""
        return chosen

    def seal(
        self, secret: Secret, manifest: Manifest | None, values: Mapping[str, Sensitive], entries: Entries
    ) -> Object | None:
        """Return the box with the new values in it."""
        content = {key: text for key, text in self.held(secret, manifest).items() if key in secret.keys}
        recorded = dict(entries)
        for key, value in values.items():
            content[key] = b64encode(value.reveal()[::-1]).decode()
            recorded[key] = entries[key].but(digest=record.digest_of(content[key]))
        return with_content(self._backend.shell(self._environment, secret), content, recorded) if content else None


def open_box(environment: Environment, _now: datetime, _variables: Mapping[str, str]) -> sealing.Sealer:
    """Return the sealer of an environment."""
    return BoxSealer(environment)


def register() -> None:
    """Add both to the mappings: the type by its field's name, then what reads, renders and seals."""
    source_types.SOURCES["jsonFile"] = JsonFile
    sources.IMPLEMENTATIONS["jsonFile"] = open_json_file
    backend_types.BACKENDS["box"] = Box
    backends.BACKENDS[Box] = BoxBackend
    sealing.SEALERS[Box] = open_box


if __name__ == "__main__":
    register()
    main()
