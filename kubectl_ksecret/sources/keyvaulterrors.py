"""What Azure's SDK raises, in words of ours: its own messages quote answers, and so values."""

from collections.abc import Callable, Mapping

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
)

from . import entraerrors, tlsfaults
from .patience import asked_for

# The SDK raises ValueError for a server whose challenge is not Key Vault's, OSError where trusted certificates can't
# be read.
FAILURES = (AzureError, ValueError, OSError)
Report = tuple[str, str]  # message and hint
_BUNDLE = "REQUESTS_CA_BUNDLE"


class VersionDisabled(AzureError):
    """A version that was asked for by its id is disabled; of the others nothing is said."""


def code(error: Exception) -> str:
    """Return the innermost code of an answer: Forbidden says less than ForbiddenByFirewall."""
    body = getattr(error, "error", None)
    inner = getattr(body, "innererror", None)
    return str((inner.get("code") if isinstance(inner, dict) else None) or getattr(body, "code", None) or "")


def concerns_all(error: Exception) -> bool:
    """Whether other names would fail in the same way: all but what is said of the one name."""
    of_the_name = isinstance(error, HttpResponseError) and error.status_code in (400, 404, 409)
    is_disabled = isinstance(error, VersionDisabled) or code(error) == "SecretDisabled"
    return not (of_the_name and code(error)) and not is_disabled


def is_of_roles(error: Exception) -> bool:
    """Whether a role or policy is lacking, which may be given for one secret alone."""
    return code(error) in ("ForbiddenByRbac", "AccessDenied")


def is_absence(error: HttpResponseError) -> bool:
    """Whether the vault itself says that it has no secret of this name; a proxy's page has no code."""
    return error.status_code == 404 and bool(code(error))


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed in a moment; throttling has been waited out already."""
    if isinstance(error, HttpResponseError) and error.status_code:
        return error.status_code in (408, 500, 502, 503, 504)
    return isinstance(error, AzureError) and not isinstance(error, ClientAuthenticationError)


def pause(error: Exception, attempt: int) -> float:
    """Seconds before the next attempt, as the vault says or doubling."""
    response = getattr(error, "response", None)
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    return min(asked_for(asked) or 0.25 * 2.0**attempt, 60.0)


def report(error: Exception, url: str, name: str) -> Report:
    """Return what went wrong with a name, and what to do."""
    if isinstance(error, VersionDisabled):
        return f"{url}: the version of {name} that is pinned is disabled", "enable it, or pin another version"
    if isinstance(error, DecodeError | IncompleteReadError):
        return f"{url}: the answer for {name} was cut off", "try again; a proxy on the way may be at fault"
    if isinstance(error, ClientAuthenticationError) and error.status_code != 401:
        return _not_signed_in(error, url)
    if isinstance(error, HttpResponseError) and error.status_code:
        return _BY_STATUS.get(error.status_code, _failed)(error, url, name) if _is_key_vaults(error) else _strange(url)
    if isinstance(error, ServiceRequestError | OSError):
        return _unreached(error, url)
    if isinstance(error, ValueError):
        return _strange(url)
    return f"{url} gave no answer for {name}", "try again; it took too long, or the connection was cut"


def not_set_up() -> Report:
    """Say that what the sign-in takes from the environment is malformed, before anything was asked."""
    return (
        "the sign-in to Azure can't be set up",
        "check AZURE_AUTHORITY_HOST, AZURE_TENANT_ID, AZURE_CLIENT_CERTIFICATE_PATH and AZURE_TOKEN_CREDENTIALS",
    )


def _not_signed_in(error: ClientAuthenticationError, url: str) -> Report:
    """Say why nobody is signed in: the chain of credentials reports what each of them met in one text."""
    if refusal := entraerrors.code_in(str(error)):
        return (
            f"{url}: Azure refuses the sign-in ({refusal})",
            "check AZURE_TENANT_ID, AZURE_CLIENT_ID and the client secret, which may have expired; without them run "
            "az login anew",
        )
    if "Authentication failed" in str(error):
        return f"{url}: the sign-in to Azure failed", "check the network and AZURE_AUTHORITY_HOST, then try again"
    return (
        f"{url}: not signed in to Azure",
        "run az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; a pod has its workload "
        "identity",
    )


def _unreached(error: Exception, url: str) -> Report:
    if kind := tlsfaults.kind(str(error)):
        message, hint = tlsfaults.REPORTS[kind]
        return f"{url}{message}", hint
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"{url}: its certificate is not trusted", f"where a proxy inspects TLS, {_BUNDLE} must name its CA"
    if isinstance(error, OSError) or "[X509: " in str(error):  # there is no such file, or no certificate in it
        return f"{url}: the trusted certificates can't be read", f"{_BUNDLE} must name a file of certificates in PEM"
    return f"{url} can't be reached", "check the vault's name, the network, and HTTPS_PROXY if it is set"


def _is_key_vaults(error: HttpResponseError) -> bool:
    """Key Vault says no with a code; a page of some other server has none, but for what any proxy may say."""
    return bool(code(error)) or (error.status_code or 0) >= 500 or error.status_code in (408, 429)


def _strange(url: str) -> Report:
    return f"{url} does not answer as a Key Vault", "check source.azureKeyVault.vaultUrl, and the proxy if there is one"


def _unauthorized(_error: HttpResponseError, url: str, _name: str) -> Report:
    return f"{url} does not accept the sign-in (401)", "sign in to the vault's own tenant: az login --tenant …"


def _forbidden(error: HttpResponseError, url: str, name: str) -> Report:
    reason = code(error)
    if reason == "SecretDisabled":
        return f"{url}: every version of {name} is disabled", "enable one, or set a new value"
    if reason == "ForbiddenByFirewall":
        return f"{url}: the vault's firewall keeps this address out (403)", "add it to the vault's networking rules"
    if reason == "AccessDenied":
        return f"{url}: no permission for {name} (403)", "the access policy must allow Get and List, to write also Set"
    return (
        f"{url}: no permission for {name} (403)",
        "reading takes the role Key Vault Secrets User, writing Key Vault Secrets Officer",
    )


def _absent(_error: HttpResponseError, url: str, name: str) -> Report:
    return f"{url} has no secret {name}", "set it there, or correct remoteName or source.names"


def _conflict(_error: HttpResponseError, url: str, name: str) -> Report:
    return f"{url}: {name} is deleted, but not purged (409)", f"az keyvault secret recover --name {name}"


def _throttled(_error: HttpResponseError, url: str, name: str) -> Report:
    return f"{url} is throttling; gave up at {name} (429)", "try again later, or set a lower parallelism"


def _failed(error: HttpResponseError, url: str, name: str) -> Report:
    return f"{url} failed for {name} ({error.status_code})", "try again later"


def _bad(_error: HttpResponseError, url: str, name: str) -> Report:
    return f"{url} refused {name} (400)", "see the vault's own rules, such as at most 15 tags"


_BY_STATUS: Mapping[int, Callable[[HttpResponseError, str, str], Report]] = {
    400: _bad,
    401: _unauthorized,
    403: _forbidden,
    404: _absent,
    409: _conflict,
    429: _throttled,
}
