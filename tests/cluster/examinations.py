"""What `doctor` says of a shop, and its next steps run as a person would type them."""

import json
import shlex
from typing import NamedTuple

from ..projects import Done
from .shops import Shop


class Step(NamedTuple):
    """One step of the output."""

    question: str
    subject: str
    verdict: str
    cause: str
    remedies: list[str]


class Examination(NamedTuple):
    """All steps, and the run that gave them."""

    done: Done
    steps: list[Step]

    def of(self, subject: str, question: str = "") -> Step:
        """The only step about an object, or the only one of a question about it."""
        [step] = [step for step in self.steps if step.subject == subject and question in step.question]
        return step

    def all(self, question: str) -> list[Step]:
        """The steps of a question."""
        return [step for step in self.steps if question in step.question]

    @property
    def failed(self) -> list[Step]:
        """The steps that failed."""
        return [step for step in self.steps if step.verdict == "failed"]


def examine(shop: Shop, *arguments: str, **variables: str) -> Examination:
    """Run doctor."""
    done = shop.ksecret("doctor", *arguments, "--output=json", **variables)
    assert done.out, done.err
    steps = [Step(*step.values()) for step in json.loads(done.out)["steps"]]
    return Examination(done, steps)


def follow(shop: Shop, step: Step) -> str:
    """Run the commands of a step's next steps, which all must succeed; returns what they print."""
    commands = [remedy for remedy in step.remedies if remedy.startswith("kubectl ")]
    assert commands, f"no command in {step}"
    return "".join(_run(shop, shlex.split(command)[1:]) for command in commands)


def _run(shop: Shop, arguments: list[str]) -> str:
    if arguments[0] != "ksecret":
        output = shop.cluster.kubectl(*arguments)
        if arguments[:2] == ["rollout", "restart"]:
            shop.cluster.kubectl("rollout", "status", *arguments[2:], "--timeout=60s")
        return output
    done = shop.ksecret(*arguments[1:])
    assert done.code == 0, f"{arguments}: {done}"
    return done.out
