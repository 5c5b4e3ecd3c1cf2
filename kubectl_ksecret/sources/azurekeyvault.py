"""Azure Key Vault, through Azure's own SDK: read by name, compared by version, written once."""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged
from azure.identity import AzureAuthorityHosts, DefaultAzureCredential
from azure.keyvault.secrets import KeyVaultSecret, SecretClient, SecretProperties

from ..errors import InputError, Mistake, Refusal
from ..model.resolution import Environment
from ..model.types.names import KEY_VAULT_NAME, seconds
from ..model.types.sources import AzureKeyVault
from ..sensitive import Sensitive
from . import Progress, SourceValue, Version, sidebyside
from . import keyvaulterrors as errors
from .keyvaultretry import Patience

TAG = "ksecret-write"
_MAX_BYTES = 25_600
_WRITES = 5
_OTHERS = ("cert/", "key/")  # what External Secrets Operator reads beside secrets
_TIMEOUTS = {"connection_timeout": 10, "read_timeout": 30}
_AUTHORITIES = {
    ".vault.azure.cn": AzureAuthorityHosts.AZURE_CHINA,
    ".vault.usgovcloudapi.net": AzureAuthorityHosts.AZURE_GOVERNMENT,
}
T = TypeVar("T")


def open_source(environment: Environment, source: AzureKeyVault, progress: Progress) -> "KeyVault":
    """Open the vault of an overlay, signed in to as DefaultAzureCredential finds it.

    The authority is that of the vault's cloud, unless AZURE_AUTHORITY_HOST names another.
    """
    for name in ("azure", "msal", "urllib3"):  # their warnings quote answers
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    host = source.vault_url.removeprefix("https://").rstrip("/").partition(":")[0].lower()
    authorities = [authority for suffix, authority in _AUTHORITIES.items() if host.endswith(suffix)]
    named = {"authority": authorities[0]} if authorities and not os.environ.get("AZURE_AUTHORITY_HOST") else {}
    try:
        credential = DefaultAzureCredential(**_TIMEOUTS, **named)
    except (ValueError, OSError):
        message, hint = errors.not_set_up()
        raise Refusal(Mistake(message, source.origin.at(), hint)) from None
    client = SecretClient(
        source.vault_url.rstrip("/"),
        credential,
        # A vault that fails is asked again for half a minute; one that can't be reached is reported soon.
        retry_policy=Patience(
            source.vault_url.rstrip("/"), retry_status=6, retry_backoff_max=10, retry_connect=2, retry_read=2
        ),
        # No Key Vault sends a request elsewhere, and nobody else may see even its path.
        permit_redirects=False,
        **_TIMEOUTS,
    )
    return KeyVault(environment, source, client, progress)


class KeyVault:
    """One vault. Every failure is a Refusal that names the vault, the name and what to do."""

    def __init__(
        self, environment: Environment, source: AzureKeyVault, client: SecretClient, progress: Progress
    ) -> None:
        self._environment, self._source, self._client, self._progress = environment, source, client, progress
        self._url = self.shown = source.vault_url.rstrip("/")

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """Return the current version of each name that has one; reads no value, but where two are of one second.

        None of a certificate or key: External Secrets Operator reads them, and they are no secrets.
        """
        current = self._each([name for name in names if not name.startswith(_OTHERS)], self._current)
        untold = dict.fromkeys(name for name in names if name.startswith(_OTHERS))
        return untold | {name: version for name, version in current.items() if version is not None}

    def _current(self, name: str) -> Version | None:
        every = sorted(self._properties(name), key=_created)
        enabled = [version for version in every if version.enabled]
        if not enabled:
            return _version(every[-1]).but(withdrawn="disabled") if every else None
        newest = _created(every[-1]) == _created(enabled[-1])
        tied = [version for version in every if _created(version) == _created(enabled[-1])]
        if len(tied) > 1 and newest and all(version.enabled for version in tied):
            # Key Vault counts in seconds: of two versions of one second it alone knows the newer.
            return _version(self._get(name).properties)
        return _version(enabled[-1], newest=newest)

    def _properties(self, name: str) -> list[SecretProperties]:
        """Return all versions of a name; none of one that the vault does not have, whichever way it says so."""
        try:
            with _any_answer():
                return _all_pages(self._client.list_properties_of_secret_versions(_plain(name)))
        except HttpResponseError as error:
            if errors.is_absence(error):
                return []
            raise

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """Return the current values of the names that the vault has, each with its version."""
        values = self._each(names, self._read)
        return {name: value for name, value in values.items() if value is not None}

    def _read(self, name: str) -> SourceValue | None:
        try:
            return _found(self._get(name))
        except HttpResponseError as error:
            if errors.is_absence(error):
                return None
            current = self._current(name) if errors.code(error) == "SecretDisabled" else None
            if current is None or not current.enabled:
                raise
            return _found(self._get(name, current.id)).but(version=current)

    def read_versions(self, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], SourceValue]:
        """Return the values of those versions that the vault has."""
        return sidebyside.by_version(
            wanted, lambda versions: self._each(list(versions), partial(self._read_version, versions))
        )

    def describe_versions(self, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Version]:
        """Return what the vault has of those versions."""
        names = dict.fromkeys(name for name, _ in wanted if not name.startswith(_OTHERS))
        properties = self._each(list(names), self._properties)
        described = {name: {one.id: one for one in map(_version, every)} for name, every in properties.items()}
        return sidebyside.chosen(wanted, described)

    def _read_version(self, versions: Mapping[str, str], name: str) -> SourceValue | None:
        try:
            return _found(self._get(name, versions[name]))
        except HttpResponseError as error:
            if errors.is_absence(error):
                return None
            if errors.code(error) == "SecretDisabled":
                raise errors.VersionDisabled("disabled") from None
            raise

    def _get(self, name: str, version: str | None = None) -> KeyVaultSecret:
        with _any_answer():
            secret = self._client.get_secret(_plain(name), version)
        if not isinstance(secret.value, str) or not secret.properties.version:
            raise ValueError  # an empty secret must never be made of an answer that holds none
        return secret

    def _each(self, names: Collection[str], call: Callable[[str], T]) -> Mapping[str, T]:
        """Call for all names, several side by side, and tell all that is wrong at once."""
        self._refuse_bad(names)
        results, failures = sidebyside.ask(
            names,
            call,
            parallelism=self._source.parallelism,
            failures=sidebyside.Failures(errors.FAILURES, _ends),
            progress=self._progress,
        )
        if failures:
            raise self._refusal(failures)
        return results

    def _refuse_bad(self, names: Collection[str]) -> None:
        """Raise InputError for names that no vault takes: they may even lead to another place of it."""
        place = self._source.origin.at()
        wrong = [name for name in names if not KEY_VAULT_NAME.fullmatch(_plain(name))]
        if wrong:
            hint = "a name in Key Vault has up to 127 letters, digits and -; set remoteName, or source.names"
            raise InputError(*(Mistake(f"Key Vault takes no name like {name}", place, hint) for name in wrong))

    def _refusal(self, failures: Mapping[str, Exception]) -> Refusal:
        mistakes = []
        for name, error in failures.items():
            message, hint = errors.report(error, self._url, name)
            mistakes.append(Mistake(message, self._source.origin.at("vaultUrl"), hint))
        return Refusal(*mistakes)

    def names(self) -> Collection[str]:
        """Return the vault's names, where listing is allowed."""
        try:
            with _any_answer():
                return [secret.name for secret in _all_pages(self._client.list_properties_of_secrets()) if secret.name]
        except errors.FAILURES:
            return ()

    def refused(self, name: str, value: Sensitive) -> str:
        """Key Vault holds text, and not much of it, under a name of its own kind."""
        if not KEY_VAULT_NAME.fullmatch(name):  # as of what the operator reads of a certificate
            return f"Key Vault takes no secret of a name like {name}"
        try:
            value.reveal().decode()
        except UnicodeDecodeError:
            return "Key Vault holds text alone; add encoding: base64 to the key"
        return f"Key Vault holds {_MAX_BYTES} bytes at most" if len(value.reveal()) > _MAX_BYTES else ""

    def write(self, name: str, value: Sensitive, id_: str) -> None:
        """Write a new version, once for each id; tags and content type of the newest are kept."""
        for attempt in range(1, _WRITES + 1):
            try:
                every = self._properties(name)
                if not _carries(every, id_):
                    self._set(name, value, id_, max(every, key=_created, default=None))
                return
            except errors.FAILURES as error:
                if attempt == _WRITES or not errors.may_pass(error):
                    raise self._refusal({name: error}) from None
                time.sleep(errors.pause(error, attempt))

    def written(self, name: str, id_: str) -> bool:
        """Whether a version carries the id."""
        try:
            return _carries(self._properties(name), id_)
        except errors.FAILURES as error:
            raise self._refusal({name: error}) from None

    def _set(self, name: str, value: Sensitive, id_: str, newest: SecretProperties | None) -> None:
        policy = self._source.write
        tags = {**((newest and newest.tags) or {}), **(policy.tags if policy else {}), TAG: id_}
        lives = policy and policy.expires_after
        with _any_answer():
            self._client.set_secret(
                name,
                value.reveal().decode(),
                tags=tags,
                content_type=(policy and policy.content_type) or (newest and newest.content_type) or None,
                expires_on=datetime.now(UTC) + timedelta(seconds=seconds(lives)) if lives else None,
                # The SDK must not repeat it: behind an answer that got lost may stand a version that was made.
                retry_total=0,
            )


def _ends(error: Exception, succeeded: bool) -> bool:
    """Whether other names would fail as well. Roles may be given for a secret each: all that lack one are reported."""
    return errors.concerns_all(error) and not (succeeded and errors.is_of_roles(error))


def _plain(name: str) -> str:
    """Return the name in the vault of what External Secrets Operator may also call secret/NAME."""
    return name.removeprefix("secret/")


@contextmanager
def _any_answer() -> Iterator[None]:
    """Raise ValueError for an answer of another shape: the SDK takes that of Key Vault for granted."""
    try:
        yield
    except (AttributeError, TypeError):
        raise ValueError from None


def _all_pages(paged: ItemPaged[T]) -> list[T]:
    """Return the elements of all pages. Raises ValueError for a link that leads to a page that was read already."""
    pages: Any = paged.by_page()
    elements: list[T] = []
    links: set[str] = set()
    for page in pages:
        elements += page
        if pages.continuation_token in links:
            raise ValueError("the pages lead round")
        links.add(pages.continuation_token)
    return elements


def _carries(versions: Collection[SecretProperties], id_: str) -> bool:
    return any((version.tags or {}).get(TAG) == id_ for version in versions)


def _created(properties: SecretProperties) -> datetime:
    return _moment(properties.created_on) or datetime.min.replace(tzinfo=UTC)


def _moment(attribute: object) -> datetime | None:
    """Return a time; None for one after the year 9999, as of seconds that are milliseconds, which is as good as never.

    The SDK hands out the number then.
    """
    return attribute if isinstance(attribute, datetime) else None


def _version(properties: SecretProperties, *, newest: bool = True) -> Version:
    return Version(
        id=properties.version or "",
        created=_moment(properties.created_on),
        expires=_moment(properties.expires_on),
        not_before=_moment(properties.not_before),
        withdrawn="disabled" if properties.enabled is False else "",
        newest=newest,
    )


def _found(secret: KeyVaultSecret) -> SourceValue:
    return SourceValue(value=Sensitive((secret.value or "").encode()), version=_version(secret.properties))
