"""The store that External Secrets Operator reads, as an overlay names it: one type for each way to sign in."""

from abc import abstractmethod
from typing import Annotated, Literal

from .forms import OneOf
from .names import KeyName, Line, Name, VaultPath
from .origin import Alternative, Stated


class Auth(Alternative):
    """How a store signs in. Each member below is one that a type of it must have."""

    @property
    def field(self) -> str:
        """Return the name under which Store.auth holds one of this type, such as `workloadIdentity`."""
        return next(name for name, type_ in AUTHS.items() if type_ is type(self))

    @property
    def source(self) -> str:
        """Return the field of the source whose stores sign in so, such as `azureKeyVault`."""
        return next(source for source, auths in AUTHS_OF.items() if type(self) in auths.values())

    @property
    @abstractmethod
    def account_name(self) -> str:
        """Return the ServiceAccount as which the store signs in, in the overlay's namespace; nothing without one."""


class WorkloadIdentity(Auth):
    """The store signs in as a ServiceAccount with a workload identity.

    serviceAccountName: The ServiceAccount, in the overlay's namespace.
    """

    service_account_name: Name

    @property
    def account_name(self) -> str:
        """Return the ServiceAccount."""
        return self.service_account_name


class ServicePrincipal(Auth):
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

    account_name = ""


class ManagedIdentity(Auth):
    """The store signs in as the node's managed identity.

    identityId: Client id of a user-assigned identity; left out, the system-assigned one.
    """

    identity_id: Line | None = None

    account_name = ""


class Kubernetes(Auth):
    """The store signs in to Vault by its Kubernetes method, as a ServiceAccount.

    mountPath: Path of the method in Vault.
    role: Role there, which is bound to the ServiceAccount.
    serviceAccountName: The ServiceAccount, in the overlay's namespace.
    """

    mount_path: VaultPath = "kubernetes"
    role: Line
    service_account_name: Name

    @property
    def account_name(self) -> str:
        """Return the ServiceAccount."""
        return self.service_account_name


class SecretKey(Stated):
    """A key of a Secret in the overlay's namespace.

    name: Name of the Secret.
    key: Key in it.
    """

    name: Name
    key: KeyName


class AppRole(Auth):
    """The store signs in to Vault by its AppRole method.

    path: Path of the method in Vault.
    roleId: Id of the role.
    secretRef: Where the secret id is.
    """

    path: VaultPath = "approle"
    role_id: Line
    secret_ref: SecretKey

    account_name = ""


class Token(Auth):
    """The store signs in to Vault with a token.

    secretRef: Where the token is.
    """

    secret_ref: SecretKey

    account_name = ""


# By the field of the source whose store it is.
AUTHS_OF: dict[str, dict[str, type[Auth]]] = {
    "azureKeyVault": {
        "workloadIdentity": WorkloadIdentity,
        "servicePrincipal": ServicePrincipal,
        "managedIdentity": ManagedIdentity,
    },
    "vault": {"kubernetes": Kubernetes, "appRole": AppRole, "token": Token},
}
AUTHS: dict[str, type[Auth]] = {name: auth for auths in AUTHS_OF.values() for name, auth in auths.items()}


class Store(Stated):
    """The store that External Secrets Operator reads; rendered if `auth` is given, else it exists already.

    name: Name of the store.
    kind: SecretStore, or ClusterSecretStore.
    auth: How the store signs in.
    """

    name: Name
    kind: Literal["SecretStore", "ClusterSecretStore"] = "SecretStore"
    auth: Annotated[Auth, OneOf(AUTHS)] | None = None
