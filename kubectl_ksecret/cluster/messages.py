"""What controllers write about an object, in Events, conditions and logs, without the values that they may quote.

Template functions quote a value whole, and parsers the first characters of it. So only what is known to hold none is
let through: the fixed sentences of the controllers, and in them the names that the object itself has. A sentence that
is not known becomes an ellipsis. Read in the sources of External Secrets Operator 0.20, Sealed Secrets 0.38, Vault
Secrets Operator 0.10 and OpenBao 2.7.
"""

import re
from collections.abc import Collection, Iterator

from ..model.kubernetes import Object

UNREADABLE = "its message may quote a value, so it is not shown"
_ELLIPSIS = "…"
# NAME stands for a name, and NAMES for several, which count only if the object has them.
_SENTENCES = (
    # The chain from the ExternalSecret to its store.
    r"error processing spec\.(?:data|dataFrom)\[\d+\](?:\.(?:find|extract|sourceRef\.generatorRef))?"
    r"(?: \(key: NAME\))?",
    r"could not get secret data from provider",
    r"Secret does not exist",
    r"property NAME does not exist in key NAME",
    r'cannot find secret data for key: "NAME"',
    r'cannot get Kubernetes secret "NAME" from namespace "NAME"',
    r"(?:[Ss]ecrets?|[Ss]ervice[Aa]ccounts?|(?:Cluster)?SecretStore\.external-secrets\.io"
    r'|Vault(?:Auth|Connection)\.secrets\.hashicorp\.com) "NAME" not found',
    r'(?:Cluster)?SecretStore "NAME" is not ready',
    r'could not get (?:Cluster)?SecretStore "NAME"',
    r'using cluster store "NAME" is not allowed from namespace "NAME": denied by spec\.condition',
    r"store validated|unable to create client|unable to validate store|can not reference unmanaged store",
    r"failed to find registered store backend",
    r"could not (?:get provider client|validate provider|determine validation status)",
    r"failed to get service account(?: token)?|failed to get (?:clientID|clientSecret|clientCertificate)",
    r'cannot request Kubernetes service account token for service account "NAME"',
    # Azure Key Vault, and what signs in to it.
    r"missing clientID: either serviceAccountRef or service account annotation 'azure\.workload\.identity/client-id' is"
    r" missing",
    r"missing tenantID in store config|missing secretRef in provider config",
    r"missing accessKeyID/secretAccessKey in store config",
    r"multiple clientID found\. Check secretRef and serviceAccountRef",
    r"multiple tenantID found\. Check secretRef, 'spec\.provider\.azurekv\.tenantId', and serviceAccountRef",
    r"missing environment variables\. AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE must be set",
    r"cannot initialize Azure Client: no valid authType was specified",
    r"both clientSecret and clientCredentials set",
    r"AADSTS\d{4,7}\b",
    r"(?:StatusCode=|RESPONSE |Code: )\d{3}\b|429 Too Many Requests",
    r"\b(?:SecretNotFound|SecretDisabled|ForbiddenByRbac|ForbiddenByFirewall|ForbiddenByPolicy|AccessDenied)\b",
    # Vault and OpenBao, and what signs in to them.
    r"permission denied|Vault is sealed|no handler for route|invalid role or secret ID|invalid secret id",
    r'invalid role name "NAME"|service account name not authorized|namespace not authorized',
    r"invalid audience \(aud\) claim|empty response from Vault",
    r"cannot (?:initialize Vault client: no valid auth method specified|setup new vault client)",
    r"cannot (?:set Vault CA certificate|read secret data from Vault)|failed to parse certificates from CertPool",
    r"failed to decode ca bundle|failed to get cert from (?:secret|configmap)|invalid vault credentials",
    r"unable to log in (?:with Kubernetes auth|with app role auth|to auth method)|error while revoking token",
    # Vault Secrets Operator; the last two are those of the templates that are rendered for it, and of its AppRole.
    r"Failed to (?:get Vault auth login|read Vault secret|build K8s secret data|update k8s secret)",
    r"Failed to (?:check Vault seal status|construct Vault client|handle VaultAuth resource request)",
    r"Failed setting up SecretTransformationOption|Invalid VaultConnectionRef",
    r'Vault(?:Auth|Connection)\.secrets\.hashicorp\.com "NAME" not found',
    r"(?:has no ownerReferences|not the owner of the destination Secret)",
    r'the entry has no NAME(?: that is text)?|NAME of the entry is not base64|no key "id" found in secret',
    # The way to it.
    r"lookup NAME|dial tcp NAME",
    r"connection refused|no such host|i/o timeout|context deadline exceeded|connection reset by peer",
    r"x509: certificate signed by unknown authority|tls: failed to verify certificate",
    # The Secret.
    r"field is immutable when `immutable` is set",
    r"could not (?:update|delete) secret(?:, target is immutable)?|could not delete orphaned secrets",
    r"secret is immutable|failed to take ownership of target secret|target is owned by another ExternalSecret",
    r"secret is owned by another ExternalSecret|could not (?:set|remove) controller reference on secret",
    r"unable to (?:update|mutate|delete) secret NAME",
    r"secret (?:synced|deleted due to DeletionPolicy=Delete|retained due to DeletionPolicy=Retain)",
    r"secret will not be created due to CreationPolicy=Merge",
    r"invalid secret keys \(TIP: use rewrite or conversionStrategy to change keys\)",
    r"error applying (?:decoding|conversion) strategy \w{1,9} to (?:data|keys)|error applying rewrite to keys",
    r"illegal base64 data at input byte \d+|invalid character|error unmarshalling json data",
    r"could not (?:apply|execute) template|error fetching templateFrom data",
    r"unable to (?:parse|execute) template at key NAME|error calling [A-Za-z]\w{0,40}(?=:)",
    r'map has no entry for key "NAME"',
    r'admission webhook "[a-z0-9.-]{1,253}" denied the request|denied request(?=:)',
    r"is forbidden|the object has been modified",
    # Sealed Secrets.
    r"Failed to unseal|no key could decrypt secret(?: \(NAMES\))?",
    r'Resource "NAME" already exists and is not managed by SealedSecret',
    r"SealedSecret unsealed successfully|cannot update immutable secret",
)
_KNOWN = re.compile(
    "|".join(
        sentence.replace("NAMES", r"([^\"()]+)").replace("NAME", r"([^\"()\s]*[^\"()\s:,])") for sentence in _SENTENCES
    )
)


def scrubbed(message: str, names: Collection[str]) -> str:
    """Return what a message says, as far as it is known to hold no value; `names` are those that the object has."""
    line, end, parts = " ".join(message.split()), 0, list[str]()
    for match in _KNOWN.finditer(line):
        if _says_more(line[end : match.start()]):
            parts.append(_ELLIPSIS)
        parts.append(_with_names(match, names))
        end = match.end()
    if not parts:
        return UNREADABLE
    if _says_more(line[end:]):
        parts.append(_ELLIPSIS)
    return ": ".join(dict.fromkeys(parts))


def names_of(*objects: Object) -> frozenset[str]:
    """Return the words of objects' names and specs, which a message may repeat. None of them is a value."""
    return frozenset(word for live in objects for part in ("metadata", "spec") for word in _words(live.get(part)))


def _words(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        # What a store of the provider `fake` holds, and last-applied, are values.
        for field, below in part.items():
            if field not in ("annotations", "fake", "managedFields"):
                yield str(field)
                yield from _words(below)
    elif isinstance(part, list):
        for element in part:
            yield from _words(element)
    elif isinstance(part, str):
        yield part


def _with_names(match: re.Match[str], names: Collection[str]) -> str:
    """Return a sentence; a name that is none of the object's may be a value."""
    text, end = "", match.start()
    for number, group in enumerate(match.groups(), 1):
        if group is not None and not all(name.strip() in names for name in group.split(",")):
            text += match.string[end : match.start(number)] + _ELLIPSIS
            end = match.end(number)
    return text + match.string[end : match.end()]


def _says_more(between: str) -> bool:
    """Whether there is more than what joins the parts of an error in Go."""
    return bool(re.search(r"\w", re.sub(r"\berr\b|\"", "", between)))
