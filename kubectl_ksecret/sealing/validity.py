"""What can be said of a certificate: each fact is judged here, and nowhere else.

Nothing here imports cryptography: `check` and `status` look at certificates that somebody else has read.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from ..frozen import Record

HINT = "kubeseal --fetch-cert prints the current one"


class Validity(Record):
    """When a certificate holds, and its fingerprint as OpenSSH prints it."""

    fingerprint: str
    not_before: datetime
    not_after: datetime


class Fact(NamedTuple):
    """What is wrong with a certificate, as a sentence."""

    kind: Literal["ended", "ends-soon", "not-begun", "another"]
    message: str


def judge(
    certificate: Validity, *, now: datetime, warn: timedelta = timedelta(0), recorded: Collection[str] = ()
) -> Iterator[Fact]:
    """Find what is wrong with a certificate.

    `warn` is how long before its end that is said; `recorded` are the fingerprints of what sealed the committed values.
    """
    if certificate.not_after <= now:
        yield Fact("ended", f"the certificate ended on {certificate.not_after:%Y-%m-%d}")
    elif certificate.not_after <= now + warn:
        yield Fact("ends-soon", f"the certificate ends on {certificate.not_after:%Y-%m-%d}")
    if certificate.not_before > now:
        yield Fact("not-begun", f"the certificate begins on {certificate.not_before:%Y-%m-%d}")
    if recorded and certificate.fingerprint not in recorded:
        yield Fact("another", "the certificate is another one than that of the sealed values")
