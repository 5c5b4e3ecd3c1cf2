"""What `sync` prints: a line for each object, as kubectl prints them."""

from collections.abc import Sequence

from ...actions.sync import Result


def line(result: Result, remark: str = "") -> str:
    """Return the line of a result, with a remark such as that nothing was changed."""
    state, cause = result.outcome.state, result.outcome.cause
    if state == "arrived":
        change = ", with other values than before" if result.outcome.changed else ""
        return f"{result.name} {result.verb}{change}" + (f" ({remark})" if remark else "")
    verdict = {"failed": "failed", "never": "will not arrive", "unknown": "has not arrived yet"}[state]
    return f"error: {result.name} {verdict}: {cause}"


def interrupted(results: Sequence[Result]) -> str:
    """Return where an interrupted run stands."""
    done = [result.name for result in results if result.outcome.state == "arrived"]
    return f"interrupted after {', '.join(done) or 'nothing'}; the same command goes on from there"
