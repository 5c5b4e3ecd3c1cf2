"""What is stale, missing, due or about to end: as a table, or as an object."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from ... import yamlio
from ...actions.status import CertificateStatus, Status, StatusRow
from ...model.loading import API_VERSION
from ...model.resolution import Remote
from ...sources import Problem, Version
from .inventory import table

_HEAD = ("OVERLAY", "KEY", "IN SOURCE", "VERSION", "AGE", "EXPIRES", "SEALED", "BY", "STATE")


def text(status: Status, output: str, now: datetime, width: int | None = None) -> str:
    """Return the status in an output format, with ages counted to `now`; a table fits into `width`."""
    if output == "json":
        return json.dumps(_object(status), indent=2, ensure_ascii=False) + "\n"
    if output == "yaml":
        return yamlio.dump([_object(status)])
    lines = [f"{certificate.environment}: {_certificate(certificate)}\n" for certificate in status.certificates]
    rows = [_HEAD, *(_row(row, now) for row in status.rows)]
    return table(rows, None if output == "wide" else width) + "".join(lines)


def _row(row: StatusRow, now: datetime) -> tuple[str, ...]:
    versions = list(row.read.values())
    return (
        row.environment,
        f"{row.secret}/{row.key}",
        ", ".join(remote.shown() for remote in row.read),
        ", ".join(_pinned_or_newest(remote, version) for remote, version in row.read.items()) or "-",
        ", ".join(_age(version, now) for version in versions) or "-",
        ", ".join(f"{v.expires:%Y-%m-%d}" if v and v.expires else "-" for v in versions) or "-",
        row.sealed.time[:10] if row.sealed else "-",
        row.sealed.by.removeprefix("SHA256:")[:8] if row.sealed else "-",
        _state(row),
    )


def _pinned_or_newest(remote: Remote, version: Version | None) -> str:
    return (remote.version or (version.id if version else "-"))[:8]


def _age(version: Version | None, now: datetime) -> str:
    if version is None or version.created is None:
        return "-"
    age = max(now - version.created, timedelta())  # the vault's clock may be ahead of ours
    return f"{age.days}d" if age.days else f"{age.seconds // 3600}h"


def _state(row: StatusRow) -> str:
    if row.problems:
        return "; ".join(problem.message for problem in row.problems)
    if not any(row.read.values()) and row.read:
        state = "ok, as far as can be told" if row.asked else "ok; the source was not asked"
    else:
        state = "ok"
    pinned = [(remote, version) for remote, version in row.read.items() if remote.version]
    if pinned:
        newer = any(version and version.id != remote.version for remote, version in pinned)
        state += "; pinned, the source has a newer version" if newer else "; pinned"
    return f"{state}; unrecorded" if row.unrecorded else state


def _certificate(certificate: CertificateStatus) -> str:
    if certificate.problems:
        return "; ".join(problem.message for problem in certificate.problems)
    return f"sealed for {certificate.fingerprint}, until {certificate.ends:%Y-%m-%d}"


def _object(status: Status) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Status",
        "items": [
            {
                "overlay": row.environment,
                "secret": row.secret,
                "key": row.key,
                "asked": row.asked,
                "source": [_version(remote, version) for remote, version in row.read.items()],
                "sealed": {"time": row.sealed.time, "by": row.sealed.by, "version": row.sealed.version}
                if row.sealed
                else None,
                "unrecorded": row.unrecorded,
                "problems": _problems(row.problems),
            }
            for row in status.rows
        ],
        "certificates": [
            {
                "overlay": certificate.environment,
                "fingerprint": certificate.fingerprint or None,
                "ends": _time(certificate.ends),
                "problems": _problems(certificate.problems),
            }
            for certificate in status.certificates
        ],
    }


def _version(remote: Remote, version: Version | None) -> dict[str, object]:
    stated = {"name": remote.name, "property": remote.property, "pinned": remote.version}
    name = {field: text for field, text in stated.items() if text}
    if version is None:
        return {**name, "version": None}
    return {
        **name,
        "version": version.id,
        "created": _time(version.created),
        "expires": _time(version.expires),
        "notBefore": _time(version.not_before),
    }


def _problems(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [{"reason": problem.reason, "message": problem.message} for problem in problems]


def _time(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
