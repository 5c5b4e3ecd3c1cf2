"""SealedSecret (bitnami.com/v1alpha1): all but the ciphertext is made here, the ciphertext is committed."""

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence

from ..manifests import record
from ..manifests.metadata import merged, metadata
from ..model.backend import Backend, CertificateFile, Flaw, Limit, NameReference, Objects, Path
from ..model.kubernetes import Object
from ..model.resolution import Environment, Secret
from ..model.types.backends import SealedSecret
from ..model.types.overrides import SealedSecretOverride
from ..model.types.policies import Scope
from ..yamlio import Below
from .shape import differing, field

GROUP = "bitnami.com"
API = f"{GROUP}/v1alpha1"
KIND = "SealedSecret"
_SCOPE = "sealedsecrets.bitnami.com/"
_RSA_LENGTHS = (256, 384, 512, 1024)  # in bytes: of keys of 2048 bits and more
_TAG = 16  # bytes at the end of what AES-GCM encrypts

_FIELDS: tuple[Path, ...] = (
    ("apiVersion",),
    ("metadata", "namespace"),
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("spec", "template"),
)
_OURS: Mapping[Path, frozenset[str]] = {
    (): frozenset({"apiVersion", "kind", "metadata", "spec", "status"}),
    ("metadata",): frozenset({"name", "namespace", "labels", "annotations"}),
    ("spec",): frozenset({"encryptedData", "template"}),
}


def spec_of(environment: Environment) -> SealedSecret:
    """Return what the overlay says of its SealedSecrets."""
    spec = environment.backend
    assert isinstance(spec, SealedSecret)
    return spec


def scope_for(environment: Environment, secret: str) -> Scope:
    """Return what the ciphertext of a Secret is bound to."""
    override = environment.backend_override(secret)
    return (isinstance(override, SealedSecretOverride) and override.scope) or spec_of(environment).scope


class SealedSecretBackend(Backend):
    """A SealedSecret for each declaration, unsealed by the Sealed Secrets controller."""

    kind = KIND
    group = GROUP
    seals = True
    # It arrives on the Secret with the data, and each change is one of the spec, which the controller can't miss.
    record_path = ("spec", "template", "metadata", "annotations")
    drops_keys = True
    builds_on_committed = True
    restarts_readers = False

    def render(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the committed SealedSecrets as they are."""
        return [committed[name] for name in environment.secrets if name in committed]

    def mend(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the committed SealedSecrets with what is declared around their ciphertext."""
        return [
            self._mended(environment, secret, committed[name])
            for name, secret in environment.secrets.items()
            if name in committed
        ]

    def _mended(self, environment: Environment, secret: Secret, document: Object) -> Object:
        """Return a committed SealedSecret as declared, without what is no longer declared.

        What is sealed for another place stays as it is: only a new seal mends it.
        """
        if document.get("kind") != KIND or not is_bound_as_declared(environment, secret, document):
            return document
        ciphertext = {key: text for key, text in self.held(document).items() if key in secret.keys}
        return self.with_sealed(self.shell(environment, secret), ciphertext, record.of(document, self))

    def shell(self, environment: Environment, secret: Secret) -> Object:
        """Return the object without ciphertext and record.

        The template has no name and no namespace: the controller takes the SealedSecret's own, which a prefix renames.
        """
        bound = scope_for(environment, secret.name)
        scope = {} if bound == "strict" else {_SCOPE + bound: "true"}
        override = environment.backend_override(secret.name)
        of_manifest = merged(spec_of(environment).metadata, override.metadata if override else None)
        declared = secret.declaration.spec
        annotations = {**declared.annotations, **scope}
        of_secret = {"labels": dict(declared.labels), "annotations": annotations}
        template = {"metadata": {name: value for name, value in of_secret.items() if value}, "type": declared.type}
        return {
            "apiVersion": API,
            "kind": KIND,
            "metadata": metadata(environment, secret.name, of_manifest, annotations=scope),
            "spec": {"template": {name: value for name, value in template.items() if value}},
        }

    def with_sealed(self, shell: Object, ciphertext: Mapping[str, str], entries: record.Entries) -> Object:
        """Return the shell with its ciphertext, and with the record of that."""
        recorded = {key: provenance for key, provenance in entries.items() if key in ciphertext}
        template = shell["spec"]["template"]
        if recorded:
            of_secret = template.get("metadata", {})
            annotations = of_secret.get("annotations", {}) | {record.ANNOTATION: record.text(recorded)}
            template = template | {"metadata": of_secret | {"annotations": annotations}}
        texts = {key: Below(text) for key, text in ciphertext.items()}
        return shell | {"spec": {"encryptedData": texts, "template": template}}

    def held(self, document: Object) -> Mapping[str, str]:
        """Return the ciphertext of a committed SealedSecret by key; none where it has none that can be used."""
        return ciphertext_of(document)

    def path_of(self, key: str) -> Path:
        """Return the path of a key's ciphertext."""
        return ("spec", "encryptedData", key)

    def misplacement(self, environment: Environment, secret: Secret, document: Object) -> Flaw | None:
        """Return why the controller can't open a committed object as this Secret of this environment."""
        if document["kind"] != KIND:
            return Flaw(("kind",), f"expected a {KIND}, found another kind")
        if document["metadata"].get("name") != secret.name:
            return Flaw(("metadata", "name"), f"sealed for another Secret than {secret.name}")
        scope, declared = scope_of(document), scope_for(environment, secret.name)
        if scope != declared:
            message = f"{secret.name} is sealed with the scope {scope}, not {declared}"
            return Flaw(("metadata", "annotations"), message)
        if not is_bound_as_declared(environment, secret, document):
            message = f"{secret.name} is sealed for another namespace than {environment.namespace}"
            return Flaw(("metadata", "namespace"), message)
        return None

    def unencrypted(self, document: Object) -> Iterator[Flaw]:
        """Find nothing: what is no ciphertext is malformed."""
        return iter(())

    def shadowing(self, document: Object) -> Iterator[Path]:
        """Find nothing: a SealedSecret holds values in one place."""
        return iter(())

    def foreign_fields(self, document: Object) -> Iterator[Path]:
        """Find the fields outside of the template that are not made here; in the template all are compared."""
        for path, ours in _OURS.items():
            section = field(document, path)
            for name, value in section.items() if isinstance(section, dict) else ():
                # Older releases of kubeseal write creationTimestamp: null.
                if name not in ours and value is not None:
                    yield (*path, str(name))

    def outdated_fields(self, environment: Environment, secret: Secret, document: Object) -> Iterator[Path]:
        """Find the fields that are no longer the declared ones."""
        return differing(document, self.shell(environment, secret), _FIELDS)

    def rewritable(self, document: Object) -> bool:
        """Always: nothing binds the ciphertext to the metadata but name, namespace and scope."""
        return True

    def malformed(self, document: Object) -> Iterator[tuple[str, str]]:
        """Find the keys whose ciphertext the controller can't read: by its base64, its length and its structure."""
        encrypted = field(document, ("spec", "encryptedData"))
        for key, text in encrypted.items() if isinstance(encrypted, dict) else ():
            if reason := _why_malformed(text):
                yield str(key), reason

    def certificate(self, environment: Environment) -> CertificateFile | None:
        """Return the certificate of the Sealed Secrets controller."""
        backend = spec_of(environment)
        path, named_at = environment.path(backend.certificate), backend.origin.at("certificate")
        return CertificateFile(path, "spec.backend.sealedSecret.certificate", named_at)

    def reader_flaws(self, environment: Environment, secret: str, document: Object) -> Iterator[Flaw]:
        """Find nothing: a SealedSecret does not say who can open it."""
        return iter(())

    def limits(self, environment: Environment, secret: Secret) -> Iterator[Limit]:
        """Find nothing: any Secret can be sealed."""
        return iter(())

    def next_step(self, environment: Environment, secrets: Sequence[str]) -> str:
        """Return nothing: a new value is sealed and committed."""
        return ""

    def name_references(self) -> Sequence[NameReference]:
        """Return all places that name a Secret."""
        # Written with the manifests; a build does without the table.
        from .references import SECRET_READERS

        return (NameReference(KIND, GROUP, SECRET_READERS),)


def _why_malformed(text: object) -> str:
    """Return what is wrong with a ciphertext: the length of its RSA part, that part, its AES-GCM part with the tag."""
    if not isinstance(text, str):
        return "is no text"
    try:
        content = b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError:
        return "is not base64"
    length = int.from_bytes(content[:2], "big")
    if len(content) < 2 or length not in _RSA_LENGTHS:
        return "does not begin as a sealed value does"
    return "is cut off" if len(content) < 2 + length + _TAG else ""


def ciphertext_of(document: Object) -> Mapping[str, str]:
    """Return the ciphertext of any SealedSecret by key; none where it has none that can be used."""
    encrypted = field(document, ("spec", "encryptedData"))
    pairs = encrypted.items() if isinstance(encrypted, dict) else ()
    return {key: text for key, text in pairs if isinstance(text, str)}


def scope_of(document: Object) -> Scope:
    """Return the scope of a committed SealedSecret, as the controller reads it: the widest one wins."""
    annotations = document["metadata"].get("annotations") or {}
    if annotations.get(_SCOPE + "cluster-wide") == "true":
        return "cluster-wide"
    return "namespace-wide" if annotations.get(_SCOPE + "namespace-wide") == "true" else "strict"


def bound_to(scope: Scope, namespace: str, name: str) -> tuple[Scope, str]:
    """Return what a ciphertext is bound to: the scope, and the label that goes into its encryption."""
    labels = {"strict": f"{namespace}/{name}", "namespace-wide": namespace, "cluster-wide": ""}
    return scope, labels[scope]


def is_bound_as_declared(environment: Environment, secret: Secret, document: Object) -> bool:
    """Whether the controller can open a committed ciphertext under the declared scope, namespace and name."""
    stated = document["metadata"]
    bound = bound_to(scope_of(document), str(stated.get("namespace", "")), str(stated.get("name", "")))
    return bound == bound_to(scope_for(environment, secret.name), environment.namespace, secret.name)
