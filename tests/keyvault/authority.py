"""The token authority: client secret, federated token (workload identity) and managed identity.

The tenant is `adfs`, with which azure-identity asks the given host alone and looks nothing up at Microsoft.
"""

import base64
import json
import secrets
import time
from typing import NamedTuple
from urllib.parse import parse_qs

from .answers import Answer, Request

TENANT = "adfs"
MANAGED_IDENTITY_PATH = "/msi/token"
_TOKEN_PATH = f"/{TENANT}/oauth2/token"
_WORKLOAD_TOKEN_PATH = f"/{TENANT}/oauth2/v2.0/token"  # workload identity does not ask for the configuration
_CONFIGURATION_PATH = f"/{TENANT}/.well-known/openid-configuration"
_LIFETIME = 3600


class FederatedCredential(NamedTuple):
    """Whose tokens count as the application's own; each field must be exactly that of the token."""

    issuer: str
    subject: str
    audience: str


class Authority:
    """Hands out tokens to whoever has one of its credentials, all made for this one run."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._tokens: set[str] = set()
        self.federated_credentials: list[FederatedCredential] = []
        self.client_id = secrets.token_hex(16)
        self.client_secret = secrets.token_urlsafe()
        self.federated_token = secrets.token_urlsafe()
        self.identity_header = secrets.token_urlsafe()

    @property
    def challenge(self) -> str:
        """Where to get a token and for what; the SDK wants the vault's host to end with "." and the resource's."""
        resource = self._url.replace("127.0.0.1", "0.0.1")
        return f'Bearer authorization="{self._url}/{TENANT}", resource="{resource}"'

    def accepts(self, authorization: str) -> bool:
        """The header holds a token that this authority handed out."""
        return authorization.removeprefix("Bearer ") in self._tokens

    def answer(self, request: Request) -> Answer | None:
        """The answer to what is asked of the authority; None if the request is none of its own."""
        match request.method, request.path:
            case "GET", path if path == _CONFIGURATION_PATH:
                return Answer(
                    200,
                    {
                        "issuer": f"{self._url}/{TENANT}",
                        "authorization_endpoint": f"{self._url}/{TENANT}/oauth2/authorize",
                        "token_endpoint": f"{self._url}{_TOKEN_PATH}",
                    },
                )
            case "POST", path if path in {_TOKEN_PATH, _WORKLOAD_TOKEN_PATH}:
                return self._service_principal(request)
            case "GET", path if path == MANAGED_IDENTITY_PATH:
                return self._managed_identity(request)
        return None

    def _service_principal(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("client_id") != self.client_id:
            return Answer(
                400,
                {
                    "error": "unauthorized_client",
                    "error_description": f"AADSTS700016: Application with identifier '{form.get('client_id')}' "
                    "was not found in the directory.",
                },
            )
        assertion = form.get("client_assertion", "")
        if assertion.count(".") == 2:
            if refusal := self._federation_refusal(assertion):
                return refusal
        elif form.get("client_secret") != self.client_secret and assertion != self.federated_token:
            return _invalid_client("AADSTS7000215: Invalid client secret provided.")
        return Answer(200, {"token_type": "Bearer", "expires_in": _LIFETIME, "access_token": self._token()})

    def _federation_refusal(self, assertion: str) -> Answer | None:
        """Return why a JWT of another issuer is not accepted, as Entra says it. Its signature is not looked at."""
        payload = assertion.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        candidates = self.federated_credentials
        if not candidates:
            text = (
                "AADSTS70021: No matching federated identity record found for presented assertion. Assertion Issuer: "
            )
            return _invalid_client(f"{text}'{claims['iss']}'. Assertion Subject: '{claims['sub']}'.")
        for code, field, presented in (
            ("AADSTS700211", "issuer", [claims["iss"]]),
            ("AADSTS700213", "subject", [claims["sub"]]),
            ("AADSTS700212", "audience", claims["aud"]),
        ):
            candidates = [candidate for candidate in candidates if getattr(candidate, field) in presented]
            if not candidates:
                text = f"No matching federated identity record found for presented assertion {field}"
                return _invalid_client(f"{code}: {text} '{presented[0]}'.")
        return None

    def _managed_identity(self, request: Request) -> Answer:
        if request.headers.get("X-IDENTITY-HEADER") != self.identity_header:
            return Answer(400, {"statusCode": 400, "message": "No managed identity here."})
        expiry = str(int(time.time()) + _LIFETIME)
        resource = request.query.get("resource", "")
        return Answer(
            200,
            {"token_type": "Bearer", "expires_on": expiry, "resource": resource, "access_token": self._token()},
        )

    def _token(self) -> str:
        token = secrets.token_urlsafe()
        self._tokens.add(token)
        return token


def _invalid_client(description: str) -> Answer:
    return Answer(401, {"error": "invalid_client", "error_description": description})
