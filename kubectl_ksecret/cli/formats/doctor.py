"""What `doctor` prints: a mark and a sentence for each step, or JSON."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from ...actions.doctor.examination import Step

_MARKS = {"passed": "✔", "failed": "✗", "unknown": "?", "not applicable": "-"}


def text(steps: Sequence[Step], output: str) -> str:
    """Return the steps in a format: `text` or `json`."""
    if output == "json":
        return json.dumps(_document(steps), indent=2, ensure_ascii=False) + "\n"
    return "".join(f"{line}\n" for line in _lines(steps))


def _lines(steps: Sequence[Step]) -> Iterator[str]:
    for question, answers in groupby(steps, key=lambda step: step.question):
        yield f"► {question}"
        for step in answers:
            yield f"{_MARKS[step.verdict]} {step.subject}" + (f": {step.cause}" if step.cause else "")
            if step.remedy:
                yield f"  next: {step.remedy}"
    failed = sum(step.verdict == "failed" for step in steps)
    unknown = sum(step.verdict == "unknown" for step in steps)
    passed = sum(step.verdict == "passed" for step in steps)
    yield f"{passed} passed, {failed} failed, {unknown} could not be asked"


def _document(steps: Sequence[Step]) -> object:
    return {
        "apiVersion": "ksecret.dev/v1alpha1",
        "kind": "Examination",
        "steps": [
            {
                "question": step.question,
                "subject": step.subject,
                "verdict": step.verdict,
                "cause": step.cause,
                "remedy": step.remedy,
            }
            for step in steps
        ],
    }
