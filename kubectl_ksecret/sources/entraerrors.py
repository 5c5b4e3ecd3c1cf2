"""Why Microsoft Entra refuses a sign-in, by the code in its answer; the answer's own text may quote a token."""

import re

from ..frozen import Record


class EntraError(Record):
    """A refusal of Entra: what is wrong, and what to look at."""

    code: str
    cause: str
    hint: str


_CREDENTIALS = "compare them with: az ad app federated-credential list --id CLIENT_ID"
_CLIENT = "correct azure.workload.identity/client-id; az identity list shows the client ids of managed identities"
_TENANT = "correct the tenant id; az account show --query tenantId shows it"
_ISSUER = (
    "Entra must be able to read the issuer's keys over the Internet; on AKS: "
    "az aks update --name CLUSTER --resource-group GROUP --enable-oidc-issuer"
)
_RENEW = "renew it: az ad app credential reset --id CLIENT_ID"
# learn.microsoft.com/entra/identity-platform/reference-error-codes
_TABLE = {
    "AADSTS70021": ("no federated credential matches the token's issuer, subject and audience", _CREDENTIALS),
    "AADSTS700211": ("no federated credential has the token's issuer; a slash at its end counts", _CREDENTIALS),
    "AADSTS700212": ("no federated credential has the token's audience", _CREDENTIALS),
    "AADSTS700213": ("no federated credential has the token's subject", _CREDENTIALS),
    "AADSTS700016": ("the tenant has no application or identity with this client id", _CLIENT),
    "AADSTS700024": ("the token is not valid yet, or not any more", "compare the clocks of the cluster and of Azure"),
    "AADSTS700027": ("the token's signature is not by a key of the issuer", _ISSUER),
    "AADSTS50166": ("Entra can't read the issuer's keys", _ISSUER),
    "AADSTS50027": ("the token is no valid JWT", _ISSUER),
    "AADSTS90002": ("there is no such tenant", _TENANT),
    "AADSTS900023": ("the tenant id is no tenant's", _TENANT),
    "AADSTS500011": ("the vault belongs to another tenant or cloud", _TENANT),
    "AADSTS7000112": ("the application is disabled", "enable it in Entra"),
    "AADSTS7000215": ("the client secret is wrong", _RENEW),
    "AADSTS7000222": ("the client secret has expired", _RENEW),
    "AADSTS53003": (
        "a conditional access policy keeps it out",
        "look at the sign-in log of the service principal in Entra",
    ),
}


def code_in(text: str) -> str:
    """Return the code of Entra's refusal that a text holds, if any."""
    match = re.search(r"AADSTS\d+", text)
    return match.group() if match else ""


def is_federated(code: str) -> bool:
    """Whether a code says that no federated credential matches the token."""
    return code in ("AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213")


def explained(code: str, client: str = "") -> EntraError:
    """Return what a code means; `client` takes the place of CLIENT_ID in the commands."""
    page = f"https://login.microsoftonline.com/error?code={code.removeprefix('AADSTS')} explains it"
    cause, hint = _TABLE.get(code, ("Entra refuses the sign-in", page))
    return EntraError(code=code, cause=f"{cause} ({code})", hint=hint.replace("CLIENT_ID", client) if client else hint)
