"""How a store signs in to Azure Key Vault: its workload identity, service principal or managed identity.

What is checked follows External Secrets Operator 0.20 (pkg/provider/azure/keyvault).
"""

import shlex
from collections.abc import Iterator, Mapping

from ...backends.stores.azurekv import AUDIENCE, CLIENT_ID, TENANT_ID, AzureKeyVaultProvider
from ...cluster.resources import SERVICE_ACCOUNTS
from ...frozen import Record
from ...model.kubernetes import Object
from ...values.placeholders import placeholder_in, stand_in
from .examination import Examination, Question, Step, Verdict
from .operator import EXTERNAL_SECRETS_OPERATOR
from .stores import ReadStore, of_provider

PROVIDER = AzureKeyVaultProvider.name
_ACCOUNT = "the ServiceAccount has a workload identity"
_LABEL = "azure.workload.identity/use"
_SET_LABEL = (
    "helm upgrade external-secrets external-secrets --repo https://charts.external-secrets.io "
    "--namespace external-secrets --reuse-values --set-string 'podLabels.azure\\.workload\\.identity/use=true'"
)
_IDENTITY = "the store says as whom it signs in"
_LIST_CLIENTS = 'az identity list --query "[].[name, clientId]" --output table'


class SigningAccount(Record):
    """The ServiceAccount with which a store signs in, and what it says of itself.

    `account` is the live ServiceAccount. `audiences` are those of its tokens, the one that Entra knows at the end.
    """

    reference: ReadStore
    store: Object
    namespace: str
    name: str
    account: Object | None

    @property
    def subject(self) -> str:
        """The subject of its tokens."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def audiences(self) -> list[str]:
        """The audiences of the token that the operator asks for."""
        return [AUDIENCE, *(self.store["serviceAccountRef"].get("audiences") or ())]

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations of the ServiceAccount."""
        return ((self.account or {}).get("metadata") or {}).get("annotations") or {}

    @property
    def client(self) -> str:
        """The client id; empty where a Secret holds it, or nothing does."""
        return str(self.annotations.get(CLIENT_ID) or "")

    @property
    def is_placeholder(self) -> bool:
        """Whether the client id or the tenant stands for one that nobody has filled in."""
        return bool(_stand_in(self.client) or _stand_in(self.tenant))

    @property
    def tenant(self) -> str:
        """The tenant, as the store or the ServiceAccount names it."""
        return str(self.store.get("tenantId") or self.annotations.get(TENANT_ID) or "")


def workload_identities(examination: Examination) -> Iterator[SigningAccount]:
    """Yield the ServiceAccounts with which the stores sign in."""
    for reference, store in of_provider(examination, PROVIDER):
        account = store.get("serviceAccountRef")
        if store.get("authType") != "WorkloadIdentity" or not account:
            continue
        elsewhere = account.get("namespace") if reference.kind == "ClusterSecretStore" else None
        namespace = elsewhere or examination.namespace
        live = examination.find(SERVICE_ACCOUNTS.among(namespace, account["name"]))
        yield SigningAccount(reference=reference, store=store, namespace=namespace, name=account["name"], account=live)


def _identity(examination: Examination) -> Iterator[Step]:
    for identity in workload_identities(examination):
        if identity.account is None:
            continue  # another question is whether it is there
        faults = [
            fault for fault in (_client_fault(examination, identity), _tenant_fault(examination, identity)) if fault
        ]
        for cause, remedy in faults:
            yield _of_account(identity, "failed", cause, remedy)
        if not faults:
            yield _of_account(
                identity, "passed", f"client {identity.client or 'of a Secret'}, tenant {identity.tenant}"
            )


def _own_identity(examination: Examination) -> Iterator[Step]:
    """Look at the label by which the operator's own pod gets an identity, where a store names no ServiceAccount."""
    for reference, store in of_provider(examination, PROVIDER):
        if store.get("authType") != "WorkloadIdentity" or store.get("serviceAccountRef"):
            continue
        for pod in EXTERNAL_SECRETS_OPERATOR.pods(examination):
            has_label = (pod["metadata"].get("labels") or {}).get(_LABEL) == "true"
            verb = "has" if has_label else "lacks"
            yield Step(
                question=_ACCOUNT,
                subject=f"pod/{pod['metadata']['name']}",
                verdict="passed" if has_label else "failed",
                cause=f"{reference.subject} signs in as the operator itself, whose pod {verb} the label {_LABEL}",
                remedy="" if has_label else _SET_LABEL,
            )


def _client_fault(examination: Examination, identity: SigningAccount) -> tuple[str, str] | None:
    by_store = bool((identity.store.get("authSecretRef") or {}).get("clientId"))
    # With its newer SDK the operator looks at the annotation alone.
    reads_secret = by_store and not identity.store.get("useAzureSDK")
    if CLIENT_ID in identity.annotations and reads_secret:
        return f"{CLIENT_ID} stands there, and authSecretRef.clientId in the store too", _remove(identity, CLIENT_ID)
    if CLIENT_ID not in identity.annotations and reads_secret:
        return None
    return _annotation_fault(examination, identity, CLIENT_ID, "CLIENT_ID", _LIST_CLIENTS)


def _tenant_fault(examination: Examination, identity: SigningAccount) -> tuple[str, str] | None:
    stated = identity.store.get("tenantId")
    by_secret = (identity.store.get("authSecretRef") or {}).get("tenantId")
    if stated and (form := _stand_in(stated)):
        return (
            f"spec.provider.azurekv.tenantId of the store is a placeholder ({form})",
            "az account show --query tenantId",
        )
    if TENANT_ID in identity.annotations and (stated or by_secret) and not identity.store.get("useAzureSDK"):
        field = "tenantId" if stated else "authSecretRef.tenantId"
        return f"{TENANT_ID} stands there, and {field} in the store too", _remove(identity, TENANT_ID)
    if stated or by_secret:
        return None
    return _annotation_fault(examination, identity, TENANT_ID, "TENANT_ID", "az account show --query tenantId")


def _annotation_fault(
    examination: Examination, identity: SigningAccount, annotation: str, variable: str, source: str
) -> tuple[str, str] | None:
    """Return what is wrong with an annotation that must be there; the build may have a better one."""
    text = identity.annotations.get(annotation) or ""
    built = examination.built("ServiceAccount", identity.name)
    stated = str(built.annotations.get(annotation) or "") if built else ""
    if text and not (form := _stand_in(text)):
        return None
    cause = f"{annotation} is a placeholder ({form})" if text else f"it has no annotation {annotation}"
    value = shlex.quote(stated) if stated and not _stand_in(stated) else variable
    remedy = (
        f"kubectl annotate serviceaccount {identity.name} --namespace={identity.namespace} --overwrite "
        f"{annotation}={value}"
    )
    return cause, remedy if value != variable else f"{remedy}\n{source} shows what {variable} is"


def _remove(identity: SigningAccount, annotation: str) -> str:
    return f"kubectl annotate serviceaccount {identity.name} --namespace={identity.namespace} {annotation}-"


def _stand_in(text: object) -> str:
    """Return the name of the placeholder that a text is or holds, if any."""
    form = stand_in(str(text).encode())
    return form.name if form else placeholder_in(str(text))


def _tenant(examination: Examination) -> Iterator[Step]:
    """Look at the tenant of service principals; the Secrets that hold their credentials are another question."""
    for reference, store in of_provider(examination, PROVIDER):
        if store.get("authType", "ServicePrincipal") != "ServicePrincipal":
            continue
        if not store.get("tenantId") or (form := _stand_in(store["tenantId"])):
            cause = f"its tenantId is a placeholder ({form})" if store.get("tenantId") else "it has no tenantId"
            yield _of_principal(reference.subject, cause, "az account show --query tenantId")


def _managed(examination: Examination) -> Iterator[Step]:
    for reference, store in of_provider(examination, PROVIDER):
        if store.get("authType") != "ManagedIdentity":
            continue
        identity = str(store.get("identityId") or "")
        if identity and (form := _stand_in(identity)):
            yield _of_principal(reference.subject, f"identityId is a placeholder ({form})", _LIST_CLIENTS)
        else:
            cause = (
                f"it signs in as the nodes' managed identity{f' {identity}' if identity else ''}; Azure alone knows it"
            )
            remedy = (
                f"az role assignment list --all --assignee {shlex.quote(identity)} --output table"
                if identity
                else _LIST_CLIENTS
            )
            step = _of_principal(reference.subject, cause, remedy)
            yield step.but(verdict="not applicable")


def _of_account(identity: SigningAccount, verdict: Verdict, cause: str, remedy: str = "") -> Step:
    return Step(
        question=_ACCOUNT, subject=f"serviceaccount/{identity.name}", verdict=verdict, cause=cause, remedy=remedy
    )


def _of_principal(subject: str, cause: str, remedy: str = "") -> Step:
    verdict: Verdict = "failed" if remedy else "passed"
    return Step(question=_IDENTITY, subject=subject, verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (
    Question(_ACCOUNT, _identity),
    Question(_ACCOUNT, _own_identity),
    Question(_IDENTITY, _tenant),
    Question(_IDENTITY, _managed),
)
