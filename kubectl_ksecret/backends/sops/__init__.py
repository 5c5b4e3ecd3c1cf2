"""A Secret encrypted with SOPS: its metadata and type are made here, its encrypted values are committed."""

import os
from collections.abc import Iterator, Mapping, Sequence

from ...errors import InputError, Mistake, shown
from ...manifests import committed, record
from ...manifests.metadata import metadata
from ...model.backend import Backend, CertificateFile, Flaw, Limit, NameReference, Objects, Path
from ...model.kubernetes import Object
from ...model.resolution import Environment, Secret
from ...model.types.backends import Sops
from ..shape import differing
from . import config, document

KIND = "Secret"
_FIELDS: tuple[Path, ...] = (
    ("apiVersion",),
    ("metadata", "namespace"),
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("type",),
)


def spec_of(environment: Environment) -> Sops:
    """Return what the overlay says of its encrypted Secrets."""
    spec = environment.backend
    assert isinstance(spec, Sops)
    return spec


class SopsBackend(Backend):
    """An encrypted Secret for each declaration, decrypted by what deploys it."""

    kind = KIND
    group = ""
    seals = True
    record_path = ("metadata", "annotations")
    drops_keys = False  # the MAC is over all of them, and only the data key can make a new one
    builds_on_committed = True
    restarts_readers = False

    def render(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the committed Secrets as they are, encrypted."""
        return [committed[name] for name in environment.secrets if name in committed]

    def mend(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the committed Secrets with what is declared around their encrypted values."""
        return [
            self.mended(environment, secret, committed[name])
            for name, secret in environment.secrets.items()
            if name in committed
        ]

    def mended(self, environment: Environment, secret: Secret, secret_object: Object) -> Object:
        """Return a committed Secret with the declared metadata and type, where its MAC does not cover them.

        A key that is no longer declared stays: without the data key the MAC can't be made anew.
        """
        if secret_object["kind"] != KIND or not document.mac_survives_rewriting(secret_object):
            return secret_object
        shell = self.with_record(self.shell(environment, secret), record.of(secret_object, self))
        return shell | {"data": secret_object["data"], document.BLOCK: secret_object[document.BLOCK]}

    def shell(self, environment: Environment, secret: Secret) -> Object:
        """Return the Secret without values and record."""
        declared = secret.declaration.spec
        of_manifest = spec_of(environment).metadata
        return {
            "apiVersion": "v1",
            "kind": KIND,
            "metadata": metadata(environment, secret.name, of_manifest, declared.labels, declared.annotations),
            "type": declared.type,
        }

    def with_record(self, shell: Object, entries: record.Entries) -> Object:
        """Return the shell with the record of the values that it will hold."""
        if not entries:
            return shell
        annotations = shell["metadata"].get("annotations", {}) | {record.ANNOTATION: record.text(entries)}
        return shell | {"metadata": shell["metadata"] | {"annotations": annotations}}

    def held(self, secret_object: Object) -> Mapping[str, str]:
        """Return the encrypted values of a committed Secret by key."""
        data = secret_object.get("data")
        pairs = data.items() if isinstance(data, dict) else ()
        return {key: text for key, text in pairs if isinstance(text, str)}

    def path_of(self, key: str) -> Path:
        """Return the path of a key's encrypted value."""
        return ("data", key)

    def misplacement(self, environment: Environment, secret: Secret, secret_object: Object) -> Flaw | None:
        """Return why a committed object is none of this Secret; SOPS binds nothing to a namespace."""
        if secret_object["kind"] != KIND:
            return Flaw(("kind",), f"expected a {KIND}, found another kind")
        if secret_object["metadata"].get("name") != secret.name:
            return Flaw(("metadata", "name"), f"sealed for another Secret than {secret.name}")
        return None

    def unencrypted(self, secret_object: Object) -> Iterator[Flaw]:
        """Find values in plain text, and what is broken in the sops block."""
        return document.flaws(secret_object)

    def shadowing(self, secret_object: Object) -> Iterator[Path]:
        """Find what stands in stringData, which the API server takes before data."""
        values = secret_object.get("stringData")
        for key in values if isinstance(values, dict) else ():
            yield ("stringData", str(key))

    def foreign_fields(self, secret_object: Object) -> Iterator[Path]:
        """Find nothing: what another program encrypted may have fields of its own."""
        return iter(())

    def outdated_fields(self, environment: Environment, secret: Secret, secret_object: Object) -> Iterator[Path]:
        """Find the fields that are no longer the declared ones."""
        return differing(secret_object, self.shell(environment, secret), _FIELDS)

    def rewritable(self, secret_object: Object) -> bool:
        """Whether the MAC, as sops itself makes it, does not cover the metadata."""
        return document.mac_survives_rewriting(secret_object)

    def malformed(self, secret_object: Object) -> Iterator[tuple[str, str]]:
        """Find nothing: what is no encrypted value counts as not encrypted."""
        return iter(())

    def certificate(self, environment: Environment) -> CertificateFile | None:
        """Return nothing: recipients have no certificate."""
        return None

    def reader_flaws(self, environment: Environment, secret: str, secret_object: Object) -> Iterator[Flaw]:
        """Compare the recipients of a file with the declared ones, and with those that it was sealed for.

        Raises InputError if the declared ones can't be used.
        """
        readers = set(document.readers(secret_object))
        if not document.recipients(secret_object):
            return  # reported as a broken sops block
        declared = set(declared_recipients(environment, secret))
        recorded = record.fingerprints([secret_object], self)
        path = (document.BLOCK, "age")
        if readers != declared:
            accept = " ".join(f"--accept {recipient}" for recipient in sorted(declared))
            hint = f"if the declared ones are meant: kubectl ksecret seal {environment.name} {accept}"
            yield Flaw(path, f"{secret} {_difference(readers - declared, declared - readers)}", hint)
        elif recorded and document.fingerprint(readers) not in recorded:
            hint = "compare the sops block with the commit before, and seal again"
            yield Flaw(path, f"{secret} names other recipients than those that it was sealed for", hint)

    def limits(self, environment: Environment, secret: Secret) -> Iterator[Limit]:
        """Find nothing: any Secret can be encrypted."""
        return iter(())

    def next_step(self, environment: Environment, secrets: Sequence[str]) -> str:
        """Return nothing: a new value is encrypted and committed."""
        return ""

    def name_references(self) -> Sequence[NameReference]:
        """Return all places that name a Secret: kustomize itself knows fewer."""
        # Written with the manifests; a build does without the table.
        from ..references import SECRET_READERS

        return (NameReference(KIND, "", SECRET_READERS),)


def declared_recipients(environment: Environment, secret: str) -> tuple[str, ...]:
    """Return for whom a Secret is to be encrypted: those of the overlay, else those of .sops.yaml.

    Raises InputError if both name some and they differ, or neither names any.
    """
    backend = spec_of(environment)
    path = os.path.join(environment.path(committed.FOLDER), committed.file_of(secret))
    ruled, rules = config.recipients(environment.project, os.path.normpath(path))
    if backend.age and ruled and set(backend.age) != set(ruled):
        message = f"the recipients are not those of {rules}"
        raise InputError(Mistake(message, backend.origin.at("age"), "leave them out here, or make them equal"))
    if not backend.age and not ruled:
        message = f"no age recipient is declared for {secret}"
        hint = f"set backend.sops.age, or a creation rule in {config.FILE}"
        raise InputError(Mistake(message, backend.origin.at(), hint))
    return backend.age or ruled


def rules_of(environment: Environment) -> list[str]:
    """Return the .sops.yaml whose rules say for whom an environment is encrypted, if the overlay does not."""
    if spec_of(environment).age:
        return []
    paths = (os.path.join(environment.path(committed.FOLDER), committed.file_of(name)) for name in environment.secrets)
    places = [config.recipients(environment.project, os.path.normpath(path))[1] for path in paths]
    return sorted({environment.project.shown_as(place.file) for place in places if place})


def _difference(added: set[str], lacking: set[str]) -> str:
    parts = []
    if added:
        parts.append(f"is encrypted for {_names(added)}, not declared")
    if lacking:
        parts.append(f"is not encrypted for {_names(lacking)}, declared")
    return " and ".join(parts)


def _names(readers: set[str]) -> str:
    return ", ".join(map(_shown, sorted(readers)))


def _shown(reader: str) -> str:
    if not reader.startswith("age1"):
        return shown(reader)
    return f"{shown(reader[:16])}…" + (" (post-quantum)" if reader.startswith("age1pq1") else "")
