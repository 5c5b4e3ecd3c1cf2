"""What Alibaba's SDK raises, in words of ours: its exceptions hold requests and answers, and so values."""

from typing import Literal

from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from darabonba.exceptions import RetryError
from Tea.exceptions import TeaException, UnretryableException

from . import tlsfaults

# The SDK raises the others too, for an answer of another shape than it expects and for files that can't be read.
RAISED = (TeaException, UnretryableException, RetryError, ValueError, TypeError, AttributeError, LookupError, OSError)

Kind = (
    Literal["refused", "strange", "cut", "slow", "untrusted", "ca", "unreached", "unversioned", "redirect"]
    | tlsfaults.Kind
)
Report = tuple[str, str]  # message and hint

_ABSENT = "Forbidden.ResourceNotFound"
_EXISTS = "Rejected.ResourceExist"
_DELETED = "Rejected.ResourceInDeleteWindow"
_FORBIDDEN = ("Forbidden", "NoPermission", "AccessDenied")
_KEY_HINT = "check ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
_REDIRECTS = "sends the request elsewhere, where nothing is sent"
_CLOCK_HINT = "check the clock of this machine"


class KmsFailure(Exception):
    """A request that failed; it holds codes, and nothing of a request or an answer.

    `asked` is how many seconds the service asks to wait.
    """

    def __init__(self, kind: Kind, *, status: int = 0, code: str = "", asked: float = 0.0) -> None:
        super().__init__(kind)
        self.kind, self.status, self.code, self.asked = kind, status, code, asked

    @property
    def throttled(self) -> bool:
        """Whether the service refuses for the number of requests alone."""
        return self.kind == "refused" and (self.status == 429 or "Throttling" in self.code)

    @property
    def absent(self) -> bool:
        """Whether the service says that it has no secret of this name; a proxy's page has no code."""
        return self.code == _ABSENT

    @property
    def deleted(self) -> bool:
        """Whether the secret is planned to be deleted: nobody reads it any more, and its name stays taken."""
        return self.code == _DELETED

    @property
    def exists(self) -> bool:
        """Whether there is such a secret, or such a version of it, already."""
        return self.code == _EXISTS

    @property
    def attempts(self) -> int:
        """How often the same request is worth making: one that was carried out makes no second version."""
        if self.kind == "refused":
            return 7 if self.status >= 500 else 1
        return 1 if self.kind in ("untrusted", "ca", "redirect", *tlsfaults.REPORTS) else 3

    @property
    def concerns_all(self) -> bool:
        """Whether other names would fail in the same way: all but what is said of the one name."""
        of_one = (_DELETED, "Rejected.Unavailable", "Forbidden.NoPermission", "InvalidParameter")
        return self.kind != "unversioned" and self.code not in of_one


def failure(error: Exception) -> KmsFailure:
    """Return what an exception of the SDK means."""
    if isinstance(error, AlibabaCloudException):
        asked = getattr(error, "retry_after", None) or 0  # milliseconds
        code, status = _plain(error.code), _number(error.status_code)
        # KMS says no with a code; a page of some other server has none, but for what any gateway may say.
        kind: Kind = "refused" if code or status >= 500 or status == 429 else "strange"
        return KmsFailure(kind, status=status, code=code, asked=asked / 1e3)
    inner = getattr(error, "inner_exception", None) or error
    if isinstance(inner, RetryError):  # of the HTTP client; its text may quote what was sent, and is only searched
        return KmsFailure(_kind_of(str(inner.message)))
    if isinstance(inner, OSError):
        return KmsFailure("ca")
    return KmsFailure("strange")


def _kind_of(text: str) -> Kind:
    if kind := tlsfaults.kind(text):
        return kind
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "untrusted"
    if "CA certificate bundle" in text or "[X509" in text:
        return "ca"
    if text.startswith("Exceeded 0 redirects"):
        return "redirect"
    if "timed out" in text or "Connection aborted" in text:
        return "slow"
    if "IncompleteRead" in text or "Connection broken" in text:
        return "cut"
    return "unreached"


def _plain(code: object) -> str:
    """Return a code if it is one: what a stranger answers may be anything."""
    text = code if isinstance(code, str) and code != "None" else ""
    return text if len(text) <= 80 and text.replace(".", "").replace("_", "").isalnum() and text.isascii() else ""


def _number(status: object) -> int:
    return status if isinstance(status, int) else 0


def report(error: KmsFailure, host: str, name: str) -> Report:
    """Return what went wrong with a name, and what to do."""
    if error.kind != "refused":
        return _of_the_way(error.kind, host, name)
    if error.throttled:
        return (
            f"{host} is throttling; gave up at {name} ({error.status})",
            "try again later, or set a lower parallelism",
        )
    if of_code := _of_code(error.code, error.status, host, name):
        return of_code
    if error.status >= 500:
        return f"{host} failed for {name} ({error.status})", "try again later"
    return f"{host} refused {name} ({error.code})", "look the code up in Alibaba Cloud's API Error Center"


def report_of_role(error: KmsFailure, host: str) -> Report:
    """Return why no role was assumed, and what to do; `host` is that of STS."""
    if error.code.startswith(_FORBIDDEN):
        hint = "RAM must allow who asks sts:AssumeRole, and the role's trust policy must name who asks"
        return f"{host}: no permission to assume the role ({error.code})", hint
    if error.kind in ("strange", "redirect"):
        hint = "check ALIBABA_CLOUD_STS_ENDPOINT if it is set, and the proxy if there is one"
        return f"{host} {'does not answer as STS' if error.kind == 'strange' else _REDIRECTS}", hint
    return report(error, host, "the role")


def _of_the_way(kind: Kind, host: str, name: str) -> Report:
    """Say why there is no answer that could be read."""
    match kind:
        case "other-host" | "certificate-expired" | "not-yet-valid":
            message, hint = tlsfaults.REPORTS[kind]
            return f"{host}{message}", hint
        case "untrusted":
            hint = "source.alibabaKms.caFile or REQUESTS_CA_BUNDLE must name the CA that its certificate is from"
            return f"{host}: its certificate is not trusted", hint
        case "ca":
            hint = "source.alibabaKms.caFile or REQUESTS_CA_BUNDLE must name a file of certificates in PEM"
            return f"{host}: the trusted certificates can't be read", hint
        case "cut":
            return f"{host}: the answer for {name} was cut off", "try again; a proxy on the way may be at fault"
        case "slow":
            return f"{host} gave no answer for {name}", "try again; it took too long, or the connection was cut"
        case "unversioned":
            hint = "only generic secrets are read by version: leave the version of its keys out"
            return f"{host} gives {name} in its current version alone", hint
        case "redirect":
            hint = "check source.alibabaKms.endpoint, and the proxy if there is one"
            return f"{host} {_REDIRECTS}", hint
        case "strange":
            hint = "check source.alibabaKms.endpoint, and the proxy if there is one"
            return f"{host} does not answer as KMS", hint
    return f"{host} can't be reached", "check source.alibabaKms, the network, and HTTPS_PROXY if it is set"


def _of_code(code: str, status: int, host: str, name: str) -> Report | None:
    if code == _ABSENT:
        return f"{host} has no secret {name}", "set it there, or correct remoteName or source.names"
    if code == _DELETED:
        return f"{host}: {name} is planned to be deleted", f"aliyun kms RestoreSecret --SecretName {name}"
    if code == "Rejected.Unavailable":
        return f"{host}: {name} is not available", "check the key of KMS that encrypts it"
    if code == "Rejected.LimitExceeded":
        return f"{host}: there are too many secrets, so {name} can't be made", "raise the quota of KMS"
    if code in ("Forbidden.KeyNotFound", "Forbidden.AliasNotFound"):
        hint = "check source.alibabaKms.create.encryptionKeyId; an instance of KMS has keys of its own"
        return f"{host} has no key to encrypt {name} with ({code})", hint
    # Other codes begin so as well: a 404 of Forbidden.… says that something is not there.
    if code.startswith(_FORBIDDEN) and status == 403:
        hint = "the RAM policy must allow kms:GetSecretValue, kms:ListSecretVersionIds and kms:Decrypt; to write also "
        hint += "kms:PutSecretValue, kms:CreateSecret and kms:GenerateDataKey"
        return f"{host}: no permission for {name} (403)", hint
    return _of_sign_in(code, host)


def _of_sign_in(code: str, host: str) -> Report | None:
    """Say why a service does not accept who asks; nothing for a code that is about something else."""
    if code.startswith("InvalidAccessKeyId"):
        return f"{host} does not know the access key ({code})", _KEY_HINT
    if code in ("SignatureDoesNotMatch", "IncompleteSignature", "InvalidAccessKeySecret"):
        return f"{host} refuses the signature ({code})", _KEY_HINT
    if code.startswith(("InvalidTimeStamp", "IllegalTimestamp", "SignatureNonceUsed", "RequestTimeTooSkewed")):
        return f"{host} refuses the time of the request ({code})", _CLOCK_HINT
    if code.startswith(("InvalidSecurityToken", "MissingSecurityToken", "SecurityTokenExpired")):
        return f"{host} refuses the security token ({code})", "sign in anew; such a token holds for an hour or so"
    if code.startswith("EntityNotExist"):
        return f"{host} does not know the role ({code})", "check ALIBABA_CLOUD_ROLE_ARN"
    if code.startswith("AuthenticationFail"):
        hint = "check ALIBABA_CLOUD_OIDC_PROVIDER_ARN, and the role's trust policy"
        return f"{host} refuses the OIDC token ({code})", hint
    return None
