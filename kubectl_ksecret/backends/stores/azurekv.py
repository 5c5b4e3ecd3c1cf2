"""A store of Azure Key Vault: the provider azurekv of External Secrets Operator."""

from collections.abc import Sequence

from ...model.kubernetes import Object
from ...model.resolution import Environment
from ...model.types.sources import AzureKeyVault
from ...model.types.stores import ManagedIdentity, ServicePrincipal, Store, WorkloadIdentity
from .reference import namespace_of

_CLOUDS = (
    (".vault.azure.cn", "ChinaCloud"),
    (".vault.usgovcloudapi.net", "USGovernmentCloud"),
    (".vault.microsoftazure.de", "GermanCloud"),
)
# What a workload identity needs in Azure China beside its environmentType (external-secrets#5591).
_CHINA: Object = {
    "useAzureSDK": True,
    "customCloudConfig": {
        "activeDirectoryEndpoint": "https://login.partner.microsoftonline.cn/",
        "keyVaultEndpoint": "https://vault.azure.cn/",
        "resourceManagerEndpoint": "https://management.chinacloudapi.cn/",
    },
}
# The annotations of a ServiceAccount with a workload identity.
CLIENT_ID, TENANT_ID = "azure.workload.identity/client-id", "azure.workload.identity/tenant-id"
AUDIENCE = "api://AzureADTokenExchange"
_CHINA_AUDIENCE = "api://AzureADTokenExchangeChina"


class AzureKeyVaultProvider:
    """Everything about a store of Azure Key Vault."""

    name = "azurekv"
    secret_paths: Sequence[str] = ("authSecretRef/clientId/name", "authSecretRef/clientSecret/name")
    account_paths: Sequence[str] = ("serviceAccountRef/name",)

    def render(self, environment: Environment, store: Store) -> Object:
        """Return the vault, its cloud, and how the store signs in."""
        source, auth = environment.source, store.auth
        assert source is not None and isinstance(source.kind, AzureKeyVault)
        url = source.kind.vault_url
        provider: Object = {"vaultUrl": url}
        for suffix, cloud in _CLOUDS:
            if url.rstrip("/").endswith(suffix):
                provider["environmentType"] = cloud
        namespace = namespace_of(environment, store)
        if isinstance(auth, WorkloadIdentity):
            account: Object = {"name": auth.service_account_name, **namespace}
            if provider.get("environmentType") == "ChinaCloud":
                provider |= _CHINA
                account["audiences"] = [_CHINA_AUDIENCE]
            return provider | {"authType": "WorkloadIdentity", "serviceAccountRef": account}
        if isinstance(auth, ManagedIdentity):
            identity = {"identityId": auth.identity_id} if auth.identity_id else {}
            return provider | {"authType": "ManagedIdentity"} | identity
        assert isinstance(auth, ServicePrincipal)
        credentials = {
            field: {"name": auth.secret_name, "key": key, **namespace}
            for field, key in (("clientId", auth.client_id_key), ("clientSecret", auth.client_secret_key))
        }
        return provider | {"authType": "ServicePrincipal", "tenantId": auth.tenant_id, "authSecretRef": credentials}
