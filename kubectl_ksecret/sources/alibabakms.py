"""Secrets Manager of Alibaba Cloud KMS, through Alibaba's own SDK: read by name, compared and written by version."""

import binascii
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from alibabacloud_kms20160120 import models
from alibabacloud_kms20160120.client import Client

from ..errors import InputError, Mistake, Refusal
from ..model.resolution import Environment
from ..model.types.names import ALIBABA_KMS_NAME
from ..model.types.sources import AlibabaKms
from ..sensitive import Sensitive
from . import Progress, SourceValue, Version, sidebyside
from . import alibabaerrors as errors
from .alibabaerrors import KmsFailure
from .alibabasignin import SignIn
from .moments import moment
from .patience import PATIENCE, Throttling

MAX_BYTES = 30_720
_CURRENT, _TEXT, _BYTES = "ACSCurrent", "text", "binary"
_PAGE = 100
_PAUSE = 0.25  # seconds, and twice as long with each attempt
T = TypeVar("T")


def open_source(environment: Environment, source: AlibabaKms, progress: Progress) -> "Kms":
    """Open KMS, signed in to as the environment states. Raises Refusal where it states no way, or the way fails."""
    for name in ("darabonba-core", "alibabacloud-tea", "credentials", "urllib3"):  # with DEBUG=sdk they print requests
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    ca_file = str(environment.path(source.ca_file)) if source.ca_file else None
    credentials = SignIn(source.region, ca_file, source.origin.at()).credentials()
    return Kms(source, Client(credentials.config(source.host, ca_file)), progress)


class Kms:
    """The secrets of one region. Every failure is a Refusal that names the service, the name and what to do.

    No object of the SDK is ever turned into text: that would show values.
    """

    def __init__(self, source: AlibabaKms, client: Client, progress: Progress) -> None:
        self._source, self._client, self._progress = source, client, progress
        self._host = self.shown = source.host
        self._throttling = Throttling(self._host)

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """Return the current version of each name that has one; reads no value."""
        return self._present(names, self._current)

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """Return the current values of the names that KMS has, each with its version."""
        return self._present(names, self._read)

    def read_versions(self, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], SourceValue]:
        """Return the values of those versions that KMS still has."""
        return sidebyside.by_version(
            wanted, lambda versions: self._present(versions, lambda name: self._read(name, versions[name]))
        )

    def describe_versions(self, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Version]:
        """Return what KMS has of those versions, also of those that have no stage any more."""
        names = list(dict.fromkeys(name for name, _ in wanted))
        listed = self._present(names, lambda name: self._listed(name, deprecated=True))
        described = {name: {one.id: one for one in map(_version, every)} for name, every in listed.items()}
        return sidebyside.chosen(wanted, described)

    def names(self) -> Collection[str]:
        """Return the names, where listing is allowed."""
        names: list[str] = []
        try:
            for number in range(1, 1_000):
                page = self._page(number)
                names += [str(secret.secret_name) for secret in page]
                if len(page) < _PAGE:
                    break
        except KmsFailure:
            return ()
        return names

    def _page(self, number: int) -> list[Any]:
        request = models.ListSecretsRequest(page_number=number, page_size=_PAGE)
        return self._call(lambda: list(self._client.list_secrets(request).body.secret_list.secret))

    def refused(self, name: str, value: Sensitive) -> str:
        """KMS holds text or bytes, and not much of it, under a name of its own kind."""
        if not ALIBABA_KMS_NAME.fullmatch(name):
            return f"KMS takes no secret of a name like {name}"
        return f"KMS holds {MAX_BYTES} bytes at most" if len(_sent(value)["secret_data"].encode()) > MAX_BYTES else ""

    def write(self, name: str, value: Sensitive, id_: str) -> None:
        """Write a new version, once for each id: it is the version's own, and KMS takes none twice."""
        try:
            try:
                self._put(name, value, id_)
            except KmsFailure as failure:
                if not failure.absent:
                    raise
                self._create(name, value, id_)
        except KmsFailure as failure:
            raise self._refusal({name: failure}) from None

    def written(self, name: str, id_: str) -> bool:
        """Whether a version has the id, the current one or an older one."""
        try:
            return any(version.version_id == id_ for version in self._listed(name, deprecated=True))
        except KmsFailure as failure:
            raise self._refusal({name: failure}) from None

    def _put(self, name: str, value: Sensitive, id_: str) -> None:
        def put() -> None:
            self._client.put_secret_value(
                models.PutSecretValueRequest(secret_name=name, version_id=id_, **_sent(value))
            )

        try:
            self._call(put)
        except KmsFailure as failure:
            if not failure.exists:  # this id was written before, by the run that had it
                raise

    def _create(self, name: str, value: Sensitive, id_: str) -> None:
        policy = self._source.create

        def create() -> None:
            self._client.create_secret(
                models.CreateSecretRequest(
                    secret_name=name,
                    version_id=id_,
                    dkmsinstance_id=policy.instance_id if policy else None,
                    encryption_key_id=policy.encryption_key_id if policy else None,
                    **_sent(value),
                )
            )

        try:
            self._call(create)
        except KmsFailure as failure:
            if not failure.exists:
                raise
            # Somebody else made it since, or this request did, and its answer got lost.
            self._put(name, value, id_)

    def _current(self, name: str) -> Version | None:
        current = [version for version in self._listed(name) if _CURRENT in _stages(version)]
        return _version(current[0]) if current else None

    def _listed(self, name: str, *, deprecated: bool = False) -> list[Any]:
        """Return the versions of a name; none of one that KMS does not have, or is to delete."""
        request = models.ListSecretVersionIdsRequest(
            secret_name=name, include_deprecated=str(deprecated).lower(), page_number=1, page_size=_PAGE
        )
        try:
            return self._call(lambda: list(self._client.list_secret_version_ids(request).body.version_ids.version_id))
        except KmsFailure as failure:
            if failure.absent or failure.deleted:
                return []
            raise

    def _read(self, name: str, id_: str | None = None) -> SourceValue | None:
        """Return the current value of a name, or that of a version."""
        request = models.GetSecretValueRequest(secret_name=name, version_id=id_)

        def value() -> tuple[SourceValue, str]:
            body = self._client.get_secret_value(request).body
            received = _text(body.version_id)
            return SourceValue(value=_received(body), version=Version(id=received)), received

        try:
            read, received = self._call(value)
        except KmsFailure as failure:
            if failure.absent:
                return None
            raise
        # The secret of a RAM user, of a database or of an ECS instance is given in its current version, whatever is
        # asked for.
        if id_ and received != id_:
            raise KmsFailure("unversioned")
        return read

    def _present(self, names: Collection[str], call: Callable[[str], T | None]) -> dict[str, T]:
        """Call for all names, several side by side, and return what is there. Raises Refusal with all that is wrong."""
        place = self._source.origin.at()
        wrong = [name for name in names if not ALIBABA_KMS_NAME.fullmatch(name)]
        if wrong:
            hint = "a name in KMS has up to 192 letters, digits and _/+=.@-; set remoteName, or source.names"
            raise InputError(*(Mistake(f"KMS takes no name like {name}", place, hint) for name in wrong))
        results, failures = sidebyside.ask(
            names,
            call,
            parallelism=self._source.parallelism,
            failures=sidebyside.Failures(
                (KmsFailure,), lambda error, _: isinstance(error, KmsFailure) and error.concerns_all
            ),
            progress=self._progress,
        )
        if failures:
            raise self._refusal(failures)
        return {name: result for name, result in results.items() if result is not None}

    def _call(self, request: Callable[[], T]) -> T:
        """Make a request until it is answered, for a minute at most where KMS throttles. Raises KmsFailure.

        The SDK makes none a second time.
        """
        deadline, throttled, attempt = time.monotonic() + PATIENCE, 0, 0
        while True:
            try:
                return request()
            except errors.RAISED as error:
                failure = errors.failure(error)
            if failure.throttled:
                throttled += 1
                if self._throttling.wait(throttled, deadline, failure.asked):
                    continue
                raise failure
            attempt += 1
            if attempt >= failure.attempts:
                raise failure
            time.sleep(min(_PAUSE * 2.0**attempt, 10.0))

    def _refusal(self, failures: Mapping[str, Exception]) -> Refusal:
        mistakes = []
        for name, failure in failures.items():
            assert isinstance(failure, KmsFailure)
            message, hint = errors.report(failure, self._host, name)
            named = "endpoint" if self._source.endpoint else "region"
            mistakes.append(Mistake(message, self._source.origin.at(named), hint))
        return Refusal(*mistakes)


def _sent(value: Sensitive) -> dict[str, str]:
    """Return a value as a request holds it: text as it is, other bytes in base64."""
    try:
        return {"secret_data": value.reveal().decode(), "secret_data_type": _TEXT}
    except UnicodeDecodeError:
        encoded = binascii.b2a_base64(value.reveal(), newline=False).decode()
        return {"secret_data": encoded, "secret_data_type": _BYTES}


def _received(body: Any) -> Sensitive:
    """Return the value of an answer. Raises ValueError for one that holds none: no empty value is made of it."""
    text = _text(body.secret_data, empty=True)
    return Sensitive(binascii.a2b_base64(text) if body.secret_data_type == _BYTES else text.encode())


def _text(content: object, *, empty: bool = False) -> str:
    if not isinstance(content, str) or not (content or empty):
        raise ValueError
    return content


def _version(listed: Any) -> Version:
    return Version(id=str(listed.version_id), created=moment(listed.create_time))


def _stages(version: Any) -> Collection[str]:
    return (version.version_stages and version.version_stages.version_stage) or ()
