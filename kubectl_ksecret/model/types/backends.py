"""The forms in which an environment gets its Secrets, as an overlay names them: one type for each backend."""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated

from ...errors import Mistake, Place
from .forms import OneOf
from .names import AgeRecipient, AnnotationName, Duration, KeyName, LabelName, LabelValue, Line, Name, Path, VaultPath
from .origin import Alternative, Stated
from .policies import CreationPolicy, DeletionPolicy, RefreshPolicy, Scope, policies_refused
from .source import Source
from .stores import AUTHS_OF, Store

_SCOPES = ("sealedsecrets.bitnami.com/namespace-wide", "sealedsecrets.bitnami.com/cluster-wide")


class ManifestMetadata(Stated):
    """Metadata of the rendered manifests, not of the Secrets; Argo CD's sync waves stand here.

    labels: Labels of each manifest.
    annotations: Annotations of each manifest.
    """

    labels: Mapping[LabelName, LabelValue] = {}
    annotations: Mapping[AnnotationName, str] = {}


class BackendSpec(Alternative):
    """A form in which an environment gets its Secrets. Each member below is one that a type of backend must have.

    metadata: Metadata of the manifests.
    """

    metadata: ManifestMetadata | None = None

    @property
    def field(self) -> str:
        """Return the name under which OverlaySpec.backend holds a backend of this type, such as `sealedSecret`."""
        return next(name for name, type_ in BACKENDS.items() if type_ is type(self))

    @property
    @abstractmethod
    def seals(self) -> bool:
        """Return whether a person seals the values into what is committed."""

    @property
    @abstractmethod
    def operator(self) -> str:
        """Return the operator that fetches the values from the source in the cluster; nothing where none does."""

    @property
    def fetched(self) -> bool:
        """Return whether an operator in the cluster fetches the values from the source."""
        return bool(self.operator)

    @property
    def fetched_from(self) -> Collection[str]:
        """Return the fields of the sources that the operator reads, as far as an overlay can set that up."""
        return ()

    @property
    def commits(self) -> bool:
        """Return whether anything that stands for a Secret is committed, and so is in a build."""
        return self.seals or self.fetched

    @property
    def may_empty(self) -> str:
        """Return how to keep the operator from emptying a Secret when the source refuses it; mostly none does that."""
        return ""

    @property
    def fetches_versions(self) -> bool:
        """Return whether the operator can be told which version of a value is meant."""
        return False

    @property
    def source_is_known_elsewhere(self) -> bool:
        """Return whether the overlay need not name the source: what fetches the values knows it already."""
        return False

    def misfits(self, source: Source) -> Iterator[Mistake]:
        """Find what is wrong with it together with the overlay's source."""
        return iter(())

    @abstractmethod
    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return the paths in the project that it names, with where they are named."""

    @abstractmethod
    def mistakes(self) -> Iterator[Mistake]:
        """Find what is wrong with it by itself."""


class ExternalSecret(BackendSpec):
    """An ExternalSecret of External Secrets Operator for each declaration.

    metadata: Metadata of the manifests.
    refreshInterval: How often the operator reads the source.
    refreshPolicy: When it does.
    creationPolicy: Whose the Secret is; left out, the ExternalSecret's.
    deletionPolicy: What happens to the Secret when the source no longer holds it.
    store: The store that is read.
    """

    refresh_interval: Duration = "1h"
    refresh_policy: RefreshPolicy | None = None
    creation_policy: CreationPolicy | None = None
    deletion_policy: DeletionPolicy | None = None
    store: Store

    seals = False
    operator = "External Secrets Operator"
    fetched_from = AUTHS_OF.keys()
    fetches_versions = True

    @property
    def source_is_known_elsewhere(self) -> bool:
        """Return whether the store exists already: it may be of any provider."""
        return self.store is not None and self.store.auth is None

    def misfits(self, source: Source) -> Iterator[Mistake]:
        """Find a way to sign in that no store of the source has."""
        auth = self.store.auth
        if auth is not None and auth.source != source.field:
            message = f"a store of {source.field} can't sign in by {auth.field}, as one of {auth.source} does"
            yield Mistake(message, self.store.origin.at("auth"), f"its ways are {', '.join(AUTHS_OF[source.field])}")

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return nothing."""
        return ()

    def mistakes(self) -> Iterator[Mistake]:
        """Find policies that the operator's webhook refuses together."""
        yield from policies_refused(self.creation_policy, self.deletion_policy, self.origin)


class SealedSecret(BackendSpec):
    """A committed SealedSecret for each declaration.

    metadata: Metadata of the manifests.
    certificate: PEM file of the controller's certificate, from the overlay's folder.
    scope: What the ciphertext is bound to.
    """

    certificate: Path
    scope: Scope = "strict"

    seals = True
    operator = ""

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return the certificate."""
        return [(self.certificate, self.origin.at("certificate"))] if self.certificate else []

    def mistakes(self) -> Iterator[Mistake]:
        """Find a scope that is set behind the back of `scope`."""
        return scopes_refused(self.metadata)


def scopes_refused(metadata: ManifestMetadata | None) -> Iterator[Mistake]:
    """Find a scope that is set behind the back of `scope`."""
    for name in _SCOPES:
        if metadata and name in metadata.annotations:
            place = metadata.origin.key("annotations", name)
            yield Mistake(f"{name} is this tool's own", place, "set sealedSecret.scope instead")


class Sops(BackendSpec):
    """A committed Secret for each declaration, its values encrypted with SOPS and age.

    metadata: Metadata of the manifests.
    age: Recipients; left out, those of .sops.yaml.
    """

    age: tuple[AgeRecipient, ...] = ()

    seals = True
    operator = ""

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return nothing: .sops.yaml is found, not named."""
        return ()

    def mistakes(self) -> Iterator[Mistake]:
        """Find nothing."""
        return iter(())


class PlainSecret(BackendSpec):
    """A plain Secret for each declaration, which `kubectl ksecret sync` makes from the source; nothing is committed.

    metadata: Not used: there are no manifests.
    """

    seals = False
    operator = ""

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return nothing."""
        return ()

    def mistakes(self) -> Iterator[Mistake]:
        """Find metadata, which would say something of no object."""
        if self.metadata:
            hint = "labels and annotations of the Secret stand in its declaration"
            yield Mistake("nothing is committed, so there are no manifests", self.origin.key("metadata"), hint)


class KubernetesSignIn(Alternative):
    """Vault Secrets Operator signs in to Vault as a ServiceAccount.

    mountPath: Path under which the auth method is mounted.
    role: Role of the auth method.
    serviceAccountName: The ServiceAccount, in the overlay's namespace.
    audiences: Audiences of its token.
    """

    mount_path: VaultPath = "kubernetes"
    role: Line
    service_account_name: Name
    audiences: tuple[Line, ...] = ()


class AppRoleSignIn(Alternative):
    """Vault Secrets Operator signs in to Vault by an AppRole.

    mountPath: Path under which the auth method is mounted.
    roleId: Id of the role.
    secretName: The Secret that holds the secret id under the key `id`, in the overlay's namespace.
    """

    mount_path: VaultPath = "approle"
    role_id: Line
    secret_name: Name


SignIn = KubernetesSignIn | AppRoleSignIn
SIGN_INS: dict[str, type[Alternative]] = {"kubernetes": KubernetesSignIn, "appRole": AppRoleSignIn}


class VaultSecretsOperator(BackendSpec):
    """A VaultStaticSecret of Vault Secrets Operator for each declaration.

    metadata: Metadata of the manifests.
    refreshAfter: How often the operator reads Vault.
    name: Name of the VaultAuth; rendered with its VaultConnection if `auth` is given, else it exists already.
    auth: How the operator signs in.
    caSecretName: The Secret that holds the CA of Vault's certificate under `ca.crt`, in the overlay's namespace.
    """

    refresh_after: Duration = "1h"
    name: Name = "vault"
    auth: Annotated[SignIn, OneOf(SIGN_INS)] | None = None
    ca_secret_name: Name | None = None

    seals = False
    operator = "Vault Secrets Operator"
    fetched_from = ("vault",)
    fetches_versions = True

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return nothing."""
        return ()

    def mistakes(self) -> Iterator[Mistake]:
        """Find a CA of a connection that is not rendered."""
        if self.ca_secret_name and self.auth is None:
            message = "without auth there is no VaultConnection that could name the CA"
            yield Mistake(message, self.origin.key("caSecretName"), "set auth, or leave caSecretName out")


class AckAuth(Alternative):
    """How a store of ack-secret-manager signs in."""


class Rrsa(AckAuth):
    """The store signs in by RRSA: ack-secret-manager's own ServiceAccount may assume a RAM role.

    oidcProviderARN: The OIDC provider of the cluster.
    ramRoleARN: The role.
    remoteRamRoleARN: A role of another account, which the first may assume.
    remoteRamRoleSessionName: The name of that session; left out, ksecret.
    """

    oidc_provider_arn: Line
    ram_role_arn: Line
    remote_ram_role_arn: Line | None = None
    remote_ram_role_session_name: Line = "ksecret"


class AccessKey(AckAuth):
    """The store signs in with an access key, or as a RAM role that this key may assume.

    secretName: The Secret that holds it, in the overlay's namespace.
    idKey: Key of the access key's id in it.
    secretKey: Key of its secret in it.
    ramRoleARN: The role, where one is assumed.
    ramRoleSessionName: The name of its session; left out, ksecret.
    """

    secret_name: Name
    id_key: KeyName
    secret_key: KeyName
    ram_role_arn: Line | None = None
    ram_role_session_name: Line = "ksecret"


ACK_AUTHS: dict[str, type[AckAuth]] = {"rrsa": Rrsa, "accessKey": AccessKey}


class AckStore(Stated):
    """The SecretStore that ack-secret-manager reads; rendered if `auth` is given, else it exists already.

    name: Name of the store, in the overlay's namespace.
    auth: How the store signs in.
    """

    name: Name
    auth: Annotated[AckAuth, OneOf(ACK_AUTHS)] | None = None


class AckSecretManager(BackendSpec):
    """An ExternalSecret of ack-secret-manager (alibabacloud.com) for each declaration.

    metadata: Metadata of the manifests.
    store: The store that is read.
    """

    store: AckStore

    seals = False
    operator = "ack-secret-manager"
    fetched_from = ("alibabaKms",)
    fetches_versions = True
    may_empty = "run version 0.5.11 or later, without cleanupSecretOnFailure"

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return nothing."""
        return ()

    def mistakes(self) -> Iterator[Mistake]:
        """Find nothing."""
        return iter(())


# Read whenever an overlay is read, so that a type that is added later is known as well.
BACKENDS: dict[str, type[BackendSpec]] = {
    "externalSecret": ExternalSecret,
    "sealedSecret": SealedSecret,
    "sops": Sops,
    "secret": PlainSecret,
    "vaultSecretsOperator": VaultSecretsOperator,
    "ackSecretManager": AckSecretManager,
}
