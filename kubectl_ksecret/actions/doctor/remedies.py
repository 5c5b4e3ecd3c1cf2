"""What to do about a failure that an operator reports: the next steps by the sentences that it is known to write.

Vault and OpenBao word their refusals alike, whoever asks them.
"""

import os
import re
from shlex import quote

from ...frozen import Record
from ...manifests.upkeep import STORE_FILE
from ...model.kubernetes import OPERATOR, Object
from ...objects.documents import mapping
from ...sources import entraerrors
from .examination import Examination
from .failures import AUTHORITIES

_UNREACHED = ("no such host", "connection refused", "i/o timeout", "context deadline exceeded")
_UNTRUSTED = ("certificate signed by unknown authority", "failed to verify certificate")
_IMAGES = " --output=jsonpath={..containers[*].image}"
# Where a provider's address and its CA stand: in the store, and in the overlay's source.
_ADDRESSES = {"azurekv": ("vaultUrl", "azureKeyVault.vaultUrl"), "vault": ("server", "vault.address")}


class VaultLogin(Record):
    """How something signs in to Vault: the path of the method, the role, and the ServiceAccount with its namespace."""

    mount: str
    role: str
    account: str = ""
    namespace: str = ""


def remedies(examination: Examination, cause: str, *, store: Object) -> list[str]:
    """Return the next steps for a failure with a store of External Secrets Operator; none for an unknown one."""
    provider = mapping(mapping(store.get("spec")).get("provider"))
    name = next(iter(provider), "")
    fields = mapping(provider.get(name))
    if code := entraerrors.code_in(cause):
        if fields.get("authType") == "WorkloadIdentity":
            return [f"kubectl ksecret doctor {examination.environment.name} --as-workload"]
        return [entraerrors.explained(code).hint]
    if "failed to find registered store backend" in cause:
        pods = f"kubectl get pods --all-namespaces --selector=app.kubernetes.io/name=external-secrets{_IMAGES}"
        return [f"the operator that runs has no provider {name}; take a release that has it", pods]
    unreached = any(sentence in cause for sentence in _UNREACHED)
    if unreached and (authority := next((host for host in AUTHORITIES if host in cause), "")):
        return [f"the operator has to reach {authority}, where it signs in: look at its DNS, proxy and NetworkPolicies"]
    if unreached and name in _ADDRESSES:
        field, source = _ADDRESSES[name]
        return correction(examination, store, f"spec.source.{source}", f"{field} ({fields.get(field)})")
    if any(sentence in cause for sentence in _UNTRUSTED) and name == "vault":
        return correction(examination, store, "spec.source.vault.caFile", "caBundle")
    if name == "azurekv" and re.search(r"ForbiddenByRbac|AccessDenied|StatusCode=403|RESPONSE 403", cause):
        return _permission(examination, fields)
    if name == "vault":
        return of_vault(cause, login_of_store(fields, examination.namespace))
    return []


def _permission(examination: Examination, fields: Object) -> list[str]:
    """Return how the identity of a store of Key Vault is let in."""
    if fields.get("authType") == "WorkloadIdentity" and fields.get("serviceAccountRef"):
        return [f"kubectl ksecret doctor {examination.environment.name} --as-workload"]
    vault = quote(str(fields.get("vaultUrl") or "").removeprefix("https://").partition(".")[0])
    scope = f'"$(az keyvault show --name {vault} --query id --output tsv)"'
    return [
        f'az role assignment create --role "Key Vault Secrets User" --assignee CLIENT_ID --scope {scope}',
        "CLIENT_ID is that of the identity with which the store signs in",
    ]


def login_of_store(fields: Object, namespace: str) -> VaultLogin:
    """Return how a store of Vault signs in; `namespace` is where an account without one lies."""
    auth = mapping(fields.get("auth"))
    if kubernetes := mapping(auth.get("kubernetes")):
        account = mapping(kubernetes.get("serviceAccountRef"))
        return VaultLogin(
            mount=str(kubernetes.get("mountPath") or "kubernetes"),
            role=str(kubernetes.get("role") or ""),
            account=str(account.get("name") or ""),
            namespace=str(account.get("namespace") or namespace),
        )
    role = mapping(auth.get("appRole"))
    return VaultLogin(mount=str(role.get("path") or "approle"), role=str(role.get("roleId") or ""))


def of_vault(cause: str, login: VaultLogin) -> list[str]:
    """Return the next steps for what Vault or OpenBao says when it refuses a sign-in or a read; none for another."""
    role, roles = quote(f"auth/{login.mount}/role/{login.role}"), quote(f"auth/{login.mount}/role")
    if "Vault is sealed" in cause:
        return ["vault operator unseal"]
    if "invalid role name" in cause:
        return [f"vault list {roles}", f"sign in by one of these roles; {login.role} is none"]
    if re.search(r"(?:account name|namespace) not authorized", cause):
        names = quote(f"bound_service_account_names={login.account}")
        namespaces = quote(f"bound_service_account_namespaces={login.namespace}")
        return [f"vault write {role} {names} {namespaces}", f"name those too that vault read {role} shows"]
    if "invalid role or secret ID" in cause or "invalid secret id" in cause:
        return [f"make a new secret id for the role: vault write -force {roles}/ROLE/secret-id"]
    if "no handler for route" in cause:
        return ["vault auth list", "vault secrets list", "name the mounts that these show"]
    if "permission denied" in cause:
        return [
            "vault auth list",
            f"it must show {login.mount}/, and a policy of its role must allow to read the path; docs/vault.md has one",
        ]
    return []


def correction(examination: Examination, store: Object, source: str, field: str) -> list[str]:
    """Return how to correct what a store says: in the overlay that it is rendered from, else in the store itself."""
    environment = examination.environment
    kind, name = store.get("kind") or _kind(store), store["metadata"]["name"]
    built = examination.built(kind, name)
    if built is not None and os.path.basename(built.file) == STORE_FILE:
        file = environment.project.name(environment.file)
        commands = (f"kubectl ksecret render {environment.name} --write", f"kubectl ksecret sync {environment.name}")
        return [f"correct {source} in {file}, of which the store has {field}; then", *commands]
    flag = "" if kind == "ClusterSecretStore" else f" --namespace={examination.namespace}"
    return [f"correct {field} of the store: kubectl edit {kind.lower()}.{OPERATOR}/{name}{flag}"]


def _kind(store: Object) -> str:
    return "SecretStore" if store["metadata"].get("namespace") else "ClusterSecretStore"
