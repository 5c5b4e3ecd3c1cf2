"""Reading a vault's metadata as a workload of the cluster does: with a token of its ServiceAccount.

No value is read, and nothing of the user's own sign-in is used.
"""

import logging
from collections.abc import Callable, Collection, Mapping

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientAssertionCredential
from azure.keyvault.secrets import SecretClient

from ..errors import Mistake, Refusal
from ..frozen import Record
from ..model.types.names import KEY_VAULT_NAME
from ..sensitive import Sensitive
from . import entraerrors
from . import keyvaulterrors as errors

_TIMEOUTS = {"connection_timeout": 10, "read_timeout": 30}


class WorkloadSignIn(Record):
    """Who signs in, where: `authority` is a URL, or empty for that of Azure's public cloud."""

    tenant: str
    client: str
    authority: str
    token: Callable[[], Sensitive]


def present(vault_url: str, sign_in: WorkloadSignIn, names: Collection[str]) -> Mapping[str, bool]:
    """Return which names the vault has in an enabled version, by their properties alone.

    Raises Refusal where the sign-in or the vault refuses; its hint is the next step.
    """
    for logger in ("azure", "msal", "urllib3"):  # their warnings quote answers
        logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
    url, client = vault_url.rstrip("/"), _client(vault_url.rstrip("/"), sign_in)
    return {name: _is_present(client, url, name, sign_in.client) for name in names if KEY_VAULT_NAME.fullmatch(name)}


def _client(url: str, sign_in: WorkloadSignIn) -> SecretClient:
    authority = {"authority": sign_in.authority} if sign_in.authority else {}
    try:
        credential = ClientAssertionCredential(
            sign_in.tenant, sign_in.client, lambda: sign_in.token().reveal().decode(), **_TIMEOUTS, **authority
        )
    except ValueError:
        error = entraerrors.explained("AADSTS900023")
        raise Refusal(Mistake(f"{sign_in.tenant!r}: {error.cause}", hint=error.hint)) from None
    return SecretClient(
        url, credential, retry_status=2, retry_connect=1, retry_read=1, permit_redirects=False, **_TIMEOUTS
    )


def _is_present(client: SecretClient, url: str, name: str, client_id: str) -> bool:
    try:
        return any(version.enabled for version in client.list_properties_of_secret_versions(name))
    except errors.FAILURES as error:
        if isinstance(error, HttpResponseError) and errors.is_absence(error):
            return False
        raise _refusal(error, url, name, client_id) from None
    except (AttributeError, TypeError):  # the SDK takes the shape of an answer for granted
        raise _refusal(ValueError(), url, name, client_id) from None


def _refusal(error: Exception, url: str, name: str, client: str) -> Refusal:
    code = entraerrors.code_in(str(error)) if isinstance(error, ClientAuthenticationError) else ""
    if code:
        explained = entraerrors.explained(code, client)
        return Refusal(Mistake(explained.cause, hint=explained.hint))
    message, hint = errors.report(error, url, name)
    if errors.code(error) == "AccessDenied":
        hint = "the access policy must allow Get, which is all that the operator needs; List is what is tried here"
    elif errors.is_of_roles(error):
        vault = url.removeprefix("https://").partition(".")[0]
        hint = (
            f'az role assignment create --role "Key Vault Secrets User" --assignee {client} '
            f'--scope "$(az keyvault show --name {vault} --query id --output tsv)"'
        )
    return Refusal(Mistake(message, hint=hint))
