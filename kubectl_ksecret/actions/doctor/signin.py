"""The federated credential in Entra by which a ServiceAccount signs in.

The cluster knows what it must be; with --as-workload the sign-in is tried, as the operator does it.
"""

import re
from collections.abc import Iterator, Sequence
from shlex import quote

from ...cluster.api import Refused
from ...cluster.resources import ISSUER, SERVICE_ACCOUNTS
from ...errors import Refusal
from ...files import installation
from ...model.kubernetes import Object
from ...objects.documents import mapping
from ...objects.reads import store_references
from ...sensitive import Sensitive
from ...sources import entraerrors
from .azurekeyvault import PROVIDER, SigningAccount, workload_identities
from .examination import Examination, Question, Step, Verdict
from .stores import readable

_CREDENTIAL = "a federated credential lets the ServiceAccount sign in"
_SECONDS = 600  # the shortest life of a token that the API server gives
_AUTHORITIES = {
    "ChinaCloud": "https://login.chinacloudapi.cn",
    "USGovernmentCloud": "https://login.microsoftonline.us",
}


def _credential(examination: Examination) -> Iterator[Step]:
    if examination.request.as_workload:
        yield from _without_workload(examination)
    for identity in workload_identities(examination):
        if identity.account is None or not (identity.client and identity.tenant) or identity.is_placeholder:
            continue
        issuer = _issuer(examination)
        if issuer.startswith("https://kubernetes.default.svc"):
            cause = f"the cluster's tokens have the issuer {issuer}, whose keys Entra can't read"
            remedy = "on AKS: az aks update --name CLUSTER --resource-group GROUP --enable-oidc-issuer"
            yield _step(identity, "failed", cause, remedy)
            continue
        demands = f"issuer {issuer}, subject {identity.subject}, audience {identity.audiences[-1]}"
        if examination.request.as_workload:
            yield _attempt(examination, identity, demands)
        else:
            attempt = f"kubectl ksecret doctor {examination.environment.name} --as-workload"
            cause = f"it must have exactly {demands}; Azure knows whether it has"
            yield _step(identity, "not applicable", cause, "\n".join((attempt, *_listings(identity.client))))


def _without_workload(examination: Examination) -> Iterator[Step]:
    """Say of the stores that sign in otherwise that there is no ServiceAccount to sign in as."""
    for reference, live in readable(examination):
        provider = mapping(mapping(live.get("spec")).get("provider"))
        azure = provider.get(PROVIDER)
        ways = {"ServicePrincipal": "a service principal", "ManagedIdentity": "the nodes' managed identity"}
        cause = f"its provider is {next(iter(provider), 'none')}, and --as-workload tries Azure Key Vault alone"
        if isinstance(azure, dict):
            way = azure.get("authType", "ServicePrincipal")
            if way == "WorkloadIdentity" and azure.get("serviceAccountRef"):
                continue
            cause = f"it signs in as {ways.get(way, 'the operator itself')}, and not as a ServiceAccount of its own"
        subject = reference.subject
        yield Step(question=_CREDENTIAL, subject=subject, verdict="not applicable", cause=cause)


def _issuer(examination: Examination) -> str:
    """Return the issuer of the cluster's tokens. An attempt to sign in can do without the right to know it."""
    try:
        return str((examination.find(ISSUER) or {}).get("issuer") or "")
    except Refused:
        if examination.request.as_workload:
            return "of the cluster"
        raise


def _listings(client: str) -> tuple[str, str]:
    """Return the commands that list the federated credentials of an application, or of a managed identity."""
    if not re.fullmatch(r"[\w.-]+", client):
        client = "CLIENT_ID"  # an annotation that a shell would take for more than a word
    query = f"az identity list --query \"[?clientId=='{client}']"
    name, group = f'$({query}.name" --output tsv)', f'$({query}.resourceGroup" --output tsv)'
    return (
        f"az ad app federated-credential list --id {client}",
        f'az identity federated-credential list --identity-name "{name}" --resource-group "{group}"',
    )


def _attempt(examination: Examination, identity: SigningAccount, demands: str) -> Step:
    try:
        from ...sources.azureworkload import WorkloadSignIn, present
    except ImportError:
        return _step(identity, "unknown", "the Azure SDK is not installed", installation.extra("azure"))
    # The right to make tokens is asked for first: a refusal of the cluster is not one of Azure.
    token = _token(examination, identity)
    url = str(identity.store.get("vaultUrl") or "").rstrip("/")
    sign_in = WorkloadSignIn(
        tenant=identity.tenant, client=identity.client, authority=_authority(identity.store), token=lambda: token
    )
    names = _names(examination, identity)
    try:
        answers = present(url, sign_in, names)
    except Refusal as refusal:
        mistake = refusal.mistakes[0]
        if entraerrors.is_federated(entraerrors.code_in(mistake.message)):
            cause = f"{mistake.message}; it must have exactly {demands}"
            return _step(identity, "failed", cause, "\n".join(_listings(identity.client)))
        return _step(identity, "failed", mistake.message, mistake.hint)
    if absent := [name for name, is_there in answers.items() if not is_there]:
        vault = quote(url.removeprefix("https://").partition(".")[0])
        remedy = [f"az keyvault secret set --vault-name {vault} --name {name} --file FILE" for name in absent]
        return _step(
            identity,
            "failed",
            f"it signs in, and {url} has no enabled version of {', '.join(absent)}",
            "\n".join(remedy),
        )
    return _step(identity, "passed", f"it signs in, and {url} has {len(answers)} of {len(names)} names")


def _token(examination: Examination, identity: SigningAccount) -> Sensitive:
    """Return a token of the ServiceAccount, as the operator asks for it. Raises Refused without the right to."""
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": identity.audiences, "expirationSeconds": _SECONDS},
    }
    target = SERVICE_ACCOUNTS.among(identity.namespace, identity.name, "token")
    return Sensitive(examination.api.create(target, request)["status"]["token"].encode())


def _authority(store: Object) -> str:
    stated = (store.get("customCloudConfig") or {}).get("activeDirectoryEndpoint")
    return str(stated or _AUTHORITIES.get(store.get("environmentType") or "", "")).rstrip("/")


def _names(examination: Examination, identity: SigningAccount) -> Sequence[str]:
    """Return the names that the looked-at ExternalSecrets read from the store."""
    names: dict[str, None] = {}
    for secret in examination.secrets.values():
        document = secret.document.object
        stores = {(kind, name) for _path, kind, name in store_references(document)}
        if (identity.reference.kind, identity.reference.name) in stores:
            entries = (mapping(entry.get("remoteRef")) for entry in document["spec"].get("data") or ())
            names |= {str(entry["key"]).removeprefix("secret/"): None for entry in entries if "key" in entry}
    return list(names)


def _step(identity: SigningAccount, verdict: Verdict, cause: str, remedy: str = "") -> Step:
    subject = f"serviceaccount/{identity.name}"
    return Step(question=_CREDENTIAL, subject=subject, verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (Question(_CREDENTIAL, _credential),)
