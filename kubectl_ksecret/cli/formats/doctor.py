"""What `doctor` prints: a mark and a sentence for each step, or JSON."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import click

from ...actions.doctor.examination import Step, Verdict
from ...errors import printable
from ...model.loading import API_VERSION

_MARKS: dict[Verdict, tuple[str, str]] = {
    "passed": ("✔", "green"),
    "failed": ("✗", "red"),
    "unknown": ("?", "yellow"),
    "not applicable": ("-", "bright_black"),
}
# Of a question that passes for many Secrets only the first are listed.
_LISTED = 3
Paint = Callable[[str, str], str]


def text(steps: Sequence[Step], output: str, *, colour: bool = False) -> str:
    """Return the steps in a format: `text` or `json`."""
    if output == "json":
        return json.dumps(_document(steps), indent=2, ensure_ascii=False) + "\n"
    return "".join(f"{line}\n" for line in _lines(steps, _painted if colour else _plain))


def waiting(steps: Sequence[Step]) -> str:
    """Return what is waited for: the first step that fails, and how many others do."""
    first, *others = (step for step in steps if step.verdict == "failed")
    more = f", and {len(others)} more" if others else ""
    return f"waiting for {first.subject}: {printable(first.cause)}{more}"


def _lines(steps: Sequence[Step], paint: Paint) -> Iterator[str]:
    for question, answers in groupby(steps, key=lambda step: step.question):
        yield f"{paint('►', 'cyan')} {question}"
        passed = 0
        for step in answers:
            passed += step.verdict == "passed" and not step.listed
            if step.listed or step.verdict != "passed" or passed <= _LISTED:
                yield from _of_step(step, paint)
        if passed > _LISTED:
            yield f"{paint(*_MARKS['passed'])} and {passed - _LISTED} more"
    failed, unknown, passed = (_count(steps, verdict) for verdict in ("failed", "unknown", "passed"))
    asked = f", {unknown} could not be asked" if unknown else ""
    yield paint(f"{passed} passed, {failed} failed{asked}", "red" if failed else "yellow" if unknown else "green")


def _of_step(step: Step, paint: Paint) -> Iterator[str]:
    yield f"{paint(*_MARKS[step.verdict])} {step.subject}" + (f": {printable(step.cause)}" if step.cause else "")
    for remedy in step.remedy.splitlines():
        yield f"  next: {printable(remedy)}"


def _count(steps: Sequence[Step], verdict: str) -> int:
    return sum(step.verdict == verdict for step in steps)


def _painted(text: str, colour: str) -> str:
    return click.style(text, fg=colour)


def _plain(text: str, _colour: str) -> str:
    return text


def _document(steps: Sequence[Step]) -> object:
    return {
        "apiVersion": API_VERSION,
        "kind": "Examination",
        "steps": [
            {
                "question": step.question,
                "subject": step.subject,
                "verdict": step.verdict,
                "cause": step.cause,
                "remedies": step.remedy.splitlines(),
            }
            for step in steps
        ],
    }
