"""ExternalSecret and SecretStore of External Secrets Operator (external-secrets.io/v1)."""

from collections.abc import Iterator, Mapping, Sequence

from ..manifests.metadata import merged, metadata
from ..model.backend import Limit, NameReference, Objects, Path
from ..model.duration import in_go_form
from ..model.kubernetes import OPERATOR, STORES, Object
from ..model.resolution import Derived, Environment, Remote, Secret
from ..model.template import Filter
from ..model.types.backends import ExternalSecret
from ..model.types.names import seconds
from ..model.types.overrides import ExternalSecretOverride
from ..model.types.stores import Store
from . import stores
from .gotemplates import FILTERS, GoTemplates, literal
from .valueless import ValuelessBackend

KIND = "ExternalSecret"
API = f"{OPERATOR}/v1"
_FILTERS: Mapping[Filter, str] = {**FILTERS, "pkcs12cert": "pkcs12cert", "pkcs12key": "pkcs12key"}


def spec_of(environment: Environment) -> ExternalSecret:
    """Return what the overlay says of its ExternalSecrets."""
    spec = environment.backend
    assert isinstance(spec, ExternalSecret)
    return spec


def settings_of(environment: Environment, secret: str) -> ExternalSecret:
    """Return what the overlay says of the ExternalSecret of one Secret."""
    backend, override = spec_of(environment), environment.backend_override(secret)
    if not isinstance(override, ExternalSecretOverride):
        return backend
    store = backend.store
    if override.store:
        store = Store(origin=override.store.origin, name=override.store.name, kind=override.store.kind)
    return backend.but(
        metadata=merged(backend.metadata, override.metadata),
        refresh_interval=override.refresh_interval or backend.refresh_interval,
        refresh_policy=override.refresh_policy or backend.refresh_policy,
        creation_policy=override.creation_policy or backend.creation_policy,
        deletion_policy=override.deletion_policy or backend.deletion_policy,
        store=store,
    )


class ExternalSecretBackend(ValuelessBackend):
    """An ExternalSecret for each declaration; External Secrets Operator reads the values in the cluster."""

    kind = KIND
    group = OPERATOR
    record_path = ("metadata", "annotations")

    def render(self, environment: Environment, committed: Objects) -> list[Object]:
        """Return the store if it is made here, then one ExternalSecret a Secret."""
        backend = spec_of(environment)
        rendered = [stores.store(environment, backend)] if backend.store.auth else []
        return rendered + [self.shell(environment, secret) for secret in environment.secrets.values()]

    def shell(self, environment: Environment, secret: Secret) -> Object:
        """Return the ExternalSecret of a Secret."""
        return _external_secret(environment, settings_of(environment, secret.name), secret)

    def next_step(self, environment: Environment, secrets: Sequence[str]) -> str:
        """Return when the operator reads the source, and the command that makes it do so at once."""
        spec, command = spec_of(environment), f"kubectl ksecret sync {environment.name} {' '.join(secrets)}"
        if spec.refresh_policy in ("CreatedOnce", "OnChange") or not seconds(spec.refresh_interval):
            return f"{environment.name} does not have it by itself, as its operator does not look again: {command}"
        return f"{environment.name} has it within {spec.refresh_interval}; at once: {command}"

    def path_of(self, key: str) -> Path:
        """Return the list of what is fetched, in which a key has no path of its own."""
        return ("spec", "data")

    def limits(self, environment: Environment, secret: Secret) -> Iterator[Limit]:
        """Find nothing: the operator's templates make all that can be declared."""
        return iter(())

    def name_references(self) -> Sequence[NameReference]:
        """Return all places that name a Secret, and those that a store and its credentials are named in."""
        # Written with the manifests; a build does without the table.
        from .references import SECRET_READERS

        readers = [NameReference(kind, OPERATOR, ((KIND, "spec/secretStoreRef/name"),)) for kind in STORES]
        credentials, accounts = stores.secret_fields(), stores.account_fields()
        return (
            NameReference(KIND, OPERATOR, (*SECRET_READERS, *credentials)),
            # The store's own credentials come in any form.
            NameReference("SealedSecret", "bitnami.com", credentials),
            NameReference("Secret", "", credentials),
            *readers,
            NameReference("ServiceAccount", "", accounts),
        )


def _external_secret(environment: Environment, backend: ExternalSecret, secret: Secret) -> Object:
    declared = secret.declaration.spec
    # Without explicit metadata ESO copies the ExternalSecret's own, Argo CD's tracking id too.
    template: Object = {
        "engineVersion": "v2",
        "metadata": {"labels": dict(declared.labels), "annotations": dict(declared.annotations)},
        "type": declared.type,
    }
    if any(isinstance(value, Derived) for value in secret.keys.values()):
        # A name with a dash can't be written as .name.
        templates = GoTemplates(environment, secret, lambda name, _: f"index . {literal(name)}", _FILTERS)
        template["data"] = {key: templates.text(key) for key in secret.keys}
    target: Object = {"template": template}
    name = environment.object_name(secret.name)
    if name != secret.name:
        target["name"] = secret.name  # without it the Secret follows the object's name, through a prefix too
    if backend.creation_policy:
        target["creationPolicy"] = backend.creation_policy
    if backend.deletion_policy:
        target["deletionPolicy"] = backend.deletion_policy
    spec: Object = {
        "refreshInterval": in_go_form(backend.refresh_interval),
        "secretStoreRef": {"name": backend.store.name, "kind": backend.store.kind},
        "target": target,
        "data": [
            {"secretKey": key, "remoteRef": _remote(value)}
            for key, value in sorted(secret.values.items())
            if isinstance(value, Remote)
        ],
    }
    if backend.refresh_policy:
        spec["refreshPolicy"] = backend.refresh_policy
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": metadata(environment, name, backend.metadata),
        "spec": spec,
    }


def _remote(value: Remote) -> Object:
    remote = {"key": value.name}
    if value.property:
        remote["property"] = value.property
    if value.version:
        remote["version"] = value.version
    if value.encoding == "base64":
        remote["decodingStrategy"] = "Base64"
    return remote
