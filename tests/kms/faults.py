"""What KMS refuses for other reasons than its secrets; what may happen on the way is that of every service."""

from ..keyvault.faults import Refuse, broken, cut, garbled, stall
from .answers import refusal

__all__ = ["broken", "cut", "forbidden", "garbled", "key_inactive", "no_role", "stall", "throttled", "token_expired"]


def forbidden() -> Refuse:
    """403: the RAM policy does not allow it."""
    return Refuse(refusal(403, "Forbidden.NoPermission", "You are not authorized to perform the operation."))


def no_role() -> Refuse:
    """403 of STS: RAM does not allow to assume the role, or the role's trust policy names others."""
    return Refuse(refusal(403, "NoPermission", "You are not authorized to do this action."))


def throttled(retry_after: float | None = None) -> Refuse:
    """429; only newer gateways say for how long."""
    answer = refusal(429, "Rejected.Throttling", "QPS Limit Exceeded")
    waiting = {} if retry_after is None else {"x-acs-retry-after": str(int(retry_after * 1000))}
    return Refuse(answer._replace(headers=waiting))


def key_inactive() -> Refuse:
    """The access key is disabled."""
    return Refuse(refusal(400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled."))


def token_expired() -> Refuse:
    """The token of a temporary access key is too old."""
    return Refuse(refusal(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."))
