"""`doctor --as-workload`: sign in to the vault with a token of the ServiceAccount, as the operator does."""

from collections.abc import Iterator, Sequence

from ...cluster.resources import SERVICE_ACCOUNTS
from ...errors import Mistake, Refusal
from ...files import installation
from ...model.kubernetes import Object
from ...objects.documents import mapping
from ...objects.reads import store_references
from ...sensitive import Sensitive
from .azurekeyvault import WorkloadIdentity, workload_identities
from .examination import Examination, Question, Step, Verdict

_SIGN_IN = "the ServiceAccount can sign in to the vault, and the vault has the names"
_SECONDS = 600  # the shortest life of a token that the API server gives
_AUTHORITIES = {
    "ChinaCloud": "https://login.chinacloudapi.cn",
    "USGovernmentCloud": "https://login.microsoftonline.us",
}


def _sign_in(examination: Examination) -> Iterator[Step]:
    if not examination.request.as_workload:
        return
    for identity in workload_identities(examination):
        if identity.account is None:
            continue
        if not (identity.client and identity.tenant):
            yield _step(identity, "unknown", "it has no client id or tenant id to sign in with")
            continue
        yield _attempt(examination, identity)


def _attempt(examination: Examination, identity: WorkloadIdentity) -> Step:
    try:
        from ...sources.azureworkload import WorkloadSignIn, present
    except ImportError:
        return _step(identity, "unknown", "the Azure SDK is not installed", installation.extra("azure"))
    # The right to make tokens is asked for first: a refusal of the cluster is not one of Azure.
    token = _token(examination, identity)
    url = str(identity.store.get("vaultUrl") or "")
    sign_in = WorkloadSignIn(
        tenant=identity.tenant, client=identity.client, authority=_authority(identity.store), token=lambda: token
    )
    names = _names(examination, identity)
    try:
        answers = present(url, sign_in, names)
    except Refusal as refusal:
        mistake: Mistake = refusal.mistakes[0]
        return _step(identity, "failed", mistake.message, mistake.hint)
    if absent := [name for name, is_there in answers.items() if not is_there]:
        vault = url.removeprefix("https://").partition(".")[0]
        remedy = [f"az keyvault secret set --vault-name {vault} --name {name} --file FILE" for name in absent]
        return _step(identity, "failed", f"{url} has no {', '.join(absent)}", "\n".join(remedy))
    return _step(identity, "passed", f"{url} has {len(answers)} of {len(names)} names in an enabled version")


def _token(examination: Examination, identity: WorkloadIdentity) -> Sensitive:
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


def _names(examination: Examination, identity: WorkloadIdentity) -> Sequence[str]:
    """Return the names that the looked-at ExternalSecrets read from the store."""
    names: dict[str, None] = {}
    for secret in examination.secrets.values():
        document = secret.document.object
        stores = {(kind, name) for _path, kind, name in store_references(document)}
        if (identity.reference.kind, identity.reference.name) in stores:
            entries = (mapping(entry.get("remoteRef")) for entry in document["spec"].get("data") or ())
            names |= {str(entry["key"]).removeprefix("secret/"): None for entry in entries if "key" in entry}
    return list(names)


def _step(identity: WorkloadIdentity, verdict: Verdict, cause: str, remedy: str = "") -> Step:
    subject = f"serviceaccount/{identity.name}"
    return Step(question=_SIGN_IN, subject=subject, verdict=verdict, cause=cause, remedy=remedy)


QUESTIONS = (Question(_SIGN_IN, _sign_in),)
