"""A test double for Secrets Manager of Alibaba Cloud KMS, and for STS: both on one HTTPS port of 127.0.0.1.

The real SDK talks to it. Every request but that of an OIDC token must carry a right signature ACS3-HMAC-SHA256.

```python
with Kms() as kms:
    kms.set("jwt-key", "…")
    subprocess.run([…], env={**os.environ, **kms.environment})
    assert not kms.values_read
```
"""

import contextlib
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import parse_qsl

from ..keyvault import certificates
from ..keyvault.answers import Answer, Request
from ..keyvault.faults import Cut, Faults, Garble, Planned, Refuse, Stall
from ..keyvault.server import Reply, Server
from .answers import Refusal
from .signature import Verifier
from .store import Secrets, Version

__all__ = ["REGION", "ROLE", "Kms", "Version"]

REGION = "cn-hangzhou"
ROLE = "acs:ram::1000000000000000:role/ksecret"
_PROVIDER = "acs:ram::1000000000000000:oidc-provider/ack-rrsa-double"
_NOTHING = Answer(0, {})
_OF_STS = ("AssumeRole", "AssumeRoleWithOIDC")


class Seen(NamedTuple):
    """A request that was signed rightly, and what became of it; None if it was left unanswered."""

    action: str
    name: str
    status: int | None


class Key(NamedTuple):
    """The secret of an access key, and the token that must go with it."""

    secret: str
    token: str | None = None


class Kms:
    """The secrets of one region, from `with` to its end."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.most_at_once = 0
        """How many requests were unanswered at one moment, at most."""
        self._unanswered = 0
        self._counting = threading.Lock()
        self._ended = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="kms-")
        self.secrets = Secrets()
        self.managed: set[str] = set()
        """The secrets of RAM users, databases and instances: KMS gives them in their current version alone."""
        self._key_id = f"LTAI{secrets.token_hex(10)}"
        self._keys = {self._key_id: Key(secrets.token_urlsafe(24))}
        self._oidc_token = secrets.token_urlsafe(40)
        self._verifier = Verifier(lambda key: self._key(key).secret, lambda key: self._key(key).token)
        self._actions: Mapping[str, Callable[[Mapping[str, str]], Mapping[str, object]]] = {
            "GetSecretValue": self._get,
            "ListSecretVersionIds": self._versions,
            "ListSecrets": self._list,
            "PutSecretValue": self._put,
            "CreateSecret": self._create,
            "AssumeRole": self._assume_role,
            "AssumeRoleWithOIDC": self._assume_role_with_oidc,
        }
        trusted, ca = certificates.server_context("KMS double")
        unknown, _ = certificates.server_context("Stranger")
        self.ca = ca
        self._ca_file = self._file("ca.pem", ca)
        self._server = Server(self._respond, lambda: unknown if self.faults.unknown_ca else trusted)
        self.host = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.close()
        self._folder.cleanup()

    @property
    def source(self) -> dict[str, object]:
        """What an overlay's source states to reach it."""
        return {"alibabaKms": {"region": REGION, "endpoint": self.host}}

    @property
    def environment(self) -> dict[str, str]:
        """For a child process that signs in with an access key."""
        return {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": self._key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": self._keys[self._key_id].secret,
            **self.network,
        }

    @property
    def role(self) -> dict[str, str]:
        """For a child process that assumes a role with its access key."""
        return self.environment | {"ALIBABA_CLOUD_ROLE_ARN": ROLE}

    @property
    def oidc(self) -> dict[str, str]:
        """For a child process that signs in as a pod of ACK does."""
        return {
            "ALIBABA_CLOUD_ROLE_ARN": ROLE,
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": _PROVIDER,
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": self._file("token", self._oidc_token.encode()),
            **self.network,
        }

    @property
    def network(self) -> dict[str, str]:
        """For a child process that is not signed in."""
        return {"ALIBABA_CLOUD_STS_ENDPOINT": self.host, "REQUESTS_CA_BUNDLE": self._ca_file, "NO_PROXY": "127.0.0.1"}

    @property
    def values_read(self) -> list[str]:
        """The names of which a value was read."""
        return [seen.name for seen in self.requests if seen.action == "GetSecretValue" and seen.status == 200]

    def set(self, name: str, value: str, *, data_type: str = "text") -> str:
        """Make a version behind the client's back; its id."""
        version = Version(id=secrets.token_hex(8), value=value, data_type=data_type)
        (self.secrets.put if name in self.secrets.names() else self.secrets.create)(name, version)
        return version.id

    def versions(self, name: str) -> list[Version]:
        """All versions of a secret in the order in which they were made; none of one that does not exist."""
        return self.secrets.versions(name, deprecated=True) if name in self.secrets.names() else []

    def fail(
        self, fault: Refuse | Stall | Cut | Garble, *actions: str, times: int | None = None, after: int = 0
    ) -> Planned:
        """Plan a fault for actions such as "GetSecretValue /*", or for all."""
        return self.faults.add(fault, *(actions or ("* /**",)), times=times, after=after)

    def _key(self, key: str) -> Key:
        if key not in self._keys:
            raise Refusal(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        return self._keys[key]

    def _file(self, name: str, content: bytes) -> str:
        path = Path(self._folder.name, name)
        path.write_bytes(content)
        return str(path)

    def _respond(self, request: Request) -> Reply:
        action = request.headers.get("x-acs-action") or ""
        parameters = dict(request.query) | dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        name = parameters.get("SecretName", "")
        try:
            if action != "AssumeRoleWithOIDC":
                self._verifier.check(request)
            if request.method != "POST" or request.headers.get("x-acs-version") != _version(action):
                raise Refusal(404, "InvalidVersion", "Specified parameter Version is not valid.")
        except Refusal as refusal:
            return Reply(refusal.answer)
        with self._counted():
            delay, fault = self.faults.met(request._replace(method=action, path=f"/{name}"))
            reply = self._reply(action, parameters, fault)
            self.requests.append(Seen(action, name, None if reply.sent == "nothing" else reply.answer.status))
            self._ended.wait(delay)
        return reply

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._counting:
            self._unanswered += 1
            self.most_at_once = max(self.most_at_once, self._unanswered)
        yield
        with self._counting:
            self._unanswered -= 1

    def _reply(self, action: str, parameters: Mapping[str, str], fault: Refuse | Cut | Garble | None) -> Reply:
        if isinstance(fault, Refuse):
            return Reply(fault.answer)
        if isinstance(fault, Cut) and fault.when == "before":
            return Reply(_NOTHING, "nothing")
        try:
            answer = Answer(200, {"RequestId": "double", **self._actions[action](parameters)})
        except Refusal as refusal:
            answer = refusal.answer
        match fault:
            case Cut("within"):
                return Reply(answer, "half")
            case Cut():
                return Reply(answer, "nothing")
            case Garble():
                return Reply(answer, "garbled")
        return Reply(answer)

    def _get(self, parameters: Mapping[str, str]) -> Mapping[str, object]:
        name = parameters["SecretName"]
        id_ = "" if name in self.managed else parameters.get("VersionId", "")
        version = self.secrets.get(name, id_, parameters.get("VersionStage", ""))
        return {
            "SecretName": name,
            "SecretType": "Rds" if name in self.managed else "Generic",
            "SecretData": version.value,
            "SecretDataType": version.data_type,
            **_shown(version),
        }

    def _versions(self, parameters: Mapping[str, str]) -> Mapping[str, object]:
        name = parameters["SecretName"]
        listed = self.secrets.versions(name, deprecated=parameters.get("IncludeDeprecated") == "true")
        return {
            "SecretName": name,
            "PageNumber": 1,
            "TotalCount": len(listed),
            "VersionIds": {"VersionId": [_shown(version) for version in listed]},
        }

    def _list(self, parameters: Mapping[str, str]) -> Mapping[str, object]:
        size, number = int(parameters["PageSize"]), int(parameters["PageNumber"])
        names = self.secrets.names()
        page = names[size * (number - 1) : size * number]
        return {"TotalCount": len(names), "SecretList": {"Secret": [{"SecretName": name} for name in page]}}

    def _put(self, parameters: Mapping[str, str]) -> Mapping[str, object]:
        self.secrets.put(parameters["SecretName"], _sent(parameters))
        return {"SecretName": parameters["SecretName"], "VersionId": parameters["VersionId"]}

    def _create(self, parameters: Mapping[str, str]) -> Mapping[str, object]:
        self.secrets.create(parameters["SecretName"], _sent(parameters))
        return {"SecretName": parameters["SecretName"], "VersionId": parameters["VersionId"]}

    def _assume_role(self, parameters: Mapping[str, str]) -> Mapping[str, object]:
        if parameters.get("RoleArn") != ROLE or not parameters.get("RoleSessionName"):
            raise Refusal(404, "EntityNotExist.Role", "The specified Role not exists.")
        key = Key(secrets.token_urlsafe(24), secrets.token_urlsafe(60))
        key_id = f"STS.{secrets.token_hex(10)}"
        self._keys[key_id] = key
        ends = datetime.now(UTC) + timedelta(hours=1)
        return {
            "Credentials": {
                "AccessKeyId": key_id,
                "AccessKeySecret": key.secret,
                "SecurityToken": key.token,
                "Expiration": _time(ends),
            }
        }

    def _assume_role_with_oidc(self, parameters: Mapping[str, str]) -> Mapping[str, object]:
        if (parameters.get("OIDCProviderArn"), parameters.get("OIDCToken")) != (_PROVIDER, self._oidc_token):
            raise Refusal(400, "AuthenticationFail.OIDCToken.Invalid", "This OIDC token is invalid.")
        return self._assume_role(parameters)


def _version(action: str) -> str:
    return "2015-04-01" if action in _OF_STS else "2016-01-20"


def _sent(parameters: Mapping[str, str]) -> Version:
    return Version(
        id=parameters["VersionId"],
        value=parameters["SecretData"],
        data_type=parameters.get("SecretDataType", "text"),
    )


def _shown(version: Version) -> dict[str, object]:
    stages = {"VersionStage": list(version.stages)}
    return {"VersionId": version.id, "VersionStages": stages, "CreateTime": _time(version.created)}


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
