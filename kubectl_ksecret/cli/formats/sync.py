"""What `sync` prints: a line for each object, as kubectl prints them, or an object."""

import json
from collections.abc import Iterator, Sequence

from ... import yamlio
from ...actions.orders import Result
from ...actions.sync import Sync
from ...model.loading import API_VERSION

_VERDICTS = {"failed": "failed", "never": "will not arrive", "unknown": "has not arrived yet"}


def line(result: Result, output: str, remark: str = "") -> str:
    """Return the line of a result, with a remark such as that nothing was changed.

    A wide one has the namespace and the keys that have other values; of what arrived the name alone can be asked for.
    """
    state, outcome = result.outcome.state, result.outcome
    wide = output == "wide"
    name = f"{result.name} in {result.namespace}" if wide else result.name
    if state != "arrived":
        return f"error: {name} {_VERDICTS[state]}: {outcome.cause}"
    if output == "name":
        return result.name
    change = ", with other values than before" if outcome.changed else ""
    keys = f": {', '.join(outcome.changed_keys)}" if wide and outcome.changed and outcome.changed_keys else ""
    done = f"{result.name} {result.verb}" + (f" in {result.namespace}" if wide else "")
    return f"{done}{change}{keys}" + (f" ({remark})" if remark else "")


def document(syncs: Sequence[Sync], output: str, *, dry_run: bool) -> str:
    """Return all results as an object, as JSON or YAML."""
    content = _object(syncs, dry_run=dry_run)
    return yamlio.dump([content]) if output == "yaml" else json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def may_restart(syncs: Sequence[Sync]) -> Iterator[str]:
    """Yield a line for each workload of which a dry run can't tell whether it restarts."""
    for sync in syncs:
        for name in sync.may_restart:
            yield f"note: {name} restarts if the values are others than before, which a dry run can't tell"


def summary(syncs: Sequence[Sync]) -> str:
    """Return in one line what became of all."""
    delivered = [result.outcome for sync in syncs for result in sync.delivered]
    restarted = [result.outcome for sync in syncs for result in sync.restarted]
    counts = {state: sum(outcome.state == state for outcome in delivered) for state in ("arrived", *_VERDICTS)}
    changed = sum(outcome.changed for outcome in delivered if outcome.state == "arrived")
    parts = [f"{counts['arrived']} of {len(delivered)} arrived, {changed} with other values than before"]
    parts += [f"{counts[state]} {verdict}" for state, verdict in _VERDICTS.items() if counts[state]]
    complete = sum(outcome.state == "arrived" for outcome in restarted)
    parts.append(f"{complete} of {len(restarted)} workloads restarted" if restarted else "nothing restarted")
    return "; ".join(parts)


def waiting(names: Sequence[str], seconds: float) -> str:
    """Return in one line what is waited for, and for how long."""
    return f"waiting for {', '.join(names)} ({seconds:.0f} s)"


def stopped(results: Sequence[Result], word: str) -> str:
    """Return where a run stands that ended before its time."""
    done = [result.name for result in results if result.outcome.state == "arrived"]
    return f"{word} after {', '.join(done) or 'nothing'}; the same command goes on from there"


def _object(syncs: Sequence[Sync], *, dry_run: bool) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Sync",
        "dryRun": dry_run,
        "items": [
            {
                "overlay": sync.environment,
                "namespace": result.namespace,
                "object": result.name,
                "action": result.verb,
                "state": result.outcome.state,
                "changed": None if result.outcome.undecided else result.outcome.changed,
                "changedKeys": list(result.outcome.changed_keys),
                "cause": result.outcome.cause or None,
            }
            for sync in syncs
            for result in sync.results
        ],
        "mayRestart": [name for sync in syncs for name in sync.may_restart],
    }
