"""Asking a service for many names, several at once."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from . import Progress

T = TypeVar("T")


class Failures(NamedTuple):
    """Which exceptions are failures of a name, and whether one makes the other names pointless.

    `ends` gets the failure, and whether any name has succeeded.
    """

    types: tuple[type[Exception], ...]
    ends: Callable[[Exception, bool], bool]


def ask(
    names: Collection[str], call: Callable[[str], T], *, parallelism: int, failures: Failures, progress: Progress
) -> tuple[Mapping[str, T], Mapping[str, Exception]]:
    """Call for all names and return the results, and the failures, both by name."""
    results: dict[str, T] = {}
    failed: dict[str, Exception] = {}
    pool = ThreadPoolExecutor(max_workers=parallelism)
    try:
        futures: dict[str, Future[T]] = {}
        for done, name in enumerate(names, 1):
            try:
                results[name] = futures[name].result() if futures else call(name)
            except failures.types as error:
                failed[name] = error
                if failures.ends(error, bool(results)):
                    break
            progress(done, len(names))
            # The first goes alone: threads that sign in side by side do so once each.
            futures = futures or {other: pool.submit(call, other) for other in names if other != name}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return results, failed


def chosen(
    wanted: Collection[tuple[str, str]], described: Mapping[str, Mapping[str, T]]
) -> Mapping[tuple[str, str], T]:
    """Return what there is of names and versions out of all versions of the names."""
    return {(name, id_): described[name][id_] for name, id_ in wanted if id_ in described.get(name, {})}


def by_version(
    wanted: Collection[tuple[str, str]], read: Callable[[Mapping[str, str]], Mapping[str, T | None]]
) -> Mapping[tuple[str, str], T]:
    """Return what there is of names and versions; `read` gets one version of each name at a time.

    Two keys may be pinned to two versions of one name.
    """
    values: dict[tuple[str, str], T] = {}
    remaining = list(dict.fromkeys(wanted))
    while remaining:
        versions = dict(remaining)
        for name, value in read(versions).items():
            if value is not None:
                values[name, versions[name]] = value
        remaining = [(name, version) for name, version in remaining if versions[name] != version]
    return values
