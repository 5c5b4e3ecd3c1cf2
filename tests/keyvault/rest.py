"""The REST API of the vault: paths and JSON in, the vault's rules, JSON out."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .answers import Answer, Refusal, Request, refusal
from .vault import RETENTION, Attributes, Deleted, Vault, Version

MAX_PAGE = 25


class SecretsApi:
    """Answers what a client that is signed in asks of `/secrets` and `/deletedsecrets`."""

    def __init__(self, vault: Vault, url: str, page_size: int) -> None:
        self._vault = vault
        self._url = url
        self._page_size = page_size

    def answer(self, request: Request) -> Answer:
        """The vault's answer, a refusal included."""
        try:
            return self._answer(request)
        except Refusal as refused:
            return refused.answer

    def _answer(self, request: Request) -> Answer:
        vault = self._vault
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["secrets"]:
                return self._page(request, vault.every_newest(), lambda version: version.name.lower(), self._named)
            case "GET", ["secrets", name, "versions"]:
                # As the real vault: in the order of their random ids, and an empty page, no 404, for an unknown name.
                return self._page(request, vault.versions(name), lambda version: version.id, self._version)
            case "GET", ["secrets", name, *version]:
                return self._with_value(vault.get(name, "".join(version)))
            case "PUT", ["secrets", name]:
                asked = _body(request)
                if not isinstance(asked.get("value"), str):
                    raise Refusal(400, "BadParameter", "Property value is required.")
                return self._with_value(vault.set(name, asked["value"], **_attributes(asked)))
            case "PATCH", ["secrets", name, *version]:
                return Answer(200, self._version(vault.update(name, "".join(version), **_attributes(_body(request)))))
            case "DELETE", ["secrets", name]:
                return Answer(200, self._removed(vault.delete(name)))
            case "GET", ["deletedsecrets", name]:
                return Answer(200, self._removed(vault.deleted(name)))
            case "POST", ["deletedsecrets", name, "recover"]:
                return Answer(200, self._version(vault.recover(name)))
            case "DELETE", ["deletedsecrets", name]:
                vault.purge(name)
                return Answer(204, {})
        return refusal(400, "BadParameter", f"The double has no {request.method} {request.path}")

    def _page(
        self,
        request: Request,
        versions: list[Version],
        key: Callable[[Version], str],
        show: Callable[[Version], dict[str, object]],
    ) -> Answer:
        """A page; its link holds the last key, so that what is set between two pages shifts nothing."""
        asked = int(request.query.get("maxresults", self._page_size))
        if not 1 <= asked <= max(MAX_PAGE, self._page_size):
            raise Refusal(400, "BadParameter", f"maxresults must be between 1 and {MAX_PAGE}")
        marker = base64.urlsafe_b64decode(request.query.get("$skiptoken", "")).decode()
        rest = sorted((version for version in versions if key(version) > marker), key=key)
        page = rest[: min(asked, self._page_size)]
        link = None
        if len(rest) > len(page):
            token = base64.urlsafe_b64encode(key(page[-1]).encode()).decode()
            version = request.query.get("api-version", "")
            link = f"{self._url}{request.path}?api-version={version}&$skiptoken={token}&maxresults={asked}"
        return Answer(200, {"value": [show(version) for version in page], "nextLink": link})

    def _with_value(self, version: Version) -> Answer:
        return Answer(200, {"value": version.value, **self._version(version)})

    def _version(self, version: Version) -> dict[str, object]:
        return self._shown(version, f"{self._url}/secrets/{version.name}/{version.id}")

    def _named(self, version: Version) -> dict[str, object]:
        return self._shown(version, f"{self._url}/secrets/{version.name}")

    def _removed(self, deleted: Deleted) -> dict[str, object]:
        newest = max(deleted.versions, key=lambda version: version.age)
        return {
            "recoveryId": f"{self._url}/deletedsecrets/{newest.name}",
            "deletedDate": _seconds(deleted.deleted_on),
            "scheduledPurgeDate": _seconds(deleted.deleted_on + RETENTION),
            **self._version(newest),
        }

    def _shown(self, version: Version, identifier: str) -> dict[str, object]:
        """What the real vault shows: a member that has nothing to say is left out, tags too."""
        attributes = {
            "enabled": version.enabled,
            "nbf": _seconds(version.not_before),
            "exp": _seconds(version.expires_on),
            "created": _seconds(version.created_on),
            "updated": _seconds(version.updated_on),
            "recoveryLevel": "CustomizedRecoverable+Purgeable",
            "recoverableDays": RETENTION.days,
        }
        shown: dict[str, object] = {
            "id": identifier,
            "attributes": {name: value for name, value in attributes.items() if value is not None},
        }
        if version.content_type is not None:
            shown["contentType"] = version.content_type
        if version.tags:
            shown["tags"] = dict(version.tags)
        return shown


def _body(request: Request) -> dict[str, Any]:
    try:
        read = json.loads(request.body)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise Refusal(400, "BadParameter", "The request body is no JSON object.")
    return read


def _attributes(asked: dict[str, Any]) -> Attributes:
    """The attributes that the request names; the others stay as they are."""
    attributes = Attributes()
    given = asked.get("attributes") or {}
    if "enabled" in given:
        attributes["enabled"] = bool(given["enabled"])
    if "nbf" in given:
        attributes["not_before"] = _time(given["nbf"])
    if "exp" in given:
        attributes["expires_on"] = _time(given["exp"])
    if "contentType" in asked:
        attributes["content_type"] = asked["contentType"]
    if "tags" in asked:
        attributes["tags"] = dict(asked["tags"] or {})
    return attributes


def _seconds(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
