"""Why Vault refuses a sign-in: by what it answers, and by what a token of a ServiceAccount says of itself."""

import base64
import json
import time
from collections.abc import Callable, Mapping

from ..errors import printable
from .vaulterrors import VaultFailure
from .vaultsignin import Login


def refusal(login: Login, status: int, errors: str, is_wrapping: Callable[[str], bool]) -> VaultFailure:
    """Return what is wrong with a sign-in; `is_wrapping` asks the server whether a text is a wrapping token.

    OpenBao and Vault answer 403 and "permission denied" for most that is wrong with a token of a ServiceAccount, and
    say of an AppRole's two ids only that one of them is wrong.
    """
    why = _of_kubernetes if login.method == "kubernetes" else _of_app_role
    reason, detail = why(login, errors, is_wrapping)
    return VaultFailure(reason, status, f"auth/{login.path}", detail=printable(detail))


def _of_kubernetes(login: Login, errors: str, _is_wrapping: Callable[[str], bool]) -> tuple[str, str]:
    claims = _claims(login.body["jwt"]())
    if "invalid role name" in errors:
        return "no-role", login.body["role"]()
    if "not authorized" in errors:
        account = str(claims.get("sub")).removeprefix("system:serviceaccount:").replace(":", "/")
        return "unbound", f"{login.body['role']()} is not bound to the ServiceAccount {account}"
    if "audience" in errors:
        stated = claims.get("aud")
        audiences = stated if isinstance(stated, list) else [stated]
        return "audience", ", ".join(map(str, audiences))
    expiry = claims.get("exp")
    if isinstance(expiry, int | float) and expiry < time.time():
        return "expired", ""
    return "sign-in", ""


def _of_app_role(login: Login, errors: str, is_wrapping: Callable[[str], bool]) -> tuple[str, str]:
    secret_id = login.body["secret_id"]()
    if not secret_id:
        return "no-secret-id", ""
    if "CIDR" in errors:
        return "address", ""
    if "invalid" in errors:
        return ("wrapped" if is_wrapping(secret_id) else "secret-id"), ""
    return "sign-in", ""


def _claims(jwt: str) -> Mapping[str, object]:
    """Return what a token says of itself; nothing of what is none."""
    _, _, rest = jwt.partition(".")
    part = rest.partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
