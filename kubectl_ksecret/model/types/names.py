"""Text with a form of its own: plain `str` to the type checker, checked when it is read."""

import re
from typing import Annotated

from .forms import Form

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_PART = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
KEY_PATTERN = r"(?!\.\.)(?!\.$)[-._a-zA-Z0-9]+"

Name = Annotated[str, Form("a Kubernetes name (lower case letters, digits, - and .)", _SUBDOMAIN, 253)]
Namespace = Annotated[str, Form("a namespace (lower case letters, digits and -)", _LABEL, 63)]
KeyName = Annotated[str, Form("a name of a Secret's key (letters, digits, -, _ and .)", KEY_PATTERN, 253)]
LabelName = Annotated[
    str, Form("a label name such as app.kubernetes.io/name", rf"((?=[^/]{{1,253}}/){_SUBDOMAIN}/)?{_PART}")
]
AnnotationName = Annotated[
    # The API server takes an annotation's prefix in upper case too, not a label's.
    str,
    Form(
        "an annotation name such as argocd.argoproj.io/sync-wave",
        rf"((?=[^/]{{1,253}}/){_SUBDOMAIN.replace('a-z', 'A-Za-z')}/)?{_PART}",
    ),
]
LabelValue = Annotated[str, Form("a label value (letters, digits, -, _ and .)", rf"({_PART})?", 63)]
Line = Annotated[str, Form("text of one line", r" *[^\x00-\x20\x7f][^\x00-\x1f\x7f]*")]
Path = Annotated[str, Form("a path without control characters", r"[^\x00-\x1f\x7f]+")]
Argument = Annotated[str, Form("an argument of a command", r"[^\x00]+")]
Pattern = Annotated[str, Form("a regular expression", r"[\s\S]+")]
Reason = Annotated[
    str, Form("the reason, in words", r"\s*\S[\s\S]*", hint="say why it is absent, as omit: Not deployed in production")
]
LiteralReason = Annotated[
    str,
    Form(
        "the reason, in words",
        r"\s*\S[\s\S]*",
        hint="say why the value is meant as it is, as literal: The application expands it itself",
    ),
]
Property = Annotated[str, Form("a property such as password, or database.password", r"[^\x00-\x1f\x7f]+", 1024)]
Address = Annotated[str, Form("an address, SECRET/KEY", rf"{_SUBDOMAIN}/[-._a-zA-Z0-9]+")]
Duration = Annotated[str, Form("a duration such as 1h or 30m", r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+|0")]
Period = Annotated[str, Form("a period such as 90d, 12h or 30m", r"[1-9][0-9]{0,4}[dhm]")]
Date = Annotated[str, Form("a date as 2026-12-31", r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")]
FieldPath = Annotated[
    str, Form("a path of fields such as spec/credentials/secretName", r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
]
ObjectName = Annotated[
    str,
    Form(
        "an object, as Secret/app-secrets or Secret/shop/app-secrets, or File/ and a path",
        r"[A-Za-z0-9]+(/[^/\s]+){1,2}|File(/[^/\x00-\x1f\x7f]+)+",
    ),
]
Uid = Annotated[str, Form("the UID of an object in a cluster", r"[0-9A-Za-z-]{8,64}")]
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
HttpsUrl = Annotated[str, Form("an https:// URL of a host", rf"https://[A-Za-z0-9.-]+(:{_PORT})?/?")]
HostName = Annotated[
    str, Form("a host such as kms.example.org, with its port if it has one", rf"[A-Za-z0-9.-]+(:{_PORT})?")
]
RegionName = Annotated[str, Form("a region such as cn-hangzhou", r"[a-z0-9]+(-[a-z0-9]+)+")]
_LOOPBACK = r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])"
VaultAddress = Annotated[
    str,
    Form(
        "an address such as https://vault.example:8200",
        rf"(https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])|http://{_LOOPBACK})(:{_PORT})?/?",
        hint="without a path; http:// is taken for loopback addresses alone, such as http://127.0.0.1:8200",
    ),
]
VaultPath = Annotated[
    str,
    Form(
        "a path in Vault such as secret or team/kv",
        r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*",
        hint="letters, digits and ._- between slashes, without a slash at its ends",
    ),
]
# The second form is that of post-quantum keys.
_AGE_RECIPIENT = r"age1[02-9ac-hj-np-z]{58}|age1pq1[02-9ac-hj-np-z]{1952}"
AgeRecipient = Annotated[str, Form("an age recipient (age1…)", _AGE_RECIPIENT)]

KEY_VAULT_NAME = re.compile("[0-9a-zA-Z-]{1,127}")
ALIBABA_KMS_NAME = re.compile(r"(?!acs/)[A-Za-z0-9_/+=.@-]{1,192}")

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(duration: str) -> float:
    """Return a Duration or a Period in seconds."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h|d)", duration))


def is_date(text: str) -> bool:
    """Whether a text is a Date."""
    form: Form = Date.__metadata__[0]  # type: ignore[attr-defined]
    return form.fits(text)


def is_object_name(text: str) -> bool:
    """Whether a text is an ObjectName."""
    form: Form = ObjectName.__metadata__[0]  # type: ignore[attr-defined]
    return form.fits(text)
