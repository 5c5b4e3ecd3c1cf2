"""Stores of Azure Key Vault, as they are read."""

from collections.abc import Iterable

from ...model.kubernetes import Object
from ...model.types.names import KEY_VAULT_NAME, HttpsUrl
from ..secrets import below, fits
from .source import StoreSource

FIELD = "azureKeyVault"
_DEFAULTS = {"authType": "ServicePrincipal", "environmentType": "PublicCloud"}


class AzureKeyVaultStores:
    """Everything about a store of Azure Key Vault."""

    name = "azurekv"

    def source(self, fields: Object, names: Iterable[object]) -> StoreSource | str:
        """Return the vault, unless it is named by a placeholder."""
        url = fields.get("vaultUrl")
        is_url = isinstance(url, str) and fits(HttpsUrl, url.strip())
        return source_of(str(url).strip()) if is_url else "its store names no Azure Key Vault"

    def auth(self, fields: Object) -> Object | None:
        """Return how a store signs in."""
        type_ = fields.get("authType", "ServicePrincipal")
        if type_ == "WorkloadIdentity":
            name = below(fields, "serviceAccountRef").get("name")
            return {"workloadIdentity": {"serviceAccountName": name}} if name else None
        if type_ == "ManagedIdentity":
            return {"managedIdentity": {"identityId": fields["identityId"]} if fields.get("identityId") else {}}
        client, secret = below(fields, "authSecretRef", "clientId"), below(fields, "authSecretRef", "clientSecret")
        principal = {
            "tenantId": fields.get("tenantId"),
            "secretName": client.get("name"),
            "clientIdKey": client.get("key"),
            "clientSecretKey": secret.get("key"),
        }
        complete = all(isinstance(text, str) for text in principal.values())
        return {"servicePrincipal": principal} if type_ == "ServicePrincipal" and complete else None

    def name_in_source(self, remote: object, fields: Object) -> str:
        """Return the name of a secret in the vault; nothing for what is none, such as cert/shop-tls."""
        name = remote.removeprefix("secret/") if isinstance(remote, str) else ""
        return name if KEY_VAULT_NAME.fullmatch(name) else ""

    def normalised(self, fields: Object) -> Object:
        """Return the fields with the defaults."""
        return _DEFAULTS | fields


def source_of(url: str) -> StoreSource:
    """Return the source of a vault."""
    return StoreSource(field=FIELD, fields={"vaultUrl": url}, identity=(url.rstrip("/").lower(),))
