"""Signing in to Alibaba Cloud with what the environment states, and with nothing else.

The SDK's own chain ends by asking the metadata service of the machine, and so reads with whatever role that has. Its
providers of roles trust no CA of the user's own and put an OIDC token into the URL: roles are assumed here.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.core import DaraCore
from darabonba.runtime import RuntimeOptions

from ..errors import Mistake, Place, Refusal
from ..sensitive import Sensitive
from . import alibabaerrors as errors

TIMEOUTS = {"connect_timeout": 10_000, "read_timeout": 30_000}
_KEY, _SECRET, _TOKEN = (f"ALIBABA_CLOUD_{name}" for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"))
_ROLE, _PROVIDER, _FILE = (f"ALIBABA_CLOUD_{name}" for name in ("ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE"))
_SESSION, _STS = "ALIBABA_CLOUD_ROLE_SESSION_NAME", "ALIBABA_CLOUD_STS_ENDPOINT"

_session_of_sdk = DaraCore._get_session


def _session(*stated: Any, **named: Any) -> Any:
    """Return a session of the SDK's HTTP client that follows no redirect.

    The SDK (darabonba-core 1.0) leaves it to requests, which follows any, without TLS too: the token of a session, a
    value that is written or an OIDC token would go along.
    """
    session = _session_of_sdk(*stated, **named)
    session.max_redirects = 0
    return session


DaraCore._get_session = staticmethod(_session)


class Credentials(NamedTuple):
    """An access key, and the token of its session where it is a temporary one."""

    key: str
    secret: Sensitive
    token: Sensitive | None = None

    def config(self, host: str, ca_file: str | None) -> Config:
        """Return the SDK's configuration of a client that signs with them."""
        return Config(
            access_key_id=self.key,
            access_key_secret=self.secret.reveal().decode(),
            security_token=self.token.reveal().decode() if self.token else None,
            **_of_host(host, ca_file),
        )


class SignIn:
    """The way in that the environment states. Every failure is a Refusal at the place of the source."""

    def __init__(self, region: str, ca_file: str | None, place: Place) -> None:
        self._ca_file, self._place = ca_file, place
        self._sts = _stated(_STS) or f"sts.{region}.aliyuncs.com"

    def credentials(self) -> Credentials:
        """Return what requests are signed with; a role is assumed where one is stated.

        An access key goes before an OIDC token, as in Alibaba's own chain. A pod's role belongs to its token.
        """
        key, secret = _stated(_KEY), _stated(_SECRET)
        if key and secret:
            token = _stated(_TOKEN)
            own = Credentials(key, Sensitive(secret.encode()), Sensitive(token.encode()) if token else None)
            return self._assumed(own) if _stated(_ROLE) and not _stated(_FILE) else own
        if key or secret:
            raise self._refusal("the access key is incomplete", f"set {_SECRET if key else _KEY} as well")
        if not _stated(_FILE):
            hint = f"set {_KEY} and {_SECRET}, or, for a role, {_ROLE}, {_PROVIDER} and {_FILE}"
            raise self._refusal("not signed in to Alibaba Cloud", hint)
        if lacking := [name for name in (_ROLE, _PROVIDER) if not _stated(name)]:
            raise self._refusal("the sign-in by an OIDC token is incomplete", f"set {' and '.join(lacking)} as well")
        return self._assumed_by_token()

    def _assumed(self, own: Credentials) -> Credentials:
        return self._ask("AssumeRole", own.config(self._sts, self._ca_file), {"RoleArn": _stated(_ROLE)}, {})

    def _assumed_by_token(self) -> Credentials:
        try:
            with open(_stated(_FILE), encoding="utf-8") as file:
                token = file.read().strip()
        except (OSError, ValueError):
            raise self._refusal("the OIDC token can't be read", f"{_FILE} must name its file") from None
        query = {"RoleArn": _stated(_ROLE), "OIDCProviderArn": _stated(_PROVIDER)}
        config = Config(**_of_host(self._sts, self._ca_file))
        return self._ask("AssumeRoleWithOIDC", config, query, {"OIDCToken": token})

    def _ask(self, action: str, config: Config, query: Mapping[str, str], body: Mapping[str, str]) -> Credentials:
        session = {"RoleSessionName": _stated(_SESSION) or "ksecret"}
        params = Params(
            action=action,
            version="2015-04-01",
            protocol="HTTPS",
            pathname="/",
            method="POST",
            auth_type="Anonymous" if body else "AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        request = OpenApiRequest(query={**query, **session}, body=dict(body) or None)
        try:
            answer = Client(config).call_api(params, request, RuntimeOptions())
            assumed = answer["body"]["Credentials"]
            return Credentials(
                assumed["AccessKeyId"],
                Sensitive(assumed["AccessKeySecret"].encode()),
                Sensitive(assumed["SecurityToken"].encode()),
            )
        except errors.RAISED as error:
            failure = errors.failure(error)
        message, hint = errors.report_of_role(failure, self._sts)
        raise self._refusal(message, hint)

    def _refusal(self, message: str, hint: str) -> Refusal:
        return Refusal(Mistake(message, self._place, hint))


def _stated(name: str) -> str:
    return os.environ.get(name, "").strip()


def _of_host(host: str, ca_file: str | None) -> dict[str, object]:
    # The SDK reads no variable that names a CA; requests has made this one known.
    return {"endpoint": host, "ca": ca_file or _stated("REQUESTS_CA_BUNDLE") or None, "protocol": "HTTPS", **TIMEOUTS}
