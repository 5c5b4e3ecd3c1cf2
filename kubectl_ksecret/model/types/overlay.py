"""SecretOverlay: one namespace of one environment, as written; its source and its backend."""

from collections.abc import Mapping
from typing import Literal

from .declaration import Metadata
from .names import (
    AgeRecipient,
    AnnotationName,
    Argument,
    Date,
    Duration,
    FieldPath,
    HttpsUrl,
    KeyName,
    LabelName,
    LabelValue,
    Line,
    Name,
    Namespace,
    ObjectName,
    Path,
    Period,
    Property,
    Reason,
)
from .origin import Stated

FILE = "ksecret.yaml"


class KeyVaultWrite(Stated):
    """What a new version in the vault carries beside its value, for teams whose policy demands it.

    expiresAfter: When it expires, from the moment when it is written.
    tags: Tags beside those that the secret has.
    contentType: Its content type; left out, that of the version before.
    """

    expires_after: Period | None = None
    tags: Mapping[Line, str] = {}
    content_type: Line | None = None


class AzureKeyVault(Stated):
    """Azure Key Vault.

    vaultUrl: URL of the vault, such as https://my-vault.vault.azure.net.
    parallelism: How many requests run side by side.
    write: What a new version carries.
    """

    vault_url: HttpsUrl
    parallelism: int = 8
    write: KeyVaultWrite | None = None


class Dotenv(Stated):
    """A dotenv file that Git does not track; its values are literal, without interpolation.

    file: Path of the file, from the overlay's folder.
    """

    file: Path


class Environment(Stated):
    """The environment variables of the process that seals."""


class Command(Stated):
    """A command, such as a password manager's, that prints one value.

    arguments: The program and its arguments; {name} stands for the name in the source. No shell is involved.
    timeLimit: How long one call may take.
    """

    arguments: tuple[Argument, ...]
    time_limit: Duration = "30s"


Source = AzureKeyVault | Dotenv | Environment | Command


class SourceSpec(Stated):
    """Where plaintext lives; exactly one kind of source.

    names: Pattern of the names in the source, with {remoteName}, {secret} and {key}.
    """

    _inline = ("kind",)

    names: Line = "{remoteName}"
    kind: Source


class ManifestMetadata(Stated):
    """Metadata of the rendered manifests, not of the Secrets; Argo CD's sync waves stand here.

    labels: Labels of each manifest.
    annotations: Annotations of each manifest.
    """

    labels: Mapping[LabelName, LabelValue] = {}
    annotations: Mapping[AnnotationName, str] = {}


class WorkloadIdentity(Stated):
    """The store signs in as a ServiceAccount with a workload identity.

    serviceAccountName: The ServiceAccount, in the overlay's namespace.
    """

    service_account_name: Name


class ServicePrincipal(Stated):
    """The store signs in with the client secret of a service principal.

    tenantId: Tenant of the service principal.
    secretName: The Secret that holds its credentials, in the overlay's namespace.
    clientIdKey: Key of the client id in it.
    clientSecretKey: Key of the client secret in it.
    """

    tenant_id: Line
    secret_name: Name
    client_id_key: KeyName
    client_secret_key: KeyName


class ManagedIdentity(Stated):
    """The store signs in as the node's managed identity.

    identityId: Client id of a user-assigned identity; left out, the system-assigned one.
    """

    identity_id: Line | None = None


Auth = WorkloadIdentity | ServicePrincipal | ManagedIdentity


class Store(Stated):
    """The store that External Secrets Operator reads; rendered if `auth` is given, else it exists already.

    name: Name of the store.
    kind: SecretStore, or ClusterSecretStore.
    auth: How the store signs in.
    """

    name: Name
    kind: Literal["SecretStore", "ClusterSecretStore"] = "SecretStore"
    auth: Auth | None = None


class ExternalSecret(Stated):
    """An ExternalSecret of External Secrets Operator for each declaration.

    refreshInterval: How often the operator reads the source.
    refreshPolicy: When it does.
    deletionPolicy: What happens to the Secret when the source no longer holds it.
    metadata: Metadata of the manifests.
    store: The store that is read.
    """

    refresh_interval: Duration = "1h"
    refresh_policy: Literal["CreatedOnce", "Periodic", "OnChange"] | None = None
    deletion_policy: Literal["Retain", "Delete", "Merge"] | None = None
    metadata: ManifestMetadata | None = None
    store: Store


Scope = Literal["strict", "namespace-wide", "cluster-wide"]


class SealedSecret(Stated):
    """A committed SealedSecret for each declaration.

    certificate: PEM file of the controller's certificate, from the overlay's folder.
    scope: What the ciphertext is bound to.
    metadata: Metadata of the manifests.
    """

    certificate: Path
    scope: Scope = "strict"
    metadata: ManifestMetadata | None = None


class Sops(Stated):
    """A committed Secret for each declaration, its values encrypted with SOPS and age.

    age: Recipients; left out, those of .sops.yaml.
    metadata: Metadata of the manifests.
    """

    age: tuple[AgeRecipient, ...] = ()
    metadata: ManifestMetadata | None = None


Backend = ExternalSecret | SealedSecret | Sops


class KeyOverride(Stated):
    """Where one key differs in this environment.

    remoteName: Name as it stands in the source; no pattern is applied.
    property: Member of the value, which is a JSON object.
    omit: Why the key is absent here, on purpose.
    """

    remote_name: Line | None = None
    property: Property | None = None
    omit: Reason | None = None


class SecretOverride(Stated):
    """Where one Secret differs in this environment.

    keys: Where its keys differ.
    omit: Why the Secret is absent here, on purpose.
    """

    keys: Mapping[KeyName, KeyOverride] = {}
    omit: Reason | None = None


class SecretReference(Stated):
    """A further place in which objects of a kind name a Secret, such as an operator's own workload.

    kind: Kind of the objects.
    path: Field that holds the Secret's name; lists on the way are passed through, as in kustomize's fieldSpecs.
    key: Field beside it that holds the key; left out, all keys are read.
    """

    kind: Line
    path: FieldPath
    key: FieldPath | None = None


class RuleException(Stated):
    """A finding of `check` that is accepted, on purpose and with a reason.

    rule: Name of the rule.
    object: KIND/NAME or KIND/NAMESPACE/NAME; without an object, File/ and the file's path from the project's root.
    reason: Why it is accepted.
    until: Last day of it, in quotes; needed for a plaintext Secret.
    """

    rule: Line
    object: ObjectName
    reason: Reason
    until: Date | None = None


class OverlaySpec(Stated):
    """One namespace of one environment.

    declarations: Folders (read recursively) or files of SecretDeclarations, from the overlay's folder.
    namespace: Namespace of all that is rendered.
    kustomization: Folder of the kustomization that is deployed, from the overlay's folder.
    parameters: Text for templates; not secret.
    source: Where plaintext lives; not needed if values are piped in.
    backend: The form in which the environment gets its Secrets.
    overrides: All that differs in this environment, by Secret and key.
    references: Further places in which objects name a Secret, for `check`.
    exceptions: Findings of `check` that are accepted.
    """

    declarations: tuple[Path, ...]
    namespace: Namespace
    kustomization: Path = ".."
    parameters: Mapping[KeyName, str] = {}
    source: SourceSpec | None = None
    backend: Backend
    overrides: Mapping[Name, SecretOverride] = {}
    references: tuple[SecretReference, ...] = ()
    exceptions: tuple[RuleException, ...] = ()


class SecretOverlay(Stated):
    """One namespace of one environment: its declarations, source and backend.

    apiVersion: ksecret.dev/v1alpha1.
    kind: SecretOverlay.
    metadata: Its name is unique in the project.
    spec: What the environment has.
    """

    api_version: Literal["ksecret.dev/v1alpha1"]
    kind: Literal["SecretOverlay"]
    metadata: Metadata
    spec: OverlaySpec
