"""What is stale, missing, due or about to end: as a table, or as an object."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from ... import yamlio
from ...actions.status import CertificateStatus, ReadName, Status, StatusRow
from ...model.loading import API_VERSION
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
    versions = [read.version for read in row.read]
    return (
        row.environment,
        f"{row.secret}/{row.key}",
        ", ".join(read.remote.shown() for read in row.read),
        ", ".join(map(_version_of, row.read)) or "-",
        ", ".join(_age(version, now) for version in versions) or "-",
        ", ".join(f"{v.expires:%Y-%m-%d}" if v and v.expires else "-" for v in versions) or "-",
        row.sealed.time[:10] if row.sealed else "-",
        row.sealed.by.removeprefix("SHA256:")[:8] if row.sealed else "-",
        _state(row),
    )


def _version_of(read: ReadName) -> str:
    return (read.remote.version or (read.version.id if read.version else "-"))[:8]


def _age(version: Version | None, now: datetime) -> str:
    if version is None or version.created is None:
        return "-"
    age = max(now - version.created, timedelta())  # the vault's clock may be ahead of ours
    return f"{age.days}d" if age.days else f"{age.seconds // 3600}h"


def _state(row: StatusRow) -> str:
    if row.problems:
        return "; ".join(problem.message for problem in row.problems)
    if row.read and not any(read.version for read in row.read):
        state = "ok, as far as can be told" if row.asked else "ok; the source was not asked"
    else:
        state = "ok"
    if any(read.is_behind for read in row.read):
        state += "; pinned, the source has a newer version"
    elif any(read.remote.version for read in row.read):
        state += "; pinned"
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
                "source": [_read(read) for read in row.read],
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


def _read(read: ReadName) -> dict[str, object]:
    """Return a name with what is pinned, if it is, and the version that is current in the source."""
    remote = read.remote
    stated = {"name": remote.name, "property": remote.property, "pinned": remote.version}
    name: dict[str, object] = {field: text for field, text in stated.items() if text}
    if remote.version:
        name |= {"pinnedCreated": _time(read.version.created if read.version else None), "behind": read.is_behind}
    if read.current is None:
        return {**name, "version": None}
    return {
        **name,
        "version": read.current.id,
        "created": _time(read.current.created),
        "expires": _time(read.current.expires),
        "notBefore": _time(read.current.not_before),
    }


def _problems(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [{"reason": problem.reason, "message": problem.message} for problem in problems]


def _time(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
