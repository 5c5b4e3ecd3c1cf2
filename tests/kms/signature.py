"""The signature ACS3-HMAC-SHA256, checked as Alibaba Cloud documents it (request syntax and signature method V3)."""

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from ..keyvault.answers import Request
from .answers import Refusal

_ALGORITHM = "ACS3-HMAC-SHA256"
_MUST_BE_SIGNED = {
    "host",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-version",
}


class Verifier:
    """Checks signatures; `secret_of` knows the secret of an access key, `token_of` the token that must go with it."""

    def __init__(self, secret_of: Callable[[str], str | None], token_of: Callable[[str], str | None]) -> None:
        self._secret_of, self._token_of = secret_of, token_of
        self._nonces: set[str] = set()

    def check(self, request: Request) -> None:
        """Raise Refusal unless the request is signed by an access key that is known, now, and for the first time."""
        match = re.fullmatch(
            rf"{_ALGORITHM} Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{{64}})",
            request.headers.get("Authorization") or "",
        )
        if match is None:
            raise Refusal(400, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")
        key, names, signature = match[1], match[2].split(";"), match[3]
        secret = self._secret_of(key)
        if secret is None:
            raise Refusal(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        if hashlib.sha256(request.body).hexdigest() != request.headers.get("x-acs-content-sha256"):
            raise Refusal(400, "SignatureDoesNotMatch", "The digest of the body is another one.")
        expected = hmac.new(secret.encode(), _string_to_sign(request, names).encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature) or not _MUST_BE_SIGNED.issubset(names):
            raise Refusal(400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
        if (request.headers.get("x-acs-security-token") or None) != self._token_of(key):
            raise Refusal(400, "InvalidSecurityToken.Malformed", "The specified SecurityToken is malformed.")
        self._refuse_old(request)

    def _refuse_old(self, request: Request) -> None:
        sent = datetime.fromisoformat(request.headers.get("x-acs-date") or "")
        if abs(datetime.now(UTC) - sent) > timedelta(minutes=15):
            raise Refusal(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
        nonce = request.headers.get("x-acs-signature-nonce") or ""
        if nonce in self._nonces:
            raise Refusal(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
        self._nonces.add(nonce)


def _string_to_sign(request: Request, names: list[str]) -> str:
    query = "&".join(f"{_encoded(name)}={_encoded(request.query[name])}" for name in sorted(request.query))
    headers = "".join(f"{name}:{(request.headers.get(name) or '').strip()}\n" for name in names)
    digest = request.headers.get("x-acs-content-sha256") or ""
    canonical = "\n".join((request.method, request.path or "/", query, headers, ";".join(names), digest))
    return f"{_ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
